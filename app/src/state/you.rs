//! The signed-in user: their score and rank, the rows around them, and who has just passed
//! them. It comes with the board, with events of their own, and with responses to requests:
//! the newest version is shown, whichever arrives last.

use std::time::Duration;

use leptos::prelude::*;

use super::{
    board::{BoardState, show_for},
    pause::{Pause, Paused},
    rows::set_if_changed,
    settings::Settings,
};
use crate::{
    texts::Text,
    version::Version,
    wire::{LeaderboardData, ScoreRow, UserScore, UserScoreUpdate},
};

/// How long the note stays that another player has passed the user.
const NOTE: Duration = Duration::from_secs(12);
/// How many rows on either side are shown around the user's own.
const WINDOW: usize = 2;

/// See the module. A handle: copies are the same state.
#[derive(Clone, Copy)]
pub(crate) struct You {
    user: Paused<Option<UserScore>>,
    pause: Pause,
    settings: Settings,
    board: BoardState,
    /// Is their row on the screen?
    pub(crate) is_row_visible: RwSignal<bool>,
    /// The rows around them, with their own.
    pub(crate) around: RwSignal<Vec<ScoreRow>>,
    /// Who has just passed them, and what it takes to regain the rank; or empty.
    pub(crate) passed: RwSignal<String>,
    /// The epoch and entry of the rows around them.
    around_version: StoredValue<(String, u64)>,
    /// The rank that they have just lost, until it is known to whom.
    lost_rank: StoredValue<Option<u64>>,
}

impl You {
    /// The signed-in user and the rows around them, as of the first board.
    pub(super) fn new(
        user: Option<UserScore>,
        around: Vec<ScoreRow>,
        settings: Settings,
        board: BoardState,
        pause: Pause,
    ) -> You {
        let version = around_version(board.newest().version());
        You {
            user: Paused {
                shown: RwSignal::new(user.clone()),
                newest: StoredValue::new(user),
            },
            pause,
            settings,
            board,
            is_row_visible: RwSignal::new(false),
            around: RwSignal::new(around),
            passed: RwSignal::new(String::new()),
            around_version: StoredValue::new(version),
            lost_rank: StoredValue::new(None),
        }
    }

    /// The user as the page shows them; `None` for a viewer who is not signed in.
    pub(crate) fn shown(self) -> RwSignal<Option<UserScore>> {
        self.user.shown
    }

    /// The id of the signed-in user.
    pub(crate) fn id(self) -> Option<String> {
        let user = self.user.newest.read_value();
        user.as_ref().map(|user| user.user_id.clone())
    }

    /// The id of the signed-in user, if the page shows a row of theirs.
    #[cfg(feature = "hydrate")]
    pub(crate) fn listed_id(self) -> Option<String> {
        self.shown().with(|user| {
            let id = &user.as_ref()?.user_id;
            let rows = self.board.shown().rows;
            let is_listed = rows.with(|rows| rows.iter().any(|row| row.user_id == *id));
            is_listed.then(|| id.clone())
        })
    }

    /// Are the rows around the user missing from the board, so that they must be requested?
    pub(crate) fn needs_around(self) -> bool {
        let user = self.user.newest.read_value();
        let Some(user) = user.as_ref().filter(|user| user.rank.is_some()) else {
            return false;
        };
        let board = self.board.newest();
        let position = position_of(&board.top_scores, &user.user_id);
        !position.is_some_and(|position| has_around(&board, position))
    }

    /// Shows what the newest board has about the user: it often knows first.
    pub(super) fn show(self) {
        let board = self.board.newest();
        if self.around_version.read_value().0 != board.epoch {
            self.around_version.set_value((board.epoch.clone(), 0));
            if self.around.with_untracked(|rows| !rows.is_empty()) {
                self.around.set(Vec::new());
            }
        }
        let Some(user) = self.user.newest.get_value() else {
            return;
        };
        let version = board.version();
        match position_of(&board.top_scores, &user.user_id) {
            Some(position) => {
                let is_newer = user.version().admits(version);
                let row = &board.top_scores[position];
                self.show_own_row(user, is_newer.then_some(row), version);
                if has_around(&board, position) && self.admits_around(version, false) {
                    let from = position.saturating_sub(WINDOW);
                    let to = (position + WINDOW + 1).min(board.top_scores.len());
                    self.show_around(&board.top_scores[from..to], version);
                }
            }
            None => self.set(user),
        }
    }

