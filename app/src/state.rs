//! What the page shows, as signals. Events of the socket come in here, and
//! nothing older ever replaces something newer.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "events come in the browser alone")
)]

use leptos::prelude::*;

use crate::{
    banners::Banners,
    wire::{LeaderboardData, PageSnapshot, ScoreRow, UserScore, UserScoreUpdate},
};

/// The state of the page. A handle: copies are the same state.
#[derive(Clone, Copy)]
pub(crate) struct PageState {
    /// What the board is called.
    pub(crate) title: StoredValue<String>,
    /// The rows in order.
    pub(crate) rows: RwSignal<Vec<RowState>>,
    /// How many players there are.
    pub(crate) total: RwSignal<u64>,
    /// The score by which bars are measured.
    pub(crate) leader: RwSignal<i64>,
    /// Whoever is signed in.
    pub(crate) you: RwSignal<Option<UserScore>>,
    /// Whether what is shown is live.
    pub(crate) connection: RwSignal<Connection>,
    /// How old what is shown is, in seconds, while it gets older.
    pub(crate) age: RwSignal<u64>,
    /// What the server had to say.
    pub(crate) banners: RwSignal<Banners>,
    /// Was the page opened by a sign-in link that is not valid?
    pub(crate) link_failed: StoredValue<bool>,
    /// The board that is shown.
    board: StoredValue<LeaderboardData>,
}

/// A row, whose parts change on their own.
#[derive(Clone)]
pub(crate) struct RowState {
    pub(crate) user_id: String,
    pub(crate) username: ArcRwSignal<String>,
    pub(crate) avatar: ArcRwSignal<Option<String>>,
    pub(crate) score: ArcRwSignal<i64>,
    pub(crate) rank: ArcRwSignal<u64>,
    /// The rank that the user had when the page first showed them.
    pub(crate) first_rank: u64,
}

/// How the page stands with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Not connected yet.
    Connecting,
    /// Every change is shown at once.
    Live,
    /// Lost, and trying again: what is shown gets old.
    Reconnecting,
}

impl Connection {
    /// Does what is shown get old?
    pub(crate) fn is_stale(self) -> bool {
        self == Connection::Reconnecting
    }
}

/// Which facts are the newer ones: by `seq`, within one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    epoch: String,
    seq: u64,
}

impl Version {
    /// Is a fact of this epoch and seq at least as new? Another epoch is another
    /// life of the log: what was known of the last one is void.
    fn admits(&self, epoch: &str, seq: u64) -> bool {
        self.epoch != epoch || seq >= self.seq
    }
}

impl RowState {
    fn new(row: ScoreRow) -> RowState {
        RowState {
            user_id: row.user_id,
            username: ArcRwSignal::new(row.username),
            avatar: ArcRwSignal::new(row.avatar),
            score: ArcRwSignal::new(row.score),
            first_rank: row.rank,
            rank: ArcRwSignal::new(row.rank),
        }
    }

    fn update(&self, row: ScoreRow) {
        set_if_changed(&self.username, row.username);
        set_if_changed(&self.avatar, row.avatar);
        set_if_changed(&self.score, row.score);
        set_if_changed(&self.rank, row.rank);
    }
}

fn set_if_changed<T: PartialEq + Send + Sync + 'static>(signal: &ArcRwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}

impl PageState {
    /// The state in which the server renders, and from which the browser goes on.
    pub(crate) fn new(snapshot: PageSnapshot) -> PageState {
        let PageSnapshot {
            title,
            board,
            you,
            link_failed,
            token: _,
            expires_in: _,
            avatar_origins: _,
        } = snapshot;
        let rows = board.top_scores.iter().cloned().map(RowState::new);
        PageState {
            title: StoredValue::new(title),
            leader: RwSignal::new(leader(&board)),
            total: RwSignal::new(board.total_users),
            rows: RwSignal::new(rows.collect()),
            board: StoredValue::new(board),
            you: RwSignal::new(you),
            connection: RwSignal::new(Connection::Connecting),
            age: RwSignal::new(0),
            banners: RwSignal::new(Banners::default()),
            link_failed: StoredValue::new(link_failed),
        }
    }

    /// The board that is shown.
    pub(crate) fn board(self) -> LeaderboardData {
        self.board.get_value()
    }

    /// Is this board at least as new as the one that is shown?
    pub(crate) fn admits(self, board: &LeaderboardData) -> bool {
        self.board
            .with_value(|shown| shown.version().admits(&board.epoch, board.seq))
    }

    /// Shows a board, if it is not older than the one that is shown.
    pub(crate) fn show(self, board: LeaderboardData) {
        if !self.admits(&board) {
            return;
        }
        self.board.set_value(board.clone());
        self.show_you(&board);
        self.leader.set(leader(&board));
        self.total.set(board.total_users);

        let known = self.rows.get_untracked();
        let before: Vec<&str> = known.iter().map(|row| row.user_id.as_str()).collect();
        let rows: Vec<RowState> = board
            .top_scores
            .into_iter()
            .map(
                |row| match known.iter().find(|old| old.user_id == row.user_id) {
                    Some(old) => {
                        old.update(row);
                        old.clone()
                    }
                    None => RowState::new(row),
                },
            )
            .collect();
        if !rows.iter().map(|row| row.user_id.as_str()).eq(before) {
            self.rows.set(rows);
        }
    }

