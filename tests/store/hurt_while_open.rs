//! Files that somebody moves, deletes or writes over beneath a store that has them open:
//! it stops writing with words, touches nothing any more, and the board stays.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use podium::{
    board::Rules,
    store::{Health, Receipt, StoreError, StoreUrl, peek::Peek, sqlite::Survey},
};
use tempfile::TempDir;

use crate::{
    files::{Files, Saved, checkpoint},
    server::wait_for,
    suite::{self, Fixture, act, id, put, user},
};

fn why(health: &Health) -> Option<String> {
    match health {
        Health::Unwritable(why) => Some(why.to_string()),
        _ => None,
    }
}

/// Something is done to the files of a store with two actions, which says these words then
/// and stays as it was, also where somebody acts before it has looked.
async fn expect_stopped(words: &str, harm: impl Fn(&Files)) {
    expect_stopped_until(words, "put back", harm).await;
}

/// As [`expect_stopped`], with what is to be done about it.
async fn expect_stopped_until(words: &str, cure: &str, harm: impl Fn(&Files)) {
    for acts_at_once in [true, false] {
        let files = Files::new();
        let running = files.start().await;
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
        assert!(said.contains(cure), "{said}");
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

/// SQLite lets other programs do all this in good order: `.restore` of a backup is such a
/// change too.
#[tokio::test]
async fn a_log_that_another_program_changes() {
    let words = "another program has changed the log of the board";
    for sql in [
        "DELETE FROM log WHERE seq = (SELECT max(seq) FROM log)",
        "UPDATE log_state SET epoch = epoch + 1",
        "DELETE FROM log; DELETE FROM people; DELETE FROM log_state",
    ] {
        expect_stopped(words, |files| {
            let other = rusqlite::Connection::open(files.path("")).unwrap();
            other.execute_batch(sql).unwrap();
        })
        .await;
    }
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

/// SQLite has the index mapped into memory: to touch what was cut off would end the process.
#[tokio::test]
async fn an_index_that_is_cut_is_not_touched_and_nothing_is_lost() {
    let words = "the index of the board's file (-shm) was cut short";
    expect_stopped_until(words, "start it again", |files| cut(&files.path("-shm"))).await;

    let files = Files::new();
    let running = files.start().await;
    running.one(put(1)).await.unwrap();
    running.one(act("a", 1, 5)).await.unwrap();
    // A reader of histories has it mapped too.
    assert_eq!(running.history(1, 9).await.actions, 1);
    cut(&files.path("-shm"));
    let looked = running.store.history(id("main"), user(1), 9).await;
    assert!(looked.is_err(), "{looked:?}");
    running.store.close().await;
    let running = files.start().await;
    assert_eq!(running.follower.rows(), [("user 1".to_owned(), 5, 1)]);
    running.store.close().await;
}

fn cut(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(0).unwrap();
}

#[tokio::test]
async fn a_file_that_is_touched_is_no_harm() {
    let files = Files::new();
    let running = files.start().await;
    running.one(put(1)).await.unwrap();
    for n in 0..3_u64 {
        let file = fs::File::options().append(true).open(files.path(""));
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + n);
        // Both, as `touch` does: Linux takes one alone for a write.
        let times = fs::FileTimes::new().set_accessed(then).set_modified(then);
        file.unwrap().set_times(times).unwrap();
        running.one(act(&format!("a{n}"), 1, 1)).await.unwrap();
    }
    assert_eq!(*running.store.health().borrow(), Health::Open);
    running.store.close().await;
    assert!(!files.path("-wal").exists());
}

/// Of the same length as before, and in the same moment.
#[tokio::test]
async fn a_file_in_which_a_byte_is_written_is_written_over() {
    use std::os::unix::fs::FileExt;
    expect_stopped("the board's file was overwritten", |files| {
        let file = fs::File::options().write(true).open(files.path(""));
        let file = file.unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.write_all_at(&[1], 4000).unwrap();
        file.set_modified(modified).unwrap();
    })
    .await;
}

/// By a script that removes locks that it takes for stale, say.
#[tokio::test]
async fn a_lock_that_is_deleted_keeps_others_out_and_is_made_again() {
    let files = Files::new();
    let running = files.start().await;
    running.one(put(1)).await.unwrap();
    for n in 0..3 {
        fs::remove_file(files.path(".lock")).unwrap();
        let second = files.try_start().await.err();
        assert!(matches!(second, Some(StoreError::InUse(_))), "{second:?}");
        assert!(Survey::take(&files.path("")).is_err());
        running.one(act(&format!("a{n}"), 1, 1)).await.unwrap();
        assert_eq!(*running.store.health().borrow(), Health::Open);
    }
    // And it knows what the file must hold.
    let crashed = files.all();
    running.store.close().await;
    files.put_back(&crashed);
    fs::remove_file(files.path("-wal")).unwrap();
    files.expect_refused("were confirmed").await;
}

#[tokio::test]
async fn a_lock_that_is_replaced() {
    expect_stopped("(.lock) was replaced by another", |files| {
        fs::remove_file(files.path(".lock")).unwrap();
        fs::write(files.path(".lock"), "my own notes").unwrap();
    })
    .await;
}

/// Other programs may read a file, and SQLite in them may write the log back.
#[tokio::test]
async fn what_sqlite_does_in_another_program_is_no_harm() {
    let files = Files::new();
    let running = files.start().await;
    running.one(put(1)).await.unwrap();
    for (n, mode) in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"]
        .iter()
        .enumerate()
    {
        running.one(act(&format!("a{n}"), 1, 1)).await.unwrap();
        checkpoint(&files.path(""), mode);
        for k in 0..20 {
            running.one(act(&format!("b{n}-{k}"), 1, 1)).await.unwrap();
        }
    }
    assert_eq!(*running.store.health().borrow(), Health::Open);
    running.store.close().await;
    assert!(!files.path("-wal").exists());
}

/// The log was empty for a moment, and is longer than before at the next look.
#[tokio::test]
async fn a_log_that_begins_again_and_is_longer_at_once_is_no_harm() {
    let files = Files::new();
    let running = files.start().await;
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
    let running = files.start().await;
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

/// Senders that wait are answered, and what was refused is counted once when it is sent again.
#[tokio::test]
async fn a_trouble_that_passes_is_over_by_itself() {
    let files = Files::new();
    let running = files.start().await;
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

/// What a crash leaves of a board with one action in the file and one in the log.
async fn crashed() -> Files {
    let files = Files::new();
    let running = files.start().await;
    running.one(put(1)).await.unwrap();
    running.one(act("a", 1, 5)).await.unwrap();
    running.store.close().await;
    let running = files.start().await;
    running.one(act("b", 1, 7)).await.unwrap();
    let crashed = files.all();
    running.store.close().await;
    files.put_back(&crashed);
    files
}

/// What `podium adopt` says first.
fn survey(files: &Files) -> Survey {
    Survey::take(&files.path("")).unwrap()
}

#[tokio::test]
async fn an_operator_may_go_on_without_the_log() {
    let files = crashed().await;
    fs::remove_file(files.path("-wal")).unwrap();
    assert!(files.try_start().await.is_err());
    let left = bytes(&files);
    let said = survey(&files).to_string();
    assert!(
        said.contains("goes on after entry 3, in a new epoch; entries 4 to 4"),
        "{said}"
    );
    assert_eq!(bytes(&files)[0], left[0], "nothing was done yet");
    survey(&files).adopt().unwrap();
    assert!(survey(&files).is_fine());
    let running = files.start().await;
    assert_eq!(running.follower.rows(), [("user 1".to_owned(), 5, 1)]);
    assert!(!running.one(act("b", 1, 7)).await.unwrap().duplicate);
    running.store.close().await;
}

/// Until the board is in its new epoch, no start takes what is left.
#[tokio::test]
async fn what_was_adopted_by_half_is_still_to_be_decided() {
    let files = crashed().await;
    fs::remove_file(files.path("-wal")).unwrap();
    let refused = files.try_start().await.err().unwrap().to_string();
    let other = rusqlite::Connection::open(files.path("")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(survey(&files).adopt().is_err(), "it is locked");
    drop(other);
    let still = files.try_start().await.err().map(|error| error.to_string());
    assert_eq!(still, Some(refused));
    survey(&files).adopt().unwrap();
    files.start().await.store.close().await;
}

#[tokio::test]
async fn where_nothing_was_nothing_is_made() {
    let files = Files::new();
    for path in [files.path(""), files.path("-none/podium.db")] {
        let said = Survey::take(&path).err().unwrap().to_string();
        assert!(said.contains("there is no board"), "{said}");
        assert!(said.contains(&format!("{}:", path.display())), "{said}");
    }
    assert!(files.names().is_empty());
}

#[tokio::test]
async fn a_look_at_a_board_leaves_it_as_it_is() {
    let peek = async |files: &Files| {
        let url = StoreUrl::Sqlite(files.path(""));
        let peek = Peek::open(&url, &suite::main(Rules::default())).await;
        peek.map(|found| found.map(|(opened, _)| opened.state.seq()))
    };
    let files = crashed().await;
    let left = fs::read(files.path("")).unwrap();
    assert!(peek(&files).await.unwrap().is_some());
    assert_eq!(fs::read(files.path("")).unwrap(), left);
    assert!(files.path("-wal").exists());
    files.start().await.store.close().await;
    // As it was closed.
    let left = bytes(&files);
    assert!(peek(&files).await.unwrap().is_some());
    assert_eq!(bytes(&files), left);
    fs::remove_file(files.path("")).unwrap();
    let refused = peek(&files).await.err().unwrap().to_string();
    assert!(refused.contains("it is missing"), "{refused}");
    let none = Files::new();
    assert!(peek(&none).await.unwrap().is_none());
    assert!(none.names().is_empty());
}

#[tokio::test]
async fn an_operator_may_set_a_foreign_log_aside() {
    let (files, other) = (crashed().await, crashed().await);
    let foreign = fs::read(other.path("-wal")).unwrap();
    fs::write(files.path("-wal"), &foreign).unwrap();
    assert!(files.try_start().await.is_err());
    let said = survey(&files).to_string();
    assert!(said.contains("-wal is renamed to"), "{said}");
    assert!(said.contains("goes on after entry 3"), "{said}");
    survey(&files).adopt().unwrap();
    let running = files.start().await;
    assert_eq!(running.follower.rows(), [("user 1".to_owned(), 5, 1)]);
    running.store.close().await;
    let aside = files.all().0.into_iter();
    let aside: Vec<_> = aside
        .filter(|(name, _)| name.contains("-wal.aside-"))
        .collect();
    assert_eq!(aside[0].1, foreign, "it is still there");
}

#[tokio::test]
async fn an_operator_may_begin_with_an_empty_board() {
    let files = crashed().await;
    fs::remove_file(files.path("")).unwrap();
    assert!(files.try_start().await.is_err());
    let said = survey(&files).to_string();
    assert!(said.contains("begins with an empty one"), "{said}");
    survey(&files).adopt().unwrap();
    let running = files.start().await;
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
    let running = files.start().await;
    assert_eq!(running.follower.rows(), [("user 1".to_owned(), 12, 1)]);
    running.store.close().await;
}

/// An older Podium wrote all of a young board to its log: of the file itself this is left.
fn early_young_file(files: &Files) {
    let early = rusqlite::Connection::open(files.path("")).unwrap();
    early.pragma_update(None, "journal_mode", "WAL").unwrap();
    drop(early);
    assert_eq!(fs::metadata(files.path("")).unwrap().len(), 4096);
}

#[tokio::test]
async fn an_operator_may_give_up_a_young_board_whose_log_is_lost() {
    let young = Files::new();
    let running = young.start().await;
    running.one(put(1)).await.unwrap();
    running.one(act("a", 1, 5)).await.unwrap();
    let crashed = young.all();
    running.store.close().await;

    young.put_back(&crashed);
    fs::remove_file(young.path("-wal")).unwrap();
    young.expect_refused("entries up to 3 were confirmed").await;
    let said = survey(&young).to_string();
    assert!(said.contains("goes on after entry 1"), "{said}");
    survey(&young).adopt().unwrap();
    assert!(survey(&young).is_fine());
    let running = young.start().await;
    assert!(running.follower.rows().is_empty());
    running.store.close().await;

    let early = Files::new();
    early_young_file(&early);
    fs::write(early.path(".lock"), &crashed.0["podium.db.lock"]).unwrap();
    let words = "all 3 entries of the log were in its write-ahead log (-wal), which is lost";
    early.expect_refused(words).await;
    let said = survey(&early).to_string();
    assert!(said.contains("begins with an empty one"), "{said}");
    survey(&early).adopt().unwrap();
    let running = early.start().await;
    assert!(running.follower.rows().is_empty());
    running.one(put(1)).await.unwrap();
    running.store.close().await;
}

/// The file of a board in use, copied alone to another folder.
fn copied_alone(saved: &Saved) -> Files {
    let elsewhere = Files::new();
    fs::write(elsewhere.path(""), &saved.0["podium.db"]).unwrap();
    elsewhere
}

#[tokio::test]
async fn a_copy_without_the_log_is_not_taken_for_all() {
    let files = Files::new();
    let mut expected = Vec::new();
    // Of a board that was just made, and of one whose file was in use before.
    for n in 0..2 {
        let running = files.start().await;
        running.one(put(1)).await.unwrap();
        running.one(act(&format!("a{n}"), 1, 5)).await.unwrap();
        let copy = copied_alone(&files.all());
        copy.expect_refused("a copy of a file in use without the write-ahead log")
            .await;
        let said = survey(&copy).to_string();
        assert!(said.contains("the board main goes on as it is"), "{said}");
        survey(&copy).adopt().unwrap();
        assert!(survey(&copy).is_fine());
        let adopted = copy.start().await;
        assert_eq!(adopted.follower.rows(), expected);
        assert_ne!(adopted.epoch, running.epoch);
        adopted.store.close().await;
        // In its place it is known what it must hold.
        expected = running.follower.rows();
        running.store.close().await;
    }
    // What was closed is whole.
    let copy = copied_alone(&files.all());
    assert_eq!(copy.start().await.follower.rows(), expected);

    let early = Files::new();
    early_young_file(&early);
    early
        .expect_refused("as a copy of a new board without")
        .await;
    survey(&early).adopt().unwrap();
    early.start().await.store.close().await;
}

/// As `cp` of both files makes it while a server runs, and puts it back after that has stopped.
#[tokio::test]
async fn an_older_copy_of_both_files_is_refused_and_may_be_adopted_whole() {
    let files = Files::new();
    let running = files.start().await;
    running.one(put(1)).await.unwrap();
    running.one(act("a", 1, 5)).await.unwrap();
    let expected = running.follower.rows();
    let copies = ["", "-wal"].map(|suffix| (suffix, fs::read(files.path(suffix)).unwrap()));
    running.one(act("b", 1, 7)).await.unwrap();
    running.store.close().await;
    for (suffix, content) in copies {
        fs::write(files.path(suffix), content).unwrap();
    }
    files.expect_refused("and entries up to 4 were").await;
    survey(&files).adopt().unwrap();
    let adopted = files.start().await;
    assert_eq!(adopted.follower.rows(), expected);
    assert_ne!(adopted.epoch, running.epoch);
    adopted.store.close().await;
}

/// Another program that writes the log back writes that the file is whole, for a moment.
#[tokio::test]
async fn a_copy_without_the_log_is_known_also_when_others_write_the_log_back() {
    for mode in ["PASSIVE", "TRUNCATE"] {
        let files = Files::new();
        let running = files.start().await;
        running.one(put(1)).await.unwrap();
        let other = rusqlite::Connection::open(files.path("")).unwrap();
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        other.query_row(&sql, [], |_| Ok(())).unwrap();
        running.one(act("a", 1, 5)).await.unwrap();
        // The writer looks once a second.
        let is_marked = || fs::read(files.path("")).unwrap()[68..72] == *b"Podw";
        for _ in 0..600 {
            if is_marked() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        running.one(act("b", 1, 5)).await.unwrap();
        copied_alone(&files.all())
            .expect_refused("a copy of a file in use without the write-ahead log")
            .await;
        running.store.close().await;
    }
}

/// However much is written back meanwhile, by whichever process.
#[tokio::test]
async fn a_copy_that_sqlite_makes_or_with_the_log_is_whole() {
    let files = Files::new();
    let running = files.start().await;
    running.one(put(1)).await.unwrap();
    for (n, mode) in ["NOOP", "PASSIVE", "RESTART", "TRUNCATE"]
        .iter()
        .enumerate()
    {
        running.one(act(&format!("a{n}"), 1, 5)).await.unwrap();
        checkpoint(&files.path(""), mode);
        let expected = running.follower.rows();
        let backup = Files::new();
        let sql = "VACUUM INTO ?1";
        let into = backup.path("").display().to_string();
        let other = rusqlite::Connection::open(files.path("")).unwrap();
        other.execute(sql, [into]).unwrap();
        drop(other);
        let copy = backup.start().await;
        assert_eq!(copy.follower.rows(), expected, "{mode}");
        copy.store.close().await;

        let both = copied_alone(&files.all());
        fs::copy(files.path("-wal"), both.path("-wal")).unwrap();
        let copy = both.start().await;
        assert_eq!(copy.follower.rows(), expected, "{mode}");
        copy.store.close().await;
    }
    running.store.close().await;
}
