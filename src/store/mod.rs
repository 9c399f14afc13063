//! The store: takes commands, decides about each, writes the accepted ones to
//! the log, and answers only when they are durable.
//!
//! The store alone assigns `seq` and decides scores. It hands what it wrote to
//! a [`Fold`], in the order of the log and each entry once; ranks come back from
//! there. It never ranks, and never speaks to a client.

mod announcement_names;
mod decide;
mod derived_history;
mod digests;
pub mod history;
mod limit;
pub mod migration;
pub mod peek;
mod records;
pub mod redis;
mod source;
pub mod sqlite;
mod target;

use std::{fmt, ops::Range, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::{
    board::{
        Announcement, BoardId, Contradiction, Effects, Epoch, Fact, FinalPart, GroupId, LogEntry,
        Profile, Scores, Season, Settings, State, StoredBoard, StoredChange, TeamId, Timestamp,
        UserId, What,
    },
    calendar::CalendarError,
    vital::Pulse,
};
pub use derived_history::DerivedHistory;
pub use history::{History, HistoryPoint, RecentAction};
pub use limit::{ActionLimits, LimitReached, Window};

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
    /// it is the last. 0 counts as 1, and more than [`history::MAX_POINTS`] as
    /// that.
    ///
    /// Commands never wait for it.
    ///
    /// # Errors
    /// If the store cannot be read, [`StoreError::TookTooLong`] after
    /// [`history::LONGEST_READ`], and [`StoreError::Closed`] once it is closed.
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

/// Something that a store is asked to put on the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Register a user, or change how one is shown.
    PutUser {
        /// Who it is.
        user: UserId,
        /// How the user is shown from now on.
        profile: Profile,
    },
    /// Change what a user belongs to.
    GroupUser {
        /// Who it is.
        user: UserId,
        /// The team from now on, or none; `None` leaves it as it is.
        team: Option<Option<TeamId>>,
        /// The groups from now on; `None` leaves them as they are.
        groups: Option<Box<[GroupId]>>,
    },
    /// Take a user off all boards, or put them back with all points.
    HideUser {
        /// Who it is.
        user: UserId,
        /// Off all boards?
        hidden: bool,
        /// Why: at most 500 characters of one line.
        reason: Option<Box<str>>,
    },
    /// Register a team, or change how one is shown.
    PutTeam {
        /// Which.
        team: TeamId,
        /// How it is shown from now on.
        profile: Profile,
    },
    /// Count an action.
    Act(Action),
    /// Delete a user with all that is theirs.
    DeleteUser(UserId),
    /// Create a board, or change its settings.
    PutBoard {
        /// Which.
        board: BoardId,
        /// Its settings from now on.
        settings: Arc<Settings>,
        /// A new one is refused if there are as many as this.
        most: usize,
    },
    /// Delete a board with all that is on it.
    DeleteBoard(BoardId),
    /// Make tokens of a user void, registered or not.
    RevokeTokens {
        /// Whose.
        user: UserId,
        /// All that were issued up to this second since 1970-01-01T00:00:00Z.
        issued_until: u64,
    },
    /// Publish an announcement. The same one is accepted once.
    Announce(Announcement),
}

/// A score action, as a publisher sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Names the action: the same id is counted once, whatever the board.
    pub id: ActionId,
    /// On which board, one that is not derived.
    pub board: BoardId,
    /// Who acted.
    pub user: UserId,
    /// The kind of action.
    pub action_type: Box<str>,
    /// The points it is worth.
    pub increase: i64,
    /// What it is worth for the second score: 0 on a board without.
    pub tiebreak_increase: i64,
    /// The limits of its type, if that is one whose points the server sets. Then
    /// the points do not identify the action: they may have been others
    /// when it was counted.
    pub declared: Option<ActionLimits>,
}

/// Names an action: 1 to 128 bytes of text without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ActionId(Box<str>);

