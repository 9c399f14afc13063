//! Files that somebody moves, deletes or writes over beneath a store that has them open:
//! it stops writing with words, touches nothing any more, and the board stays.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use podium::{
    board::{BoardId, Rules},
    store::{self, Health, Receipt, StoreError, StoreUrl, sqlite::Survey, transfer::Peek},
};
use tempfile::TempDir;

use crate::{
    server::wait_for,
    suite::{Follower, Running, act, put},
};

struct Files(TempDir);

impl Files {
    fn new() -> Files {
        Files(TempDir::new().unwrap())
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.0.path().join(format!("podium.db{suffix}"))
    }

    async fn try_open(&self) -> Result<Running, StoreError> {
        let url = StoreUrl::Sqlite(self.path(""));
        let (opened, ready) = store::open(&url, &BoardId::default(), Rules::default()).await?;
        let follower = Follower::new(&opened);
        Ok(Running {
            store: ready.start(follower.clone())?,
            epoch: opened.epoch,
            follower,
            announcements: opened.announcements,
            revoked: opened.revoked,
        })
    }

    async fn open(&self) -> Running {
        self.try_open().await.unwrap()
    }
}

fn why(health: &Health) -> Option<String> {
    match health {
        Health::Unwritable(why) => Some(why.to_string()),
        _ => None,
    }
}

/// Something is done to the files of a store with two actions, which says these words then
/// and stays as it was, also where somebody acts before it has looked.
async fn expect_stopped(words: &str, harm: impl Fn(&Files)) {
    for acts_at_once in [true, false] {
        let files = Files::new();
        let running = files.open().await;
        running.one(put(1)).await.unwrap();
        running.one(act("a", 1, 5)).await.unwrap();
        harm(&files);
        let rows = running.follower.rows();
        let mut health = running.store.health();
        if !acts_at_once {
            let stopped = health.wait_for(|health| why(health).is_some());
            stopped.await.unwrap();
        }
        let refused = running.store.append(vec![act("b", 1, 7)]).await;
        let Err(StoreError::Unwritable(said)) = refused else {
            panic!("{words}: {refused:?}");
        };
        assert!(said.contains(words), "{said}");
        assert!(said.contains("put back"), "{said}");
        assert_eq!(why(&health.borrow_and_update()).as_deref(), Some(&*said));
        let left = bytes(&files);
        assert_eq!(running.follower.rows(), rows, "the board stays");
        let again = running.store.append(vec![act("c", 1, 7)]).await;
        assert!(matches!(again, Err(StoreError::Unwritable(_))), "{again:?}");
        running.store.close().await;
        assert_eq!(*running.store.health().borrow(), Health::Closed);
        assert_eq!(bytes(&files), left, "{words}: all is left as it is");
    }
}

/// The files that hold the board: their contents, or `None`.
fn bytes(files: &Files) -> Vec<Option<Vec<u8>>> {
    let read = |suffix| fs::read(files.path(suffix)).ok();
    vec![read(""), read("-wal"), read(".moved")]
}

