//! The file beside the database, `….lock`: it keeps a second process out, and records what
//! the database must hold at least.
//!
//! An SQLite file does not know that its write-ahead log was lost, or that an older copy
//! was put in its place: it just ends earlier. So after each commit, and before anybody is
//! answered, the last entry of the log is noted here. A note is never synced by itself: a
//! process that dies leaves it, and after a power cut it is older than the database at
//! worst, and never newer.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    file::{Identity, Stamp, beside, length, writable},
    file_system::is_local,
    problem::Problem,
    wal_id::WalId,
};
use crate::{
    board::{BoardId, Epoch},
    store::StoreError,
};

/// The first word of a note.
const MAGIC: &str = "podium-1";

/// Boards that a note has at most; a file has one.
const MOST_BOARDS: usize = 1000;

/// Bytes of a note at most: its first line, and one of 103 bytes for each board.
const MOST_BYTES: u64 = 128 * 1024;

/// What was noted of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// Whether its last process has closed it, so that no write-ahead log is left.
    pub(super) is_closed: bool,
    /// Which write-ahead log was written last, if that was noted.
    pub(super) wal: Option<WalId>,
    /// How the database was when it was looked at last, if that was noted.
    pub(super) file: Option<Stamp>,
    /// Whether there was a note, whatever its content.
    pub(super) is_noted: bool,
    /// Its boards.
    pub(super) boards: Vec<NotedBoard>,
}

/// What was noted of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotedBoard {
    pub(super) name: BoardId,
    pub(super) epoch: Epoch,
    /// The last entry of its log.
    pub(super) seq: u64,
}

impl Note {
    /// Notes how far a board has come.
    pub(super) fn board(&mut self, name: &BoardId, epoch: Epoch, seq: u64) {
        if let Some(known) = self.boards.iter_mut().find(|it| it.name == *name) {
            (known.epoch, known.seq) = (epoch, seq);
        } else if self.boards.len() < MOST_BOARDS {
            // Of what is not noted nothing is checked.
            self.boards.push(NotedBoard {
                name: name.clone(),
                epoch,
                seq,
            });
        }
    }

    pub(super) fn forget(&mut self, name: &BoardId) {
        self.boards.retain(|it| it.name != *name);
    }

    /// The entries of all its boards.
    pub(super) fn entries(&self) -> u64 {
        self.boards.iter().map(|it| it.seq).sum()
    }

    /// Of one length, whatever the numbers are, so that it is written over in place.
    fn text(&self) -> String {
        let state = if self.is_closed { "closed" } else { "open  " };
        let wal = self.wal.map_or_else(|| "-".repeat(16), |it| it.to_string());
        let file = self
            .file
            .map_or_else(|| "-".repeat(Stamp::TEXT), |it| it.to_string());
        let boards: String = self
            .boards
            .iter()
            .map(|NotedBoard { name, epoch, seq }| format!("{name} {epoch} {seq:020}\n"))
            .collect();
        format!("{MAGIC} {state} {wal} {file}\n{boards}")
    }

    fn parse(text: &str) -> Option<Note> {
        let mut lines = text.lines();
        let mut words = lines.next()?.split_whitespace();
        if words.next()? != MAGIC {
            return None;
        }
        let is_closed = match words.next()? {
            "closed" => true,
            "open" => false,
            _ => return None,
        };
        let wal = WalId::parse(words.next()?);
        // Early versions did not note it.
        let file = words.next().and_then(Stamp::parse);
        let boards = lines.map(|line| {
            let mut words = line.split_whitespace();
            Some(NotedBoard {
                name: BoardId::new(words.next()?)?,
                epoch: Epoch(u64::from_str_radix(words.next()?, 16).ok()?),
                seq: words.next()?.parse().ok()?,
            })
        });
        Some(Note {
            is_closed,
            wal,
            file,
            is_noted: true,
            boards: boards.collect::<Option<_>>()?,
        })
    }
}

/// The lock, with its note. It is held until this is dropped.
pub(super) struct Marker {
    database: PathBuf,
    file: File,
    /// The database itself, locked where that is possible. SQLite's own locks on it end when
    /// any file of it is closed in this process: so this goes after the last connection.
    locked: Option<File>,
    pub(super) note: Note,
    /// Is the database being closed in good order? Then it is noted that it was.
    pub(super) closes: bool,
}

impl Drop for Marker {
    fn drop(&mut self) {
        let log = beside(&self.database, "-wal");
        if self.closes && length(&log).is_ok_and(|bytes| bytes == 0) {
            self.note.is_closed = true;
            (self.note.wal, self.note.file) = (None, None);
            if let Err(error) = self.sync() {
                tracing::warn!(%error, "that the file is closed was not noted");
            }
        }
    }
}

