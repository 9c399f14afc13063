//! The store in one SQLite file: WAL, `synchronous=FULL`, one writer thread.
//!
//! A commit makes an entry durable before its ranks are known: they follow from
//! the fold. They are written by the commit after, and `ranked_through` is how
//! far that has come; when the store is opened, the few entries beyond it are
//! folded again. So the first answer to an action is the same for ever, even if
//! the process died right after giving it.

mod adopt;
mod announcements;
mod batch;
mod changes;
mod condition;
mod database;
mod early;
mod facts;
mod file;
mod file_system;
mod guard;
mod index;
mod inspect;
mod limited;
mod load;
mod log_end;
mod log_writer;
mod main_settings;
mod marker;
mod page_cache;
mod preparation;
mod problem;
mod read_records;
mod reader;
mod schema;
mod source;
mod tables;
mod target;
mod wal;
mod wal_id;
mod write_records;
mod writer;

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use futures_util::future::BoxFuture;
use rusqlite::Transaction;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};

use super::{
    AllNodes, Command, Connected, DerivedHistory, Fold, Health, History, Opened, Outcome, Store,
    StoreError,
};
use crate::{
    board::{BoardId, FinalPart, Season, Settings, Timestamp, UserId},
    clock,
    vital::Pulse,
};
pub use adopt::Survey;
use condition::Condition;
use database::{Database, LoadedLog, opening};
use file::{resolve, writable};
pub(super) use file_system::risks;
use guard::Guard;
use log_writer::LogWriter;
pub(super) use main_settings::main_settings;
use reader::{Reader, Unwritten};
pub(super) use source::Source;
pub(super) use target::Target;
use wal::{Gate, Wal};
use writer::{PutBoard, PutBoardOutcome, Request, Writer};

/// Requests that may wait for the writer before senders are made to wait.
const QUEUE: usize = 1024;
/// How often a derived board is prepared beside the writer.
const PREPARATIONS: u32 = 3;

/// A store that was opened and loaded, and takes no commands yet.
pub struct Ready {
    path: PathBuf,
    log: LoadedLog,
    /// Of the writer thread.
    pub(super) pulse: Pulse,
}

/// Opens a file, makes or migrates its tables, and loads what is in it. In a new file `main`
/// has these settings.
///
/// # Errors
/// If the file cannot be opened, is in use, or is not what it should be.
pub fn open(path: &Path, main: &Settings) -> Result<(Opened, Ready), StoreError> {
    let path = &resolve(path).map_err(|source| writable(path, source))?;
    let mut database = Database::open(path, main)?;
    let opened = database.load(path, main);
    let opened = opened.inspect_err(|_| database.leave());
    let opened = opened.map_err(|error| opening(path, error))?;
    let log = LoadedLog::new(database, &opened).map_err(|error| opening(path, error))?;
    let ready = Ready {
        path: path.to_owned(),
        log,
        pulse: Pulse::unwatched(),
    };
    Ok((opened, ready))
}

impl Ready {
    /// Lets the file grow to this many pages and no further; what would exceed
    /// them is refused as on a full disk.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn limit_pages(&mut self, pages: i64) -> Result<(), StoreError> {
        let connection = &self.log.database.connection;
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
        let reader = Reader::new(self.path.clone(), unwritten.clone(), gate.clone());
        // Before the file is marked as having a log: by the note it is known what that must hold.
        let Database {
            connection, marker, ..
        } = &mut self.log.database;
        let (epoch, seq) = (self.log.epoch, self.log.seq);
        marker.note.board(&BoardId::default(), epoch, seq);
        let noted = marker.write();
        noted.map_err(|source| writable(&self.path, source))?;
        let mut wal = Wal::new(&self.path, connection, gate)?;
        wal.begin(connection);
        let guard = Guard::new(&self.path, &self.log.database.connection)?;
        let condition = Condition::new();
        let log = LogWriter::new(self.log, wal, guard, condition.clone(), unwritten);
        let writer = Writer::new(log, Box::new(fold));
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

impl SqliteStore {
    async fn send<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(request(reply)).await;
        sent.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)
    }

    /// Creates a board, or changes its settings. One that is derived is folded from the log,
    /// most of it beside the writer.
    async fn put_board(&self, put: PutBoard) -> Result<Outcome, StoreError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let prepare = |reply| Request::Prepare {
                put: put.clone(),
                reply,
            };
            let preparation = match self.send(prepare).await? {
                // If boards that it follows from are changed again and again, the writer reads
                // all of the log.
                Some(preparation) if attempts <= PREPARATIONS => {
                    Some(self.reader.clone().prepare(preparation).await?)
                }
                _ => None,
            };
            let request = |reply| Request::PutBoard {
                put: put.clone(),
                preparation,
                reply,
            };
            if let PutBoardOutcome::Done(outcome) = self.send(request).await?? {
                return Ok(outcome);
            }
        }
    }

    async fn append_all(&self, commands: Vec<Command>) -> Result<Vec<Outcome>, StoreError> {
        let is_of_board = |command: &Command| {
            matches!(command, Command::PutBoard { .. } | Command::DeleteBoard(_))
        };
        if !commands.iter().any(is_of_board) {
            return self
                .send(|reply| Request::Append { commands, reply })
                .await?;
        }
        let mut outcomes = Vec::new();
        for command in commands {
            outcomes.push(match command {
                Command::PutBoard {
                    board,
                    settings,
                    most,
                } => {
                    let put = PutBoard {
                        board,
                        settings,
                        most,
                    };
                    self.put_board(put).await?
                }
                Command::DeleteBoard(board) => {
                    self.send(|reply| Request::DeleteBoard { board, reply })
                        .await??
                }
                command => {
                    let commands = vec![command];
                    let answer = self.send(|reply| Request::Append { commands, reply });
                    outcomes.extend(answer.await??);
                    continue;
                }
            });
        }
        Ok(outcomes)
    }
}

impl Store for SqliteStore {
    fn append(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
            // Those who wait already are enough.
            if self.condition.hangs() {
                return Err(Condition::refusal());
            }
            self.append_all(commands).await
        })
    }

    fn history(
        &self,
        board: BoardId,
        user: UserId,
        points: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        Box::pin(self.reader.clone().history(board, user, points))
    }

    fn derived_history(
        &self,
        of: DerivedHistory,
        points: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        Box::pin(self.reader.clone().derived_history(of, points))
    }

    fn seasons(&self, board: BoardId) -> BoxFuture<'_, Result<Vec<Season>, StoreError>> {
        let read = move |now: &Transaction<'_>| load::seasons(now, &board);
        Box::pin(self.reader.clone().read_once(read))
    }

    fn final_standings(
        &self,
        board: BoardId,
        number: u32,
        positions: Range<usize>,
    ) -> BoxFuture<'_, Result<Option<FinalPart>, StoreError>> {
        let positions = FinalPart::positions(positions);
        let read = move |now: &Transaction<'_>| load::final_part(now, &board, number, positions);
        Box::pin(self.reader.clone().read_once(read))
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
