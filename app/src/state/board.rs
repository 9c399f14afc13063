//! The board: the newest one that the page has, and the signals that show it.

use std::{ops::Deref, time::Duration};

use leptos::prelude::*;

use super::{
    pause::{Pause, Paused},
    rows::{RowState, count_changed, set_if_changed, update_rows},
};
use crate::{
    delta::{self, Applied},
    timers,
    wire::{LeaderboardData, ScoreboardDelta},
};

/// How long a new leader is celebrated.
const CELEBRATION: Duration = Duration::from_secs(4);

/// See the module. A handle: copies are the same state.
#[derive(Clone, Copy)]
pub(crate) struct BoardState {
    board: Paused<LeaderboardData, ShownBoard>,
    pause: Pause,
    /// The id of a leader who has just taken the lead, or empty.
    pub(crate) new_leader: RwSignal<String>,
    /// Since when gained and lost ranks are counted, if the user chose it.
    pub(crate) compared_since: RwSignal<String>,
}

/// The board as the page shows it.
#[derive(Clone, Copy)]
pub(crate) struct ShownBoard {
    /// The rows, in order.
    pub(crate) rows: RwSignal<Vec<RowState>>,
    /// How many players are ranked.
    pub(crate) total: RwSignal<u64>,
    /// The leader's score, the full length of a bar.
    pub(crate) leader_score: RwSignal<i64>,
    /// The epoch of the rows.
    epoch: StoredValue<String>,
}

impl BoardState {
    pub(super) fn new(board: LeaderboardData, pause: Pause) -> BoardState {
        BoardState {
            pause,
            new_leader: RwSignal::new(String::new()),
            compared_since: RwSignal::new(String::new()),
            board: Paused {
                shown: ShownBoard {
                    rows: RwSignal::new(update_rows(&[], &board.top_scores)),
                    total: RwSignal::new(board.total_users),
                    leader_score: RwSignal::new(leader_score(&board)),
                    epoch: StoredValue::new(board.epoch.clone()),
                },
                newest: StoredValue::new(board),
            },
        }
    }

    /// The newest board, to read before it is replaced.
    pub(crate) fn newest(self) -> impl Deref<Target = LeaderboardData> {
        self.board.newest.read_value()
    }

    /// What the page shows.
    pub(crate) fn shown(self) -> ShownBoard {
        self.board.shown
    }

    /// Which page of the board this is, if it is one.
    pub(crate) fn page(self) -> Option<u64> {
        self.newest().page
    }

    /// Replaces the newest board, to be shown by
    /// [`PageState::refresh`](super::PageState::refresh); `false` if this one is older.
    pub(crate) fn replace(self, board: LeaderboardData) -> bool {
        let is_newer = self.newest().version().admits(board.version());
        if is_newer {
            self.board.newest.set_value(board);
        }
        is_newer
    }

    /// Applies a delta to the newest board, to be shown by
    /// [`PageState::refresh`](super::PageState::refresh).
    pub(crate) fn apply(self, delta: ScoreboardDelta) -> Applied {
        delta::apply(&mut self.board.newest.write_value(), delta)
    }

    /// Counts the rows of the newest board that a paused page does not show.
    pub(super) fn count_waiting(self) {
        let count = |rows: &Vec<RowState>| count_changed(rows, &self.newest().top_scores);
        let changed = self.shown().rows.with_untracked(count);
        self.pause.waiting.set(changed.max(1));
    }

    /// Shows the newest board.
    pub(super) fn show(self) {
        let (board, shown) = (self.newest(), self.shown());
        self.pause.waiting.set(0);
        // The leader of an earlier epoch has not been overtaken.
        if *shown.epoch.read_value() == board.epoch {
            self.celebrate_new_leader(&board);
        } else {
            shown.epoch.set_value(board.epoch.clone());
        }
        set_if_changed(&shown.leader_score, &leader_score(&board));
        set_if_changed(&shown.total, &board.total_users);

        let (rows, is_other) = shown.rows.with_untracked(|old| {
            let rows = update_rows(old, &board.top_scores);
            let is_other = {
                let ids = rows.iter().map(|row| &row.user_id);
                old.iter().map(|row| &row.user_id).ne(ids)
            };
            (rows, is_other)
        });
        if is_other {
            shown.rows.set(rows);
        }
    }

    /// Marks a new leader of the whole board, for a few seconds.
    fn celebrate_new_leader(self, board: &LeaderboardData) {
        let rows = self.shown().rows;
        let old = rows.with_untracked(|rows| rows.first().map(|row| row.user_id.clone()));
        let new = board.top_scores.first().map(|row| row.user_id.clone());
        if let (Some(old), Some(new), None) = (old, new, board.page)
            && old != new
        {
            show_for(CELEBRATION, self.new_leader, new);
        }
    }

    /// Counts gained and lost ranks from now on; `now` is the time as the page shows it.
    pub(crate) fn compare_from(self, now: String) {
        for row in self.shown().rows.get_untracked() {
            row.first_rank.set(row.rank.get_untracked());
        }
        self.compared_since.set(now);
    }
}

/// Sets a text, and empties it after this time if it is still the same.
pub(super) fn show_for(time: Duration, signal: RwSignal<String>, text: String) {
    signal.set(text.clone());
    timers::after(time, move || {
        if signal.with_untracked(|shown| *shown == text) {
            signal.set(String::new());
        }
    });
}

fn leader_score(board: &LeaderboardData) -> i64 {
    board.top_scores.first().map_or(0, |row| row.score)
}
