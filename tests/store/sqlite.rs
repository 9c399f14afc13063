//! The SQLite store: the suite, and what only a file can suffer.

use podium::{
    board::{Applied, Audience, BoardId, Direction, LogEntry, Operator, Rules, Timestamp},
    store::{self, Command, Fold, Opened, Outcome, Ready, Refusal, StoreError, Window},
};
use rusqlite::Connection;

use crate::{
    files::{Files, try_start},
    store_suite,
    suite::{Fixture, Running, act, announcement, declared, limit, points, put, receipt, user},
};

store_suite!(Files);

#[tokio::test]
async fn a_second_process_is_refused_while_the_file_is_in_use() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    assert!(matches!(
        try_start(&file.url(), "main", Rules::default()).await,
        Err(StoreError::InUse(_))
    ));
    running.store.close().await;
    assert!(
        try_start(&file.url(), "main", Rules::default())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn boards_in_one_file_know_nothing_of_each_other() {
    let file = Files::new();
    for board in ["main", "other"] {
        let running = try_start(&file.url(), board, Rules::default())
            .await
            .unwrap();
        assert_eq!(running.follower.seq(), 0);
        running.one(put(1)).await.unwrap();
        assert_eq!(running.one(act("a", 1, 1)).await, Ok(receipt(2, 1, 1, 1)));
        running.store.close().await;
    }
}

#[tokio::test]
async fn a_file_of_a_later_version_is_left_alone() {
    let file = Files::new();
    let connection = Connection::open(file.path("")).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    let Err(error) = try_start(&file.url(), "main", Rules::default()).await else {
        panic!("opened a file of schema 999");
    };
    assert!(
        error.to_string().contains("use the newer version"),
        "{error}"
    );
}

/// Takes back what a clean end writes last, as if the process had died right
/// after its last answers.
fn forget_ranks_after(file: &Files, seq: u64) {
    let connection = Connection::open(file.path("")).unwrap();
    connection
        .execute(
            "UPDATE log SET rank = NULL, old_rank = NULL WHERE seq > ?1",
            [seq],
        )
        .unwrap();
    connection
        .execute("UPDATE boards SET ranked_through = ?1", [seq])
        .unwrap();
}

#[tokio::test]
async fn ranks_that_were_answered_but_not_written_are_found_again() {
    for operator in [Operator::Sum, Operator::Best, Operator::Latest] {
        let rules = Rules {
            operator,
            direction: Direction::LowestFirst,
            ..Rules::default()
        };
        let file = Files::new();
        let mut running = file.open(rules).await;
        let mut commands = Vec::new();
        for i in 0..30u8 {
            commands.push(if i % 7 == 0 {
                put(i / 7)
            } else {
                act(
                    &format!("a{i}"),
                    i % (i / 7 + 1),
                    i64::from(i) * 11 % 17 - 8,
                )
            });
        }
        let mut answers = Vec::new();
        for command in commands {
            answers.push((command.clone(), running.one(command).await.unwrap()));
        }
        let rows = running.follower.rows();
        for seq in (0..=running.follower.seq()).rev() {
            running.store.close().await;
            drop(running);
            forget_ranks_after(&file, seq);
            running = file.open(rules).await;
            assert_eq!(running.follower.rows(), rows, "after forgetting {seq}");
            for (command, answer) in &answers {
                if let podium::store::Command::Act(_) = command {
                    let mut again = running.one(command.clone()).await.unwrap();
                    assert!(std::mem::replace(&mut again.duplicate, false));
                    assert_eq!(again, *answer, "after forgetting {seq}");
                }
            }
        }
    }
}

/// Makes what was counted older, as if that much time had passed.
fn wait(file: &Files, millis: u64) {
    let connection = Connection::open(file.path("")).unwrap();
    let changed = connection
        .execute("UPDATE limited_actions SET at = at - ?1", [millis])
        .unwrap();
    assert!(changed > 0, "something was counted");
}

#[tokio::test]
async fn limits_look_back_a_minute_and_a_day_and_no_further() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    let quiz = |id: &str| declared("quiz", id, 1, 1, 2);
    // Within this many seconds, or a few less, because the test takes time itself.
    let expect_wait = |outcome: Outcome, window, seconds: u64| {
        let Err(Refusal::LimitReached(reached)) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(reached.window, window);
        assert!(
            (seconds - 15..=seconds).contains(&reached.retry_after),
            "{reached:?}"
        );
    };
    running.one(quiz("a")).await.unwrap();
    wait(&file, 40_000);
    expect_wait(running.one(quiz("b")).await, Window::Minute, 20);
    wait(&file, 20_000);
    running.one(quiz("b")).await.unwrap();
    wait(&file, 60_000);
    // Of the two of today, the first was counted two minutes ago.
    expect_wait(running.one(quiz("c")).await, Window::Day, 24 * 3600 - 120);
    // It leaves the day, and is forgotten when the next one is counted.
    wait(&file, Window::Day.millis() - 120_000);
    running.one(quiz("c")).await.unwrap();
    running.store.close().await;
    let rows: u64 = Connection::open(file.path(""))
        .unwrap()
        .query_row("SELECT count(*) FROM limited_actions", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 2);
}