    /// Shows the rows around a user that a response has; `false` if they are about another
    /// user, or older than what is shown.
    pub(crate) fn receive_around(self, user_id: &str, response: &LeaderboardData) -> bool {
        let version = response.version();
        let user = self.user.newest.get_value();
        let user = user.filter(|user| user.user_id == user_id);
        let (Some(user), Some(position)) = (user, position_of(&response.top_scores, user_id))
        else {
            return false;
        };
        let is_of_epoch = self.board.newest().epoch == response.epoch;
        if self.pause.is_on_untracked() || !is_of_epoch || !self.admits_around(version, true) {
            return false;
        }
        let is_newer = user.version().admits_response(version);
        let row = &response.top_scores[position];
        self.show_own_row(user, is_newer.then_some(row), version);
        self.show_around(&response.top_scores, version)
    }

    /// Shows another score and rank of the user.
    pub(crate) fn update(self, update: UserScoreUpdate) {
        let Some(mut user) = self.user.newest.get_value() else {
            return;
        };
        if user.user_id == update.user_id && user.version().admits(update.version()) {
            user.score = update.score;
            user.rank = update.rank;
            user.epoch = update.epoch;
            user.seq = update.seq;
            self.set(user);
        }
    }

    /// Shows who is signed in, as a response to a request says; `false` if that is another
    /// user than before. Then nothing remains of the user before.
    pub(super) fn sign_in(self, user: Option<UserScore>) -> bool {
        match (self.user.newest.get_value(), user) {
            (None, None) => true,
            (Some(old), Some(user)) if old.user_id == user.user_id => {
                if old.version().admits_response(user.version()) {
                    self.set(user);
                }
                true
            }
            (_, user) => {
                self.replace(user);
                if !self.pause.is_on_untracked() {
                    self.show();
                }
                false
            }
        }
    }

    fn replace(self, user: Option<UserScore>) {
        let user = user.map(|user| of_epoch(user, &self.board.newest().epoch));
        self.user.newest.set_value(user.clone());
        self.around.set(Vec::new());
        self.around_version.write_value().1 = 0;
        self.lost_rank.set_value(None);
        self.passed.set(String::new());
        self.shown().set(user);
    }

    /// Shows the user by a row of theirs, if there is a newer one.
    fn show_own_row(self, mut user: UserScore, row: Option<&ScoreRow>, version: Version<'_>) {
        if let Some(row) = row {
            user.score = Some(row.score);
            user.rank = Some(row.rank);
            user.username.clone_from(&row.username);
            user.avatar.clone_from(&row.avatar);
            version.epoch.clone_into(&mut user.epoch);
            user.seq = version.seq;
        }
        self.set(user);
    }

    /// Stores the newest score and rank, and shows them unless the page is paused.
    fn set(self, user: UserScore) {
        self.user.newest.set_value(Some(user.clone()));
        if self.pause.is_on_untracked() {
            return;
        }
        // A lower rank in another epoch does not mean that another player has passed them.
        let before = self.shown().with_untracked(|shown| {
            let shown = shown.as_ref().filter(|shown| shown.epoch == user.epoch);
            shown.and_then(|shown| shown.rank)
        });
        if let (Some(before), Some(now)) = (before, user.rank) {
            if now > before {
                // The rows that say to whom come with the board, or are requested.
                self.lost_rank.set_value(Some(before));
            } else if now < before {
                self.lost_rank.set_value(None);
                self.passed.set(String::new());
            }
        }
        set_if_changed(&self.shown(), &Some(user));
    }

    /// Are these rows around the user at least as new as those that are shown?
    fn admits_around(self, rows: Version<'_>, is_response: bool) -> bool {
        let shown = self.around_version.read_value();
        let (epoch, seq) = (shown.0.as_str(), shown.1);
        let shown = Version { epoch, seq };
        if is_response {
            shown.admits_response(rows)
        } else {
            shown.admits(rows)
        }
    }

