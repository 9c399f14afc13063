//! What may happen to Redis while nodes run, and to those who may not use it.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use podium::{
    board::{BoardId, Rules, UserId},
    store::{
        self, Command, Health, Receipt, StoreError, StoreUrl,
        redis::{Reset, Retention, Survey},
    },
};

use crate::{
    redis::{agree, open_at, open_keeping},
    server::{DEADLINE, Server, wait_for},
    suite::{Fixture, Running, act, again, main, put},
};

async fn two_nodes(server: &Server) -> (Running, Running) {
    let one = server.open(Rules::default()).await;
    let other = server.open(Rules::default()).await;
    one.store.append((1..=4).map(put).collect()).await.unwrap();
    (one, other)
}

async fn is_unreachable(node: &Running) {
    let mut health = node.store.health();
    let unreachable = health.wait_for(|health| *health == Health::Unreachable);
    tokio::time::timeout(DEADLINE, unreachable)
        .await
        .unwrap()
        .unwrap();
}

pub async fn is_open(node: &Running) {
    let mut health = node.store.health();
    let open = health.wait_for(|health| *health == Health::Open);
    tokio::time::timeout(DEADLINE, open).await.unwrap().unwrap();
}

/// Waits until nothing can be written, and gives the reason.
pub async fn is_unwritable(node: &Running) -> String {
    let mut health = node.store.health();
    let unwritable = health.wait_for(|health| matches!(health, Health::Unwritable(_)));
    let health = tokio::time::timeout(DEADLINE, unwritable).await.unwrap();
    match &*health.unwrap() {
        Health::Unwritable(why) => why.to_string(),
        _ => unreachable!(),
    }
}

fn servers(url: &str) -> store::redis::Servers {
    match url.parse().unwrap() {
        StoreUrl::Redis(servers) => servers,
        StoreUrl::Sqlite(_) => unreachable!(),
    }
}

/// What an operator is shown before deciding to go on with what is left.
async fn survey(url: &str) -> Result<Survey, StoreError> {
    Survey::take(&servers(url), &main(Rules::default())).await
}

pub async fn adopt(url: &str) {
    survey(url).await.unwrap().adopt().await.unwrap();
}

async fn reset(url: &str) {
    let plan = Reset::plan(&servers(url), &main(Rules::default())).await;
    plan.unwrap().run().await.unwrap();
}

