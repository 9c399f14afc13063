//! The write-ahead log: bounds its size, whatever is read meanwhile.
//!
//! SQLite begins the log again from its front when all of it is in the file and nobody
//! reads in it. Readers that follow each other without a pause never let that happen,
//! and the log grows. So they read in short pieces ([`Gate::pass`]), and the writer,
//! when there is much in the log, closes the gate for the moment that it takes.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{RwLock, RwLockReadGuard};
use rusqlite::Connection;

use super::{file::beside, schema, wal_id::WAL_HEADER};
use crate::{log_throttle::LogThrottle, store::StoreError};

/// Pages in the log from which on it is written back into the file, 33 MB. Scattered
/// pages are written back less often than by default, and a start after a crash still
/// reads the log in a fraction of a second. The largest transaction, 1,500 commands on
/// a file in which no two meet the same page, adds 30 MB.
pub(super) const MANY: u64 = 8_000;
/// Pages after which it is tried again, if that was not possible.
const AGAIN: u64 = 1_000;
/// How much the file of the log may hold when all is quiet, in bytes.
const LEFT: u64 = 2 << 20;
/// It is quiet when less is written between two looks, in pages.
const FEW: u64 = 500;
/// Between two looks at whether it is quiet.
const LOOK: Duration = Duration::from_secs(1);
/// How long the writer waits for other programs that lock the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where readers wait while the log begins again.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<RwLock<()>>);

impl Gate {
    /// Lets a reader through. It must not stay longer than some milliseconds, because
    /// the writer waits for it.
    pub(super) fn pass(&self) -> RwLockReadGuard<'_, ()> {
        self.0.read()
    }
}

/// What the writer knows of the log of its file.
pub(super) struct Wal {
    path: PathBuf,
    /// The database, to read what it says of itself. It is open as long as SQLite has it: to
    /// close it gives up all locks of this process.
    header: File,
    gate: Gate,
    /// Pages that are in the log.
    used: u64,
    /// From how many pages on it is written back.
    limit: u64,
    /// Is the database marked as having a log, also where the log is read with it?
    is_marked: bool,
    /// Can it be marked at all?
    can_mark: bool,
    /// Pages that were written since the last look.
    written: u64,
    looked: Instant,
    warnings: LogThrottle,
}

/// What becomes of the log when all of it is in the file.
#[derive(Clone, Copy)]
enum After {
    /// It begins again, and its file stays as large as it is: overwriting is cheaper.
    Restart,
    /// Its file is emptied.
    Truncate,
}

impl Wal {
    /// The log of a database. From now on nothing but this writes it back.
    ///
    /// # Errors
    /// If the database refuses.
    pub(super) fn new(
        database: &Path,
        connection: &Connection,
        gate: Gate,
    ) -> Result<Wal, StoreError> {
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        let header = File::open(database).map_err(|source| StoreError::File {
            path: database.display().to_string(),
            source,
        })?;
        Ok(Wal {
            path: beside(database, "-wal"),
            header,
            gate,
            used: 0,
            limit: MANY,
            is_marked: false,
            can_mark: false,
            written: 0,
            looked: Instant::now(),
            warnings: LogThrottle::default(),
        })
    }

    /// Marks the database as having a log. A disk on which that finds no room is found out
    /// by the writer.
    pub(super) fn begin(&mut self, connection: &Connection) {
        if let Err(error) = self.write_back(connection, After::Restart) {
            self.warn(&format!("it cannot be written back: {error}"));
        }
    }

    /// Marks the database as whole, as it is when it was closed.
    pub(super) fn end(&mut self, connection: &Connection) {
        if let Err(error) = self.unmark(connection) {
            self.warn(&format!("its end was not written: {error}"));
        }
    }

    /// The log says that all is there, and the file that its log must be.
    fn unmark(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if self.is_marked {
            schema::mark(connection, schema::APPLICATION)?;
            self.is_marked = false;
        }
        Ok(())
    }

    /// Does the file itself say that it has a log? One that cannot be read is the guard's.
    fn is_marked_in_file(&self) -> bool {
        let mut mark = [0; 4];
        let read = self.header.read_exact_at(&mut mark, schema::APPLICATION_AT);
        read.is_err() || mark == schema::WITH_LOG
    }

    /// To be called after each commit, and at least once a second: writes back what is
    /// much, and gives room back when it is quiet.
    ///
    /// # Errors
    /// If it cannot be written back. That is tried again when somewhat more is in it.
    pub(super) fn tend(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.try_tend(connection).inspect_err(|error| {
            self.put_off();
            self.warn(&format!("it cannot be written back: {error}"));
        })
    }

