//! What goes wrong in a store.

use std::sync::Arc;

/// Why a store cannot be opened, or could not take commands.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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
    /// The store is there and cannot write; see [`Health::Unwritable`](super::Health::Unwritable).
    #[error("nothing can be stored, because {0}")]
    Unwritable(Arc<str>),
    /// The store did not answer within [`LONGEST_APPEND`](super::LONGEST_APPEND). Some of the commands may be
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
