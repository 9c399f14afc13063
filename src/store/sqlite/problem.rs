//! What may be wrong with a database that is opened, and what to do about it.

use std::path::Path;

use rusqlite::ErrorCode;

use super::file::{NO_ROOM, READ_ONLY};
use crate::store::StoreError;

/// What is wrong with a database. Nothing was changed in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("there is no board, and none was there")]
    Nothing,
    #[error("it is no SQLite file")]
    NoDatabase,
    #[error("it is the SQLite file of another program")]
    Foreign,
    #[error("it is missing, and held {0} entries of the log")]
    Missing(u64),
    #[error("it is empty, and held {0} entries of the log")]
    Empty(u64),
    #[error("it is missing or empty, and beside it is what belongs to it, {0}")]
    Left(&'static str),
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it cannot be written")]
    ReadOnly,
    #[error("there is no room on its disk")]
    NoRoom,
    #[error("its disk reports an error ({0})")]
    Disk(String),
    #[error("beside it is a journal by which changes would be undone that Podium did not make")]
    Journal,
    #[error("the write-ahead log beside it (-wal) is not the one that belongs to it")]
    ForeignWal,
    #[error("it and the write-ahead log beside it (-wal) do not belong together: {0}")]
    Mixed(String),
    #[error(
        "it is a copy of a file in use without the write-ahead log (-wal) that belonged beside \
         it: the latest entries are missing, unless sqlite3 made the copy by .backup"
    )]
    WithoutLog,
    #[error(
        "it holds nothing yet, because all {0} entries of the log were in its write-ahead log \
         (-wal), which is lost"
    )]
    LogLost(u64),
    #[error(
        "it holds nothing, as a copy of a new board without the write-ahead log (-wal) that \
         belonged beside it"
    )]
    EmptyWithoutLog,
    #[error(
        "its log of the board {board} ends at {found}, and entries up to {noted} were \
         confirmed: its write-ahead log (-wal) is lost, or it is an older copy"
    )]
    Older {
        board: String,
        found: u64,
        noted: u64,
    },
    #[error("the board {0} in it is not the one that was there, but another of the same name")]
    OtherBoard(String),
    #[error("the board {0} is not in it any more")]
    NoBoard(String),
    #[error("it is not what Podium writes into such a file")]
    NoNote,
}

/// What to do when what was there may be put back.
const PUT_BACK: &str = "put back what was there, all files with this name together; or run podium \
                        adopt, which says what it would give up";

impl Problem {
    pub(super) fn in_file(self, path: &Path) -> StoreError {
        let cure = match self {
            Problem::Nothing => {
                "name the file of the board in store.url; podium serve makes a new one"
            }
            Problem::NoDatabase | Problem::Foreign => "name another file in store.url",
            Problem::Damaged(_) => {
                "keep all files with this name as they are, and restore a backup under this name, \
                 or save what can be read with sqlite3's .recover"
            }
            Problem::ReadOnly => READ_ONLY,
            Problem::NoRoom => NO_ROOM,
            Problem::Disk(_) => "look at the disk, and start again",
            Problem::Journal => {
                "open it with the program that wrote the journal, or move the journal (-journal) \
                 away if it belongs to another file"
            }
            Problem::NoNote => "move it away if nobody needs it",
            _ => PUT_BACK,
        };
        StoreError::Unfit {
            path: path.display().to_string(),
            problem: self.to_string(),
            cure,
        }
    }

    /// What is wrong when a database is opened, if an error shows it.
    pub(super) fn of(error: &StoreError) -> Option<Problem> {
        match error {
            StoreError::Damaged(what) => Some(Problem::Damaged((*what).to_owned())),
            StoreError::Database(error) => match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase) => Some(Problem::NoDatabase),
                Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => Some(Problem::ReadOnly),
                Some(ErrorCode::DiskFull) => Some(Problem::NoRoom),
                Some(ErrorCode::SystemIoFailure) => Some(Problem::Disk(error.to_string())),
                // What this program does not write: a column of another type, a table that has
                // other columns.
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) | None => {
                    Some(Problem::Damaged(error.to_string()))
                }
                Some(_) => None,
            },
            _ => None,
        }
    }
}
