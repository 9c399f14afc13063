//! The files of a board in SQLite, in a folder of their own.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use podium::{
    board::Rules,
    store::{self, StoreError, StoreUrl},
};
use tempfile::TempDir;

use crate::suite::{self, Fixture, Running};

pub struct Files(TempDir);

impl Files {
    pub fn path(&self, suffix: &str) -> PathBuf {
        self.0.path().join(format!("podium.db{suffix}"))
    }

    pub fn url(&self) -> StoreUrl {
        StoreUrl::Sqlite(self.path(""))
    }

    /// Starts the store of the usual board.
    pub async fn start(&self) -> Running {
        self.try_start().await.unwrap()
    }

    pub async fn try_start(&self) -> Result<Running, StoreError> {
        try_start(&self.url(), Rules::default()).await
    }

    /// The names of all files.
    pub fn names(&self) -> Vec<String> {
        self.all().0.into_keys().collect()
    }

    /// All files as they are, as a crash leaves them: the index (-shm) is made again by SQLite.
    pub fn all(&self) -> Saved {
        let entries = fs::read_dir(self.0.path()).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        });
        Saved(
            entries
                .filter(|(name, _)| !name.ends_with("-shm"))
                .collect(),
        )
    }

    /// All that may not change: the lock is no part of the board, and an empty log is none.
    pub fn saved(&self) -> Saved {
        let mut all = self.all();
        all.0.retain(|name, bytes| {
            !name.ends_with(".lock") && !(name.ends_with("-wal") && bytes.is_empty())
        });
        all
    }

    /// Puts here what was saved, and nothing else.
    pub fn put_back(&self, saved: &Saved) {
        for entry in fs::read_dir(self.0.path()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (name, bytes) in &saved.0 {
            fs::write(self.0.path().join(name), bytes).unwrap();
        }
    }

    /// It is refused with these words, and everything stays as it is.
    pub async fn expect_refused(&self, words: &str) {
        let before = self.saved();
        let refuse = async || {
            let refused = self.try_start().await.err();
            let refused = refused.unwrap_or_else(|| panic!("opened what is wrong: {words}"));
            let refused = refused.to_string();
            assert!(refused.contains(words), "{refused}");
            assert_eq!(self.saved(), before, "{refused}");
            refused
        };
        let refused = refuse().await;
        // And a second time, when nothing is new.
        assert_eq!(refuse().await, refused);
    }
}

impl Fixture for Files {
    fn new() -> Files {
        Files(TempDir::new().unwrap())
    }

    async fn open(&self, rules: Rules) -> Running {
        try_start(&self.url(), rules).await.unwrap()
    }
}

pub async fn try_start(url: &StoreUrl, rules: Rules) -> Result<Running, StoreError> {
    let (opened, ready) = store::open(url, &suite::main(rules)).await?;
    Running::start(opened, ready)
}

/// The contents of files by their names.
#[derive(Clone, PartialEq, Eq)]
pub struct Saved(pub BTreeMap<String, Vec<u8>>);

impl std::fmt::Debug for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes = self.0.iter().map(|(name, bytes)| (name, bytes.len()));
        f.debug_map().entries(sizes).finish()
    }
}

/// Has another connection do with the log what a program that makes backups does.
pub fn checkpoint(path: &Path, mode: &str) {
    let other = rusqlite::Connection::open(path).unwrap();
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    other.query_row(&sql, [], |_| Ok(())).unwrap();
}
