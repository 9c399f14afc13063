//! What a delta does to a board. Pure.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "deltas come in the browser alone")
)]

use std::mem;

use crate::{
    index::Index,
    wire::{LeaderboardData, RowChange, ScoreRow, ScoreboardDelta},
};

/// What became of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// The board is newer now.
    Newer,
    /// The board knew all of it.
    Known,
    /// Something between the board and the delta is missing: it is to be asked
    /// for, from where the board is.
    Gap,
}

/// Brings a board forward. A delta says how rows are now, so it fits every board
/// between its two ends.
pub(crate) fn apply(board: &mut LeaderboardData, delta: ScoreboardDelta) -> Applied {
    if delta.epoch != board.epoch || delta.from > board.seq {
        return Applied::Gap;
    }
    if delta.to <= board.seq {
        return Applied::Known;
    }
    let index = Index::of(board.top_scores.iter().map(|row| &row.user_id));
    let mut rows: Vec<Option<ScoreRow>> = mem::take(&mut board.top_scores)
        .into_iter()
        .map(Some)
        .collect();
    let mut moved = Vec::with_capacity(delta.changes.len());
    for change in delta.changes {
        let old = index.get(&change.user_id).and_then(|at| rows[at].take());
        moved.extend(changed(change, old));
    }
    board.top_scores = placed(moved, rows.into_iter().flatten().collect());
    board.total_users = delta.total_users;
    board.last_updated = delta.last_updated;
    board.seq = delta.to;
    Applied::Newer
}

/// The rows in order: each of the moved ones has the place that it was given, and all
/// others have the places between, as they were.
fn placed(moved: Vec<(usize, ScoreRow)>, mut others: Vec<ScoreRow>) -> Vec<ScoreRow> {
    let mut places = Vec::new();
    places.resize_with(moved.len() + others.len(), || None);
    for (index, row) in moved {
        match places.get_mut(index) {
            Some(place @ None) => *place = Some(row),
            // No server of ours says so; whatever one says, nobody is lost.
            _ => others.push(row),
        }
    }
    let mut others = others.into_iter();
    let row = |place: Option<ScoreRow>| place.or_else(|| others.next());
    places.into_iter().filter_map(row).collect()
}

