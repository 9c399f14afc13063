//! Moving a board between a file and Redis: what is there afterwards, what is refused, and
//! that it may be stopped at any moment.

use std::{
    num::NonZeroU64,
    process::{Child, Command as Process, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use podium::{
    board::{Audience, Direction, Epoch, Operator, Order, Rules},
    store::{
        Action, ActionId, Command, History, Receipt, Refusal, StoreError, StoreUrl, Window,
        migration::{MigrateError, Migration, Summary},
        redis::Retention,
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;

use crate::{
    redis::{open_at, open_keeping},
    server::{DEADLINE, Server, wait_for},
    suite::{
        self, Running, act, again, announcement, declared, id, limit, named, points, put, user,
    },
};

/// A folder for files.
struct Files(TempDir);

impl Files {
    fn new() -> Files {
        Files(TempDir::new().unwrap())
    }

    fn url(&self, name: &str) -> String {
        format!("sqlite:{}", self.0.path().join(name).display())
    }
}

pub async fn migrate(from: &str, to: &str, rules: Rules) -> Result<Summary, MigrateError> {
    migrate_keeping(from, to, rules, Retention::default()).await
}

async fn migrate_keeping(
    from: &str,
    to: &str,
    rules: Rules,
    retention: Retention,
) -> Result<Summary, MigrateError> {
    migration(from, to, rules, retention).run(|_| {}).await
}

fn migration(from: &str, to: &str, rules: Rules, retention: Retention) -> Migration {
    let at = |url: &str| {
        let mut url: StoreUrl = url.parse().unwrap();
        if let StoreUrl::Redis(servers) = &mut url {
            servers.retention = retention;
        }
        url
    };
    Migration {
        from: at(from),
        to: at(to),
        main: suite::main(rules),
        replace: false,
    }
}

/// All that a store says of a board, but for what it answers to actions.
#[derive(Debug, PartialEq)]
struct Seen {
    epoch: Epoch,
    seq: u64,
    rows: Vec<(String, i64, u64)>,
    histories: Vec<Option<History>>,
    announcements: Vec<podium::board::Announcement>,
    revoked: Vec<(podium::board::UserId, u64)>,
}

async fn seen(running: &Running) -> Seen {
    let mut histories = Vec::new();
    for n in 0..10 {
        histories.push(
            running
                .store
                .history(id("main"), user(n), 1000)
                .await
                .unwrap(),
        );
    }
    let mut revoked = running.revoked.clone();
    revoked.sort_unstable();
    Seen {
        epoch: running.epoch,
        seq: running.follower.seq(),
        rows: running.follower.rows(),
        histories,
        announcements: running.announcements.clone(),
        revoked,
    }
}

/// Some command about few users, whose ids and names try what may be written.
fn some_command(random: &mut StdRng, n: u64) -> Command {
    let who = random.random_range(0..8);
    match random.random_range(0..20) {
        0 | 1 => named(
            who,
            &format!("name\n\0 \"{}\" é", random.random_range(0..3)),
        ),
        2 => Command::DeleteUser(user(who)),
        3 => declared("quiz", &format!("q {n}"), who, 3, 5),
        4 => Command::RevokeTokens {
            user: user(who),
            issued_until: random.random_range(0..1000),
        },
        5 => Command::Announce(announcement(
            random.random_range(0..6),
            Audience::User(user(who)),
            u64::MAX >> 20,
        )),
        _ => Command::Act(Action {
            id: ActionId::new(&format!("id {} é", random.random_range(0..400))).unwrap(),
            board: id("main"),
            tiebreak_increase: 0,
            user: user(who),
            action_type: format!("type {}", who / 3).into(),
            increase: random.random_range(-20..50),
            declared: None,
        }),
    }
}

#[tokio::test]
async fn there_and_back_again_all_is_as_it_was() {
    for (seed, operator, direction) in [
        (1, Operator::Sum, Direction::HighestFirst),
        (2, Operator::Best, Direction::LowestFirst),
        (3, Operator::Latest, Direction::HighestFirst),
    ] {
        let rules = Rules {
            operator,
            order: Order {
                direction,
                ..Order::default()
            },
            ..Rules::default()
        };
        let (files, server) = (Files::new(), Server::new());
        let (first, redis, last) = (files.url("a.db"), server.url(), files.url("b.db"));
        let mut random = StdRng::seed_from_u64(seed);
        let mut urls = [first, redis, last].into_iter();
        let mut url = urls.next().unwrap();
        let mut running = open_at(&url, rules).await.unwrap();
        let mut sent = Vec::new();
        for next in urls {
            for n in 0..600 {
                let command = some_command(&mut random, sent.len() as u64 + n);
                let outcome = running.one(command.clone()).await;
                sent.push((command, outcome));
            }
            running.store.close().await;
            running = open_at(&url, rules).await.unwrap();
            let before = seen(&running).await;
            running.store.close().await;

            migrate(&url, &next, rules).await.unwrap();
            running = open_at(&next, rules).await.unwrap();
            assert_eq!(seen(&running).await, before, "{operator:?}, from {url}");
            for (command, outcome) in &sent {
                let (Command::Act(action), Ok(receipt)) = (command, outcome) else {
                    continue;
                };
                assert_eq!(running.one(command.clone()).await, Ok(again(*receipt)));
                let other = Command::Act(Action {
                    user: user(99),
                    ..action.clone()
                });
                assert_eq!(running.one(other).await, Err(Refusal::Conflict));
            }
            assert_eq!(running.follower.seq(), before.seq);
            url = next;
        }
        // It goes on.
        running.one(named(1, "goes on")).await.unwrap();
        let receipt = running.one(act("goes on", 1, 5)).await.unwrap();
        assert_eq!(receipt.seq, running.follower.seq());
    }
}

#[tokio::test]
async fn limits_go_along() {
    let (files, server) = (Files::new(), Server::new());
    let urls = [files.url("a.db"), server.url(), files.url("b.db")];
    let running = open_at(&urls[0], Rules::default()).await.unwrap();
    running.one(put(1)).await.unwrap();
    for id in ["a", "b"] {
        running.one(declared("quiz: x", id, 1, 0, 2)).await.unwrap();
    }
    running.store.close().await;
    for pair in urls.windows(2) {
        let summary = migrate(&pair[0], &pair[1], Rules::default()).await.unwrap();
        assert_eq!((summary.limited.moved, summary.limited.left_out), (2, 0));
        let running = open_at(&pair[1], Rules::default()).await.unwrap();
        let third = running.one(declared("quiz: x", "c", 1, 0, 2)).await;
        assert_eq!(limit(third), Some((2, Window::Day)));
        running.store.close().await;
    }
    // Redis forgets them by itself.
    let keys: Vec<Vec<u8>> = server.ask(&["KEYS", "*limited*quiz: x"]);
    assert_eq!(keys.len(), 1);
    let left: i64 = ::redis::Client::open(server.url())
        .and_then(|client| client.get_connection())
        .and_then(|mut connection| ::redis::cmd("PTTL").arg(&keys[0]).query(&mut connection))
        .unwrap();
    let day = Window::Day.millis() as i64;
    assert!((day - 30_000..=day).contains(&left), "{left} ms");
}

/// Two servers that were sent the same must hold the same, one of them by migration.
#[tokio::test]
async fn redis_gets_what_it_would_have_retained() {
    let retention = Retention {
        actions: Duration::from_secs(3600),
        entries: NonZeroU64::new(150).unwrap(),
        history: NonZeroU64::new(100).unwrap(),
    };
    let files = Files::new();
    let (played, moved) = (Server::new(), Server::new());
    let file = files.url("a.db");
    let one = open_at(&file, Rules::default()).await.unwrap();
    let other = open_keeping(&played.url(), Rules::default(), retention)
        .await
        .unwrap();
    for running in [&one, &other] {
        running.store.append(vec![put(1), put(2)]).await.unwrap();
        for n in 0..777 {
            let who = if n % 3 == 0 { 2 } else { 1 };
            running.one(act(&format!("a{n}"), who, 1)).await.unwrap();
        }
        running.store.close().await;
    }
    let old = "UPDATE log SET at = at - 3600000 WHERE seq <= 100";
    let path = file.strip_prefix("sqlite:").unwrap();
    let database = rusqlite::Connection::open(path).unwrap();
    assert_eq!(database.execute(old, []).unwrap(), 100);
    drop(database);

    let summary = migrate_keeping(&file, &moved.url(), Rules::default(), retention)
        .await
        .unwrap();
    assert_eq!(
        (summary.entries.moved, summary.entries.left_out),
        (150, 630)
    );
    // All but two of those entries are actions.
    assert_eq!((summary.actions.moved, summary.actions.left_out), (680, 97));
    let redis = open_keeping(&moved.url(), Rules::default(), retention)
        .await
        .unwrap();
    let same = open_keeping(&played.url(), Rules::default(), retention)
        .await
        .unwrap();
    for n in [1, 2] {
        let shape = |history: &History| (points(history), history.actions, history.best);
        assert_eq!(
            shape(&redis.history(n, 1000).await),
            shape(&same.history(n, 1000).await),
            "user {n}"
        );
    }
    let first: Vec<(String, Vec<String>)> =
        moved.ask(&["XRANGE", "podium:{main}:log", "-", "+", "COUNT", "1"]);
    assert_eq!(first[0].0, "631-0");
    let left: i64 = moved.ask(&["PTTL", "podium:{main}:action:a700"]);
    assert!((3_000_000..=3_600_000).contains(&left), "{left} ms");
    // What was forgotten counts again.
    let outcome = redis.one(act("a0", 2, 1)).await.unwrap();
    assert!(!outcome.duplicate);
}

#[tokio::test]
async fn a_file_takes_what_is_left_in_redis() {
    let retention = Retention {
        entries: NonZeroU64::new(50).unwrap(),
        history: NonZeroU64::new(100).unwrap(),
        ..Retention::default()
    };
    let (files, server) = (Files::new(), Server::new());
    let node = open_keeping(&server.url(), Rules::default(), retention)
        .await
        .unwrap();
    node.store.append((1..=3).map(put).collect()).await.unwrap();
    let mut answers = Vec::new();
    for n in 0..900 {
        let action = act(&format!("a{n}"), n as u8 % 3 + 1, 1);
        answers.push((action.clone(), node.one(action).await.unwrap()));
        if n == 300 {
            // A life that has ended, long before what is left of the log.
            node.one(Command::DeleteUser(user(2))).await.unwrap();
            node.one(put(2)).await.unwrap();
        }
    }
    let (rows, seq) = (node.follower.rows(), node.follower.seq());
    node.store.close().await;
    let node = open_at(&server.url(), Rules::default()).await.unwrap();
    let histories = [node.history(1, 1000).await, node.history(2, 1000).await];
    let all = suite::put_board("all", r#"{"of": "main"}"#);
    node.one(all.clone()).await.unwrap();
    let derived = node.follower.rows_of("all");
    assert_eq!(derived.len(), 3);
    node.one(Command::DeleteBoard(id("all"))).await.unwrap();
    node.store.close().await;
    let stored: u64 = server.ask(&["XLEN", "podium:{main}:log"]);
    assert!(stored < 500, "the log was trimmed");

    migrate_keeping(
        &server.url(),
        &files.url("a.db"),
        Rules::default(),
        retention,
    )
    .await
    .unwrap();
    let file = open_at(&files.url("a.db"), Rules::default()).await.unwrap();
    assert_eq!((file.follower.rows(), file.follower.seq()), (rows, seq));
    for (action, answer) in &answers {
        assert_eq!(file.one(action.clone()).await, Ok(again(*answer)));
    }
    for (n, wanted) in [1, 2].into_iter().zip(histories) {
        let found = points(&file.history(n, 1000).await);
        for point in points(&wanted) {
            assert!(found.iter().any(|other| other.0 == point.0), "{point:?}");
        }
        assert_eq!(file.history(n, 9).await.best, wanted.best);
    }
    // A derived board knows those whose registration the log has lost, and counts from where it
    // has no gaps: with the histories that may be further back than in Redis.
    file.one(all).await.unwrap();
    let found = file.follower.rows_of("all");
    for (known, more) in derived.iter().zip(&found) {
        assert!(
            known.0 == more.0 && known.1 <= more.1,
            "{found:?} of {derived:?}"
        );
    }
    assert_eq!(found.len(), 3);
    // What the first registration did is no part of the history of the second.
    let began = file.history(2, 1000).await.points[0]
        .seq
        .expect("known")
        .get();
    assert!(began > 300, "{began}");
    // And it plays on, from the file and from Redis again.
    let receipt = file.one(act("new", 1, 1)).await.unwrap();
    assert_eq!(receipt.seq, seq + 1);
    file.store.close().await;
    let again_there = Server::new();
    migrate_keeping(
        &files.url("a.db"),
        &again_there.url(),
        Rules::default(),
        retention,
    )
    .await
    .unwrap();
    let node = open_at(&again_there.url(), Rules::default()).await.unwrap();
    assert_eq!(node.one(act("new", 1, 1)).await, Ok(again(receipt)));
    for (action, answer) in answers {
        assert_eq!(node.one(action).await, Ok(again(answer)));
    }
}

#[tokio::test]
async fn ranks_that_no_node_has_written_are_written_first() {
    let (files, server) = (Files::new(), Server::new());
    let url = server.url();
    let died = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let answers: Vec<(Command, Receipt)> = runtime.block_on(async {
            let node = open_at(&url, Rules::default()).await.unwrap();
            node.store.append((1..=3).map(put).collect()).await.unwrap();
            let mut answers = Vec::new();
            for n in 0..40 {
                let action = act(&format!("a{n}"), n as u8 % 3 + 1, n * 7 % 11);
                answers.push((action.clone(), node.one(action).await.unwrap()));
            }
            std::mem::forget(node);
            answers
        });
        // Nothing that it does goes on.
        runtime.shutdown_background();
        answers
    });
    let answers = died.join().unwrap();
    let ranked: u64 = server.ask(&["HGET", "podium:{main}:meta", "ranked_through"]);
    assert!(ranked < 44, "some ranks are still to be written");
    migrate(&server.url(), &files.url("a.db"), Rules::default())
        .await
        .unwrap();
    let file = open_at(&files.url("a.db"), Rules::default()).await.unwrap();
    for (action, answer) in answers {
        assert_eq!(file.one(action).await, Ok(again(answer)));
    }
}

/// As a server does that restarts without its last writes.
#[test]
fn ranks_that_redis_loses_again_and_again_end_the_migration() {
    let (files, server) = (Files::new(), Server::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(board_of(&server.url(), 10_000));
    let client = ::redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let mut forget = || {
        ::redis::cmd("HSET")
            .arg(&["podium:{main}:meta", "ranked_through", "0"])
            .exec(&mut connection)
            .unwrap();
    };
    forget();
    let is_over = AtomicBool::new(false);
    let moved = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                forget();
            }
        });
        let (from, to) = (server.url(), files.url("a.db"));
        let moved = migrate(&from, &to, Rules::default());
        let moved = runtime.block_on(async { tokio::time::timeout(DEADLINE, moved).await });
        is_over.store(true, Ordering::Relaxed);
        moved
    });
    let error = moved.expect("it ends").unwrap_err().to_string();
    assert!(error.contains("stop all nodes that use it"), "{error}");
}

