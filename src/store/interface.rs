//! What a store does, and what it asks of whoever folds its log.

use std::{ops::Range, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::{
    command::{Command, Outcome},
    derived_history::DerivedHistory,
    error::StoreError,
    history::History,
};
use crate::board::{
    Announcement, BoardId, Effects, Epoch, Fact, FinalPart, LogEntry, Season, State, StoredBoard,
    StoredChange, Timestamp, UserId, What,
};

/// The log and the state that follows from it, wherever they are stored.
pub trait Store: Send + Sync + 'static {
    /// Decides about these commands in their order and makes the accepted ones
    /// durable. The answer has one result for each command.
    ///
    /// # Errors
    /// If the commands could not be written. Then none of them was accepted,
    /// and all may be sent again.
    fn append(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>>;

    /// What a user has done on a board since they were registered: the score over time, the
    /// latest actions, and what sums them up. `None` if nobody with this id is
    /// registered; a user who was deleted and registered again has a new history.
    ///
    /// It holds every action of the user that was answered before it was asked
    /// for, as of one moment. Its ranks are those that were answered.
    ///
    /// Of at most `points` actions, all are points of the score. Of more, `points`
    /// at most are, evenly in time: the first action, the last of each of
    /// `points` − 2 stretches of equal length, and the last action; of one point,
    /// it is the last. 0 counts as 1, and more than [`history::MAX_POINTS`](super::history::MAX_POINTS) as
    /// that.
    ///
    /// Commands never wait for it.
    ///
    /// # Errors
    /// If the store cannot be read, [`StoreError::TookTooLong`] after
    /// [`history::LONGEST_READ`](super::history::LONGEST_READ), and [`StoreError::Closed`] once it is closed.
    fn history(
        &self,
        board: BoardId,
        user: UserId,
        points: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>>;

    /// What a person did on a derived board, in its present season; otherwise as
    /// [`Store::history`]. Of these actions no ranks are known.
    ///
    /// # Errors
    /// As [`Store::history`].
    fn derived_history(
        &self,
        of: DerivedHistory,
        points: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>>;

    /// The seasons of a board that have ended, the first one first.
    ///
    /// # Errors
    /// As [`Store::history`].
    fn seasons(&self, board: BoardId) -> BoxFuture<'_, Result<Vec<Season>, StoreError>>;

    /// The rows at these positions, counted from 0, of the standings with which a season of a
    /// board has ended, [`FinalPart::MOST`] at most; `None` if there is no such season, or it
    /// runs. Standings are final: all parts are of one moment.
    ///
    /// # Errors
    /// As [`Store::history`].
    fn final_standings(
        &self,
        board: BoardId,
        number: u32,
        positions: Range<usize>,
    ) -> BoxFuture<'_, Result<Option<FinalPart>, StoreError>>;

    /// Reports how many are connected to this node, and returns how many are to all. It is to
    /// be called every [`PRESENCE_EVERY`]: a node that does not is not counted any more.
    ///
    /// # Errors
    /// If the store cannot be reached.
    fn presence(&self, here: Connected) -> BoxFuture<'_, Result<AllNodes, StoreError>>;

    /// The time by the clock that times entries, which all nodes of a server share.
    fn now(&self) -> Timestamp;

    /// Whether it takes commands, now and from now on.
    fn health(&self) -> watch::Receiver<Health>;

    /// Finishes what was started, and closes. Whatever comes later is refused.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// How long the writer of a store may be at one thing: a disk may be slow, and its
/// controller may try again for half a minute.
pub const LONGEST_WRITE: Duration = Duration::from_secs(60);

/// How long a sender of commands waits for a store that does not answer.
pub const LONGEST_APPEND: Duration = Duration::from_secs(10);

/// How long a sender waits for a derived board, for which all of the log is read: that of a
/// hundred million actions.
pub const LONGEST_DERIVATION: Duration = Duration::from_secs(600);

/// How often a node reports how many are connected to it.
pub const PRESENCE_EVERY: Duration = Duration::from_secs(5);

/// How many are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connected {
    /// Sockets.
    pub sockets: u64,
    /// Users, by however many sockets; one who is connected to two nodes is two.
    pub users: u64,
}

/// How many are connected to all nodes that have one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllNodes {
    /// Nodes.
    pub nodes: u64,
    /// What is connected to them.
    pub all: Connected,
}

/// Can a store do what it is for?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It takes commands.
    Open,
    /// It cannot be reached, and reconnects by itself: commands are refused
    /// with [`StoreError::Unreachable`], and the board stays as it was.
    Unreachable,
    /// It is there and cannot write, for the reason that this message gives: commands are
    /// refused with [`StoreError::Unwritable`], and the board stays as it was. The words
    /// follow "nothing can be stored, because", say what to do, and are for anybody: they
    /// name no path, address or password.
    Unwritable(Arc<str>),
    /// It is closed for good.
    Closed,
}

/// What was in a store when it was opened, or when a new epoch began.
pub struct Opened {
    /// The epoch of the log.
    pub epoch: Epoch,
    /// People, teams and boards as of the last entry.
    pub state: State,
    /// Announcements that are or will be valid, in the order of the log.
    pub announcements: Vec<Announcement>,
    /// Up to when tokens of users were revoked, in seconds since
    /// 1970-01-01T00:00:00Z.
    pub revoked: Vec<(UserId, u64)>,
}

/// Takes entries of the log as they become durable.
pub trait Fold: Send + 'static {
    /// Folds entries that follow the ones before, and returns what each did.
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Folded>;

    /// Folds the entry that creates a derived board, which is this one as of that entry.
    fn fold_board(&mut self, entry: &LogEntry, board: StoredBoard) -> Folded;

    /// Puts a derived board in the place of the one that an entry has created, as of the last
    /// entry that was folded.
    fn put_board(&mut self, board: StoredBoard);

    /// The log is not the one that was folded so far, or the entries between are
    /// gone: takes this state instead. Entries that are folded next follow this.
    fn reload(&mut self, opened: Opened);

    /// Reads the state as of the last entry that was folded. It must be short.
    fn read(&self, read: &mut dyn FnMut(&State));
}