/// The row, if it is still there.
fn changed(change: RowChange, old: Option<ScoreRow>) -> Option<(usize, ScoreRow)> {
    if change.gone {
        return None;
    }
    let (username, avatar) = match (change.username, old) {
        (Some(username), _) => (username, change.avatar.flatten()),
        (None, Some(old)) => (old.username, old.avatar),
        (None, None) => return None,
    };
    let row = ScoreRow {
        user_id: change.user_id,
        username,
        score: change.score?,
        rank: change.rank?,
        avatar,
    };
    Some((change.index?, row))
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use proptest::{collection, prelude::*};

    use super::*;

    fn row(user: &str, score: i64, rank: u64) -> ScoreRow {
        ScoreRow {
            user_id: user.into(),
            username: user.to_uppercase(),
            score,
            rank,
            avatar: Some("/a.png".into()),
        }
    }

    fn board() -> LeaderboardData {
        LeaderboardData {
            top_scores: vec![row("a", 9, 1), row("b", 5, 2), row("c", 4, 3)],
            total_users: 3,
            epoch: "e".into(),
            seq: 10,
            ..LeaderboardData::default()
        }
    }

    fn delta(from: u64, to: u64, changes: Vec<RowChange>) -> ScoreboardDelta {
        ScoreboardDelta {
            epoch: "e".into(),
            from,
            to,
            changes,
            total_users: 4,
            ..ScoreboardDelta::default()
        }
    }

    fn change(user: &str, index: usize, score: i64) -> RowChange {
        RowChange {
            user_id: user.into(),
            index: Some(index),
            score: Some(score),
            rank: Some(index as u64 + 1),
            ..RowChange::default()
        }
    }

    #[test]
    fn rows_move_come_and_go() {
        let mut it = board();
        let changes = vec![
            change("c", 0, 12),
            change("a", 1, 9),
            RowChange {
                username: Some("New".into()),
                ..change("d", 2, 6)
            },
            RowChange {
                user_id: "b".into(),
                gone: true,
                ..RowChange::default()
            },
        ];
        assert_eq!(apply(&mut it, delta(10, 12, changes)), Applied::Newer);
        let rows: Vec<_> = it
            .top_scores
            .iter()
            .map(|row| (row.username.as_str(), row.score, row.avatar.is_some()))
            .collect();
        assert_eq!(rows, [("C", 12, true), ("A", 9, true), ("New", 6, false)]);
        assert_eq!((it.seq, it.total_users), (12, 4));
    }

    #[test]
    fn a_picture_goes_with_the_name_that_has_none() {
        let mut it = board();
        let named = RowChange {
            username: Some("A".into()),
            avatar: Some(None),
            ..change("a", 0, 9)
        };
        apply(&mut it, delta(10, 11, vec![named]));
        assert_eq!(it.top_scores[0].avatar, None);
    }

    #[test]
    fn only_what_fits_is_applied() {
        let change = || vec![change("a", 0, 99)];
        for (from, to, became) in [
            (9, 10, Applied::Known),
            (10, 10, Applied::Known),
            (11, 12, Applied::Gap),
            (4, 11, Applied::Newer),
        ] {
            let mut it = board();
            assert_eq!(apply(&mut it, delta(from, to, change())), became);
            let score = it.top_scores[0].score;
            assert_eq!(score, if became == Applied::Newer { 99 } else { 9 });
        }
        let mut it = board();
        let other = ScoreboardDelta {
            epoch: "f".into(),
            ..delta(0, 99, change())
        };
        assert_eq!(apply(&mut it, other), Applied::Gap);
    }

    /// The same, by comparing each row with each change.
    fn naive(rows: &[ScoreRow], changes: &[RowChange]) -> Vec<ScoreRow> {
        let is_same = |row: &ScoreRow| changes.iter().all(|it| it.user_id != row.user_id);
        let mut kept: Vec<ScoreRow> = rows.iter().filter(|row| is_same(row)).cloned().collect();
        let mut moved: Vec<(usize, ScoreRow)> = changes
            .iter()
            .filter_map(|change| {
                let old = rows.iter().find(|row| row.user_id == change.user_id);
                changed(change.clone(), old.cloned())
            })
            .collect();
        moved.sort_by_key(|(index, _)| *index);
        for (index, row) in moved {
            kept.insert(index, row);
        }
        kept
    }

    /// What a server says that knows both boards.
    fn changes(before: &[ScoreRow], after: &[ScoreRow]) -> Vec<RowChange> {
        let place = |rows: &[ScoreRow], user: &str| rows.iter().position(|it| it.user_id == user);
        let gone = before
            .iter()
            .filter(|row| place(after, &row.user_id).is_none());
        let gone = gone.map(|row| RowChange {
            user_id: row.user_id.clone(),
            gone: true,
            ..RowChange::default()
        });
        let now = after.iter().enumerate().filter_map(|(index, row)| {
            let old = place(before, &row.user_id);
            let is_new = old.is_none();
            (old != Some(index) || before[index] != *row).then(|| RowChange {
                username: is_new.then(|| row.username.clone()),
                avatar: is_new.then(|| row.avatar.clone()),
                rank: Some(row.rank),
                ..change(&row.user_id, index, row.score)
            })
        });
        now.chain(gone).collect()
    }

    /// Some of 40 users in some order.
    fn rows() -> impl Strategy<Value = Vec<ScoreRow>> {
        let users: Vec<u8> = (0..40).collect();
        let shuffled = Just(users).prop_shuffle();
        let scored = (shuffled, collection::vec(-3..3i64, 40), 0..40usize);
        scored.prop_map(|(users, scores, length)| {
            let places = users.iter().zip(scores).zip(1..).take(length);
            places
                .map(|((user, score), rank)| row(&format!("u{user}"), score, rank))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn a_delta_leads_from_any_board_to_any_other(before in rows(), after in rows(), turn in any::<prop::sample::Index>()) {
            let mut changes = changes(&before, &after);
            if !changes.is_empty() {
                let middle = turn.index(changes.len());
                changes.rotate_left(middle);
            }
            prop_assert_eq!(&naive(&before, &changes), &after);
            let mut it = LeaderboardData { top_scores: before, ..board() };
            prop_assert_eq!(apply(&mut it, delta(10, 11, changes)), Applied::Newer);
            prop_assert_eq!(it.top_scores, after);
        }
    }

    #[test]
    fn whatever_a_delta_says_everybody_has_one_row() {
        let mut it = board();
        let changes = vec![
            change("a", 7, 1),
            change("b", 7, 2),
            change("c", usize::MAX / 2, 3),
        ];
        apply(&mut it, delta(10, 11, changes));
        let mut users: Vec<_> = it
            .top_scores
            .iter()
            .map(|row| row.user_id.as_str())
            .collect();
        users.sort_unstable();
        assert_eq!(users, ["a", "b", "c"]);
    }
}
