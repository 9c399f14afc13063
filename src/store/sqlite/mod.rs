//! The store in one SQLite file: WAL, `synchronous=FULL`, one writer thread.
//!
//! A commit makes an entry durable before its ranks are known: they follow from
//! the fold. They are written by the commit after, and `ranked_through` is how
//! far that has come; when the store is opened, the few entries beyond it are
//! folded again. So the first answer to an action is the same for ever, even if
//! the process died right after giving it.

mod adopt;
mod announcements;
mod changes;
mod condition;
mod file;
mod file_system;
mod guard;
mod index;
mod inspect;
mod limited;
mod load;
mod marker;
mod reader;
mod schema;
mod transfer;
mod wal;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use futures_util::future::BoxFuture;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};

use super::{
    AllNodes, Command, Connected, Fold, Health, History, Opened, Outcome, Store, StoreError,
};
use crate::{
    board::{BoardId, Epoch, Rules, Timestamp, UserId},
    clock,
    vital::Pulse,
};
pub use adopt::Survey;
use condition::Condition;
use file::{resolve, writable};
pub(super) use file_system::risks;
use guard::Guard;
use inspect::{Found, Problem};
use marker::Marker;
use reader::{Reader, Unwritten};
pub(super) use transfer::{Source, Target};
use wal::{Gate, Wal};
use writer::{Request, Writer};

/// Requests that may wait for the writer before senders are made to wait.
const QUEUE: usize = 1024;

/// A page of the database, in bytes.
const PAGE: u64 = 4096;

/// A store that was opened and loaded, and takes no commands yet.
pub struct Ready {
    path: PathBuf,
    database: Database,
    name: BoardId,
    rules: Rules,
    row: BoardRow,
    seq: u64,
    /// Of the writer thread.
    pub(super) pulse: Pulse,
}

/// The row of a board in the table `boards`.
#[derive(Clone, Copy)]
struct BoardRow {
    id: i64,
    epoch: i64,
    ranked_through: u64,
}

/// Opens a file, makes or migrates its tables, and loads a board of it.
///
/// # Errors
/// If the file cannot be opened, is in use, or is not what it should be.
pub fn open(path: &Path, board: &BoardId, rules: Rules) -> Result<(Opened, Ready), StoreError> {
    let path = &resolve(path).map_err(|source| writable(path, source))?;
    let mut database = Database::open(path)?;
    let load = |database: &mut Database| {
        let row = load::board_row(&mut database.connection, path, board, rules)?;
        load::load(&mut database.connection, row, rules)
    };
    let loaded = load(&mut database).inspect_err(|_| database.leave());
    let (opened, row) = loaded.map_err(|error| opening(path, error))?;
    let seq = opened.board.seq();
    let ready = Ready {
        path: path.to_owned(),
        database,
        name: board.clone(),
        rules,
        row,
        seq,
        pulse: Pulse::unwatched(),
    };
    Ok((opened, ready))
}

/// A file that is open and locked. When it is dropped, all that was written is in it, and
/// nothing beside it, unless it is to be left as it is.
struct Database {
    // Closed before it is noted that it is, and unlocked.
    connection: Connection,
    marker: Marker,
    leave: bool,
}

/// The page cache of the connection that writes: 64 MiB, because the lookups
/// by action id and user meet pages in no order. SQLite takes KiB, with a minus.
const CACHE: i64 = -65_536;

impl Database {
    /// Opens a file, which is made if nothing was ever there, and brings its tables to the
    /// latest schema.
    ///
    /// # Errors
    /// If what is there is not ours, not whole, or not all that was there. Then nothing
    /// was changed.
    fn open(path: &Path) -> Result<Database, StoreError> {
        inspect::head(path)?;
        let marker = Marker::lock(path)?;
        let found = inspect::outside(path, &marker.note)?;
        let found = found.map_err(|problem| problem.in_file(path))?;
        Database::connect(path, marker, found).map_err(|error| opening(path, error))
    }

    fn connect(path: &Path, mut marker: Marker, found: Found) -> Result<Database, StoreError> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if found == Found::Nothing {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let mut connection = Connection::open_with_flags(path, flags)?;
        // Before anything is read: to close it must not write a log back that is not ours.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "cell_size_check", true)?;
        let inside = inspect::inside(&connection, path, &marker.note, found)?;
        inside.map_err(|problem| problem.in_file(path))?;
        marker.lock_database()?;
        if connection.is_readonly("main")? {
            return Err(Problem::ReadOnly.in_file(path));
        }

        marker.note.is_closed = false;
        // The writer notes it.
        (marker.note.wal, marker.note.file) = (None, None);
        marker.sync().map_err(|source| writable(path, source))?;
        if found == Found::Nothing {
            // A process that dies while it makes the file leaves no journal beside it, which
            // the next one could not distinguish from that of another program.
            connection.pragma_update(None, "journal_mode", "MEMORY")?;
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", wal::MANY)?;
        // What a large transaction made of it is given back when it begins again.
        connection.pragma_update(None, "journal_size_limit", wal::MANY * PAGE)?;
        connection.pragma_update(None, "cache_size", CACHE)?;
        connection.set_prepared_statement_cache_capacity(32);
        // A log that another program begins again between reading and writing would end a
        // transaction that has only read until then.
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        schema::migrate(&mut connection, path)?;
        Ok(Database {
            connection,
            marker,
            leave: false,
        })
    }

    /// Leaves all files as they are, also when it is dropped.
    fn leave(&mut self) {
        self.leave = true;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let in_order = !self.leave && !std::thread::panicking();
        let config = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        self.marker.closes = in_order && self.connection.set_db_config(config, false).is_ok();
    }
}

/// An error with which a file could not be opened, as a message for the user who starts the server.
fn opening(path: &Path, error: StoreError) -> StoreError {
    match condition::problem(&error) {
        Some(problem) => problem.in_file(path),
        None => error,
    }
}

impl Ready {
    /// Lets the file grow to this many pages and no further; what would exceed
    /// them is refused as on a full disk.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn limit_pages(&mut self, pages: i64) -> Result<(), StoreError> {
        let connection = &self.database.connection;
        connection.pragma_update(None, "max_page_count", pages)?;
        Ok(())
    }

