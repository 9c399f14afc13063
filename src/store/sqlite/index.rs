//! What the index of a write-ahead log (-shm) has that no pragma returns: which log it is, also
//! while that is empty, and whether somebody is writing it back. SQLite's own layout, from
//! <https://sqlite.org/walformat.html>, which all programs that share a file agree on.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// Where the salts of the log are, in bytes: each log has others.
const SALTS: usize = 32;
/// Where it is how many pages somebody began to write back.
const ATTEMPTED: usize = 128;
/// The size of its first part, in bytes, which it always has while a database is in use.
pub(super) const SMALLEST: u64 = 32_768;
/// As much as is read.
const SIZE: usize = ATTEMPTED + 4;

/// The index, open to be read. SQLite's locks on it are those of the process, and end when
/// any of its files of it is closed: so this must not be dropped before the database.
pub(super) struct Index(File);

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) salts: [u8; 8],
    /// Pages of the log that were written back, or that somebody began to write back.
    pub(super) attempted: u64,
}

impl Index {
    pub(super) fn open(path: &Path) -> io::Result<Index> {
        File::open(path).map(Index)
    }

    pub(super) fn read(&self) -> io::Result<State> {
        let mut bytes = [0; SIZE];
        self.0.read_exact_at(&mut bytes, 0)?;
        let (mut salts, mut attempted) = ([0; 8], [0; 4]);
        salts.copy_from_slice(&bytes[SALTS..SALTS + 8]);
        attempted.copy_from_slice(&bytes[ATTEMPTED..]);
        Ok(State {
            salts,
            attempted: u32::from_ne_bytes(attempted).into(),
        })
    }
}
