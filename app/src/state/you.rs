//! The signed-in user: how they stand, whom they have about them, and who has just
//! passed them. It is known from the board, by events of their own, and by answers to
//! requests, of which the newest is shown, whichever comes last.

use std::time::Duration;

use leptos::prelude::*;

use super::{PageState, rows::set_if_changed};
use crate::{
    banners::Banners,
    clock,
    texts::Text,
    version::Version,
    wire::{LeaderboardData, ScoreRow, UserScore, UserScoreUpdate},
};

/// How long the note stays that somebody has passed you.
const NOTE: Duration = Duration::from_secs(12);
/// How many rows on either side are about you.
const WINDOW: usize = 2;

/// See the module. A handle: copies are the same state.
#[derive(Clone, Copy)]
pub(crate) struct You {
    /// How they stand, as it is shown; nothing for a viewer.
    pub(crate) shown: RwSignal<Option<UserScore>>,
    /// Is their row on the screen?
    pub(crate) in_sight: RwSignal<bool>,
    /// The rows about them, with their own.
    pub(crate) around: RwSignal<Vec<ScoreRow>>,
    /// Who has just passed them, and what it takes to be back; or nothing.
    pub(crate) passed: RwSignal<String>,
    /// How they stand, which is shown unless the board is held.
    newest: StoredValue<Option<UserScore>>,
    /// Of which epoch, and as of which entry, the rows about them are.
    around_version: StoredValue<(String, u64)>,
    /// The rank that they lost a moment ago.
    lost_rank: StoredValue<Option<u64>>,
}

impl You {
    /// What the page knows at first, of one moment.
    pub(super) fn new(you: Option<UserScore>, around: Vec<ScoreRow>, now: Version<'_>) -> You {
        You {
            shown: RwSignal::new(you.clone()),
            in_sight: RwSignal::new(false),
            around: RwSignal::new(around),
            passed: RwSignal::new(String::new()),
            newest: StoredValue::new(you),
            around_version: StoredValue::new((now.epoch.to_owned(), now.seq)),
            lost_rank: StoredValue::new(None),
        }
    }

    /// Forgets all that was about somebody, to show somebody else, or nobody.
    fn replace(self, you: Option<UserScore>) {
        self.newest.set_value(you.clone());
        self.around.set(Vec::new());
        self.around_version.update_value(|(_, seq)| *seq = 0);
        self.lost_rank.set_value(None);
        self.passed.set(String::new());
        self.shown.set(you);
    }

    #[cfg(test)]
    pub(super) fn lost_rank(self) -> Option<u64> {
        self.lost_rank.get_value()
    }

    /// Are the rows about them not newer than these, which an event or an answer has?
    fn admits_around(self, rows: Version<'_>, is_answer: bool) -> bool {
        let shown = self.around_version.read_value();
        let (epoch, seq) = (shown.0.as_str(), shown.1);
        let shown = Version { epoch, seq };
        if is_answer {
            shown.admits_answer(rows)
        } else {
            shown.admits(rows)
        }
    }
}

/// At which place a user is.
pub(super) fn place_of(rows: &[ScoreRow], user: &str) -> Option<usize> {
    rows.iter().position(|row| row.user_id == user)
}

/// Are the rows about this place among those of the board?
fn knows_around(board: &LeaderboardData, place: usize) -> bool {
    let rows = board.top_scores.len();
    let first = board.page.is_none_or(|page| page == 0);
    let last = board.total_users <= rows as u64 && first;
    (first || place >= WINDOW) && (last || place + WINDOW < rows)
}

impl PageState {
    /// The id of the signed-in user, if somebody is.
    pub(crate) fn user_id(self) -> Option<String> {
        let you = self.you.newest.read_value();
        you.as_ref().map(|you| you.user_id.clone())
    }

    /// Must the rows about the signed-in user be asked for?
    pub(crate) fn wants_around(self) -> bool {
        let you = self.you.newest.read_value();
        let Some(you) = you.as_ref().filter(|you| you.rank.is_some()) else {
            return false;
        };
        let board = self.board();
        let place = place_of(&board.top_scores, &you.user_id);
        !place.is_some_and(|place| knows_around(&board, place))
    }