impl ActionId {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The id with this text, or `None` if it is empty, too long or has control
    /// characters.
    pub fn new(text: &str) -> Option<ActionId> {
        let fits =
            (1..=ActionId::MAX_BYTES).contains(&text.len()) && !text.contains(char::is_control);
        fits.then(|| ActionId(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What became of a command.
pub type Outcome = Result<Receipt, Refusal>;

/// An accepted command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// How many facts the board holds with it: of an action the board that it names, else
    /// `main`. For a user who needed no change, as many as it held then.
    pub seq: u64,
    /// The user's scores on that board after an action.
    pub scores: Option<Scores>,
    /// The rank after an action.
    pub rank: Option<u64>,
    /// The rank before it.
    pub old_rank: Option<u64>,
    /// The command had been accepted before, and this is the answer of then. For
    /// a user: nothing had to be changed.
    pub duplicate: bool,
}

/// Why a command was refused. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody with this id is registered.
    #[error("no user with this id is registered")]
    UnknownUser,
    /// No team with this id is registered.
    #[error("no team with this id is registered: register it by PUT /api/v1/teams/{{id}} first")]
    UnknownTeam,
    /// There is no board with this id.
    #[error("there is no board {0}")]
    UnknownBoard(BoardId),
    /// A derived board takes no actions.
    #[error("{board} follows from the actions on {of}: send them to that one")]
    Derived {
        /// The board that was named.
        board: BoardId,
        /// The one that it is derived from.
        of: BoardId,
    },
    /// The board has not started.
    #[error("the board has not started: no action counts yet")]
    NotStarted,
    /// The board has ended.
    #[error("the board has ended: no action counts any more")]
    Ended,
    /// Something else was taken under this id.
    #[error("this id was used for something else")]
    Conflict,
    /// The score would not be one that every client can hold exactly.
    #[error("the score would leave the range of ±9007199254740991")]
    OutOfRange,
    /// As many actions of this type as count for the user have been counted.
    #[error("an action of this type {0}")]
    LimitReached(LimitReached),
    /// Settings make no board.
    #[error("{0}")]
    Settings(#[from] Contradiction),
    /// When its seasons end cannot be said.
    #[error("{0}")]
    Calendar(#[from] CalendarError),
    /// There are as many boards as may be.
    #[error("there are {0} boards, and limits.boards allows no more")]
    TooManyBoards(usize),
    /// Plain routes and events mean it.
    #[error("main cannot be deleted: plain routes and events mean it")]
    IsMain,
    /// Another board is derived from it.
    #[error("{0} is derived from it: delete that one first")]
    HasDerived(BoardId),
}

/// Why a store cannot be opened, or could not take commands.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error(
        "{0} is in use by another Podium: stop that one first, or send what you have over HTTP"
    )]
    InUse(String),
    /// It was written by a later version of this program.
    #[error(
        "{path} has schema {found}, and this Podium knows up to {known}: use the newer version that wrote it"
    )]
    TooNew {
        /// The file.
        path: String,
        /// Its schema.
        found: usize,
        /// The latest that this program knows.
        known: usize,
    },
    /// A migration to it has not come to its end.
    #[error("the board in {0} is being migrated: run podium migrate again, to its end")]
    Migrating(String),
    /// A server answers, and cannot be used.
    #[error("cannot use {address}: {problem}")]
    Unusable {
        /// The server, without its password.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file could not be opened or locked.
    #[error("cannot open {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// The error of the system.
        source: std::io::Error,
    },
    /// What is there is not what it should be, or cannot be written. Nothing was changed.
    #[error("cannot use {path}: {problem}. Nothing was changed: {cure}")]
    Unfit {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        cure: &'static str,
    },
    /// The database could not do what it was asked.
    #[error("the database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// What was read cannot have been written by this program.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
    /// The transaction that these commands shared failed; the server's log has the error.
    #[error("nothing was written, because the store failed: {0}")]
    Refused(String),
    /// The store is there and cannot write; see [`Health::Unwritable`].
    #[error("nothing can be stored, because {0}")]
    Unwritable(Arc<str>),
    /// The store did not answer within [`LONGEST_APPEND`]. Some of the commands may be
    /// accepted all the same: sent again, they are answered as they were then.
    #[error("the store does not answer")]
    NoAnswer,
    /// Reading was given up.
    #[error("reading took too long: ask again a little later")]
    TookTooLong,
    /// The store cannot be reached now. Some of the commands may have been accepted:
    /// sent again, they are answered as they were then.
    #[error("the store cannot be reached: {0}")]
    Unreachable(String),
    /// The store is closed, or its writer has ended.
    #[error("the store is closed")]
    Closed,
}