    /// Shows rows around the user, if their own row is as it is known to be.
    fn show_around(self, around: &[ScoreRow], version: Version<'_>) -> bool {
        let is_current = self.user.newest.read_value().as_ref().is_some_and(|user| {
            position_of(around, &user.user_id).is_some_and(|position| {
                let row = &around[position];
                (Some(row.score), Some(row.rank)) == (user.score, user.rank)
            })
        });
        if !is_current {
            return false;
        }
        self.around_version.set_value(around_version(version));
        let before = self.around.get_untracked();
        if before != around {
            self.around.set(around.to_vec());
        }
        if let Some(rank) = self.lost_rank.get_value() {
            self.lost_rank.set_value(None);
            if let Some(note) = self.passed_note(rank, &before) {
                show_for(NOTE, self.passed, note);
            }
        }
        true
    }

    /// Who has passed the user, and what it takes to regain the rank that they lost: the
    /// nearest above who was not above `before`.
    fn passed_note(self, lost: u64, before: &[ScoreRow]) -> Option<String> {
        let user = self.shown().get_untracked()?;
        let score = user.score?;
        self.around.with_untracked(|rows| {
            let above = position_of(rows, &user.user_id)?.checked_sub(1)?;
            let ahead = &before[..position_of(before, &user.user_id).unwrap_or(0)];
            let is_new = |row: &&ScoreRow| position_of(ahead, &row.user_id).is_none();
            let passer = rows[..=above].iter().rev().find(is_new)?;
            // Where the lost rank is not among the rows, the next one is a beginning.
            let target = rows[..=above].iter().find(|row| row.rank >= lost);
            let target = target.unwrap_or(&rows[above]);
            let points = self.points_to_pass(target, score);
            let values = [
                ("name", &*passer.username),
                ("n", &*self.settings.result(points)),
                ("rank", &*self.settings.number(target.rank.cast_signed())),
            ];
            Some(self.settings.with(Text::PassedYou, &values))
        })
    }

    /// How many points it takes to rank above a row.
    fn points_to_pass(self, row: &ScoreRow, score: i64) -> i64 {
        let points = row.score.abs_diff(score);
        points.saturating_add(self.settings.margin).cast_signed()
    }

    /// What it takes to reach the next rank, and how far behind the next player is.
    pub(crate) fn reach(self) -> (String, String) {
        let reach = self.shown().with(|user| {
            let user = user.as_ref()?;
            let score = user.score?;
            self.around.with(|rows| {
                let position = position_of(rows, &user.user_id)?;
                let above = position.checked_sub(1).map(|above| &rows[above]);
                let ahead = match above.filter(|_| user.rank != Some(1)) {
                    None => self.settings.text(Text::InTheLead),
                    Some(row) => {
                        let points = self.points_to_pass(row, score);
                        let values = [
                            ("n", &*self.settings.score(points)),
                            ("name", &*row.username),
                            ("rank", &*self.settings.number(row.rank.cast_signed())),
                        ];
                        self.settings.with(Text::ToGain, &values)
                    }
                };
                let behind = rows.get(position + 1).map(|row| {
                    let points = row.score.abs_diff(score).cast_signed();
                    let values = [
                        ("n", &*self.settings.score(points)),
                        ("name", &*row.username),
                    ];
                    self.settings.with(Text::Cushion, &values)
                });
                Some((ahead, behind.unwrap_or_default()))
            })
        });
        reach.unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn lost_rank(self) -> Option<u64> {
        self.lost_rank.get_value()
    }
}

/// At which index the row of a user is.
fn position_of(rows: &[ScoreRow], user_id: &str) -> Option<usize> {
    rows.iter().position(|row| row.user_id == user_id)
}

/// Does the board have the rows around this one?
fn has_around(board: &LeaderboardData, position: usize) -> bool {
    let rows = board.top_scores.len();
    let is_first_page = board.page.is_none_or(|page| page == 0);
    let is_whole = board.total_users <= rows as u64 && is_first_page;
    (is_first_page || position >= WINDOW) && (is_whole || position + WINDOW < rows)
}

fn around_version(version: Version<'_>) -> (String, u64) {
    (version.epoch.to_owned(), version.seq)
}

/// The user in this epoch. What another epoch says of their score and rank is void.
fn of_epoch(user: UserScore, epoch: &str) -> UserScore {
    if user.epoch == epoch {
        return user;
    }
    UserScore {
        score: None,
        rank: None,
        epoch: epoch.to_owned(),
        seq: 0,
        ..user
    }
}