/// A file as the first version of the schema had it: user 1 registered and led,
/// user 2 overtook. The ranks of the last entry were still to be written.
const FIRST_VERSION: &str = "
    CREATE TABLE boards (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL,
        deciding TEXT NOT NULL, ranked_through INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE TABLE users (board INTEGER NOT NULL, id BLOB NOT NULL, username TEXT NOT NULL,
        avatar TEXT, score INTEGER, reached INTEGER, PRIMARY KEY (board, id)) STRICT, WITHOUT ROWID;
    CREATE TABLE log (board INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('user', 'action')), user BLOB NOT NULL,
        username TEXT, avatar TEXT, action_id TEXT, action_type TEXT, increase INTEGER,
        score INTEGER, score_before INTEGER, reached_before INTEGER, rank INTEGER,
        old_rank INTEGER, PRIMARY KEY (board, seq)) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX log_action_id ON log (board, action_id) WHERE action_id IS NOT NULL;
    INSERT INTO boards VALUES (1, 'main', 77, 'sum', 4);
    INSERT INTO users VALUES
        (1, x'01010101010101010101010101010101', 'user 1', NULL, 5, 3),
        (1, x'02020202020202020202020202020202', 'user 2', NULL, 9, 5);
    INSERT INTO log VALUES
        (1, 1, 10, 'user', x'01010101010101010101010101010101', 'user 1', NULL,
         NULL, NULL, NULL, NULL, NULL, NULL, 1, NULL),
        (1, 2, 20, 'user', x'02020202020202020202020202020202', 'user 2', NULL,
         NULL, NULL, NULL, NULL, NULL, NULL, 2, NULL),
        (1, 3, 30, 'action', x'01010101010101010101010101010101', NULL, NULL,
         'a', 'test', 5, 5, 0, 1, 1, 1),
        (1, 4, 40, 'action', x'02020202020202020202020202020202', NULL, NULL,
         'b', 'test', 1, 1, 0, 2, 2, 2),
        (1, 5, 50, 'action', x'02020202020202020202020202020202', NULL, NULL,
         'c', 'test', 8, 9, 1, 4, NULL, NULL);
    PRAGMA user_version = 1;
";

/// The first schema was at first without the rule of a board.
#[tokio::test]
async fn a_file_that_knows_no_rule_takes_the_one_that_is_configured() {
    let file = Files::new();
    let connection = Connection::open(file.path("")).unwrap();
    connection.execute_batch(FIRST_VERSION).unwrap();
    connection
        .execute_batch("ALTER TABLE boards DROP COLUMN deciding")
        .unwrap();
    drop(connection);

    let running = file.open(Rules::default()).await;
    assert_eq!(running.follower.rows()[0], ("user 2".to_owned(), 9, 1));
    running.store.close().await;
    let other = Rules {
        operator: Operator::Latest,
        ..Rules::default()
    };
    assert!(matches!(
        try_start(&file.url(), "main", other).await,
        Err(StoreError::OtherRules { .. })
    ));
    assert_eq!(file.open(Rules::default()).await.follower.rows().len(), 2);
}

