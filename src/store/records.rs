//! A board as records: the parts that one store reads and another writes, in no store's
//! own form.

use crate::{
    board::{Announcement, Epoch, LogEntry, Member, Score, Timestamp, UserId},
    store::{RecentAction, Window},
};

/// What a log is as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) epoch: Epoch,
    /// The last entry, 0 for none. All up to it have ranks.
    pub(super) seq: u64,
}

/// A part of a board, in no store's own form.
///
/// A source gives all entries before histories, and those before ids of actions. It may
/// give a record twice.
#[derive(Clone, Debug)]
pub(super) enum Record {
    /// A user after the last entry.
    Member(Member),
    /// An entry of the log, with the action's id, if it is one and that is known.
    Entry(LogEntry, Option<Box<str>>),
    /// What is known of a user's actions since they were registered, in the order of
    /// the log, each with its number among all that were counted.
    History(UserId, Vec<(u64, RecentAction)>),
    /// An id that is not counted again.
    Counted(Counted),
    /// An announcement, with the number of its entry.
    Announced(u64, Announcement),
    /// Up to which second tokens of a user are void.
    Revoked(UserId, u64),
    /// An action that counts against a limit.
    Limited(Limited),
}

/// An action that was counted, and what was answered.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) id: Box<str>,
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) user: UserId,
    pub(super) action_type: Box<str>,
    pub(super) increase: i64,
    pub(super) score: Score,
    pub(super) rank: Option<u64>,
    pub(super) old_rank: Option<u64>,
}

/// When an action was counted that has limits.
#[derive(Clone, Debug, Hash)]
pub(super) struct Limited {
    pub(super) user: UserId,
    pub(super) action_type: Box<str>,
    pub(super) at: Timestamp,
    pub(super) seq: u64,
}

impl Limited {
    /// When no window reaches back to it any more.
    pub(super) fn until(&self) -> Timestamp {
        Timestamp(self.at.0.saturating_add(Window::Day.millis()))
    }
}

impl Record {
    /// How many it counts as.
    pub(super) fn len(&self) -> u64 {
        match self {
            Record::History(_, points) => points.len() as u64,
            _ => 1,
        }
    }
}

/// What a store forgets by itself, while a migration goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lasting {
    /// What ends until then may be gone when it is looked for.
    pub(super) until: Timestamp,
    /// How long ids of actions are known, in milliseconds.
    pub(super) actions: u64,
}

impl Lasting {
    /// Is it sure to be there when the migration is over?
    pub(super) fn holds(self, record: &Record) -> bool {
        let ends = match record {
            Record::Counted(counted) => counted.at.0.saturating_add(self.actions),
            Record::Announced(_, announcement) => announcement.until.0,
            Record::Limited(limited) => limited.until().0,
            Record::Member(_) | Record::Entry(..) | Record::History(..) | Record::Revoked(..) => {
                u64::MAX
            }
        };
        ends > self.until.0
    }
}
