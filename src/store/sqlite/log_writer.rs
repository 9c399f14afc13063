//! What writes to the file, and looks after it.

use std::{
    io::ErrorKind,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    batch::Batch,
    condition::{Cause, Condition, Trouble},
    database::{Database, LoadedLog},
    file_system,
    guard::Guard,
    log_end::LogEnd,
    page_cache::PageCache,
    reader::Unwritten,
    schema, tables,
    wal::Wal,
};
use crate::{
    board::{BoardId, Epoch, LogEntry, Timestamp},
    clock,
    log_throttle::LogThrottle,
    store::{Folded, Health, StoreError},
};

/// The longest time between two looks at the files.
pub(super) const TURN: Duration = Duration::from_millis(500);
/// So much must be free again on a disk that was full, in bytes: some thousand actions.
const ROOM: u64 = 1 << 20;

/// See the module.
pub(super) struct LogWriter {
    /// Held until the thread ends.
    database: Database,
    wal: Wal,
    guard: Guard,
    pub(super) condition: Condition,
    /// Why nothing can be written, if so.
    pub(super) trouble: Option<Trouble>,
    /// When the files were looked at last.
    looked: Instant,
    warnings: LogThrottle,
    epoch: Epoch,
    /// The last entry that was committed, and when it was taken.
    pub(super) seq: u64,
    pub(super) last_at: Timestamp,
    /// When the log began.
    pub(super) began: Timestamp,
    log_end: LogEnd,
    pub(super) page_cache: PageCache,
    /// What committed entries did, which is still to be written.
    unwritten: Unwritten,
}

impl LogWriter {
    pub(super) fn new(
        loaded: LoadedLog,
        wal: Wal,
        guard: Guard,
        condition: Condition,
        unwritten: Unwritten,
    ) -> LogWriter {
        LogWriter {
            database: loaded.database,
            wal,
            guard,
            condition,
            trouble: None,
            looked: Instant::now(),
            warnings: LogThrottle::default(),
            epoch: loaded.epoch,
            seq: loaded.seq,
            last_at: loaded.last_at,
            began: loaded.began,
            log_end: LogEnd::default(),
            page_cache: PageCache::new(Instant::now()),
            unwritten,
        }
    }

    /// Looks after the files, and tries whether a trouble is over.
    pub(super) fn tend(&mut self) {
        match self.trouble {
            Some(Trouble::Lasting(_)) => return,
            Some(Trouble::Passing(cause)) => {
                if self.looked.elapsed() >= TURN {
                    self.looked = Instant::now();
                    let tried = self.look().and_then(|()| self.try_to_write(cause));
                    self.found(tried.err());
                }
                return;
            }
            None => {}
        }
        if self.looked.elapsed() >= TURN {
            self.looked = Instant::now();
            if let Err(trouble) = self.look() {
                return self.found(Some(trouble));
            }
        } else if let Err(trouble) = self.guard.look_at_index() {
            return self.found(Some(trouble));
        }
        if self.page_cache.is_due(Instant::now()) {
            // If that fails, the memory is used on.
            _ = self
                .database
                .connection
                .execute_batch("PRAGMA shrink_memory");
        }
        // A log that cannot be written back grows, and can still be written.
        if let Err(error) = self.wal.tend(&self.database.connection) {
            self.guard.take_as_it_is();
            if let trouble @ Trouble::Lasting(_) = Trouble::of(&error) {
                self.found(Some(trouble));
            }
        }
    }