/// Sends actions until it is stopped, each again until it is answered, and
/// gives the answers.
async fn keep_sending(node: &Running, name: &str, stop: &AtomicBool) -> BTreeMap<String, Receipt> {
    let mut answers = BTreeMap::new();
    for i in 0u32.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("{name}{i}");
        let action = act(&id, (i % 4 + 1) as u8, i64::from(i % 7) - 2);
        let until = Instant::now() + DEADLINE;
        loop {
            match node.store.append(vec![action.clone()]).await {
                Ok(outcomes) => {
                    answers.insert(id, outcomes[0].clone().unwrap());
                    break;
                }
                Err(StoreError::Unreachable(_) | StoreError::Unwritable(_)) => {
                    assert!(Instant::now() < until, "nothing is taken any more");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    answers
}

/// Two nodes, with senders at both, live through what `happen` does; then they agree,
/// and each action that was answered is there once, as it was answered.
async fn nothing_is_lost(server: &mut Server, happen: impl AsyncFnOnce(&mut Server, &Running)) {
    let (one, other) = two_nodes(server).await;
    let stop = AtomicBool::new(false);
    let happening = async {
        wait_for("actions are counted", || one.follower.seq() > 30).await;
        happen(server, &one).await;
        is_open(&one).await;
        is_open(&other).await;
        let seq = one.follower.seq();
        wait_for("actions are counted again", || {
            one.follower.seq() > seq + 30
        })
        .await;
        stop.store(true, Ordering::Relaxed);
    };
    let (first, second, ()) = futures_util::join!(
        keep_sending(&one, "one", &stop),
        keep_sending(&other, "other", &stop),
        happening
    );
    agree(&[&one, &other]).await;
    assert_eq!(one.follower.epoch(), one.epoch, "nothing was lost");
    let third = server.open(Rules::default()).await;
    agree(&[&one, &other, &third]).await;
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for (id, answer) in first.iter().chain(&second) {
        let i: u32 = id.trim_start_matches(char::is_alphabetic).parse().unwrap();
        let (n, increase) = ((i % 4 + 1) as u8, i64::from(i % 7) - 2);
        *sums.entry(format!("user {n}")).or_default() += increase;
        let duplicate = third.one(act(id, n, increase)).await.unwrap();
        if !answer.duplicate {
            assert_eq!(duplicate, again(*answer));
        }
    }
    let scores = third.follower.rows().into_iter();
    let scores: BTreeMap<_, _> = scores.map(|(name, score, _)| (name, score)).collect();
    assert_eq!(scores, sums, "each action counts once");
}

#[tokio::test]
async fn redis_may_be_killed_and_come_back() {
    nothing_is_lost(&mut Server::durable(), async |server, node| {
        for _ in 0..3 {
            server.kill();
            is_unreachable(node).await;
            server.start_again();
            is_open(node).await;
        }
    })
    .await;
}

#[tokio::test]
async fn redis_may_stop_and_go_on() {
    nothing_is_lost(&mut Server::new(), async |server, node| {
        server.signal("STOP");
        let stopped = Instant::now();
        is_unreachable(node).await;
        // Before a probe would have, which comes after 5 s and waits for 2 s.
        let noticed = stopped.elapsed();
        assert!(
            noticed < Duration::from_millis(6500),
            "noticed after {noticed:?}"
        );
        // The board stays as it was.
        assert_eq!(node.follower.rows().len(), 4);
        let asked = Instant::now();
        let refused = node.store.append(vec![put(9)]).await;
        assert!(matches!(refused, Err(StoreError::Unreachable(_))));
        // As a sender that waits for an answer of Redis is not.
        assert!(asked.elapsed() < Duration::from_millis(1500), "at once");
        assert!(matches!(
            node.store
                .history(BoardId::default(), crate::suite::user(1), 9)
                .await,
            Err(StoreError::Unreachable(_))
        ));
        server.signal("CONT");
    })
    .await;
}

#[tokio::test]
async fn redis_may_be_slow() {
    nothing_is_lost(&mut Server::new(), async |server, node| {
        let mut health = node.store.health();
        health.mark_unchanged();
        for _ in 0..4 {
            let seq = node.follower.seq();
            server.ask::<()>(&["CLIENT", "PAUSE", "700", "ALL"]);
            wait_for("it goes on", || node.follower.seq() > seq + 5).await;
        }
        assert!(!health.has_changed().unwrap(), "nobody was refused");
    })
    .await;
}

#[tokio::test]
async fn connections_may_be_cut() {
    nothing_is_lost(&mut Server::new(), async |server, node| {
        for _ in 0..10 {
            is_open(node).await;
            server.ask::<u64>(&["CLIENT", "KILL", "TYPE", "normal"]);
        }
    })
    .await;
}

#[tokio::test]
async fn memory_may_be_full_for_a_while() {
    nothing_is_lost(&mut Server::new(), async |server, node| {
        server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        let error = loop {
            match node.store.append(vec![put(1)]).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Unwritable(_)), "{error}");
        assert!(error.to_string().contains("memory"), "{error}");
        assert!(is_unwritable(node).await.contains("memory"));
        // It can still be looked at.
        node.history(1, 9).await;
        server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    })
    .await;
}

#[tokio::test]
async fn redis_may_be_emptied_and_the_board_stays_until_it_is_given_up() {
    let server = Server::new();
    let (one, other) = two_nodes(&server).await;
    one.one(act("a", 1, 5)).await.unwrap();
    agree(&[&one, &other]).await;
    let rows = one.follower.rows();
    server.ask::<()>(&["FLUSHALL"]);
    for node in [&one, &other] {
        let why = is_unwritable(node).await;
        assert!(why.contains("nothing of this board is in Redis"), "{why}");
        let refused = node.store.append(vec![act("b", 1, 5)]).await;
        assert!(matches!(refused, Err(StoreError::Unwritable(_))));
        assert_eq!(
            (node.follower.epoch(), node.follower.rows()),
            (one.epoch, rows.clone())
        );
    }
    assert_eq!(server.ask::<u64>(&["EXISTS", "podium:{main}:meta"]), 0);
    // A node that has shown nothing takes it for a new board. The others do not follow.
    let fresh = server.open(Rules::default()).await;
    fresh.one(put(7)).await.unwrap();
    let seen = async |node: &Running| {
        let mut health = node.store.health();
        let other = |health: &Health| matches!(health, Health::Unwritable(why) if why.contains("another board"));
        tokio::time::timeout(DEADLINE, health.wait_for(other))
            .await
            .unwrap()
            .unwrap();
    };
    seen(&one).await;
    seen(&other).await;
    assert_eq!(one.follower.rows(), rows);
    reset(&server.url()).await;
    wait_for("the board is empty", || one.follower.seq() == 0).await;
    agree(&[&one, &other, &fresh]).await;
    assert_ne!(one.follower.epoch(), one.epoch);
    assert_eq!(other.one(put(1)).await.unwrap().seq, 1);
    assert_eq!(one.one(act("a", 1, 3)).await.unwrap().seq, 2);
    agree(&[&one, &other, &fresh]).await;
}

/// Nodes that have shown nothing may take a new epoch: there is nothing to lose.
#[tokio::test]
async fn an_empty_board_may_be_deleted() {
    let server = Server::new();
    let (one, other) = (
        server.open(Rules::default()).await,
        server.open(Rules::default()).await,
    );
    server.ask::<()>(&["FLUSHALL"]);
    wait_for("a new epoch begins", || one.follower.epoch() != one.epoch).await;
    agree(&[&one, &other]).await;
    assert_eq!(other.one(put(1)).await.unwrap().seq, 1);
    agree(&[&one, &other]).await;
}

/// Redis comes back with what it saved before the last entries.
#[tokio::test]
async fn the_latest_entries_may_be_lost() {
    for more in [0, 3, 40] {
        let mut server = Server::new();
        let (one, other) = two_nodes(&server).await;
        one.one(act("kept", 1, 5)).await.unwrap();
        server.ask::<()>(&["SAVE"]);
        for i in 0..10 {
            one.one(act(&format!("lost {i}"), 2, 1)).await.unwrap();
        }
        agree(&[&one, &other]).await;
        let rows = one.follower.rows();
        server.kill();
        is_unreachable(&one).await;
        is_unreachable(&other).await;
        server.start_again();
        let mut taken = 0;
        if more > 0 {
            // Another node may be there first, and go on with what there is, until one of
            // those comes back that know better.
            if let Ok(third) = open_at(&server.url(), Rules::default()).await {
                for i in 0..more {
                    let sent = third
                        .store
                        .append(vec![act(&format!("new {i}"), 3, 1)])
                        .await;
                    taken += i64::from(sent.is_ok());
                }
                is_unwritable(&third).await;
            }
        }
        for node in [&one, &other] {
            let why = is_unwritable(node).await;
            assert!(
                why.contains("than was shown") || why.contains("lost the latest entries"),
                "{why}"
            );
            assert_eq!(
                (node.follower.epoch(), node.follower.rows()),
                (one.epoch, rows.clone())
            );
        }
        // Nobody goes on with the older copy.
        let why = refusal(&server.url()).await;
        assert!(why.contains("podium adopt"), "{why}");
        adopt(&server.url()).await;
        wait_for("a new epoch begins", || one.follower.epoch() != one.epoch).await;
        agree(&[&one, &other]).await;
        let rows = one.follower.rows();
        assert!(rows.iter().any(|row| row.0 == "user 1" && row.1 == 5));
        assert_eq!(rows.iter().map(|row| row.1).sum::<i64>(), 5 + taken);
        assert!(one.one(act("kept", 1, 5)).await.unwrap().duplicate);
        // What was lost is counted when it is sent again.
        assert!(!other.one(act("lost 1", 2, 1)).await.unwrap().duplicate);
        agree(&[&one, &other]).await;
    }
}

/// A replica is promoted that had not heard of the last entries.
#[tokio::test]
async fn a_replica_that_has_less_does_not_take_over_by_itself() {
    let mut primary = Server::new();
    let replica = Server::new();
    let port = primary.port.to_string();
    replica.ask::<()>(&["REPLICAOF", "127.0.0.1", &port]);
    let url = format!(
        "redis://127.0.0.1:{},127.0.0.1:{}",
        primary.port, replica.port
    );
    let one = open_at(&url, Rules::default()).await.unwrap();
    let reversed = format!(
        "redis://127.0.0.1:{},127.0.0.1:{}",
        replica.port, primary.port
    );
    let other = open_at(&reversed, Rules::default()).await.unwrap();
    one.store.append((1..=4).map(put).collect()).await.unwrap();
    one.one(act("a", 1, 5)).await.unwrap();
    wait_for("the replica has it", || {
        let seq = replica.try_ask::<Option<u64>>(&["HGET", "podium:{main}:meta", "seq"]);
        seq.is_ok_and(|seq| seq == Some(6))
    })
    .await;
    replica.ask::<()>(&["REPLICAOF", "NO", "ONE"]);
    for i in 0..5 {
        one.one(act(&format!("lost {i}"), 2, 1)).await.unwrap();
    }
    agree(&[&one, &other]).await;
    primary.kill();
    for node in [&one, &other] {
        let why = is_unwritable(node).await;
        assert!(why.contains("11 were shown, and it has 6"), "{why}");
        assert_eq!(
            (node.follower.epoch(), node.follower.seq()),
            (one.epoch, 10)
        );
    }
    adopt(&replica.url()).await;
    wait_for("a new epoch begins", || one.follower.epoch() != one.epoch).await;
    agree(&[&one, &other]).await;
    assert_eq!(one.follower.rows()[0], ("user 1".to_owned(), 5, 1));
    assert_eq!(one.follower.seq(), 5);
    assert_eq!(other.one(act("b", 2, 9)).await.unwrap().seq, 6);
    agree(&[&one, &other]).await;
}

/// A primary becomes a replica while its connections stay.
#[tokio::test]
async fn a_primary_may_step_down() {
    let (first, second) = (Server::new(), Server::new());
    let port = |server: &Server| server.port.to_string();
    second.ask::<()>(&["REPLICAOF", "127.0.0.1", &port(&first)]);
    let url = format!("redis://127.0.0.1:{},127.0.0.1:{}", first.port, second.port);
    let node = open_at(&url, Rules::default()).await.unwrap();
    node.one(put(1)).await.unwrap();
    wait_for("the replica has it", || {
        let seq = second.try_ask::<Option<u64>>(&["HGET", "podium:{main}:meta", "seq"]);
        seq.is_ok_and(|seq| seq == Some(2))
    })
    .await;
    second.ask::<()>(&["REPLICAOF", "NO", "ONE"]);
    first.ask::<()>(&["REPLICAOF", "127.0.0.1", &port(&second)]);
    let until = Instant::now() + DEADLINE;
    while let Err(error) = node.store.append(vec![act("a", 1, 5)]).await {
        assert!(Instant::now() < until, "{error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(node.follower.epoch(), node.epoch);
    let score: String = second.ask(&[
        "HGET",
        "podium:{main}:users",
        "\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}",
    ]);
    assert!(score.starts_with("5 3 "), "{score}");
}

/// A node was disconnected for longer than the log reaches back.
#[tokio::test]
async fn the_log_may_be_trimmed_before_it_is_read() {
    let server = Server::new();
    let retention = Retention {
        entries: std::num::NonZeroU64::new(100).unwrap(),
        ..Retention::default()
    };
    let one = open_keeping(&server.url(), Rules::default(), retention)
        .await
        .unwrap();
    one.store.append((1..=4).map(put).collect()).await.unwrap();
    let (opened, ready) = store::open(&server.url().parse().unwrap(), &main(Rules::default()))
        .await
        .unwrap();
    for i in 0..1000u32 {
        let action = act(&format!("a{i}"), (i % 4 + 1) as u8, i64::from(i % 7));
        one.one(action).await.unwrap();
    }
    let late = Running::start(opened, ready).unwrap();
    wait_for("the late one has caught up", || late.follower.seq() == 1004).await;
    agree(&[&one, &late]).await;
    assert_eq!(late.follower.epoch(), late.epoch, "nothing was lost");
    assert!(late.follower.entries().len() < 1000, "it was loaded again");
}

/// Somebody trims the log by hand, beyond what has ranks.
#[tokio::test]
async fn a_log_that_was_torn_is_not_mended_unasked() {
    let server = Server::new();
    let (one, other) = two_nodes(&server).await;
    for i in 0..10 {
        one.one(act(&format!("a{i}"), 2, 1)).await.unwrap();
    }
    agree(&[&one, &other]).await;
    let rows = one.follower.rows();
    one.store.close().await;
    other.store.close().await;
    server.ask::<()>(&["HSET", "podium:{main}:meta", "ranked_through", "3"]);
    server.ask::<u64>(&["XTRIM", "podium:{main}:log", "MINID", "9-0"]);
    let why = refusal(&server.url()).await;
    assert!(why.contains("missing in Redis after 3"), "{why}");
    assert!(why.contains("podium adopt"), "{why}");
    let ranked: u64 = server.ask(&["HGET", "podium:{main}:meta", "ranked_through"]);
    assert_eq!(ranked, 3, "nothing was changed");
    let plan = survey(&server.url()).await.unwrap();
    assert!(
        plan.to_string().contains("entries of the log after 3"),
        "{plan}"
    );
    plan.adopt().await.unwrap();
    let node = server.open(Rules::default()).await;
    assert_ne!(node.epoch, one.epoch);
    assert_eq!(node.follower.rows(), rows);
    assert_eq!(node.one(act("b", 1, 50)).await.unwrap().rank, Some(1));
}

/// More users than a script can hand over to a command at once have lost their past.
#[tokio::test]
async fn many_pasts_may_be_lost() {
    const USERS: u32 = 9000;
    let id = |n: u32| {
        let mut id = [7; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        UserId(id)
    };
    let of_user = |mut command: Command, n: u32| {
        match &mut command {
            Command::PutUser { user, .. } => *user = id(n),
            Command::Act(action) => action.user = id(n),
            _ => unreachable!(),
        }
        command
    };
    let server = Server::new();
    let node = server.open(Rules::default()).await;
    for first in (0..USERS).step_by(250) {
        let users = first..first + 250;
        let put = users.clone().map(|n| of_user(put(1), n));
        let act = users.map(|n| of_user(act(&format!("a{n}"), 1, i64::from(n)), n));
        node.store.append(put.chain(act).collect()).await.unwrap();
    }
    node.store.close().await;
    let gone: u32 = server.ask(&[
        "EVAL",
        "local gone = 0
        for _, key in ipairs(redis.call('KEYS', 'podium:{main}:history:*')) do
            gone = gone + redis.call('DEL', key)
        end
        return gone",
        "0",
    ]);
    assert_eq!(gone, USERS);
    let plan = survey(&server.url()).await.unwrap();
    assert!(
        plan.to_string().contains("the past of 9000 users"),
        "{plan}"
    );
    plan.adopt().await.unwrap();
    let plan = survey(&server.url()).await.unwrap();
    assert!(!plan.to_string().contains("the past of"), "{plan}");
    let again = server.open(Rules::default()).await;
    assert_ne!(again.epoch, node.epoch);
    assert_eq!(again.follower.rows(), node.follower.rows());
    // Each has a new history.
    for n in [0, USERS - 1] {
        again
            .one(of_user(act(&format!("b{n}"), 1, 1), n))
            .await
            .unwrap();
        agree(&[&again]).await;
        let history = again
            .store
            .history(BoardId::default(), id(n), 9)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(history.points.len(), 1, "of user {n}");
    }
}

/// What an operator was shown is what is done, or nothing is.
#[tokio::test]
async fn a_board_that_has_changed_since_it_was_looked_at_is_not_adopted() {
    let server = Server::new();
    let node = server.open(Rules::default()).await;
    node.one(put(1)).await.unwrap();
    let plan = survey(&server.url()).await.unwrap();
    node.one(put(2)).await.unwrap();
    let error = plan.adopt().await.unwrap_err();
    assert!(error.to_string().contains("changed meanwhile"), "{error}");
    assert_eq!(node.one(put(3)).await.unwrap().seq, 3);
    assert_eq!(node.follower.epoch(), node.epoch);
}

async fn refusal(url: &str) -> String {
    match open_at(url, Rules::default()).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_refused_login_gives_the_reason() {
    let server = Server::with(&["--requirepass", "right"]);
    let at = |login: &str| format!("redis://{login}127.0.0.1:{}", server.port);
    for login in [":wrong@", "nobody:right@"] {
        let error = refusal(&at(login)).await;
        assert!(
            error.contains("the user or the password is wrong"),
            "{error}"
        );
        assert!(!error.contains("right@"), "{error}");
    }
    let error = refusal(&at("")).await;
    assert!(error.contains("it wants a password"), "{error}");
    let node = open_at(&at(":right@"), Rules::default()).await.unwrap();
    node.one(put(1)).await.unwrap();
}

/// A record that no script wrote makes one fail while it runs. Redis is there, so it is
/// not reported as unreachable.
#[tokio::test]
async fn a_script_that_fails_is_no_outage() {
    let server = Server::new();
    let node = server.open(Rules::default()).await;
    node.store.append(vec![put(1), put(2)]).await.unwrap();
    let id = "\u{1}".repeat(16);
    let record = |words: &[&str]| -> String {
        let command = [words[0], "podium:{main}:users", &id];
        server.ask::<redis::Value>(&[&command[..], &words[1..]].concat());
        server.ask(&["HGET", "podium:{main}:users", &id])
    };
    let whole = record(&["HGET"]);
    let (_, rest) = whole.split_once(' ').unwrap();
    record(&["HSET", &format!("many {rest}")]);
    // Together, because the next call, which asks nothing of this user, is taken again.
    let refused = node.store.append(vec![act("a", 1, 1)]);
    let (refused, why) = futures_util::join!(refused, is_unwritable(&node));
    let error = refused.unwrap_err();
    assert!(matches!(error, StoreError::Unwritable(_)), "{error}");
    for why in [error.to_string(), why] {
        assert!(why.contains("user_script"), "{why}");
        assert!(why.contains("not as it was written"), "{why}");
        assert!(!why.contains("cannot be reached"), "{why}");
    }
    is_open(&node).await;
    node.one(act("b", 2, 1)).await.unwrap();
    record(&["HSET", &whole]);
    node.one(act("a", 1, 1)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_lacks_a_command_is_there() {
    let server = Server::with(&["--save", "", "--rename-command", "HMGET", ""]);
    let error = refusal(&server.url()).await;
    assert!(error.contains("cannot use redis://"), "{error}");
    assert!(error.contains("nknown Redis command"), "{error}");
    assert!(!error.contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn a_password_may_change_and_change_back() {
    let server = Server::new();
    let node = server.open(Rules::default()).await;
    node.one(put(1)).await.unwrap();
    server.ask::<()>(&["CONFIG", "SET", "requirepass", "secret"]);
    let login = format!("redis://:secret@127.0.0.1:{}", server.port);
    let mut admin = redis::Client::open(login)
        .unwrap()
        .get_connection()
        .unwrap();
    let mut ask = |words: &[&str]| {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).exec(&mut admin).unwrap();
    };
    ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    is_unreachable(&node).await;
    let error = node.store.append(vec![put(2)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    ask(&["CONFIG", "SET", "requirepass", ""]);
    is_open(&node).await;
    assert_eq!(node.one(put(2)).await.unwrap().seq, 2);
}

/// What a user of Redis needs who may do nothing else.
const PERMISSIONS: &[&str] = &[
    "~podium:{main}:*",
    "+info",
    "+evalsha",
    "+script|load",
    "+append",
    "+del",
    "+exists",
    "+hexists",
    "+hlen",
    "+pttl",
    "+scan",
    "+type",
    "+xrevrange",
    "+get",
    "+hdel",
    "+hget",
    "+hgetall",
    "+hkeys",
    "+hmget",
    "+hscan",
    "+hset",
    "+lindex",
    "+lrange",
    "+ltrim",
    "+persist",
    "+pexpire",
    "+rename",
    "+rpush",
    "+set",
    "+time",
    "+unlink",
    "+xadd",
    "+xrange",
    "+xread",
    "+xtrim",
    "+zadd",
    "+zremrangebyscore",
    "+zrevrangebyscore",
];

#[tokio::test]
async fn a_user_needs_few_permissions() {
    let server = Server::new();
    let mut user = vec!["ACL", "SETUSER", "podium", "on", ">secret", "resetkeys"];
    user.extend(PERMISSIONS);
    server.ask::<()>(&user);
    let url = format!("redis://podium:secret@127.0.0.1:{}", server.port);
    let keep = |n| std::num::NonZeroU64::new(n).unwrap();
    let retention = Retention {
        entries: keep(100),
        history: keep(100),
        ..Retention::default()
    };
    let node = open_keeping(&url, Rules::default(), retention)
        .await
        .unwrap();
    node.store.append((1..=4).map(put).collect()).await.unwrap();
    for i in 0..20 {
        let batch = (0..20).map(|j| act(&format!("{i} {j}"), 1, 1));
        node.store.append(batch.collect()).await.unwrap();
    }
    for _ in 0..2 {
        let quiz = crate::suite::declared("quiz", "quiz", 2, 1, 2);
        node.one(quiz).await.unwrap();
    }
    let banner = crate::suite::announcement(1, podium::board::Audience::All, 20);
    node.one(store::Command::Announce(banner.clone()))
        .await
        .unwrap();
    let next = podium::board::Announcement {
        id: podium::board::AnnouncementId([2; 16]),
        ..banner
    };
    node.one(store::Command::Announce(next)).await.unwrap();
    node.one(store::Command::RevokeTokens {
        user: crate::suite::user(1),
        issued_until: 5,
    })
    .await
    .unwrap();
    let delete = store::Command::DeleteUser(crate::suite::user(4));
    node.one(delete).await.unwrap();
    for command in [
        crate::suite::put_team(1),
        crate::suite::group(1, Some(1), &["U18"]),
        store::Command::HideUser {
            user: crate::suite::user(2),
            hidden: true,
            reason: None,
        },
        crate::suite::put_board("cup", "{}"),
        crate::suite::act_on("cup", "cup", 1, 1, 0),
        crate::suite::put_board("clubs", r#"{"of": "main", "by": "team"}"#),
        store::Command::DeleteBoard(crate::suite::id("cup")),
    ] {
        node.one(command).await.unwrap();
    }
    node.history(1, 9).await;
    node.store.close().await;
    let node = open_keeping(&url, Rules::default(), retention)
        .await
        .unwrap();
    // It may look at what is wrong, and sees when it is right again.
    server.ask::<u64>(&["HINCRBY", "podium:{main}:meta", "seq", "-1"]);
    let why = is_unwritable(&node).await;
    assert!(why.contains("the last entry is"), "{why}");
    server.ask::<u64>(&["HINCRBY", "podium:{main}:meta", "seq", "1"]);
    is_open(&node).await;
    // Each of them is needed.
    server.ask::<()>(&["ACL", "SETUSER", "podium", "-hscan"]);
    let error = refusal(&url).await;
    assert!(
        error.contains("may not do all") && error.contains("hscan"),
        "{error}"
    );
}

/// Answers as an old Redis does, which there is none of here.
fn old_redis() -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicBool::new(false));
    let was_asked = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let commands = text.matches('*').count();
                for _ in 0..commands {
                    let answer = if text.contains("INFO\r\n") && commands == 1 {
                        was_asked.store(true, Ordering::Relaxed);
                        let info = "# Server\r\nredis_version:6.2.14\r\nredis_mode:standalone\r\n";
                        format!("${}\r\n{info}\r\n", info.len())
                    } else {
                        "-ERR unknown subcommand\r\n".to_owned()
                    };
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        }
    });
    (port, asked)
}

#[tokio::test]
async fn an_old_version_is_named() {
    let (port, asked) = old_redis();
    let error = refusal(&format!("redis://127.0.0.1:{port}")).await;
    assert!(asked.load(Ordering::Relaxed));
    assert!(
        error.contains("it is Redis 6.2.14, and Podium needs"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let port = crate::server::free_port();
    let error = refusal(&format!("redis://:secret@127.0.0.1:{port}")).await;
    assert!(
        error.contains(&format!("redis://127.0.0.1:{port}")),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
}

/// The end does not wait for a server that is not there.
#[tokio::test]
async fn a_store_closes_while_redis_is_unreachable() {
    let mut server = Server::new();
    let (one, _other) = two_nodes(&server).await;
    server.kill();
    is_unreachable(&one).await;
    tokio::time::timeout(DEADLINE, one.store.close())
        .await
        .unwrap();
    assert_eq!(*one.store.health().borrow(), Health::Closed);
    let late = one.store.append(vec![put(1)]).await;
    assert!(matches!(late, Err(StoreError::Closed)));
}

#[tokio::test]
async fn ranks_that_redis_lost_are_written_again() {
    let server = Server::new();
    let (one, other) = two_nodes(&server).await;
    let ranked = || -> u64 {
        let through = ["HGET", "podium:{main}:meta", "ranked_through"];
        server.ask(&through)
    };
    wait_for("those who were registered have ranks", || ranked() == 5).await;
    let boards = |words: &[&str]| -> String {
        let command = [&[words[0], "podium:{main}:boards", "main"], &words[1..]].concat();
        server.ask::<Option<String>>(&command).unwrap_or_default()
    };
    let head = boards(&["HGET"]);
    let first = one.one(act("a", 3, 5)).await.unwrap();
    wait_for("all ranks are written", || ranked() == 6).await;
    // As if it had been killed after the entry was on its disk, and before the ranks.
    let _: u64 = server.ask(&["HSET", "podium:{main}:meta", "ranked_through", "5"]);
    boards(&["HSET", &head]);
    let _: u64 = server.ask(&["DEL", "podium:{main}:action:a"]);
    let record = format!("6 5 5 4 {}test", "\u{3}".repeat(16));
    let _: String = server.ask(&["SET", "podium:{main}:action:a", &record]);
    let _: u64 = server.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    wait_for("the ranks are written again", || ranked() == 6).await;
    agree(&[&one, &other]).await;
    for node in [&one, &other] {
        assert_eq!(node.one(act("a", 3, 5)).await, Ok(again(first)));
    }
}

#[tokio::test]
async fn a_store_closes_while_others_go_on_writing() {
    let server = Server::new();
    let (one, other) = two_nodes(&server).await;
    let stop = AtomicBool::new(false);
    let closing = async {
        one.one(act("last", 1, 1)).await.unwrap();
        tokio::time::timeout(DEADLINE, one.store.close())
            .await
            .unwrap();
        stop.store(true, Ordering::Relaxed);
    };
    let (_, ()) = futures_util::join!(keep_sending(&other, "b", &stop), closing);
    assert!(other.one(act("last", 1, 1)).await.unwrap().duplicate);
}