    fn try_tend(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.unmark(connection)?;
        let used = progress(connection)?.pages;
        // Less than before is a log that has begun again.
        self.written += used.checked_sub(self.used).unwrap_or(used);
        self.used = used;
        if used >= self.limit {
            self.write_back(connection, After::Restart)?;
        }
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            let is_quiet = std::mem::take(&mut self.written) < FEW;
            let size = self.path.metadata().map_or(0, |metadata| metadata.len());
            if is_quiet && size > LEFT {
                self.write_back(connection, After::Truncate)?;
            } else if self.can_mark && used > 0 && !self.is_marked_in_file() {
                // Another program has written the log back, and with it that all is there.
                self.write_back(connection, After::Restart)?;
            }
        }
        Ok(())
    }

    fn write_back(&mut self, connection: &Connection, after: After) -> Result<(), StoreError> {
        // Most of it while others read.
        checkpoint(connection, "PASSIVE")?;
        let mode = match after {
            After::Restart => "RESTART",
            After::Truncate => "TRUNCATE",
        };
        // Other programs may read for as long as they like: nobody waits for them.
        connection.busy_timeout(Duration::ZERO)?;
        let done = {
            let _alone = self.gate.0.write();
            // Where that finds no room the log is written back all the same, and makes some.
            self.can_mark = schema::mark(connection, schema::WITH_LOG).is_ok();
            self.is_marked |= self.can_mark;
            checkpoint(connection, mode)
        };
        connection.busy_timeout(PATIENCE)?;
        self.unmark(connection)?;
        match (done?.is_whole, after) {
            (true, _) => self.limit = MANY,
            (false, After::Restart) => {
                self.put_off();
                self.warn(
                    "another program reads the database, and it cannot begin again until then",
                );
            }
            // It is small, and the next quiet second tries it again.
            (false, After::Truncate) => {}
        }
        Ok(())
    }

    /// Has it tried again when somewhat more is in the log, and not before that is much.
    fn put_off(&mut self) {
        self.limit = MANY.max(self.used + AGAIN);
    }

    fn warn(&self, problem: &str) {
        if let Some(suppressed) = self.warnings.allow(Instant::now()) {
            let file = self.path.display();
            tracing::warn!(%file, suppressed, "the write-ahead log grows: {problem}");
        }
    }
}

/// How much is in the log, and how much of that in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Pages in the log.
    pub(super) pages: u64,
    /// How many of them were written back.
    pub(super) written_back: u64,
}

impl Progress {
    /// The size of the log at least, in bytes, where a page has so many, and a header of
    /// 24 bytes.
    pub(super) fn bytes(self, page: u64) -> u64 {
        match self.pages {
            0 => 0,
            pages => WAL_HEADER as u64 + pages * (page + 24),
        }
    }
}

/// Asks how far the log has come. Writes nothing.
pub(super) fn progress(connection: &Connection) -> Result<Progress, StoreError> {
    Ok(checkpoint(connection, "NOOP")?.progress)
}

struct Checkpoint {
    /// Was all done that was asked for?
    is_whole: bool,
    progress: Progress,
}

/// Does as much as can be done without waiting.
fn checkpoint(connection: &Connection, mode: &str) -> Result<Checkpoint, StoreError> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
    let done = statement.query_row([], |row| {
        let pages = |column| {
            row.get::<_, i64>(column)
                .map(|it| it.try_into().unwrap_or(0))
        };
        Ok(Checkpoint {
            is_whole: row.get::<_, i64>(0)? == 0,
            progress: Progress {
                pages: pages(1)?,
                written_back: pages(2)?,
            },
        })
    })?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader of another program keeps the file of the log from being emptied.
    #[test]
    fn a_quiet_second_changes_nothing_of_when_much_is_written_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("podium.db");
        let connection = Connection::open(&path).expect("a file");
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .expect("a log");
        let mut wal = Wal::new(&path, &connection, Gate::default()).expect("a log");
        connection
            .execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(3000000));")
            .expect("written");
        wal.tend(&connection).expect("written");
        let other = Connection::open(&path).expect("a file");
        other
            .execute_batch("BEGIN; SELECT count(*) FROM t;")
            .expect("read");
        for _ in 0..2 {
            wal.looked = Instant::now().checked_sub(LOOK).expect("a clock that runs");
            wal.tend(&connection).expect("written");
        }
        let size = || wal.path.metadata().expect("a log").len();
        assert!(size() > LEFT, "the other reads");
        assert_eq!(wal.limit, MANY);
    }
}
