//! The file as an open database, locked and of the latest schema.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

use super::{
    file::writable,
    inspect::{self, Found},
    load,
    marker::Marker,
    problem::Problem,
    schema, wal,
};
use crate::{
    board::{Epoch, Settings, Timestamp},
    store::{Opened, StoreError},
};

/// A page of the database, in bytes.
const PAGE: u64 = 4096;

/// A log that was loaded, and the database that it is in.
pub(super) struct LoadedLog {
    pub(super) database: Database,
    pub(super) epoch: Epoch,
    /// Its last entry, and when that was taken.
    pub(super) seq: u64,
    pub(super) last_at: Timestamp,
    /// When its first entry was taken.
    pub(super) began: Timestamp,
}

impl LoadedLog {
    pub(super) fn new(database: Database, opened: &Opened) -> Result<LoadedLog, StoreError> {
        let (began, last_at) = load::times(&database.connection)?;
        Ok(LoadedLog {
            epoch: opened.epoch,
            seq: opened.state.seq(),
            last_at,
            began,
            database,
        })
    }
}

/// A file that is open and locked. When it is dropped, all that was written is in it, and
/// nothing beside it, unless it is to be left as it is.
pub(super) struct Database {
    // Closed before it is noted that it is, and unlocked.
    pub(super) connection: Connection,
    pub(super) marker: Marker,
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
    ///
    /// The board of a file of an early schema becomes `main` with these settings.
    pub(super) fn open(path: &Path, main: &Settings) -> Result<Database, StoreError> {
        inspect::head(path)?;
        let marker = Marker::lock(path)?;
        let found = inspect::outside(path, &marker.note)?;
        let found = found.map_err(|problem| problem.in_file(path))?;
        Database::connect(path, main, marker, found).map_err(|error| opening(path, error))
    }

    fn connect(
        path: &Path,
        main: &Settings,
        mut marker: Marker,
        found: Found,
    ) -> Result<Database, StoreError> {
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
        schema::migrate(&mut connection, path, main)?;
        Ok(Database {
            connection,
            marker,
            leave: false,
        })
    }

    /// Loads what is in it. In an empty one `main` has these settings.
    pub(super) fn load(&mut self, path: &Path, main: &Settings) -> Result<Opened, StoreError> {
        let connection = &mut self.connection;
        let log = match load::find(connection)? {
            Some(log) if log.is_migrating => {
                return Err(StoreError::Migrating(path.display().to_string()));
            }
            Some(log) => log,
            None => load::begin(connection, main)?,
        };
        load::load(connection, log)
    }

    /// Leaves all files as they are, also when it is dropped.
    pub(super) fn leave(&mut self) {
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
pub(super) fn opening(path: &Path, error: StoreError) -> StoreError {
    match Problem::of(&error) {
        Some(problem) => problem.in_file(path),
        None => error,
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
        let mut database = Database::open(&path, &Settings::default()).unwrap();
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