    /// Starts the writer thread, which hands what it commits to `fold`. It needs a runtime of
    /// tokio around it.
    ///
    /// # Errors
    /// If the system has no thread left, or the files are gone already.
    pub fn start(mut self, fold: impl Fold) -> Result<SqliteStore, StoreError> {
        let pulse = std::mem::replace(&mut self.pulse, Pulse::unwatched());
        let (requests, queue) = mpsc::channel(QUEUE);
        let (unwritten, gate) = (Unwritten::default(), Gate::default());
        let reader = Reader::new(
            self.path.clone(),
            self.row.id,
            unwritten.clone(),
            gate.clone(),
        );
        // Before the file is marked as having a log: by the note it is known what that must hold.
        let Database {
            connection, marker, ..
        } = &mut self.database;
        let epoch = Epoch(self.row.epoch.cast_unsigned());
        marker.note.board(&self.name, epoch, self.seq);
        let noted = marker.write();
        noted.map_err(|source| writable(&self.path, source))?;
        let mut wal = Wal::new(&self.path, connection, gate)?;
        wal.begin(connection);
        let guard = Guard::new(&self.path, &self.database.connection)?;
        let condition = Condition::new();
        let writer = Writer::new(
            self,
            wal,
            guard,
            condition.clone(),
            unwritten,
            Box::new(fold),
        );
        let no_thread = |source| StoreError::File {
            path: "the writer thread".into(),
            source,
        };
        // Its own, so that it looks at the clock whatever the server's threads do.
        let clock = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(no_thread)?;
        let end = End(condition.clone());
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || {
                let _end = end;
                writer.run(queue, &clock, &pulse);
                pulse.retire();
            })
            .map_err(no_thread)?;
        tokio::spawn(condition.clone().watch());
        Ok(SqliteStore {
            requests,
            thread: Mutex::new(Some(thread)),
            reader: Arc::new(reader),
            condition,
        })
    }
}

/// Reports that the store is closed, however its writer ends.
struct End(Condition);

impl Drop for End {
    fn drop(&mut self) {
        self.0.report(Health::Closed);
    }
}

/// A running store; see the module.
pub struct SqliteStore {
    requests: mpsc::Sender<Request>,
    thread: Mutex<Option<JoinHandle<()>>>,
    reader: Arc<Reader>,
    condition: Condition,
}

impl SqliteStore {
    async fn finish(&self) {
        // Before the writer, whose connection must be the last: that one folds the WAL
        // back into the file.
        self.reader.close().await;
        if self.requests.send(Request::Close).await.is_err() {
            return;
        }
        self.requests.closed().await;
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread {
            // The queue closes when the writer is done but for dropping its connection.
            _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }

    /// Waits until the disk hangs.
    async fn disk_hangs(&self) {
        while !self.condition.hangs() {
            sleep(Duration::from_millis(500)).await;
        }
    }
}

impl Store for SqliteStore {
    fn append(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
            // Those who wait already are enough.
            if self.condition.hangs() {
                return Err(Condition::refusal());
            }
            let (reply, answer) = oneshot::channel();
            self.requests
                .send(Request::Append { commands, reply })
                .await
                .map_err(|_| StoreError::Closed)?;
            answer.await.map_err(|_| StoreError::Closed)?
        })
    }

    fn history(
        &self,
        user: UserId,
        points: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        Box::pin(self.reader.clone().history(user, points))
    }

    fn presence(&self, here: Connected) -> BoxFuture<'_, Result<AllNodes, StoreError>> {
        Box::pin(async move {
            Ok(AllNodes {
                nodes: 1,
                all: here,
            })
        })
    }

    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.condition.health()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            tokio::select! {
                () = self.finish() => {}
                () = self.disk_hangs() => {
                    tracing::warn!("the disk hangs: what is not written is in no answer either");
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn the_page_cache_has_a_bound_in_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("podium.db");
        let mut database = Database::open(&path).unwrap();
        let transaction = database.connection.transaction().unwrap();
        transaction
            .execute("CREATE TABLE filler (content BLOB)", [])
            .unwrap();
        for _ in 0..96 {
            let fill = "INSERT INTO filler VALUES (zeroblob(1048576))";
            transaction.execute(fill, []).unwrap();
        }
        // What is not committed is in memory or, when that is full, in the log already.
        let pages: u64 = transaction
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        let written = folder.path().join("podium.db-wal").metadata().unwrap();
        let in_memory = (pages * PAGE).saturating_sub(written.len());
        assert!(in_memory < 64 * MIB, "{} MiB", in_memory / MIB);
        assert!(in_memory > 48 * MIB, "{} MiB", in_memory / MIB);
    }
}
