//! Looks after the files of a database that is in use: that they are the ones that were
//! opened, and that nobody else has written them.
//!
//! SQLite goes on with files that were moved or deleted, and what it writes to them is
//! lost; pages of a file that was overwritten it mixes with those that it remembers. A
//! look is four `stat` calls and a short `read`, some microseconds: so it is done after each
//! commit, before anybody is answered.

use std::{
    fs::{File, Metadata},
    io::ErrorKind,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    changes::Changes,
    condition::Trouble,
    file::{Identity, Stamp, beside},
    index::{self, Index},
    wal,
    wal_id::{WAL_HEADER, WalId},
};
use crate::store::StoreError;

/// How long another program may take to write the log back into the file: SQLite notes
/// that when it is done.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// See the module.
pub(super) struct Guard {
    database: Watched,
    log: Watched,
    index: Watched,
    /// The write-ahead log, open to look at its header.
    header: File,
    /// The size of a page, in bytes.
    page: u64,
    /// How the database was when it was written last by SQLite.
    stamp: Stamp,
    /// Who has written to it since.
    changes: Changes,
    /// How much was in the log, and of that in the file, then.
    progress: wal::Progress,
    /// The index of the log, and its content then.
    indexed: Index,
    state: index::State,
    /// Its content when the database was opened. After a crash SQLite takes all of the log
    /// for begun to be written back then.
    opened: index::State,
    /// The index has had this length, in bytes. SQLite has it mapped: to touch what was cut off
    /// ends the process.
    mapped: u64,
}

/// What cannot be decided at once.
enum Doubt {
    /// Something that only the database's own programs may do, and that none may have done.
    Harm {
        what: &'static str,
        /// How long they may take until it is seen that one has.
        patience: Duration,
    },
    /// The database was reported as written, and nobody was seen to do so.
    Touched(Stamp),
}

/// A file that must stay.
struct Watched {
    path: PathBuf,
    name: &'static str,
    identity: Identity,
}

impl Watched {
    fn new(path: PathBuf, name: &'static str) -> Result<Watched, StoreError> {
        let metadata = path.metadata().map_err(|source| StoreError::File {
            path: path.display().to_string(),
            source,
        })?;
        Ok(Watched {
            path,
            name,
            identity: Identity::of(&metadata),
        })
    }

    fn look(&self) -> Result<Metadata, Trouble> {
        let name = self.name;
        match self.path.metadata() {
            Ok(found) if Identity::of(&found) == self.identity => Ok(found),
            Ok(_) => {
                let what = format!("{name} was replaced by another");
                Err(Trouble::replaced(&what))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Trouble::replaced(&format!(
                "{name} was deleted or moved away"
            ))),
            Err(error) => Err(Trouble::of_file(&error)),
        }
    }
}

impl Guard {
    /// Of a database in WAL mode that this connection has read from.
    ///
    /// # Errors
    /// If its files are not there.
    pub(super) fn new(database: &Path, connection: &Connection) -> Result<Guard, StoreError> {
        let log = Watched::new(
            beside(database, "-wal"),
            "the write-ahead log of the board's file",
        )?;
        let header = File::open(&log.path).map_err(|source| StoreError::File {
            path: log.path.display().to_string(),
            source,
        })?;
        let file = Watched::new(database.to_owned(), "the board's file")?;
        let index = Watched::new(
            beside(database, "-shm"),
            "the index of the board's file (-shm)",
        )?;
        let unread = |source| StoreError::File {
            path: index.path.display().to_string(),
            source,
        };
        let indexed = Index::open(&index.path).map_err(unread)?;
        let state = indexed.read().map_err(unread)?;
        let progress = wal::progress(connection)?;
        let changes = Changes::watch(&file.path);
        let stamp = file.path.metadata().map(|it| Stamp::of(&it));
        Ok(Guard {
            stamp: stamp.map_err(|source| StoreError::File {
                path: database.display().to_string(),
                source,
            })?,
            changes,
            database: file,
            log,
            mapped: 0,
            index,
            header,
            page: connection.pragma_query_value(None, "page_size", |row| row.get(0))?,
            progress,
            indexed,
            state,
            opened: state,
        })
    }

    /// Takes the database as it is now. To be called when to write the log back has failed:
    /// a part of it may be in the file, and SQLite does not report it.
    pub(super) fn take_as_it_is(&mut self) {
        if let Ok(metadata) = self.database.look() {
            self.stamp = Stamp::of(&metadata);
            self.changes.are_there();
            self.changes.forget();
        }
    }

    /// How the database was when it was looked at last.
    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Whether the index may be touched, so also the database.
    pub(super) fn look_at_index(&mut self) -> Result<(), Trouble> {
        let length = self.index.look()?.len();
        if length < self.mapped {
            return Err(Trouble::restart(
                "the index of the board's file (-shm) was cut short",
            ));
        }
        self.mapped = length;
        Ok(())
    }

    /// Where the database is.
    pub(super) fn path(&self) -> &Path {
        &self.database.path
    }

    /// Looks at all files, and returns which write-ahead log it is now, if anything is in it.
    pub(super) fn look(&mut self, connection: &Connection) -> Result<Option<WalId>, Trouble> {
        let began = Instant::now();
        loop {
            match self.look_once(connection)? {
                Ok(wal) => return Ok(wal),
                Err(Doubt::Harm { what, patience }) if began.elapsed() >= patience => {
                    return Err(Trouble::replaced(what));
                }
                // A writer is seen only when that is done.
                Err(Doubt::Touched(stamp)) if began.elapsed() >= PAUSE => self.stamp = stamp,
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Another program may write the log back at any moment, and empty it. So what that
    /// changes last is read first, and the stamp after the progress that explains it.
    fn look_once(
        &mut self,
        connection: &Connection,
    ) -> Result<Result<Option<WalId>, Doubt>, Trouble> {
        self.look_at_index()?;
        let length = self.log.look()?.len();
        let header = self.read_header()?;
        let state = self
            .indexed
            .read()
            .map_err(|error| Trouble::of_file(&error))?;
        let progress = wal::progress(connection).map_err(|error| Trouble::of(&error))?;
        let stamp = Stamp::of(&self.database.look()?);
        let doubt = |what, patience| Ok(Err(Doubt::Harm { what, patience }));
        if length < progress.bytes(self.page) {
            let what = "the write-ahead log of the board's file was cut short";
            return doubt(what, PAUSE);
        }
        let is_explained = progress.written_back != self.progress.written_back
            || state.salts != self.state.salts
            || (state.attempted > progress.written_back && state != self.opened);
        // After the stamp: it changes before a write has come to its end.
        let is_written = self.changes.are_there();
        if (stamp != self.stamp || is_written == Some(true)) && !is_explained {
            if stamp.length == self.stamp.length && is_written == Some(false) {
                return Ok(Err(Doubt::Touched(stamp)));
            }
            let what = if stamp.length < self.stamp.length {
                "the board's file was cut short"
            } else {
                "the board's file was overwritten"
            };
            return doubt(what, PATIENCE);
        }
        if progress.pages > 0 && header.is_none() {
            let what = "the write-ahead log of the board's file was overwritten";
            return doubt(what, PAUSE);
        }
        (self.stamp, self.progress, self.state) = (stamp, progress, state);
        self.changes.forget();
        Ok(Ok(header.filter(|_| progress.pages > 0)))
    }

    fn read_header(&self) -> Result<Option<WalId>, Trouble> {
        let mut header = [0; WAL_HEADER];
        match self.header.read_exact_at(&mut header, 0) {
            Ok(()) => Ok(WalId::of_header(&header)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(Trouble::of_file(&error)),
        }
    }
}