/// What an entry did, as far as a store needs to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// How many facts were folded into the board that an action names, and of other entries
    /// into `main`.
    pub seq: u64,
    /// Of an action, the ranks before and after it on the board that it names.
    pub ranks: [Option<u64>; 2],
    /// What is to be stored of boards because of it.
    pub stored: Vec<StoredChange>,
}

impl Folded {
    /// What this entry did, which was folded last.
    pub fn of(state: &State, entry: &LogEntry, effects: Effects) -> Folded {
        let board = match &entry.fact {
            Fact::Action(action) => Some(&action.board),
            _ => None,
        };
        let mut ranks = [None; 2];
        for effect in &effects.shown {
            if let What::Placed(applied) = &effect.what
                && Some(&effect.board) == board
            {
                ranks = applied.ranks;
            }
        }
        let main = BoardId::default();
        let board = state.board(board.unwrap_or(&main));
        Folded {
            seq: board.map_or(0, |board| board.seq()),
            ranks,
            stored: effects.stored,
        }
    }
}

impl Fold for State {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Folded> {
        let mut fold = |entry| {
            let effects = self.apply(entry);
            Folded::of(self, entry, effects)
        };
        entries.iter().map(&mut fold).collect()
    }

    fn fold_board(&mut self, entry: &LogEntry, board: StoredBoard) -> Folded {
        let effects = self.create(entry, board);
        Folded::of(self, entry, effects)
    }

    fn put_board(&mut self, board: StoredBoard) {
        State::put_board(self, board);
    }

    fn reload(&mut self, opened: Opened) {
        *self = opened.state;
    }

    fn read(&self, read: &mut dyn FnMut(&State)) {
        read(self);
    }
}