/// A board of one user and one action.
async fn small_board(url: &str) {
    let running = open_at(url, Rules::default()).await.unwrap();
    running
        .store
        .append(vec![put(1), act("a", 1, 3)])
        .await
        .unwrap();
    running.store.close().await;
}

#[tokio::test]
async fn what_cannot_be_moved_is_refused() {
    let (files, server) = (Files::new(), Server::new());
    let (file, other, redis) = (files.url("a.db"), files.url("b.db"), server.url());
    let rules = Rules::default();
    let refused = async |from: &str, to: &str| migrate(from, to, rules).await.unwrap_err();

    assert!(matches!(
        refused(&file, &redis).await,
        MigrateError::NoBoard { .. }
    ));
    assert!(matches!(
        refused(&redis, &file).await,
        MigrateError::NoBoard { .. }
    ));
    assert!(
        !files.0.path().join("a.db").exists(),
        "looking makes nothing"
    );
    let keys: u64 = server.ask(&["DBSIZE"]);
    assert_eq!(keys, 0);
    small_board(&file).await;
    assert!(matches!(
        refused(&file, &other).await,
        MigrateError::SameKind { .. }
    ));

    let running = open_at(&file, rules).await.unwrap();
    assert!(matches!(
        refused(&file, &redis).await,
        MigrateError::Store(StoreError::InUse(_))
    ));
    running.store.close().await;

    small_board(&redis).await;
    for (from, to) in [(&file, &redis), (&redis, &file)] {
        let error = refused(from, to).await;
        assert!(matches!(error, MigrateError::HasBoard { .. }), "{error}");
        assert!(error.to_string().contains("--replace"), "{error}");
    }
    for (from, to) in [(&file, &redis), (&redis, &file)] {
        let running = open_at(from, rules).await.unwrap();
        running
            .one(named(1, &format!("from {from}")))
            .await
            .unwrap();
        running.store.close().await;
        let mut migration = migration(from, to, rules, Retention::default());
        migration.replace = true;
        migration.run(|_| {}).await.unwrap();
        let moved = open_at(to, rules).await.unwrap();
        assert_eq!(moved.follower.rows(), running.follower.rows());
        // Somebody may have watched the other one.
        assert_ne!(moved.epoch, running.epoch);
        moved.store.close().await;
    }
}