    /// Shows what the board says about the signed-in user: it often knows first.
    pub(super) fn show_you(self, board: &LeaderboardData) {
        if self.you.around_version.read_value().0 != board.epoch {
            self.you.around_version.set_value((board.epoch.clone(), 0));
            if self.you.around.with_untracked(|rows| !rows.is_empty()) {
                self.you.around.set(Vec::new());
            }
        }
        let Some(you) = self.you.newest.get_value() else {
            return;
        };
        let version = board.version();
        match place_of(&board.top_scores, &you.user_id) {
            Some(place) => {
                let is_newer = you.version().admits(version);
                self.show_own_row(you, is_newer.then_some(&board.top_scores[place]), version);
                if knows_around(board, place) && self.you.admits_around(version, false) {
                    let from = place.saturating_sub(WINDOW);
                    let to = (place + WINDOW + 1).min(board.top_scores.len());
                    self.show_around(&board.top_scores[from..to], version);
                }
            }
            None => self.set_you(you),
        }
    }

    /// Shows the rows about a user that came as an answer to a request; `false` if they
    /// are about somebody else, or older than what is shown.
    pub(crate) fn take_around(self, user: &str, answer: &LeaderboardData) -> bool {
        let version = answer.version();
        let you = self
            .you
            .newest
            .get_value()
            .filter(|you| you.user_id == user);
        let (Some(you), Some(place)) = (you, place_of(&answer.top_scores, user)) else {
            return false;
        };
        let is_of_board = self.board().epoch == answer.epoch;
        if self.paused.get_untracked() || !is_of_board || !self.you.admits_around(version, true) {
            return false;
        }
        let own = &answer.top_scores[place];
        let is_newer = you.version().admits_answer(version);
        self.show_own_row(you, is_newer.then_some(own), version);
        self.show_around(&answer.top_scores, version)
    }

    /// Shows how the signed-in user stands by a row of theirs, if there is a newer one.
    fn show_own_row(self, mut you: UserScore, row: Option<&ScoreRow>, version: Version<'_>) {
        if let Some(row) = row {
            you.score = Some(row.score);
            you.rank = Some(row.rank);
            you.username.clone_from(&row.username);
            you.avatar.clone_from(&row.avatar);
            version.epoch.clone_into(&mut you.epoch);
            you.seq = version.seq;
        }
        self.set_you(you);
    }

    /// Shows rows about the signed-in user, if their own is not older than what is known
    /// of them.
    fn show_around(self, around: &[ScoreRow], version: Version<'_>) -> bool {
        let own = |you: &UserScore| {
            let place = place_of(around, &you.user_id)?;
            let own = &around[place];
            ((Some(own.score), Some(own.rank)) == (you.score, you.rank)).then_some(())
        };
        let is_of_now = self
            .you
            .newest
            .read_value()
            .as_ref()
            .and_then(own)
            .is_some();
        if !is_of_now {
            return false;
        }
        self.you
            .around_version
            .set_value((version.epoch.to_owned(), version.seq));
        let before = self.you.around.get_untracked();
        if before != around {
            self.you.around.set(around.to_vec());
        }
        if let Some(rank) = self.you.lost_rank.get_value() {
            self.you.lost_rank.set_value(None);
            self.note_passing(rank, &before);
        }
        true
    }

    /// Says who has passed the signed-in user, and what it takes to be back at the
    /// rank that they had: the nearest above who was not above `before`.
    fn note_passing(self, lost: u64, before: &[ScoreRow]) {
        let note = self.you.shown.with_untracked(|you| {
            let you = you.as_ref()?;
            let score = you.score?;
            self.you.around.with_untracked(|rows| {
                let above = place_of(rows, &you.user_id)?.checked_sub(1)?;
                let ahead = &before[..place_of(before, &you.user_id).unwrap_or(0)];
                let is_new = |row: &&ScoreRow| place_of(ahead, &row.user_id).is_none();
                let passer = rows[..=above].iter().rev().find(is_new)?;
                // Where the old place is out of sight, the next one is a beginning.
                let there = rows[..=above].iter().find(|row| row.rank >= lost);
                let there = there.unwrap_or(&rows[above]);
                let points = there.score.abs_diff(score).saturating_add(self.margin);
                Some(self.with(
                    Text::PassedYou,
                    &[
                        ("name", &passer.username),
                        ("n", &self.points(points.cast_signed())),
                        ("rank", &self.number(there.rank.cast_signed())),
                    ],
                ))
            })
        });
        let Some(note) = note else {
            return;
        };
        self.you.passed.set(note.clone());
        clock::later(NOTE, move || {
            if self.you.passed.with_untracked(|passed| *passed == note) {
                self.you.passed.set(String::new());
            }
        });
    }