/// Where a store is. Passwords are not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// Redis, or Valkey.
    Redis(redis::Servers),
}

/// An address names no store that we know. It is not shown, because it may hold a
/// password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "give a file, as in sqlite:podium.db, or servers, as in redis://127.0.0.1:6379, \
     rediss://USER:PASSWORD@HOST:PORT or redis://HOST:PORT,HOST:PORT"
)]
pub struct UnknownUrl;

impl FromStr for StoreUrl {
    type Err = UnknownUrl;

    fn from_str(url: &str) -> Result<StoreUrl, UnknownUrl> {
        let Some(path) = url.strip_prefix("sqlite:") else {
            return redis::Servers::parse(url).map(StoreUrl::Redis);
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        // SQLite's names for what is in memory or temporary store nothing.
        if path.trim_matches('/').is_empty()
            || path.starts_with([':', '?'])
            || path.starts_with("file:")
        {
            return Err(UnknownUrl);
        }
        Ok(StoreUrl::Sqlite(path.into()))
    }
}

/// Without passwords.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            StoreUrl::Redis(servers) => servers.fmt(f),
        }
    }
}

/// What puts at risk what will be stored there, as a sentence for each; for example a
/// network file system, which may lose what it has confirmed. It changes nothing, and says
/// nothing of a store that cannot be reached.
pub async fn risks(url: &StoreUrl) -> Vec<String> {
    match url {
        StoreUrl::Sqlite(path) => sqlite::risks(path),
        StoreUrl::Redis(servers) => redis::risks(servers).await,
    }
}

/// What `main` is by the log; `None` where nothing is there yet, or where only a start would
/// say, because it would bring what is there to the present form. It changes nothing.
///
/// # Errors
/// If what is there cannot be reached or read.
pub async fn main_settings(url: &StoreUrl) -> Result<Option<Settings>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => sqlite::main_settings(path),
        StoreUrl::Redis(servers) => redis::main_settings(servers).await,
    }
}

/// A store that was opened and loaded, and takes no commands yet.
pub enum Ready {
    /// An SQLite file.
    Sqlite(Box<sqlite::Ready>),
    /// Redis, or Valkey.
    Redis(Box<redis::Ready>),
}

impl Ready {
    /// Gives its writer a pulse: what writes to the log, and hands it to the fold. A
    /// server that cannot be reached is no failure of it.
    pub fn watched_by(mut self, pulse: Pulse) -> Ready {
        match &mut self {
            Ready::Sqlite(ready) => ready.pulse = pulse,
            Ready::Redis(ready) => ready.pulse = pulse,
        }
        self
    }

    /// Begins to take commands. What is written is handed to `fold`. It needs a
    /// runtime of tokio around it.
    ///
    /// # Errors
    /// If the store cannot start.
    pub fn start(self, fold: impl Fold) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Ready::Sqlite(ready) => Ok(Arc::new(ready.start(fold)?)),
            Ready::Redis(ready) => Ok(Arc::new(ready.start(fold))),
        }
    }
}

/// Opens a store and loads what is in it. In an empty one `main` has these settings; else
/// the log says which it has.
///
/// # Errors
/// If what is there cannot be opened or read.
pub async fn open(url: &StoreUrl, main: &Settings) -> Result<(Opened, Ready), StoreError> {
    match url {
        StoreUrl::Sqlite(path) => {
            let (opened, ready) = sqlite::open(path, main)?;
            Ok((opened, Ready::Sqlite(Box::new(ready))))
        }
        StoreUrl::Redis(servers) => {
            let (opened, ready) = redis::open(servers, main).await?;
            Ok((opened, Ready::Redis(Box::new(ready))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_stores_and_nothing_else_is() {
        for (url, path) in [
            ("sqlite:podium.db", "podium.db"),
            ("sqlite:/var/lib/podium.db", "/var/lib/podium.db"),
            ("sqlite:///var/lib/podium.db", "/var/lib/podium.db"),
        ] {
            assert_eq!(url.parse(), Ok(StoreUrl::Sqlite(path.into())));
        }
        for url in [
            "",
            "podium.db",
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            "sqlite:file:a.db?mode=memory",
            "postgres://localhost/podium",
        ] {
            assert_eq!(url.parse::<StoreUrl>(), Err(UnknownUrl), "{url}");
        }
    }
}