impl Marker {
    /// Locks a database. Two writers would each believe that they alone assign `seq`.
    ///
    /// # Errors
    /// If another process has it, it cannot be locked, or what is noted is not a note.
    pub(super) fn lock(database: &Path) -> Result<Marker, StoreError> {
        let path = beside(database, ".lock");
        let error = |source| writable(&path, source);
        let mut file = open(&path).map_err(error)?;
        lock(&file, database, error)?;
        let mut bytes = Vec::new();
        let mut limited = Read::take(&mut file, MOST_BYTES);
        limited.read_to_end(&mut bytes).map_err(error)?;
        // Early versions noted nothing; a power cut may leave zeros of what was not synced.
        let note = if bytes.iter().all(|byte| *byte == 0) {
            Some(Note::default())
        } else {
            std::str::from_utf8(&bytes).ok().and_then(Note::parse)
        };
        let note = note.ok_or_else(|| Problem::NoNote.in_file(&path))?;
        let mut marker = Marker {
            database: database.to_owned(),
            file,
            locked: None,
            note,
            closes: false,
        };
        marker.lock_database()?;
        Ok(marker)
    }

    /// Locks the database itself too, if it is there: to delete the lock beside it must not let
    /// a second writer in.
    ///
    /// # Errors
    /// If another process has it, or it cannot be read.
    pub(super) fn lock_database(&mut self) -> Result<(), StoreError> {
        let database = &self.database;
        if self.locked.is_some() || !(database.exists() && is_local(database)) {
            return Ok(());
        }
        let error = |source| writable(database, source);
        let file = File::open(database).map_err(error)?;
        lock(&file, database, error)?;
        self.locked = Some(file);
        Ok(())
    }

    /// Makes the lock again if somebody has deleted it.
    ///
    /// # Errors
    /// If something else is there now, or it cannot be made.
    pub(super) fn restore(&mut self) -> io::Result<()> {
        let path = beside(&self.database, ".lock");
        let known = Identity::of(&self.file.metadata()?);
        match path.metadata() {
            Ok(found) if Identity::of(&found) == known => return Ok(()),
            // As a start has made it that was refused.
            Ok(found) if found.len() == 0 => {}
            Ok(_) => return Err(ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            // By a start that will be refused.
            Err(TryLockError::WouldBlock) if self.locked.is_some() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        self.file = file;
        self.sync()
    }

    /// Writes the note. It is there when the process dies, but not yet after a power cut.
    pub(super) fn write(&self) -> std::io::Result<()> {
        let text = self.note.text();
        self.file.write_all_at(text.as_bytes(), 0)?;
        if self.file.metadata()?.len() > text.len() as u64 {
            self.file.set_len(text.len() as u64)?;
        }
        Ok(())
    }

    /// Writes the note, and waits until it is on the disk.
    pub(super) fn sync(&self) -> std::io::Result<()> {
        self.write()?;
        self.file.sync_data()
    }
}

/// The file of a lock, which is made if it is not there.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    options.open(path)
}

/// Locks a file of a database. SQLite's locks are of another kind, where files are local to
/// Linux.
fn lock(
    file: &File,
    database: &Path,
    error: impl FnOnce(io::Error) -> StoreError,
) -> Result<(), StoreError> {
    file.try_lock().map_err(|problem| match problem {
        TryLockError::WouldBlock => StoreError::InUse(database.display().to_string()),
        TryLockError::Error(source) => error(source),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_is_of_one_length() {
        let mut note = Note::default();
        note.board(&BoardId::default(), Epoch(0), 0);
        note.board(&BoardId::new("b-2-x").unwrap(), Epoch(u64::MAX), 7);
        let length = note.text().len();
        note.is_closed = true;
        note.wal = WalId::parse("0123456789abcdef");
        let folder = tempfile::tempdir().unwrap();
        note.file = Some(Stamp::of(&folder.path().metadata().unwrap()));
        note.is_noted = true;
        note.board(&BoardId::default(), Epoch(9), u64::MAX);
        let text = note.text();
        assert_eq!(text.len(), length);
        assert_eq!(Note::parse(&text), Some(note));
    }

    #[test]
    fn the_longest_note_is_read_whole() {
        let mut note = Note::default();
        for n in 0..2 * MOST_BOARDS {
            let name = BoardId::new(&format!("{n:063}")).unwrap();
            note.board(&name, Epoch(1), 1);
        }
        assert!(note.text().len() as u64 <= MOST_BYTES);
    }

    #[test]
    fn what_is_no_note_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("podium.db");
        let lock = folder.path().join("podium.db.lock");
        for content in [
            "my own notes",
            "podium-1 open",
            "podium-1 open - \nmain x 3",
        ] {
            std::fs::write(&lock, content).unwrap();
            assert!(Marker::lock(&database).is_err(), "{content}");
            assert_eq!(std::fs::read_to_string(&lock).unwrap(), content);
        }
        let early =
            "podium-1 open   ----------------\nmain 000000000000000a 00000000000000000007\n";
        std::fs::write(&lock, early).unwrap();
        assert_eq!(Marker::lock(&database).unwrap().note.entries(), 7);
        for content in ["", "\0\0\0\0"] {
            std::fs::write(&lock, content).unwrap();
            assert_eq!(Marker::lock(&database).unwrap().note, Note::default());
        }
    }
}