    /// The visible board often knows about whoever is signed in first.
    fn show_you(self, board: &LeaderboardData) {
        let Some(mut you) = self.you.get_untracked() else {
            return;
        };
        let row = board
            .top_scores
            .iter()
            .find(|row| row.user_id == you.user_id);
        if let Some(row) = row
            && you.version().admits(&board.epoch, board.seq)
        {
            you.score = Some(row.score);
            you.rank = Some(row.rank);
            you.username.clone_from(&row.username);
            you.avatar.clone_from(&row.avatar);
            you.epoch.clone_from(&board.epoch);
            you.seq = board.seq;
            self.you.set(Some(you));
        }
    }

    /// Shows who is signed in now: somebody whose sign-in has ended is not.
    pub(crate) fn sign_in(self, now: Option<UserScore>) {
        let newer = self.you.with_untracked(|you| match (you, &now) {
            (Some(you), Some(now)) if you.user_id == now.user_id => {
                you.version().admits(&now.epoch, now.seq)
            }
            _ => true,
        });
        if newer {
            self.you.set(now);
        }
    }

    /// Shows what became of the score of whoever is signed in.
    pub(crate) fn update_you(self, update: UserScoreUpdate) {
        let Some(mut you) = self.you.get_untracked() else {
            return;
        };
        if you.user_id == update.user_id && you.version().admits(&update.epoch, update.seq) {
            you.score = update.score;
            you.rank = update.rank;
            you.epoch = update.epoch;
            you.seq = update.seq;
            self.you.set(Some(you));
        }
    }
}

impl LeaderboardData {
    fn version(&self) -> Version {
        Version {
            epoch: self.epoch.clone(),
            seq: self.seq,
        }
    }
}

impl UserScore {
    fn version(&self) -> Version {
        Version {
            epoch: self.epoch.clone(),
            seq: self.seq,
        }
    }
}

fn leader(board: &LeaderboardData) -> i64 {
    board.top_scores.first().map_or(0, |row| row.score)
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn board(epoch: &str, seq: u64, rows: &[(&str, i64)]) -> LeaderboardData {
        let rows = rows.iter().zip(1..).map(|(&(user, score), rank)| ScoreRow {
            user_id: user.into(),
            username: user.to_uppercase(),
            score,
            rank,
            avatar: None,
        });
        LeaderboardData {
            top_scores: rows.collect(),
            total_users: 7,
            last_updated: "2026-11-23T12:00:00.000Z".into(),
            epoch: epoch.into(),
            seq,
            page: None,
        }
    }

    fn with_state(check: impl FnOnce(PageState)) {
        let owner = Owner::new();
        owner.with(|| {
            check(PageState::new(PageSnapshot {
                title: "Board".into(),
                board: board("e", 10, &[("a", 5), ("b", 3)]),
                you: Some(UserScore {
                    user_id: "b".into(),
                    username: "B".into(),
                    avatar: None,
                    score: Some(3),
                    rank: Some(2),
                    epoch: "e".into(),
                    seq: 10,
                }),
                token: String::new(),
                expires_in: 60,
                link_failed: false,
                avatar_origins: Vec::new(),
            }));
        });
    }

    fn shown(state: PageState) -> Vec<(String, i64, u64)> {
        let rows = state.rows.get_untracked();
        let row = |row: &RowState| {
            let id = row.user_id.clone();
            (id, row.score.get_untracked(), row.rank.get_untracked())
        };
        rows.iter().map(row).collect()
    }

    fn update(seq: u64, score: i64, rank: u64) -> UserScoreUpdate {
        UserScoreUpdate {
            user_id: "b".into(),
            score: Some(score),
            rank: Some(rank),
            action_type: "goal".into(),
            score_increase: 1,
            timestamp: String::new(),
            merged: 1,
            epoch: "e".into(),
            seq,
        }
    }

    #[test]
    fn a_newer_board_is_shown_and_rows_keep_their_signals() {
        with_state(|state| {
            let a = state.rows.get_untracked()[0].clone();
            state.show(board("e", 11, &[("b", 6), ("a", 5), ("c", 1)]));
            let expected = [("b".into(), 6, 1), ("a".into(), 5, 2), ("c".into(), 1, 3)];
            assert_eq!(shown(state), expected);
            assert_eq!((a.rank.get_untracked(), a.first_rank), (2, 1));
            let you = state.you.get_untracked().map(|you| (you.score, you.rank));
            assert_eq!(you, Some((Some(6), Some(1))));
        });
    }

    #[test]
    fn an_older_board_is_not() {
        with_state(|state| {
            state.show(board("e", 9, &[("b", 6)]));
            assert_eq!(shown(state), [("a".into(), 5, 1), ("b".into(), 3, 2)]);
        });
    }

    #[test]
    fn another_epoch_replaces_everything() {
        with_state(|state| {
            state.show(board("f", 1, &[("c", 1)]));
            assert_eq!(shown(state), [("c".into(), 1, 1)]);
            state.show(board("f", 2, &[]));
            assert_eq!(shown(state), []);
        });
    }

    #[test]
    fn a_sign_in_that_has_ended_is_not_shown() {
        with_state(|state| {
            let mut you = state.you.get_untracked();
            if let Some(you) = &mut you {
                (you.seq, you.rank) = (9, Some(7));
            }
            state.sign_in(you);
            let rank = state.you.get_untracked().and_then(|you| you.rank);
            assert_eq!(rank, Some(2), "what is older is not shown");
            state.sign_in(None);
            assert_eq!(state.you.get_untracked(), None);
        });
    }

    #[test]
    fn your_score_never_goes_back() {
        with_state(|state| {
            state.update_you(update(12, 9, 1));
            state.update_you(update(11, 4, 2));
            state.show(board("e", 11, &[("a", 5), ("b", 4)]));
            let you = state.you.get_untracked().map(|you| (you.score, you.rank));
            assert_eq!(you, Some((Some(9), Some(1))));
        });
    }
}
