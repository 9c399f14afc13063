//! What a store has as records: the parts that one store reads and another writes, in no
//! store's own form.

use crate::{
    board::{
        Action, Announcement, BoardHead, BoardId, Epoch, Fact, FinalStandings, LogEntry, Person,
        Scores, Seq, StoredMember, StoredStanding, Team, Timestamp, UserId,
    },
    store::{RecentAction, Window},
};

/// What a log is as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) epoch: Epoch,
    /// The last entry, 0 for none. All up to it have ranks.
    pub(super) seq: u64,
}

/// A part of what a store has, in no store's own form.
///
/// A source gives all entries before histories, and those before ids of actions. It may
/// give a record twice.
#[derive(Clone, Debug)]
pub(super) enum Record {
    /// A person after the last entry.
    Person(Person),
    /// A team after the last entry.
    Team(Team),
    /// A board after the last entry, without those who stand on it.
    Board(BoardHead),
    /// What a person has on a board.
    Standing(BoardId, StoredStanding),
    /// What a person has on a board of teams.
    TeamMember(BoardId, StoredMember),
    /// The standings with which a season of a board has ended.
    Final(BoardId, FinalStandings),
    /// The id of a deleted board, and the number from which another one counts on.
    Deleted(BoardId, u64),
    /// An entry of the log, with the action's id, if it is one and that is known.
    Entry(LogEntry, Option<Box<str>>),
    /// What is known of a user's actions on a board since they were registered, in the order
    /// of the log, each with its number among all that were counted.
    History(BoardId, UserId, Vec<(u64, PastAction)>),
    /// An id that is not counted again.
    Counted(Counted),
    /// An announcement, with the number of its entry.
    Announced(u64, Announcement),
    /// Up to which second tokens of a user are void.
    Revoked(UserId, u64),
    /// An action that counts against a limit.
    Limited(Limited),
}

/// An action of a user's past.
#[derive(Clone, Debug, Hash)]
pub(super) struct PastAction {
    /// Its entry.
    pub(super) entry: u64,
    pub(super) action: RecentAction,
}

impl PastAction {
    /// The entry, as far as it decides what follows on derived boards: but for the second score.
    pub(super) fn entry_of(&self, board: &BoardId, user: UserId) -> Option<LogEntry> {
        let after = self.action.after;
        Some(LogEntry {
            seq: Seq::new(self.entry)?,
            at: after.at,
            fact: Fact::Action(Action {
                board: board.clone(),
                user,
                action_type: self.action.action_type.clone(),
                increase: self.action.increase,
                tiebreak_increase: 0,
                scores: after.scores(),
            }),
        })
    }
}

/// An action that was counted, and what was answered.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) id: Box<str>,
    /// Its entry.
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) board: BoardId,
    pub(super) user: UserId,
    pub(super) action_type: Box<str>,
    pub(super) increase: i64,
    pub(super) tiebreak_increase: i64,
    pub(super) scores: Scores,
    pub(super) rank: Option<u64>,
    pub(super) old_rank: Option<u64>,
    /// How many facts its board held with it; `None` for the number of the entry.
    pub(super) board_seq: Option<u64>,
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
            Record::History(_, _, points) => points.len() as u64,
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
            Record::Person(_)
            | Record::Team(_)
            | Record::Board(_)
            | Record::Standing(..)
            | Record::TeamMember(..)
            | Record::Final(..)
            | Record::Deleted(..)
            | Record::Entry(..)
            | Record::History(..)
            | Record::Revoked(..) => u64::MAX,
        };
        ends > self.until.0
    }
}