#[tokio::test]
async fn a_file_that_is_moved_or_deleted() {
    let words = "the board's file was deleted or moved away";
    expect_stopped(words, |files| fs::remove_file(files.path("")).unwrap()).await;
    expect_stopped(words, |files| {
        fs::rename(files.path(""), files.path(".moved")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_replaced() {
    expect_stopped("the board's file was replaced", |files| {
        fs::copy(files.path(""), files.path(".moved")).unwrap();
        fs::rename(files.path(".moved"), files.path("")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_written_over() {
    let folder = TempDir::new().unwrap();
    let older = folder.path().join("older.db");
    rusqlite::Connection::open(&older)
        .unwrap()
        .execute_batch("CREATE TABLE users (a); INSERT INTO users VALUES (zeroblob(900000))")
        .unwrap();
    let older = fs::read(older).unwrap();
    expect_stopped("the board's file was overwritten", |files| {
        fs::write(files.path(""), &older).unwrap();
    })
    .await;
    expect_stopped("the board's file was cut short", |files| {
        fs::write(files.path(""), "").unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_log_that_is_deleted_or_cut() {
    expect_stopped(
        "the write-ahead log of the board's file was deleted",
        |files| {
            fs::remove_file(files.path("-wal")).unwrap();
        },
    )
    .await;
    expect_stopped("the write-ahead log of the board's file was", |files| {
        fs::write(files.path("-wal"), "").unwrap();
    })
    .await;
    expect_stopped(
        "the index of the board's file (-shm) was deleted",
        |files| {
            fs::remove_file(files.path("-shm")).unwrap();
        },
    )
    .await;
}

/// Other programs may read a file, and SQLite in them may write the log back.
#[tokio::test]
async fn what_sqlite_does_in_another_program_is_no_harm() {
    let files = Files::new();
    let running = files.open().await;
    running.one(put(1)).await.unwrap();
    for (n, mode) in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"]
        .iter()
        .enumerate()
    {
        running.one(act(&format!("a{n}"), 1, 1)).await.unwrap();
        let other = rusqlite::Connection::open(files.path("")).unwrap();
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        other.query_row(&sql, [], |_| Ok(())).unwrap();
        drop(other);
        for k in 0..20 {
            running.one(act(&format!("b{n}-{k}"), 1, 1)).await.unwrap();
        }
    }
    assert_eq!(*running.store.health().borrow(), Health::Open);
    running.store.close().await;
    assert!(!files.path("-wal").exists());
}

/// Has another connection do with the log what a program that makes backups does.
fn checkpoint(path: &Path, mode: &str) {
    let other = rusqlite::Connection::open(path).unwrap();
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    other.query_row(&sql, [], |_| Ok(())).unwrap();
}

/// The log was empty for a moment, and is longer than before at the next look.
#[tokio::test]
async fn a_log_that_begins_again_and_is_longer_at_once_is_no_harm() {
    let files = Files::new();
    let running = files.open().await;
    running.one(put(1)).await.unwrap();
    for round in 0..5 {
        let mut said = Vec::new();
        for (many, mode) in [(1, "TRUNCATE"), (400, "RESTART"), (400, "TRUNCATE")] {
            let commands = (0..many).map(|n| act(&format!("{round}-{mode}-{many}-{n}"), 1, 1));
            said.push(running.store.append(commands.collect()).await);
            checkpoint(&files.path(""), mode);
        }
        said.push(
            running
                .store
                .append(vec![act(&format!("{round}"), 1, 1)])
                .await,
        );
        for outcomes in said {
            assert!(outcomes.unwrap().iter().all(Result::is_ok));
        }
    }
    assert_eq!(*running.store.health().borrow(), Health::Open);
    running.store.close().await;
}

/// Without a pause, so that it meets every moment of a commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_writes_the_log_back_all_the_time_is_no_harm() {
    let files = Files::new();
    let running = files.open().await;
    running.one(put(1)).await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let other = std::thread::spawn({
        let (path, is_over) = (files.path(""), is_over.clone());
        move || {
            let other = rusqlite::Connection::open(path).unwrap();
            for mode in ["TRUNCATE", "PASSIVE", "RESTART", "TRUNCATE"]
                .iter()
                .cycle()
            {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                // It may be in use just now.
                let sql = format!("PRAGMA wal_checkpoint({mode})");
                _ = other.query_row(&sql, [], |_| Ok(()));
            }
        }
    });
    for n in 0..300 {
        let commands = (0..=n % 40).map(|k| act(&format!("{n}-{k}"), 1, 1));
        let outcomes = running.store.append(commands.collect()).await;
        assert!(outcomes.unwrap().iter().all(Result::is_ok));
    }
    is_over.store(true, Ordering::Relaxed);
    other.join().unwrap();
    assert_eq!(*running.store.health().borrow(), Health::Open);
    running.store.close().await;
}

/// Whoever waits is told, and what was refused is counted once when it is sent again.
#[tokio::test]
async fn a_trouble_that_passes_is_over_by_itself() {
    let files = Files::new();
    let running = files.open().await;
    running.one(put(1)).await.unwrap();
    let other = rusqlite::Connection::open(files.path("")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = running.store.append(vec![act("a", 1, 3)]).await;
    let Err(StoreError::Unwritable(said)) = refused else {
        panic!("{refused:?}");
    };
    assert!(said.contains("locked"), "{said}");
    other.execute_batch("ROLLBACK").unwrap();
    wait_for("it writes again", || {
        *running.store.health().borrow() == Health::Open
    })
    .await;
    let Receipt { seq, duplicate, .. } = running.one(act("a", 1, 3)).await.unwrap();
    assert_eq!((seq, duplicate), (2, false));
    running.store.close().await;
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// What a crash leaves of a board with one action in the file and one in the log.
async fn crashed() -> Files {
    let (files, crashed) = (Files::new(), Files::new());
    let running = files.open().await;
    running.one(put(1)).await.unwrap();
    running.one(act("a", 1, 5)).await.unwrap();
    running.store.close().await;
    let running = files.open().await;
    running.one(act("b", 1, 7)).await.unwrap();
    copy_all(files.0.path(), crashed.0.path());
    running.store.close().await;
    crashed
}

/// What `podium adopt` says first.
fn survey(files: &Files) -> Survey {
    Survey::take(&files.path("")).unwrap()
}

#[tokio::test]
async fn an_operator_may_go_on_without_the_log() {
    let files = crashed().await;
    fs::remove_file(files.path("-wal")).unwrap();
    assert!(files.try_open().await.is_err());
    let left = bytes(&files);
    let said = survey(&files).to_string();
    assert!(
        said.contains("goes on after entry 2, in a new epoch; entries 3 to 3"),
        "{said}"
    );
    assert_eq!(bytes(&files)[0], left[0], "nothing was done yet");
    survey(&files).adopt().unwrap();
    assert!(survey(&files).is_fine());
    let running = files.open().await;
    assert_eq!(running.follower.rows(), [("user 1".to_owned(), 5, 1)]);
    assert!(!running.one(act("b", 1, 7)).await.unwrap().duplicate);
    running.store.close().await;
}

/// Until the board is in its new epoch, no start takes what is left.
#[tokio::test]
async fn what_was_adopted_by_half_is_still_to_be_decided() {
    let files = crashed().await;
    fs::remove_file(files.path("-wal")).unwrap();
    let refused = files.try_open().await.err().unwrap().to_string();
    let other = rusqlite::Connection::open(files.path("")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(survey(&files).adopt().is_err(), "it is locked");
    drop(other);
    let still = files.try_open().await.err().map(|error| error.to_string());
    assert_eq!(still, Some(refused));
    survey(&files).adopt().unwrap();
    files.open().await.store.close().await;
}

#[tokio::test]
async fn where_nothing_was_nothing_is_made() {
    let files = Files::new();
    for path in [files.path(""), files.path("-none/podium.db")] {
        let said = Survey::take(&path).err().unwrap().to_string();
        assert!(said.contains("there is no board"), "{said}");
        assert!(said.contains(&format!("{}:", path.display())), "{said}");
    }
    assert_eq!(fs::read_dir(files.0.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_look_at_a_board_leaves_it_as_it_is() {
    let peek = async |files: &Files| {
        let url = StoreUrl::Sqlite(files.path(""));
        let peek = Peek::open(&url, &BoardId::default(), Rules::default()).await;
        peek.map(|found| found.map(|(opened, _)| opened.board.seq()))
    };
    let files = crashed().await;
    let left = fs::read(files.path("")).unwrap();
    assert!(peek(&files).await.unwrap().is_some());
    assert_eq!(fs::read(files.path("")).unwrap(), left);
    assert!(files.path("-wal").exists());
    files.open().await.store.close().await;
    // As it was closed.
    let left = bytes(&files);
    assert!(peek(&files).await.unwrap().is_some());
    assert_eq!(bytes(&files), left);
    fs::remove_file(files.path("")).unwrap();
    let refused = peek(&files).await.err().unwrap().to_string();
    assert!(refused.contains("it is missing"), "{refused}");
    let none = Files::new();
    assert!(peek(&none).await.unwrap().is_none());
    assert_eq!(fs::read_dir(none.0.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_operator_may_set_a_foreign_log_aside() {
    let (files, other) = (crashed().await, crashed().await);
    let foreign = fs::read(other.path("-wal")).unwrap();
    fs::write(files.path("-wal"), &foreign).unwrap();
    assert!(files.try_open().await.is_err());
    let said = survey(&files).to_string();
    assert!(said.contains("-wal is renamed to"), "{said}");
    assert!(said.contains("goes on after entry 2"), "{said}");
    survey(&files).adopt().unwrap();
    let running = files.open().await;
    assert_eq!(running.follower.rows(), [("user 1".to_owned(), 5, 1)]);
    running.store.close().await;
    let aside = fs::read_dir(files.0.path()).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        path.to_string_lossy()
            .contains("-wal.aside-")
            .then_some(path)
    });
    assert_eq!(fs::read(aside.unwrap()).unwrap(), foreign, "it is kept");
}

#[tokio::test]
async fn an_operator_may_begin_with_an_empty_board() {
    let files = crashed().await;
    fs::remove_file(files.path("")).unwrap();
    assert!(files.try_open().await.is_err());
    let said = survey(&files).to_string();
    assert!(said.contains("begins with an empty one"), "{said}");
    survey(&files).adopt().unwrap();
    let running = files.open().await;
    assert!(running.follower.rows().is_empty());
    running.store.close().await;
}

#[tokio::test]
async fn what_is_damaged_or_foreign_is_not_adopted() {
    let files = crashed().await;
    fs::write(files.path(""), "my diary").unwrap();
    assert!(Survey::take(&files.path("")).is_err());
    assert_eq!(fs::read(files.path("")).unwrap(), b"my diary");
}

#[tokio::test]
async fn of_a_board_as_it_was_left_there_is_nothing_to_decide() {
    let files = crashed().await;
    let before = bytes(&files);
    let survey = survey(&files);
    assert!(survey.is_fine(), "{survey}");
    survey.adopt().unwrap();
    assert_eq!(bytes(&files), before);
    let running = files.open().await;
    assert_eq!(running.follower.rows(), [("user 1".to_owned(), 12, 1)]);
    running.store.close().await;
}