#[tokio::test]
async fn a_file_of_the_first_version_goes_on() {
    let file = Files::new();
    let connection = Connection::open(file.path("")).unwrap();
    connection.execute_batch(FIRST_VERSION).unwrap();
    drop(connection);

    let running = file.open(Rules::default()).await;
    assert_eq!(
        running.follower.rows(),
        [("user 2".to_owned(), 9, 1), ("user 1".to_owned(), 5, 2)]
    );
    let again = running.one(act("a", 1, 5)).await.unwrap();
    assert!(again.duplicate);
    let history = running.history(2, 9).await;
    assert_eq!(points(&history), [(4, 1, Some(2)), (5, 9, Some(1))]);
    assert_eq!(history.last, Some(Timestamp(50)));
    running.one(declared("quiz", "d", 1, 1, 0)).await.unwrap();
    assert_eq!(
        limit(running.one(declared("quiz", "e", 1, 1, 0)).await),
        Some((1, Window::Minute))
    );
    running.store.close().await;
    let connection = Connection::open(file.path("")).unwrap();
    assert_eq!(bests(&connection), [Some(1), Some(1)]);
}

/// The best ranks of all users, by id.
fn bests(connection: &Connection) -> Vec<Option<u64>> {
    connection
        .prepare("SELECT best_rank FROM users ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[tokio::test]
async fn a_user_who_is_registered_again_has_had_no_rank() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    let commands = vec![put(1), act("a", 1, 9), Command::DeleteUser(user(1)), put(1)];
    running.store.append(commands).await.unwrap();
    running.store.close().await;
    let connection = Connection::open(file.path("")).unwrap();
    assert_eq!(bests(&connection), [None]);
}

/// Ranks are written by the commit after the next, so a crash leaves some to be
/// computed again: any number of them.
#[tokio::test]
async fn however_much_is_folded_again_the_board_is_the_same() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    let user_1 = user(1);
    for command in [
        put(1),
        put(2),
        put(3),
        act("a", 1, 9),
        act("b", 2, 4),
        Command::DeleteUser(user_1),
        act("c", 3, 5),
        Command::RevokeTokens {
            user: user_1,
            issued_until: 7,
        },
        put(1),
        Command::Announce(announcement(1, Audience::All, 20)),
        act("d", 1, 6),
        Command::DeleteUser(user(3)),
        act("e", 2, 3),
    ] {
        running.one(command).await.unwrap();
    }
    let rows = running.follower.rows();
    let seq = running.follower.seq();
    assert_eq!(
        rows,
        [("user 2".to_owned(), 7, 1), ("user 1".to_owned(), 6, 2)]
    );
    running.store.close().await;
    for ranked_through in 0..=seq {
        let connection = Connection::open(file.path("")).unwrap();
        connection
            .execute("UPDATE boards SET ranked_through = ?1", [ranked_through])
            .unwrap();
        drop(connection);
        let running = file.open(Rules::default()).await;
        assert_eq!(running.follower.rows(), rows, "from {ranked_through}");
        let connection = Connection::open(file.path("")).unwrap();
        assert_eq!(bests(&connection), [Some(1), Some(1)]);
        assert_eq!(running.follower.seq(), seq);
        running.store.close().await;
    }
}