    /// Looks at the files, and notes how they are.
    pub(super) fn look(&mut self) -> Result<(), Trouble> {
        let wal = self.guard.look(&self.database.connection)?;
        let looked = self.log_end.look(&self.database.connection);
        looked.map_err(|error| Trouble::of(&error))?;
        let marker = &mut self.database.marker;
        marker.restore().map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists | ErrorKind::WouldBlock => {
                Trouble::replaced("the lock of the board's file (.lock) was replaced by another")
            }
            _ => Trouble::of_file(&error),
        })?;
        let file = Some(self.guard.stamp());
        if (marker.note.wal, marker.note.file) != (wal, file) {
            (marker.note.wal, marker.note.file) = (wal, file);
            self.note();
        }
        Ok(())
    }

    /// Notes beside the file how far the log has come.
    pub(super) fn note(&mut self) {
        let marker = &mut self.database.marker;
        marker.note.board(&BoardId::default(), self.epoch, self.seq);
        if let Err(error) = marker.write() {
            let what = "what the file holds was not noted";
            self.warn(&error, what);
        }
    }

    /// Reports what was found, if it is new.
    pub(super) fn found(&mut self, trouble: Option<Trouble>) {
        if trouble == self.trouble {
            return;
        }
        self.condition.report(match &trouble {
            Some(trouble) => Health::Unwritable(trouble.message().into()),
            None => Health::Open,
        });
        self.trouble = trouble;
    }

    pub(super) fn warn(&self, error: &dyn std::error::Error, what: &str) {
        if let Some(suppressed) = self.warnings.allow(Instant::now()) {
            tracing::error!(%error, suppressed, "{what}");
        }
    }

    pub(super) fn refuse_if_lasting(&self) -> Result<(), Trouble> {
        match &self.trouble {
            Some(trouble @ Trouble::Lasting(_)) => Err(trouble.clone()),
            _ => Ok(()),
        }
    }

    /// The time, which never goes back on the log.
    pub(super) fn now(&self) -> Timestamp {
        clock::now().max(self.last_at)
    }

    /// Notes what entries did, for the next transaction to write it.
    pub(super) fn keep(&mut self, entries: Vec<LogEntry>, folded: Vec<Folded>) {
        if let Some(last) = entries.last() {
            self.last_at = last.at;
        }
        *self.unwritten.lock() = Arc::new(entries.into_iter().zip(folded).collect());
    }

    /// Writes entries in one transaction, and makes sure that they are in the file that is at
    /// the path, and that they would be missed if they were not any more.
    pub(super) fn write_safely<T>(
        &mut self,
        at: Timestamp,
        fill: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError>,
    ) -> Result<(T, Vec<LogEntry>), Trouble> {
        self.guard.look_at_index()?;
        let written = self.write(at, fill).map_err(|error| {
            self.warn(
                &error,
                "actions were refused because they could not be written",
            );
            Trouble::of(&error)
        })?;
        // Whether the files can be looked at just now is another matter: it is committed.
        if let Err(trouble @ Trouble::Lasting(_)) = self.look() {
            return Err(trouble);
        }
        self.seq += written.1.len() as u64;
        self.note();
        Ok(written)
    }

    pub(super) fn write<T>(
        &mut self,
        at: Timestamp,
        fill: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError>,
    ) -> Result<(T, Vec<LogEntry>), StoreError> {
        let unwritten = self.unwritten.lock().clone();
        let transaction = self.database.connection.transaction()?;
        self.log_end.look(&transaction)?;
        tables::write(&transaction, &unwritten)?;
        let mut batch = Batch::new(transaction, self.seq, at);
        let filled = fill(&mut batch)?;
        let entries = batch.commit()?;
        self.log_end.advance(&entries);
        Ok((filled, entries))
    }

    /// Tries whether a trouble is over that this has caused.
    pub(super) fn try_to_write(&mut self, cause: Cause) -> Result<(), Trouble> {
        let file = self.guard.path();
        // A little might find room where much does not.
        if cause == Cause::Full && file_system::free(file).is_ok_and(|bytes| bytes < ROOM) {
            return Err(Trouble::Passing(cause));
        }
        self.write_what_is_known()
            .map_err(|error| Trouble::of(&error))
    }

    /// Writes what is known of committed entries, or that nothing has changed.
    pub(super) fn write_what_is_known(&mut self) -> Result<(), StoreError> {
        let unwritten = self.unwritten.lock().clone();
        let transaction = self.database.connection.transaction()?;
        self.log_end.look(&transaction)?;
        tables::write(&transaction, &unwritten)?;
        schema::touch(&transaction)?;
        transaction.commit()?;
        // It is written again if nothing else comes: that changes nothing.
        Ok(())
    }

    /// Writes what is left to be written, unless the files are not to be touched.
    pub(super) fn end(&mut self) {
        let trouble = self.trouble.clone().or_else(|| self.look().err());
        if trouble.is_none() {
            self.wal.end(&self.database.connection);
        }
        if let Some(trouble) = trouble {
            self.database.leave();
            let why = trouble.message();
            tracing::warn!("all files of the board are left as they are, because {why}");
        } else if let Err(error) = self.write_what_is_known() {
            // They are computed again when the store is opened.
            tracing::warn!(%error, "what follows from the last entries was not written");
        }
    }
}
