//! The SQLite store: the suite, and what only a file can suffer.

use podium::{
    board::{
        Audience, Direction, LogEntry, Operator, Order, Rules, Seq, State, StoredBoard, Timestamp,
    },
    store::{self, Command, Fold, Folded, Opened, Outcome, Ready, Refusal, StoreError, Window},
};
use rusqlite::Connection;

use crate::{
    files::{Files, try_start},
    store_suite,
    suite::{self, Fixture, Running, act, announcement, declared, id, limit, points, put, user},
};

store_suite!(Files);

#[tokio::test]
async fn a_second_process_is_refused_while_the_file_is_in_use() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    assert!(matches!(
        try_start(&file.url(), Rules::default()).await,
        Err(StoreError::InUse(_))
    ));
    running.store.close().await;
    assert!(try_start(&file.url(), Rules::default()).await.is_ok());
}

#[tokio::test]
async fn a_file_of_a_later_version_is_left_alone() {
    let file = Files::new();
    let connection = Connection::open(file.path("")).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    let Err(error) = try_start(&file.url(), Rules::default()).await else {
        panic!("opened a file of schema 999");
    };
    assert!(
        error.to_string().contains("use the newer version"),
        "{error}"
    );
}

/// What entries did is written by the commit after, so a crash leaves some to be folded
/// again: as many as were in one transaction.
#[tokio::test]
async fn ranks_that_were_answered_but_not_written_are_found_again() {
    for operator in [Operator::Sum, Operator::Best, Operator::Latest] {
        let rules = Rules {
            operator,
            order: Order {
                direction: Direction::LowestFirst,
                ..Order::default()
            },
            ..Rules::default()
        };
        let file = Files::new();
        let running = file.open(rules).await;
        let command = |i: u8| {
            if i.is_multiple_of(7) {
                put(i / 7)
            } else {
                let increase = i64::from(i) * 11 % 17 - 8;
                act(&format!("a{i}"), i % (i / 7 + 1), increase)
            }
        };
        let mut answers = Vec::new();
        let mut crashes = Vec::new();
        for commands in (0..30u8).map(command).collect::<Vec<_>>().chunks(3) {
            let outcomes = running.store.append(commands.to_vec()).await.unwrap();
            let outcomes = outcomes.into_iter().map(Result::unwrap);
            answers.extend(commands.iter().cloned().zip(outcomes));
            crashes.push((file.all(), running.follower.rows(), answers.len()));
        }
        running.store.close().await;
        for (files, rows, answered) in crashes {
            file.put_back(&files);
            let running = file.open(rules).await;
            assert_eq!(running.follower.rows(), rows, "after {answered}");
            for (command, answer) in &answers[..answered] {
                if let Command::Act(_) = command {
                    let again = running.one(command.clone()).await.unwrap();
                    assert_eq!(again, suite::again(*answer), "after {answered}");
                }
            }
            running.store.close().await;
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
    // From now on the log says it, whatever is configured.
    assert_eq!(file.open(other).await.follower.rows()[0].1, 9);
}

/// Scores that were added up are no latest results.
#[tokio::test]
async fn a_file_of_the_first_version_does_not_go_on_by_another_rule() {
    let file = Files::new();
    let connection = Connection::open(file.path("")).unwrap();
    connection.execute_batch(FIRST_VERSION).unwrap();
    drop(connection);
    let other = Rules {
        operator: Operator::Latest,
        ..Rules::default()
    };
    let Err(error) = try_start(&file.url(), other).await else {
        panic!("scores that were added up are no latest results");
    };
    assert!(error.to_string().contains("set them back"), "{error}");
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

/// What a server has left that was killed, by a program that had one board in a file. The
/// ranks of the last entry were still to be written.
#[tokio::test]
async fn a_file_with_one_board_goes_on_as_main() {
    let file = Files::new();
    let connection = Connection::open(file.path("")).unwrap();
    let dump = include_str!("../data/store/schema-5.sql");
    connection.execute_batch(dump).unwrap();
    connection.pragma_update(None, "user_version", 5).unwrap();
    drop(connection);
    for opened in 0..2 {
        let running = file.open(Rules::default()).await;
        assert_eq!(running.epoch.to_string(), "47892c196c9cf4e0");
        let rows = [("Zoë", 10, 1), ("user 3 again", 1, 2), ("user 2", -12, 3)];
        let rows = rows.map(|(name, score, rank)| (name.to_owned(), score, rank));
        assert_eq!(running.follower.rows(), rows);
        // One more fact than were answered: it says what `main` is.
        assert_eq!(running.follower.seq(), 14, "opened {opened} times");
        // As they were answered then.
        for (name, n, increase, seq, rank, old_rank) in [
            ("a", 1, 5, 4, 1, 1),
            ("b", 2, 8, 5, 1, 2),
            ("c", 3, 2, 6, 3, 3),
            ("d", 3, 1, 10, 3, 3),
            ("e", 1, 4, 11, 1, 2),
            ("f", 2, -20, 12, 3, 2),
            ("g", 1, 1, 13, 1, 1),
        ] {
            let again = running.one(act(name, n, increase)).await.unwrap();
            let ranks = (again.seq, again.rank, again.old_rank);
            assert_eq!(ranks, (seq, Some(rank), Some(old_rank)), "{name}");
            assert!(again.duplicate);
        }
        let history = running.history(1, 9).await;
        assert_eq!(
            points(&history),
            [(4, 5, Some(1)), (11, 9, Some(1)), (13, 10, Some(1))]
        );
        assert_eq!(points(&running.history(3, 9).await), [(10, 1, Some(3))]);
        running.store.close().await;
    }
    let running = file.open(Rules::default()).await;
    assert_eq!(running.one(act("h", 2, 1)).await.unwrap().seq, 15);
    running
        .one(suite::put_board(
            "weekly",
            r#"{"of": "main", "period": {"every": "week"}}"#,
        ))
        .await
        .unwrap();
    assert_eq!(running.follower.rows_of("weekly").len(), 3);
}

/// Moves all that is on the log into the past, and when seasons end.
fn age(file: &Files, millis: u64) {
    let connection = Connection::open(file.path("")).unwrap();
    for sql in [
        "UPDATE log SET at = at - ?1",
        "UPDATE boards SET changed = changed - ?1, season_ends = season_ends - ?1",
    ] {
        connection.execute(sql, [millis]).unwrap();
    }
}

const DAY: u64 = 86_400_000;
const DAILY: &str = r#"{"of": "main", "period": {"every": "day"}}"#;

/// Of a board that was there, and of one that is made afterwards: final standings by season.
async fn finals(running: &Running, board: &str) -> Vec<(u32, Vec<(i64, u64)>)> {
    let mut finals = Vec::new();
    for season in running.store.seasons(id(board)).await.unwrap() {
        let standings = running
            .store
            .final_standings(id(board), season.number, 0..usize::MAX)
            .await;
        let rows = standings.unwrap().expect("it has ended").rows;
        let rows = rows.iter().map(|row| (row.scores.score.points(), row.rank));
        finals.push((season.number, rows.collect()));
    }
    finals
}

#[tokio::test]
async fn seasons_end_once_also_while_no_server_runs() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    for command in [
        put(1),
        put(2),
        suite::put_board("daily", DAILY),
        act("a", 1, 5),
    ] {
        running.one(command).await.unwrap();
    }
    running.store.close().await;
    age(&file, DAY);
    let running = file.open(Rules::default()).await;
    running.one(act("b", 2, 7)).await.unwrap();
    running.one(act("c", 1, 1)).await.unwrap();
    running.store.close().await;
    // Over three midnights.
    age(&file, 3 * DAY);
    let running = file.open(Rules::default()).await;
    running.one(act("d", 2, 2)).await.unwrap();
    let expected = [
        (1, vec![(5, 1)]),
        (2, vec![(7, 1), (1, 2)]),
        (3, vec![]),
        (4, vec![]),
    ];
    assert_eq!(finals(&running, "daily").await, expected);
    assert_eq!(
        running.follower.rows_of("daily"),
        [("user 2".to_owned(), 2, 1)]
    );
    // Made now, it has had the same seasons.
    running.one(suite::put_board("again", DAILY)).await.unwrap();
    assert_eq!(finals(&running, "again").await, expected);
    assert_eq!(
        running.follower.rows_of("again"),
        [("user 2".to_owned(), 2, 1)]
    );
    // One that ends with its second day has no third.
    let second = running.store.seasons(id("daily")).await.unwrap()[1].ends;
    let ends = podium::wire::timestamp(second);
    let until = format!(r#"{{"of": "main", "period": {{"every": "day"}}, "ends": "{ends}"}}"#);
    running
        .one(suite::put_board("until", &until))
        .await
        .unwrap();
    assert_eq!(finals(&running, "until").await, expected[..2]);
    assert_eq!(running.follower.rows_of("until").len(), 2, "it stays");
    let number = running.follower.read(|state| {
        ["daily", "again"].map(|board| state.board(&id(board)).unwrap().season().unwrap().number)
    });
    assert_eq!(number, [5, 5]);
    running.store.close().await;
    let running = file.open(Rules::default()).await;
    for board in ["daily", "again"] {
        assert_eq!(finals(&running, board).await, expected);
    }
    let none = running
        .store
        .final_standings(id("daily"), 5, 0..9)
        .await
        .unwrap();
    assert_eq!(none, None, "it runs");
}

/// By that nobody has to look for those who are gone.
#[tokio::test]
async fn a_start_knows_since_when_nobody_was_deleted() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    for command in [put(1), put(2), Command::DeleteUser(user(1))] {
        running.one(command).await.unwrap();
    }
    let deleted = running.follower.read(|state| state.seq());
    running.one(put(3)).await.unwrap();
    let shows_all = |running: &Running, entry| {
        let entry = Seq::new(entry).unwrap();
        running.follower.read(|state| state.shows_all_since(entry))
    };
    assert!(!shows_all(&running, deleted) && shows_all(&running, deleted + 1));
    running.store.close().await;
    let running = file.open(Rules::default()).await;
    assert!(!shows_all(&running, deleted) && shows_all(&running, deleted + 1));
    running.one(put(4)).await.unwrap();
    let hide = |hidden| Command::HideUser {
        user: user(4),
        hidden,
        reason: None,
    };
    running.one(hide(true)).await.unwrap();
    assert!(!shows_all(&running, deleted + 1));
    running.store.close().await;
    let running = file.open(Rules::default()).await;
    assert!(!shows_all(&running, deleted + 1));
    running.one(hide(false)).await.unwrap();
    assert!(shows_all(&running, deleted + 1));
}

#[tokio::test]
async fn final_standings_are_read_in_parts() {
    let file = Files::new();
    let before = file.open(Rules::default()).await;
    let after = async || file.open(Rules::default()).await;
    suite::final_standings_are_read_in_parts(before, || age(&file, DAY), after).await;
}

#[tokio::test]
async fn a_season_ends_by_itself() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    for command in [put(1), suite::put_board("daily", DAILY), act("a", 1, 5)] {
        running.one(command).await.unwrap();
    }
    running.store.close().await;
    age(&file, DAY);
    let running = file.open(Rules::default()).await;
    // Nobody writes anything.
    crate::server::wait_for("it ends", || running.follower.rows_of("daily").is_empty()).await;
    assert_eq!(finals(&running, "daily").await, [(1, vec![(5, 1)])]);
    // Nor does the history have what was done in it.
    assert_eq!(suite::derived_history(&running, "daily", 1).await, []);
    running.one(act("b", 1, 3)).await.unwrap();
    let history = suite::derived_history(&running, "daily", 1).await;
    assert_eq!(history, [("test".into(), 3)]);
}

/// The best ranks of all users, by id.
fn bests(connection: &Connection) -> Vec<Option<u64>> {
    connection
        .prepare(
            "SELECT best_rank FROM people LEFT JOIN standings ON user = id AND board = 'main'
             ORDER BY id",
        )
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

#[tokio::test]
async fn wherever_it_dies_the_board_is_the_same() {
    let file = Files::new();
    let running = file.open(Rules::default()).await;
    let user_1 = user(1);
    let commands = [
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
        Command::HideUser {
            user: user(2),
            hidden: true,
            reason: None,
        },
        act("e", 2, 3),
        Command::DeleteUser(user(3)),
        Command::HideUser {
            user: user(2),
            hidden: false,
            reason: None,
        },
    ];
    let mut crashes = Vec::new();
    for command in commands {
        running.one(command).await.unwrap();
        let seq = running.follower.seq();
        crashes.push((file.all(), running.follower.rows(), seq));
    }
    let rows = [("user 2".to_owned(), 7, 1), ("user 1".to_owned(), 6, 2)];
    assert_eq!(running.follower.rows(), rows);
    running.store.close().await;
    for (files, rows, seq) in crashes {
        file.put_back(&files);
        for _ in 0..2 {
            let running = file.open(Rules::default()).await;
            assert_eq!(running.follower.rows(), rows, "after {seq}");
            assert_eq!(running.follower.seq(), seq);
            running.store.close().await;
        }
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
        store::sqlite::open(&file.path(""), &suite::main(Rules::default())).unwrap();
    ready.limit_pages(pages + 4).unwrap();
    let running = Running::start(opened, Ready::Sqlite(Box::new(ready))).unwrap();

    let mut accepted = 1;
    let error = loop {
        let commands = vec![act(&format!("b{accepted}"), 1, 1)];
        match running.store.append(commands).await {
            Ok(outcomes) => {
                outcomes[0].clone().unwrap();
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
            "UPDATE log SET at = 900 + 100 * seq;
             UPDATE log SET at = 1801200 WHERE seq = 9;
             UPDATE log SET at = 3601200 WHERE seq = 10",
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
struct Waiting(std::sync::mpsc::Receiver<()>, State);

impl Fold for Waiting {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Folded> {
        self.0.recv().unwrap();
        self.1.fold(entries)
    }

    fn fold_board(&mut self, entry: &LogEntry, board: StoredBoard) -> Folded {
        self.1.fold_board(entry, board)
    }

    fn put_board(&mut self, board: StoredBoard) {
        self.1.put_board(board);
    }

    fn read(&self, read: &mut dyn FnMut(&State)) {
        read(&self.1);
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
    let (opened, ready) = store::open(&file.url(), &suite::main(Rules::default()))
        .await
        .unwrap();
    let (go_on, signal) = std::sync::mpsc::channel();
    let store = ready.start(Waiting(signal, opened.state)).unwrap();
    let acted = store.append(vec![act("b", 1, 4)]);
    let other = Connection::open(file.path("")).unwrap();
    let looked = async {
        // The writer commits first, and then waits.
        let is_committed = || {
            let sql = "SELECT EXISTS (SELECT 1 FROM log WHERE action_id = 'b')";
            other.query_row(sql, [], |row| row.get::<_, bool>(0))
        };
        while !is_committed().unwrap() {
            tokio::task::yield_now().await;
        }
        let history = store.history(id("main"), user(1), 9).await;
        go_on.send(()).unwrap();
        history.unwrap().unwrap()
    };
    let (outcomes, history) = futures_util::join!(acted, looked);
    assert_eq!(outcomes.unwrap()[0].clone().unwrap().seq, 3);
    // What is not answered yet is not known yet.
    assert_eq!(points(&history), [(2, 3, Some(1))]);
    let history = store.history(id("main"), user(1), 9).await;
    assert_eq!(
        points(&history.unwrap().unwrap()),
        [(2, 3, Some(1)), (3, 7, Some(1))]
    );
    store.close().await;
}
