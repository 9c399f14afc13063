//! The store: takes commands, decides about each, writes the accepted ones to
//! the log, and answers only when they are durable.
//!
//! The store alone assigns `seq` and decides scores. It hands what it wrote to
//! a [`Fold`], in the order of the log and each entry once; ranks come back from
//! there. It never ranks, and never speaks to a client.

mod announcement_names;
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

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::{
    board::{
        Announcement, Applied, Board, BoardId, Epoch, LogEntry, Profile, Rules, Score, Timestamp,
        UserId,
    },
    vital::Pulse,
};
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

    /// What a user has done since they were registered: the score over time, the
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
        user: UserId,
        points: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>>;

    /// Reports how many are connected to this node, and returns how many are to all. It is to
    /// be called every [`PRESENCE_EVERY`]: a node that does not is not counted any more.
    ///
    /// # Errors
    /// If the store cannot be reached.
    fn presence(&self, here: Connected) -> BoxFuture<'_, Result<AllNodes, StoreError>>;

    /// The time by the clock that times entries, which all nodes of a board share.
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
    /// The board as of the last entry.
    pub board: Board,
    /// Announcements that are or will be valid, in the order of the log.
    pub announcements: Vec<Announcement>,
    /// Up to when tokens of users were revoked, in seconds since
    /// 1970-01-01T00:00:00Z.
    pub revoked: Vec<(UserId, u64)>,
}

/// Takes entries of the log as they become durable.
pub trait Fold: Send + 'static {
    /// Folds entries that follow the ones before, and returns what each did.
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Option<Applied>>;

    /// The log is not the one that was folded so far, or the entries between are
    /// gone: takes this board instead. Entries that are folded next follow this.
    fn reload(&mut self, opened: Opened);
}

impl Fold for Board {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Option<Applied>> {
        entries.iter().map(|entry| self.apply(entry)).collect()
    }

    fn reload(&mut self, opened: Opened) {
        *self = opened.board;
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
    /// Count an action.
    Act(Action),
    /// Take a user off the board.
    DeleteUser(UserId),
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
    /// Names the action: the same id is counted once.
    pub id: ActionId,
    /// Who acted.
    pub user: UserId,
    /// The kind of action.
    pub action_type: Box<str>,
    /// The points it is worth.
    pub increase: i64,
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
    /// The entry of the log; for a user who needed no change, the last one then.
    pub seq: u64,
    /// The user's score after it; `None` if the user is not ranked.
    pub score: Option<Score>,
    /// The rank after it; for a user who needed no change it is not looked up.
    pub rank: Option<u64>,
    /// The rank before it.
    pub old_rank: Option<u64>,
    /// The command had been accepted before, and this is the answer of then. For
    /// a user: nothing had to be changed.
    pub duplicate: bool,
}

/// Why a command was refused. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody with this id is registered.
    #[error("no user with this id is registered")]
    UnknownUser,
    /// Something else was taken under this id.
    #[error("this id was used for something else")]
    Conflict,
    /// The score would not be one that every client can hold exactly.
    #[error("the score would leave the range of ±9007199254740991")]
    OutOfRange,
    /// As many actions of this type as count for the user have been counted.
    #[error("an action of this type {0}")]
    LimitReached(LimitReached),
}

/// Why a store cannot be opened, or could not take commands.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The board has been played under other rules.
    #[error(
        "the actions on this board were counted by the rule {found:?}, and board.operator and \
         board.direction now say {wanted:?}: set them back, or take another store"
    )]
    OtherRules {
        /// The rule under which its scores were decided.
        found: String,
        /// The rule that is configured.
        wanted: &'static str,
    },
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
pub async fn risks(url: &StoreUrl, board: &BoardId) -> Vec<String> {
    match url {
        StoreUrl::Sqlite(path) => sqlite::risks(path),
        StoreUrl::Redis(servers) => redis::risks(servers, board).await,
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

/// Opens a store, and loads a board of it.
///
/// # Errors
/// If what is there cannot be opened or read.
pub async fn open(
    url: &StoreUrl,
    board: &BoardId,
    rules: Rules,
) -> Result<(Opened, Ready), StoreError> {
    match url {
        StoreUrl::Sqlite(path) => {
            let (opened, ready) = sqlite::open(path, board, rules)?;
            Ok((opened, Ready::Sqlite(Box::new(ready))))
        }
        StoreUrl::Redis(servers) => {
            let (opened, ready) = redis::open(servers, board, rules).await?;
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
