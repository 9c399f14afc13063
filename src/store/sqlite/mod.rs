//! The store in one SQLite file: WAL, `synchronous=FULL`, one writer thread.
//!
//! A commit makes an entry durable before its ranks are known: they follow from
//! the fold. They are written by the commit after, and `ranked_through` says how
//! far that has come; when the store is opened, the few entries beyond it are
//! folded again. So the first answer to an action is the same for ever, even if
//! the process died right after giving it.

mod announcements;
mod limited;
mod load;
mod place;
mod reader;
mod schema;
mod transfer;
mod wal;
mod writer;

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use futures_util::future::BoxFuture;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    AllNodes, Attendance, Command, Fold, Health, History, Opened, Outcome, Store, StoreError,
};
use crate::{
    board::{BoardId, Rules, Timestamp, UserId},
    clock,
    vital::Pulse,
};
pub(super) use place::risks;
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
    connection: Connection,
    lock: File,
    rules: Rules,
    row: BoardRow,
    seq: u64,
    /// Of the writer thread.
    pub(super) pulse: Pulse,
}

/// What the table `boards` says of a board.
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
    let (lock, mut connection) = connect(path)?;
    let row = load::board_row(&mut connection, path, board, rules)?;
    let (opened, row) = load::load(&mut connection, row, rules)?;
    let seq = opened.board.seq();
    let ready = Ready {
        path: path.to_owned(),
        connection,
        lock,
        rules,
        row,
        seq,
        pulse: Pulse::unwatched(),
    };
    Ok((opened, ready))
}

/// Opens a file, which is made if it is not there, and brings its tables to the latest
/// schema.
fn connect(path: &Path) -> Result<(File, Connection), StoreError> {
    let lock = lock(path)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", wal::MANY)?;
    // What a large transaction made of it is given back when it begins again.
    connection.pragma_update(None, "journal_size_limit", wal::MANY * PAGE)?;
    // 64 MiB: the lookups by action id and user meet pages in no order.
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.set_prepared_statement_cache_capacity(32);
    schema::migrate(&mut connection, path)?;
    Ok((lock, connection))
}

/// Two writers would each believe that they alone assign `seq`. The lock is on
/// a file beside the database, so that other programs can still read that.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let error = |source| StoreError::File {
        path: name.display().to_string(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.display().to_string())),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}

impl Ready {
    /// Lets the file grow to this many pages and no further; what would exceed
    /// them is refused as on a full disk.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn limit_pages(&mut self, pages: i64) -> Result<(), StoreError> {
        self.connection
            .pragma_update(None, "max_page_count", pages)?;
        Ok(())
    }

    /// Starts the writer thread, which hands what it commits to `fold`.
    ///
    /// # Errors
    /// If the system has no thread left.
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
        let wal = Wal::new(&self.path, &self.connection, gate)?;
        let writer = Writer::new(self, wal, unwritten, Box::new(fold));
        let (health, healthy) = watch::channel(Health::Open);
        let no_thread = |source| StoreError::File {
            path: "the writer thread".into(),
            source,
        };
        // Its own, so that it looks at the clock whatever the server's threads do.
        let clock = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(no_thread)?;
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || {
                let _end = End(health);
                writer.run(queue, &clock, &pulse);
                pulse.retire();
            })
            .map_err(no_thread)?;
        Ok(SqliteStore {
            requests,
            thread: Mutex::new(Some(thread)),
            reader: Arc::new(reader),
            health: healthy,
        })
    }
}

/// Says that the store is closed, however its writer ends.
struct End(watch::Sender<Health>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.send_replace(Health::Closed);
    }
}

/// A running store; see the module.
pub struct SqliteStore {
    requests: mpsc::Sender<Request>,
    thread: Mutex<Option<JoinHandle<()>>>,
    reader: Arc<Reader>,
    health: watch::Receiver<Health>,
}

impl Store for SqliteStore {
    fn append(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
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

    fn attendance(&self, here: Attendance) -> BoxFuture<'_, Result<AllNodes, StoreError>> {
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
        self.health.clone()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Before the writer, whose connection must be the last: that one folds
            // the WAL back into the file.
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
        })
    }
}
