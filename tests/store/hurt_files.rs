//! Files that are not what was left: a start refuses them with words, and changes nothing.

use std::fs;

use podium::{
    board::{Epoch, Rules},
    store::{Refusal, StoreError, StoreUrl, sqlite::Survey},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::{
    files::{Files, Saved, checkpoint, try_start},
    suite::{Fixture, Running, act, put},
};

/// Users, and actions of each at first.
const USERS: u8 = 5;
const ACTIONS: u8 = 30;

fn id(n: u8, user: u8) -> String {
    format!("action-{n}-of-{user}")
}

/// Plays the actions from one to another of each user.
async fn play(running: &Running, actions: std::ops::Range<u8>) {
    for n in actions {
        for user in 0..USERS {
            let commands = vec![put(user), act(&id(n, user), user, i64::from(n) + 1)];
            running.store.append(commands).await.unwrap();
        }
    }
}

/// A board that was played and closed.
async fn closed_board() -> Files {
    let files = Files::new();
    let running = files.start().await;
    play(&running, 0..ACTIONS).await;
    running.store.close().await;
    files
}

/// A board whose process has died: half of it is in the file, and half in the log.
async fn crashed_board() -> (Files, Saved) {
    let files = closed_board().await;
    let running = files.start().await;
    play(&running, ACTIONS..2 * ACTIONS).await;
    let crashed = files.all();
    running.store.close().await;
    files.put_back(&crashed);
    (files, crashed)
}

fn scores(running: &Running) -> Vec<(i64, u64)> {
    let rows = running.follower.rows();
    rows.into_iter()
        .map(|(_, score, rank)| (score, rank))
        .collect()
}

#[tokio::test]
async fn what_a_crash_leaves_is_opened() {
    let (files, _) = crashed_board().await;
    let running = files.start().await;
    let total: i64 = (1..=i64::from(2 * ACTIONS)).sum();
    assert!(scores(&running).iter().all(|(score, _)| *score == total));
    running.store.close().await;
}

#[tokio::test]
async fn a_file_without_its_log_is_refused() {
    let (files, crashed) = crashed_board().await;
    fs::remove_file(files.path("-wal")).unwrap();
    files.expect_refused("were confirmed").await;
    fs::write(files.path("-wal"), "").unwrap();
    files.expect_refused("were confirmed").await;
    files.put_back(&crashed);
    files.start().await.store.close().await;
}

#[tokio::test]
async fn a_log_that_was_cut_is_refused() {
    let (files, _) = crashed_board().await;
    let log = fs::read(files.path("-wal")).unwrap();
    fs::write(files.path("-wal"), &log[..log.len() / 2]).unwrap();
    files.expect_refused("were confirmed").await;
}

#[tokio::test]
async fn the_log_of_another_file_is_refused() {
    let (_, other) = crashed_board().await;
    let foreign = &other.0["podium.db-wal"];
    // In place of its own, and beside a file that was closed.
    let (files, _) = crashed_board().await;
    fs::write(files.path("-wal"), foreign).unwrap();
    files
        .expect_refused("is not the one that belongs to it")
        .await;
    let files = closed_board().await;
    fs::write(files.path("-wal"), foreign).unwrap();
    files
        .expect_refused("is not the one that belongs to it")
        .await;
    fs::write(
        files.path("-wal"),
        "this is no log, but it is somebody's text",
    )
    .unwrap();
    files
        .expect_refused("is not the one that belongs to it")
        .await;
}

/// The process died after a commit, and before it noted which log that began.
#[tokio::test]
async fn a_log_that_was_begun_and_not_noted_is_played_back() {
    let files = closed_board().await;
    let running = files.start().await;
    play(&running, ACTIONS..2 * ACTIONS - 1).await;
    let noted = fs::read(files.path(".lock")).unwrap();
    let other = Connection::open(files.path("")).unwrap();
    checkpoint(&files.path(""), "TRUNCATE");
    play(&running, 2 * ACTIONS - 1..2 * ACTIONS).await;
    let crashed = files.all();
    drop(other);
    running.store.close().await;
    files.put_back(&crashed);
    fs::write(files.path(".lock"), noted).unwrap();
    assert!(expect_all_or_nothing(&files, 2 * ACTIONS, "the log is its own").await);
}

#[tokio::test]
async fn a_missing_file_is_not_created_again() {
    let (files, crashed) = crashed_board().await;
    fs::remove_file(files.path("")).unwrap();
    files.expect_refused("what belongs to it, -wal").await;
    fs::write(files.path(""), "").unwrap();
    files.expect_refused("what belongs to it, -wal").await;
    files.put_back(&crashed);
    files.start().await.store.close().await;

    let files = closed_board().await;
    fs::remove_file(files.path("")).unwrap();
    files.expect_refused("it is missing").await;
    assert!(!files.path("").exists());
    fs::write(files.path(""), "").unwrap();
    files.expect_refused("it is empty").await;
}

#[tokio::test]
async fn a_file_that_was_cut_is_refused() {
    let files = closed_board().await;
    let bytes = fs::read(files.path("")).unwrap();
    for length in [1, 15, 16, 99] {
        fs::write(files.path(""), &bytes[..length]).unwrap();
        files.expect_refused("it is no SQLite file").await;
    }
    for length in [100, 4096, bytes.len() / 2, bytes.len() - 1] {
        fs::write(files.path(""), &bytes[..length]).unwrap();
        files.expect_refused("it is damaged").await;
    }
}

#[tokio::test]
async fn what_is_no_database_is_left_alone() {
    let files = Files::new();
    for text in ["my diary", &"x".repeat(10_000)] {
        fs::write(files.path(""), text).unwrap();
        files.expect_refused("it is no SQLite file").await;
        assert!(!files.path(".lock").exists(), "nothing is put beside it");
    }
}

#[tokio::test]
async fn the_file_of_another_program_is_left_alone() {
    for sql in [
        "CREATE TABLE users (id INTEGER PRIMARY KEY, password TEXT)",
        "CREATE TABLE users (id INTEGER PRIMARY KEY); PRAGMA user_version = 3",
        "PRAGMA application_id = 1234",
        "PRAGMA application_id = 1234; CREATE TABLE boards (a); CREATE TABLE log (a);
         CREATE TABLE users (a); PRAGMA user_version = 5",
        "PRAGMA user_version = 2",
    ] {
        for mode in ["DELETE", "WAL"] {
            let files = Files::new();
            let other = Connection::open(files.path("")).unwrap();
            other.pragma_update(None, "journal_mode", mode).unwrap();
            other.execute_batch(sql).unwrap();
            drop(other);
            files.expect_refused("of another program").await;
        }
    }
}

#[tokio::test]
async fn a_file_of_a_later_schema_is_left_alone() {
    let files = closed_board().await;
    let other = Connection::open(files.path("")).unwrap();
    other.pragma_update(None, "user_version", 999).unwrap();
    drop(other);
    files.expect_refused("use the newer version").await;
}

#[tokio::test]
async fn a_journal_that_would_undo_is_not_played_back() {
    let files = closed_board().await;
    fs::write(files.path("-journal"), [0xd9; 600]).unwrap();
    files
        .expect_refused("a journal by which changes would be undone")
        .await;
}

#[tokio::test]
async fn an_older_copy_is_refused() {
    let files = closed_board().await;
    let older = fs::read(files.path("")).unwrap();
    let running = files.start().await;
    play(&running, ACTIONS..ACTIONS + 1).await;
    running.store.close().await;
    fs::write(files.path(""), older).unwrap();
    files.expect_refused("it is an older copy").await;
}

/// Of so large a file not all is checked at each start.
#[tokio::test]
async fn a_large_backup_beside_the_log_of_what_came_later_is_refused() {
    let files = closed_board().await;
    let other = Connection::open(files.path("")).unwrap();
    let sql = "CREATE TABLE padding (a); INSERT INTO padding VALUES (zeroblob(270000000))";
    other.execute_batch(sql).unwrap();
    drop(other);
    let backup = files.path(".backup");
    fs::copy(files.path(""), &backup).unwrap();
    let running = files.start().await;
    play(&running, ACTIONS..4 * ACTIONS).await;
    running.store.close().await;
    let running = files.start().await;
    play(&running, 4 * ACTIONS..4 * ACTIONS + 1).await;
    let (wal, lock) = (fs::read(files.path("-wal")), fs::read(files.path(".lock")));
    running.store.close().await;

    fs::rename(backup, files.path("")).unwrap();
    fs::write(files.path("-wal"), wal.unwrap()).unwrap();
    fs::write(files.path(".lock"), lock.unwrap()).unwrap();
    let refused = files.try_start().await.err().unwrap().to_string();
    assert!(refused.contains("do not belong together"), "{refused}");
    let survey = Survey::take(&files.path("")).unwrap();
    let said = survey.to_string();
    assert!(said.contains("-wal is renamed to"), "{said}");
    survey.adopt().unwrap();
    let running = files.start().await;
    let total: i64 = (1..=i64::from(ACTIONS)).sum();
    assert!(scores(&running).iter().all(|(score, _)| *score == total));
    running.store.close().await;
}

#[tokio::test]
async fn another_board_at_its_path_is_refused() {
    let (files, other) = (closed_board().await, closed_board().await);
    fs::copy(other.path(""), files.path("")).unwrap();
    files.expect_refused("is not the one that was there").await;
}

/// As of early versions, and where somebody moves a board to another machine.
#[tokio::test]
async fn a_file_of_which_nothing_was_noted_is_opened() {
    let files = closed_board().await;
    fs::remove_file(files.path(".lock")).unwrap();
    let running = files.start().await;
    assert_eq!(scores(&running).len(), usize::from(USERS));
    running.store.close().await;
}

#[tokio::test]
async fn a_directory_at_its_path_is_refused() {
    let files = Files::new();
    fs::create_dir(files.path("")).unwrap();
    assert!(files.try_start().await.is_err());
    assert!(files.path("").is_dir());
}

/// SQLite follows links, and puts the log beside the file itself.
#[tokio::test]
async fn a_link_to_a_file_is_as_good_as_the_file() {
    let files = Files::new();
    let folder = TempDir::new().unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(files.path(""), &link).unwrap();
    // It makes the file where the link points to.
    let link = StoreUrl::Sqlite(link);
    let running = try_start(&link, Rules::default()).await.unwrap();
    play(&running, 0..1).await;
    assert!(matches!(files.try_start().await, Err(StoreError::InUse(_))));
    running.store.close().await;
    let running = files.start().await;
    assert_eq!(running.follower.rows().len(), usize::from(USERS));
    running.store.close().await;
    fs::remove_file(files.path("")).unwrap();
    let refused = try_start(&link, Rules::default()).await.err();
    assert!(refused.unwrap().to_string().contains("it is missing"));
}

/// How many files are hurt at random, of each kind.
const HURT: u64 = 200;

/// What was answered is there, or the file is refused; and then nothing in it has changed.
async fn expect_all_or_nothing(files: &Files, actions: u8, what: &str) -> bool {
    let before = files.saved();
    let running = match files.try_start().await {
        Ok(running) => running,
        Err(_) => {
            assert_eq!(files.saved(), before, "{what}");
            return false;
        }
    };
    let total: i64 = (1..=i64::from(actions)).sum();
    for (name, score, _) in running.follower.rows() {
        assert_eq!(score, total, "{what}");
        let number = name
            .strip_prefix("user ")
            .and_then(|it| it.parse::<u8>().ok());
        assert!(number.is_some_and(|it| it < USERS), "{what}: {name}");
    }
    for n in 0..actions {
        for user in 0..USERS {
            let again = running.one(act(&id(n, user), user, i64::from(n) + 1)).await;
            // Nothing repeats the type of an action: one that is hurt is that of another action,
            // and counts no second time.
            if again == Err(Refusal::Conflict) {
                continue;
            }
            let again = again.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(again.duplicate, "{what}: action {n} of {user} is gone");
        }
    }
    running.store.close().await;
    true
}

/// Bits are flipped and the end is cut off, at random places.
fn hurt(bytes: &mut Vec<u8>, random: &mut StdRng) -> String {
    if random.random_bool(0.25) {
        let length = random.random_range(0..bytes.len());
        bytes.truncate(length);
        return format!("cut to {length}");
    }
    let mut what = "flipped".to_owned();
    for _ in 0..random.random_range(1..4) {
        let (at, bit) = (
            random.random_range(0..bytes.len()),
            random.random_range(0..8),
        );
        bytes[at] ^= 1 << bit;
        what += &format!(" bit {bit} of byte {at}");
    }
    what
}

async fn hurt_at_random(file: &str, intact: &Saved, actions: u8) {
    let files = Files::new();
    let mut refused = 0;
    for seed in 0..HURT {
        let mut random = StdRng::seed_from_u64(seed);
        let mut hurt_files = intact.clone();
        let what = hurt(hurt_files.0.get_mut(file).unwrap(), &mut random);
        files.put_back(&hurt_files);
        let what = format!("seed {seed}, {file} {what}");
        if !expect_all_or_nothing(&files, actions, &what).await {
            refused += 1;
        }
    }
    // What hurts nothing that counts is free space, say.
    assert!(refused > HURT / 8, "only {refused} were found out");
}

#[tokio::test]
async fn a_closed_file_that_is_hurt_at_random_is_whole_or_refused() {
    let intact = closed_board().await.all();
    hurt_at_random("podium.db", &intact, ACTIONS).await;
}

#[tokio::test]
async fn a_file_with_a_log_that_is_hurt_at_random_is_whole_or_refused() {
    let (_, intact) = crashed_board().await;
    hurt_at_random("podium.db-wal", &intact, 2 * ACTIONS).await;
    hurt_at_random("podium.db", &intact, 2 * ACTIONS).await;
}

/// The epoch of a board that was opened again.
async fn epoch(files: &Files) -> Epoch {
    let running = files.start().await;
    running.store.close().await;
    running.epoch
}

#[tokio::test]
async fn an_unhurt_board_stays_in_its_epoch() {
    let files = closed_board().await;
    let first = epoch(&files).await;
    assert_eq!(epoch(&files).await, first);
    let (files, _) = crashed_board().await;
    let first = epoch(&files).await;
    assert_eq!(epoch(&files).await, first);
}