#[tokio::test]
async fn a_full_disk_refuses_actions_and_loses_none() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    running.one(act("a", 1, 1)).await.unwrap();
    running.store.close().await;

    // SQLite's own limit stands in for the disk: it fails in the same place.
    let connection = Connection::open(file.path("")).unwrap();
    let pages: i64 = connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    drop(connection);
    let (opened, mut ready) =
        store::sqlite::open(&file.path(""), &BoardId::default(), Rules::default()).unwrap();
    ready.limit_pages(pages + 4).unwrap();
    let running = Running::start(opened, Ready::Sqlite(Box::new(ready))).unwrap();

    let mut accepted = 1;
    let error = loop {
        let commands = vec![act(&format!("b{accepted}"), 1, 1)];
        match running.store.append(commands).await {
            Ok(outcomes) => {
                outcomes[0].unwrap();
                accepted += 1
            }
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("full"), "{error}");
    assert_eq!(running.follower.rows()[0].1, accepted);
    running.store.close().await;
    let running = file.open(Rules::default()).await;
    assert_eq!(running.follower.rows()[0].1, accepted);
}

#[tokio::test]
async fn a_board_is_not_played_on_by_another_rule() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    running.store.close().await;
    let best = Rules {
        operator: Operator::Best,
        ..Rules::default()
    };
    let Err(error) = try_start(&file.url(), "main", best).await else {
        panic!("scores that were added up are no best results");
    };
    assert!(error.to_string().contains("set them back"), "{error}");
    // What decides nothing may change.
    let lowest = Rules {
        direction: Direction::LowestFirst,
        ..Rules::default()
    };
    assert!(try_start(&file.url(), "main", lowest).await.is_ok());
}

#[tokio::test]
async fn looking_back_is_even_in_time() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    let mut commands = vec![put(1)];
    commands.extend((0..8).map(|i| act(&format!("a{i}"), 1, 1)));
    running.store.append(commands).await.unwrap();
    running.store.close().await;
    // Six within a second, one after half an hour, and the last after an hour.
    Connection::open(file.path(""))
        .unwrap()
        .execute_batch(
            "UPDATE log SET at = 1000 + 100 * seq;
             UPDATE log SET at = 1801200 WHERE seq = 8;
             UPDATE log SET at = 3601200 WHERE seq = 9",
        )
        .unwrap();
    let running = file.open(Rules::default()).await;
    let seqs = |history| points(&history).iter().map(|p| p.0).collect::<Vec<_>>();
    // One stretch of an hour, then three of twenty minutes.
    assert_eq!(seqs(running.history(1, 3).await), [2, 8, 9]);
    assert_eq!(seqs(running.history(1, 5).await), [2, 7, 8, 9]);
    assert_eq!(seqs(running.history(1, 8).await).len(), 8);
    let history = running.history(1, 5).await;
    assert_eq!(history.first, Some(Timestamp(1200)));
    assert_eq!(history.last, Some(Timestamp(3_601_200)));
}

/// Folds nothing until it receives a signal.
struct Waiting(std::sync::mpsc::Receiver<()>);

impl Fold for Waiting {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Option<Applied>> {
        self.0.recv().unwrap();
        vec![None; entries.len()]
    }

    fn reload(&mut self, _: Opened) {
        panic!("nothing is lost in a file");
    }
}

#[tokio::test]
async fn looking_back_does_not_wait_for_the_writer() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    running.one(act("a", 1, 3)).await.unwrap();
    running.store.close().await;
    let (_, ready) = store::open(&file.url(), &BoardId::default(), Rules::default())
        .await
        .unwrap();
    let (go_on, signal) = std::sync::mpsc::channel();
    let store = ready.start(Waiting(signal)).unwrap();
    let acted = store.append(vec![act("b", 1, 4)]);
    let looked = async {
        // The writer commits first, and then waits.
        loop {
            let history = store.history(user(1), 9).await.unwrap().unwrap();
            if history.actions == 2 {
                go_on.send(()).unwrap();
                return history;
            }
            tokio::task::yield_now().await;
        }
    };
    let (outcomes, history) = futures_util::join!(acted, looked);
    assert_eq!(outcomes.unwrap()[0].unwrap().seq, 3);
    assert_eq!(points(&history), [(2, 3, Some(1)), (3, 7, None)]);
    store.close().await;
}