    /// What is in reach of the signed-in user: the next place, and how safe the own
    /// one is.
    pub(crate) fn reach(self) -> (String, String) {
        let reach = self.you.shown.with(|you| {
            let you = you.as_ref()?;
            let score = you.score?;
            self.you.around.with(|rows| {
                let place = place_of(rows, &you.user_id)?;
                let ahead = place.checked_sub(1).map(|above| &rows[above]);
                let ahead = ahead.filter(|_| you.rank != Some(1));
                let ahead = ahead.map_or_else(
                    || self.text(Text::InTheLead),
                    |row| {
                        let points = row.score.abs_diff(score).saturating_add(self.margin);
                        self.with(
                            Text::ToGain,
                            &[
                                ("n", &self.number(points.cast_signed())),
                                ("name", &row.username),
                                ("rank", &self.number(row.rank.cast_signed())),
                            ],
                        )
                    },
                );
                let behind = rows.get(place + 1).map(|row| {
                    let points = self.number(row.score.abs_diff(score).cast_signed());
                    self.with(Text::Cushion, &[("n", &points), ("name", &row.username)])
                });
                Some((ahead, behind.unwrap_or_default()))
            })
        });
        reach.unwrap_or_default()
    }

    /// Shows who is signed in now, as an answer to a request says. Of a sign-in that has
    /// ended, or was somebody else's, nothing remains, nor of what they were told.
    pub(crate) fn sign_in(self, now: Option<UserScore>) {
        let known = self.you.newest.get_value();
        match (known, now) {
            (None, None) => {}
            (Some(known), Some(now)) if known.user_id == now.user_id => {
                if known.version().admits_answer(now.version()) {
                    self.set_you(now);
                }
            }
            (_, now) => {
                self.banners.set(Banners::default());
                self.unread.set_value(Vec::new());
                self.told.set_value(String::new());
                let board = self.board();
                self.you.replace(now.map(|now| of_epoch(now, &board)));
                if !self.paused.get_untracked() {
                    self.show_you(&board);
                }
            }
        }
    }

    /// Shows what became of the score of the signed-in user.
    pub(crate) fn update_you(self, update: UserScoreUpdate) {
        let Some(mut you) = self.you.newest.get_value() else {
            return;
        };
        if you.user_id == update.user_id && you.version().admits(update.version()) {
            you.score = update.score;
            you.rank = update.rank;
            you.epoch = update.epoch;
            you.seq = update.seq;
            self.set_you(you);
        }
    }

    fn set_you(self, you: UserScore) {
        self.you.newest.set_value(Some(you.clone()));
        if self.paused.get_untracked() {
            return;
        }
        // Nor has anybody passed whoever stands elsewhere there.
        let before = self.you.shown.with_untracked(|shown| {
            let shown = shown.as_ref().filter(|shown| shown.epoch == you.epoch);
            shown.and_then(|shown| shown.rank)
        });
        if let (Some(before), Some(now)) = (before, you.rank) {
            if now > before {
                // Rows that say who it was come with the board, or are fetched.
                self.you.lost_rank.set_value(Some(before));
            } else if now < before {
                self.you.lost_rank.set_value(None);
                self.you.passed.set(String::new());
            }
        }
        set_if_changed(&self.you.shown, &Some(you));
    }
}

/// How somebody stands in the epoch of the board: nobody knows, where the answer is of
/// another one.
fn of_epoch(you: UserScore, board: &LeaderboardData) -> UserScore {
    if you.epoch == board.epoch {
        return you;
    }
    UserScore {
        score: None,
        rank: None,
        epoch: board.epoch.clone(),
        seq: 0,
        ..you
    }
}