#[tokio::test]
async fn an_empty_board_may_be_written_over() {
    let (files, server) = (Files::new(), Server::new());
    small_board(&files.url("a.db")).await;
    // Nodes that were started too early take the board as soon as it is there.
    let node = open_at(&server.url(), Rules::default()).await.unwrap();
    migrate(&files.url("a.db"), &server.url(), Rules::default())
        .await
        .unwrap();
    wait_for("the node has the board", || {
        node.follower.rows() == [("user 1".to_owned(), 3, 1)]
    })
    .await;
    let empty = open_at(&files.url("b.db"), Rules::default()).await.unwrap();
    empty.store.close().await;
    // A node that only reads changes nothing.
    migrate(&server.url(), &files.url("b.db"), Rules::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_node_that_writes_meanwhile_is_noticed() {
    let (files, server) = (Files::new(), Server::new());
    small_board(&server.url()).await;
    let mut server_writes = Some(&server);
    let migration = migration(
        &server.url(),
        &files.url("a.db"),
        Rules::default(),
        Retention::default(),
    );
    let result = migration
        .run(|_| {
            if let Some(server) = server_writes.take() {
                server.ask::<u64>(&["HINCRBY", "podium:{main}:meta", "seq", "1"]);
            }
        })
        .await;
    let error = result.unwrap_err();
    assert!(matches!(error, MigrateError::InUse(_)), "{error}");
    assert!(error.to_string().contains("stop all nodes"), "{error}");
    let Err(error) = open_at(&files.url("a.db"), Rules::default()).await else {
        panic!("opened a board that is not whole");
    };
    assert!(matches!(error, StoreError::Migrating(_)), "{error}");
}

const MANY: u64 = 30_000;

/// A board that takes long enough to be stopped.
async fn large_board(url: &str) {
    board_of(url, MANY).await;
}

/// A board of ten users and so many actions.
async fn board_of(url: &str, actions: u64) {
    let running = open_at(url, Rules::default()).await.unwrap();
    for n in 0..=9 {
        running.one(put(n)).await.unwrap();
    }
    for first in (0..actions).step_by(1000) {
        let commands = (first..first + 1000).map(|n| act(&format!("a{n}"), (n % 10) as u8, 1));
        running.store.append(commands.collect()).await.unwrap();
    }
    running.store.close().await;
}

/// Starts `podium migrate`, and kills it as soon as some of the board is there. Where the
/// machine stalls all of it is there by then: then once more, after `forget`.
async fn kill_when_some_is_there(
    from: &str,
    to: &str,
    mut is_so: impl FnMut() -> bool,
    mut forget: impl FnMut(),
) {
    for _ in 0..20 {
        if is_killed_when(from, to, &mut is_so).await {
            return;
        }
        forget();
    }
    panic!("it always came to its end before it was killed");
}

/// Whether it was killed before its end.
async fn is_killed_when(from: &str, to: &str, mut is_so: impl FnMut() -> bool) -> bool {
    let mut child = Process::new(env!("CARGO_BIN_EXE_podium"))
        .args(["migrate", "--from", from, "--to", to])
        .current_dir(std::env::temp_dir())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ended = |child: &mut Child| child.try_wait().unwrap();
    wait_for("some of it is there", || {
        is_so() || ended(&mut child).is_some()
    })
    .await;
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.success() || status.code().is_none(), "{status}");
    !status.success()
}

async fn expect_closed(url: &str) {
    let Err(error) = open_at(url, Rules::default()).await else {
        panic!("opened a board that is half written");
    };
    assert!(
        error.to_string().contains("run podium migrate again"),
        "{error}"
    );
}

#[tokio::test]
async fn killed_on_the_way_to_redis_it_begins_again() {
    let (files, server) = (Files::new(), Server::new());
    let (file, redis) = (files.url("a.db"), server.url());
    large_board(&file).await;
    let running = open_at(&file, Rules::default()).await.unwrap();
    let wanted = seen(&running).await;
    running.store.close().await;
    for enough in [1, 10_000, 25_000] {
        let is_so = || server.ask::<u64>(&["XLEN", "podium:{main}:log"]) >= enough;
        kill_when_some_is_there(&file, &redis, is_so, || server.ask(&["FLUSHALL"])).await;
        expect_closed(&redis).await;
    }
    migrate(&file, &redis, Rules::default()).await.unwrap();
    let node = open_at(&redis, Rules::default()).await.unwrap();
    assert_eq!(seen(&node).await, wanted);
    let again = node.one(act("a77", 7, 1)).await.unwrap();
    assert!(again.duplicate);
}

#[tokio::test]
async fn killed_on_the_way_to_a_file_it_begins_again() {
    let (files, server) = (Files::new(), Server::new());
    let (file, redis) = (files.url("a.db"), server.url());
    large_board(&redis).await;
    let node = open_at(&redis, Rules::default()).await.unwrap();
    let wanted = seen(&node).await;
    node.store.close().await;
    let path = files.0.path().join("a.db");
    for enough in [0, 19_000, MANY] {
        let is_so = || written_to(&path).is_some_and(|written| written >= enough);
        let forget = || {
            for it in std::fs::read_dir(files.0.path()).unwrap() {
                std::fs::remove_file(it.unwrap().path()).unwrap();
            }
        };
        kill_when_some_is_there(&redis, &file, is_so, forget).await;
        expect_closed(&file).await;
    }
    migrate(&redis, &file, Rules::default()).await.unwrap();
    let running = open_at(&file, Rules::default()).await.unwrap();
    assert_eq!(seen(&running).await, wanted);
    let again = running.one(act("a77", 7, 1)).await.unwrap();
    assert!(again.duplicate);
}

/// Entries that a migration has written so far to a file that it claimed.
fn written_to(path: &std::path::Path) -> Option<u64> {
    if !path.exists() {
        return None;
    }
    let database = rusqlite::Connection::open(path).ok()?;
    database
        .query_row(
            "SELECT (SELECT count(*) FROM log) FROM log_state WHERE migrating = 1",
            [],
            |row| row.get(0),
        )
        .ok()
}
