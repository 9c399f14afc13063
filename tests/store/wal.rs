//! However much is read beside it, the write-ahead log of a file stays small.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use podium::{
    board::{BoardId, Profile, Rules, UserId},
    store::{self, Action, ActionId, Command, Store, StoreUrl},
};
use tempfile::TempDir;

use crate::{server::wait_for, suite};

/// The size that the write-ahead log never passes, in bytes.
const BOUND: u64 = 64_000_000;
/// What may be left of it when all is quiet.
const LEFT: u64 = 4_000_000;

const USERS: u32 = 20_000;
/// Actions of the user who is looked back at.
const ACTIONS: u32 = 20_000;

fn user(n: u32) -> UserId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
    id[12..].copy_from_slice(&n.to_be_bytes());
    UserId(id)
}

/// Ids and users in no order, so that many pages are written.
fn act(n: u32, of: u32) -> Command {
    Command::Act(Action {
        id: ActionId::new(&format!("{:08x}-{n:08x}", n.wrapping_mul(0x9e37_79b9))).unwrap(),
        board: BoardId::default(),
        tiebreak_increase: 0,
        user: user(of),
        action_type: "test".into(),
        increase: 1,
        declared: None,
    })
}

fn put(n: u32) -> Command {
    Command::PutUser {
        user: user(n),
        profile: Profile {
            username: format!("Player {n}").into(),
            avatar: None,
        },
    }
}

struct Played {
    store: Arc<dyn Store>,
    wal: PathBuf,
    /// Names the next action.
    next: u32,
}

impl Played {
    async fn begin(folder: &Path) -> Played {
        let path = folder.join("podium.db");
        let url = StoreUrl::Sqlite(path.clone());
        let (opened, ready) = store::open(&url, &suite::main(Rules::default()))
            .await
            .unwrap();
        let mut wal = path.into_os_string();
        wal.push("-wal");
        let mut played = Played {
            store: ready.start(opened.state).unwrap(),
            wal: wal.into(),
            next: 0,
        };
        for first in (0..USERS).step_by(1000) {
            played
                .append((first..first + 1000).map(put).collect())
                .await;
        }
        for first in (0..ACTIONS).step_by(1000) {
            let actions = (first..first + 1000).map(|n| act(n, 0));
            played.append(actions.collect()).await;
        }
        played.next = ACTIONS;
        played
    }

    async fn append(&self, commands: Vec<Command>) {
        for outcome in self.store.append(commands).await.unwrap() {
            outcome.unwrap();
        }
    }

    /// Many users act.
    async fn play(&mut self) {
        let numbers = self.next..self.next + 200;
        self.next = numbers.end;
        let actions = numbers.map(|n| act(n, n.wrapping_mul(7_919) % USERS));
        self.append(actions.collect()).await;
    }

    /// The size of the write-ahead log, in bytes.
    fn size(&self) -> u64 {
        self.wal.metadata().map_or(0, |metadata| metadata.len())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_that_never_pause_do_not_let_the_log_grow() {
    let folder = TempDir::new().unwrap();
    let mut played = Played::begin(folder.path()).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..6)
        .map(|_| {
            let (store, is_over) = (played.store.clone(), is_over.clone());
            tokio::spawn(async move {
                let mut looks = 0_u32;
                while !is_over.load(Ordering::Relaxed) {
                    let history = store
                        .history(BoardId::default(), user(0), 1000)
                        .await
                        .unwrap()
                        .unwrap();
                    assert!(history.actions >= u64::from(ACTIONS));
                    looks += 1;
                }
                looks
            })
        })
        .collect();
    let mut largest = 0;
    for _ in 0..200 {
        played.play().await;
        largest = largest.max(played.size());
    }
    is_over.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert!(largest <= BOUND, "the log grew to {largest} bytes");
    // As much was written as would have grown past it.
    assert!(largest > LEFT, "only {largest} bytes were ever in the log");
    wait_for("the log is given back", || played.size() <= LEFT).await;
    // A file that is in use goes on.
    played.play().await;
    let history = played
        .store
        .history(BoardId::default(), user(0), 9)
        .await
        .unwrap()
        .unwrap();
    assert!(history.actions >= u64::from(ACTIONS));
    played.store.close().await;
    assert_eq!(played.size(), 0);
}

/// A backup, say: it is not ours to end, and nobody waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn another_program_that_reads_for_long_keeps_nobody_from_acting() {
    let folder = TempDir::new().unwrap();
    let mut played = Played::begin(folder.path()).await;
    let other = rusqlite::Connection::open(folder.path().join("podium.db")).unwrap();
    let reading = other.unchecked_transaction().unwrap();
    let seen: u64 = reading
        .query_row("SELECT count(*) FROM log", [], |row| row.get(0))
        .unwrap();
    for _ in 0..60 {
        played.play().await;
    }
    let still: u64 = reading
        .query_row("SELECT count(*) FROM log", [], |row| row.get(0))
        .unwrap();
    assert_eq!(still, seen);
    drop(reading);
    drop(other);
    played.play().await;
    wait_for("the log is given back", || played.size() <= LEFT).await;
    played.store.close().await;
}
