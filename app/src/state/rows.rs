//! The rows of the board, whose fields are signals of their own.

use leptos::prelude::*;

use crate::{index::Index, wire::ScoreRow};

/// A row, whose fields change independently.
#[derive(Clone)]
pub(crate) struct RowState {
    pub(crate) user_id: String,
    pub(crate) username: ArcRwSignal<String>,
    pub(crate) avatar: ArcRwSignal<Option<String>>,
    pub(crate) score: ArcRwSignal<i64>,
    /// The second score; 0 on a board that has none.
    pub(crate) tiebreak: ArcRwSignal<i64>,
    pub(crate) rank: ArcRwSignal<u64>,
    /// How far the row above is.
    pub(crate) gap: ArcRwSignal<Gap>,
    /// The rank that the user had when the comparison began.
    pub(crate) first_rank: ArcRwSignal<u64>,
}

/// How far a row is from the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// There is none above.
    First,
    /// It has the same score.
    Level,
    /// So many points are between them.
    Behind(i64),
}

impl RowState {
    fn new(row: &ScoreRow, gap: Gap) -> RowState {
        RowState {
            user_id: row.user_id.clone(),
            username: ArcRwSignal::new(row.username.clone()),
            avatar: ArcRwSignal::new(row.avatar.clone()),
            score: ArcRwSignal::new(row.score),
            tiebreak: ArcRwSignal::new(row.tiebreak.unwrap_or(0)),
            first_rank: ArcRwSignal::new(row.rank),
            rank: ArcRwSignal::new(row.rank),
            gap: ArcRwSignal::new(gap),
        }
    }

    fn update(&self, row: &ScoreRow, gap: Gap) {
        set_if_changed(&self.username, &row.username);
        set_if_changed(&self.avatar, &row.avatar);
        set_if_changed(&self.score, &row.score);
        set_if_changed(&self.tiebreak, &row.tiebreak.unwrap_or(0));
        set_if_changed(&self.rank, &row.rank);
        set_if_changed(&self.gap, &gap);
    }
}

/// Setting a signal renders what shows it again, also where the value is the same.
pub(crate) fn set_if_changed<T, S>(signal: &S, value: &T)
where
    T: Clone + PartialEq + 'static,
    S: WithUntracked<Value = T> + Set<Value = T>,
{
    if signal.with_untracked(|old| old != value) {
        signal.set(value.clone());
    }
}

/// The rows as they are now. A user who had a row before keeps it, with new values.
pub(super) fn update_rows(old: &[RowState], rows: &[ScoreRow]) -> Vec<RowState> {
    let index = Index::of(old.iter().map(|row| &row.user_id));
    let update = |(row, gap): (&ScoreRow, Gap)| match index.get(&row.user_id) {
        Some(at) => {
            old[at].update(row, gap);
            old[at].clone()
        }
        None => RowState::new(row, gap),
    };
    rows.iter().zip(gaps(rows)).map(update).collect()
}

/// How many rows are shown with another score, or not at all.
pub(super) fn count_changed(shown: &[RowState], rows: &[ScoreRow]) -> u64 {
    let index = Index::of(shown.iter().map(|row| &row.user_id));
    let is_changed = |row: &&ScoreRow| {
        let score = index.get(&row.user_id);
        let score = score.map(|at| shown[at].score.get_untracked());
        score != Some(row.score)
    };
    rows.iter().filter(is_changed).count() as u64
}

/// How far each row is from the one above. The first row of a page has none.
fn gaps(rows: &[ScoreRow]) -> impl Iterator<Item = Gap> {
    let mut above = None;
    rows.iter().map(move |row| match above.replace(row.score) {
        None => Gap::First,
        Some(above) if above == row.score => Gap::Level,
        Some(above) => Gap::Behind((above - row.score).abs()),
    })
}
