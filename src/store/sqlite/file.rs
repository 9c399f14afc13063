//! A file: where it is, what is beside it, and which file is at a path now.

use std::{
    fmt,
    fs::Metadata,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::store::StoreError;

/// Where a file really is: SQLite follows links, and puts what belongs to a file beside it.
/// It need not be there.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // As often as Linux does.
    for _ in 0..40 {
        match path.canonicalize() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => return found,
        }
        match path.read_link() {
            Ok(target) => path = folder(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

/// The file beside a database with this after its name, as in `podium.db-wal`.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// How long a file is, in bytes; 0 if it is not there.
pub(super) fn length(path: &Path) -> io::Result<u64> {
    match path.metadata() {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Identity {
        Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// How a file was when it was looked at. Writing to it changes this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// In bytes.
    pub(super) length: u64,
    /// When it was written last, in seconds since 1970-01-01T00:00:00Z, and nanoseconds more.
    modified: (i64, i64),
}

impl Stamp {
    /// The length of its text, in bytes.
    pub(super) const TEXT: usize = 40;

    pub(super) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// From its text.
    pub(super) fn parse(text: &str) -> Option<Stamp> {
        let number = |range| u64::from_str_radix(text.get(range)?, 16).ok();
        let stamp = Stamp {
            length: number(0..16)?,
            modified: (
                number(16..32)?.cast_signed(),
                number(32..Stamp::TEXT)?.cast_signed(),
            ),
        };
        (text.len() == Stamp::TEXT).then_some(stamp)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stamp {
            length,
            modified: (seconds, nanos),
        } = self;
        write!(f, "{length:016x}{seconds:016x}{nanos:08x}")
    }
}

/// Why a file cannot be opened that must be written.
pub(super) fn writable(path: &Path, source: io::Error) -> StoreError {
    let path = path.display().to_string();
    match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreError::Unfit {
            path,
            problem: format!("it cannot be written ({source})"),
            cure: READ_ONLY,
        },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Unfit {
            path,
            problem: format!("there is no room ({source})"),
            cure: NO_ROOM,
        },
        _ => StoreError::File { path, source },
    }
}

/// What to do about a disk that is full.
pub(super) const NO_ROOM: &str = "make room and start again";

/// What to do about a file or folder that cannot be written.
pub(super) const READ_ONLY: &str = "let the user that runs Podium write the file and its folder, \
                                    on a disk that is not mounted read-only";

/// The folder that a file is in, or will be.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.into(),
        _ => ".".into(),
    }
}
