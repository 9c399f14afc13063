//! Redis may evict keys, as its settings say, or somebody deletes or overwrites one: no
//! action counts twice for that, and no score is shown for long that nobody earned.

use std::{collections::HashSet, num::NonZeroU64, time::Instant};

use podium::{
    board::Rules,
    store::{Health, StoreError, redis::Retention},
};

use crate::{
    redis::{agree, open_keeping},
    redis_faults::{adopt, is_open, is_unwritable},
    server::{DEADLINE, Server, wait_for},
    suite::{Fixture, Running, act, put},
};

const LOG: &str = "podium:{main}:log";

fn config(server: &Server, name: &str, value: &str) {
    server.ask::<()>(&["CONFIG", "SET", name, value]);
}

/// Ids of all actions on the log, in its order.
fn ids(server: &Server) -> Vec<String> {
    let ids = "local ids = {}
        for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
            local kind
            for field = 1, #entry[2], 2 do
                if entry[2][field] == 'kind' then kind = entry[2][field + 1] end
                if entry[2][field] == 'id' and kind == 'action' then
                    ids[#ids + 1] = entry[2][field + 1]
                end
            end
        end
        return ids";
    server.ask(&["EVAL", ids, "1", LOG])
}

async fn waits_until_unwritable(node: &Running, words: &str) -> String {
    let mut health = node.store.health();
    let is_it = |health: &Health| matches!(health, Health::Unwritable(why) if why.contains(words));
    let health = tokio::time::timeout(DEADLINE, health.wait_for(is_it)).await;
    match &*health.expect(words).unwrap() {
        Health::Unwritable(why) => why.to_string(),
        _ => unreachable!(),
    }
}

async fn expect_refused(node: &Running, id: &str, words: &str) {
    let refused = node.store.append(vec![act(id, 1, 1)]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unwritable(_)), "{refused}");
    assert!(refused.to_string().contains(words), "{refused}");
}

#[tokio::test]
async fn nothing_is_written_while_keys_may_be_evicted() {
    for (policy, mended) in [
        ("allkeys-lru", ("maxmemory-policy", "noeviction")),
        ("volatile-ttl", ("maxmemory", "0")),
    ] {
        let server = Server::new();
        let node = server.open(Rules::default()).await;
        node.store
            .append(vec![put(1), act("a", 1, 5)])
            .await
            .unwrap();
        config(&server, "maxmemory-policy", policy);
        // Nothing is evicted where there is no limit.
        node.one(act("b", 1, 5)).await.unwrap();
        config(&server, "maxmemory", "1gb");
        let words = format!("maxmemory-policy {policy}");
        let why = waits_until_unwritable(&node, &words).await;
        assert!(why.contains("set maxmemory-policy noeviction"), "{why}");
        // A node that starts shows the board, and does not write either.
        let late = server.open(Rules::default()).await;
        for node in [&node, &late] {
            expect_refused(node, "c", &words).await;
            assert_eq!(node.follower.rows(), [("user 1".to_owned(), 10, 1)]);
            assert_eq!(node.history(1, 9).await.actions, 2);
        }
        assert_eq!(ids(&server), ["a", "b"]);
        // It can be closed.
        tokio::time::timeout(DEADLINE, late.store.close())
            .await
            .unwrap();
        config(&server, mended.0, mended.1);
        is_open(&node).await;
        assert_eq!(node.one(act("c", 1, 1)).await.unwrap().seq, 4);
        assert!(node.one(act("a", 1, 5)).await.unwrap().duplicate);
    }
}

/// Whatever else is in the same Redis may have been evicted.
#[tokio::test]
async fn after_evictions_a_board_that_is_whole_goes_on() {
    let server = Server::new();
    let node = server.open(Rules::default()).await;
    node.one(put(1)).await.unwrap();
    for key in 0..100 {
        // The only ones that expire.
        let key = format!("theirs {key}");
        server.ask::<()>(&["SET", &key, &"x".repeat(4000), "EX", "300"]);
    }
    config(&server, "maxmemory-policy", "volatile-ttl");
    evict(&server, 20);
    waits_until_unwritable(&node, "maxmemory-policy").await;
    config(&server, "maxmemory", "0");
    is_open(&node).await;
    for batch in 0..20 {
        let batch = (0..100).map(|i| act(&format!("{batch} {i}"), 1, 1));
        node.store.append(batch.collect()).await.unwrap();
    }
    // One that starts looks at all of it first.
    let late = server.open(Rules::default()).await;
    agree(&[&node, &late]).await;
    assert!(late.one(act("19 99", 1, 1)).await.unwrap().duplicate);
}

/// Lowers `maxmemory` until so many keys are gone.
fn evict(server: &Server, least: u64) {
    let field = |section: &str, name: &str| -> u64 {
        let info: String = server.ask(&["INFO", section]);
        let value = info.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap().trim().parse().unwrap()
    };
    let until = Instant::now() + DEADLINE;
    let mut limit = field("memory", "used_memory:");
    while field("stats", "evicted_keys:") < least {
        assert!(Instant::now() < until, "nothing is evicted");
        config(server, "maxmemory", &limit.to_string());
        // Any command that could need memory has it look for some.
        _ = server.try_ask::<()>(&["SET", "any", "x"]);
        limit -= 1000;
    }
}

#[tokio::test]
async fn no_action_counts_twice_while_ids_are_evicted() {
    for policy in ["volatile-random", "allkeys-random"] {
        let server = Server::new();
        let node = server.open(Rules::default()).await;
        node.one(put(1)).await.unwrap();
        let actions: Vec<_> = (0..3000).map(|i| act(&format!("a{i}"), 1, 1)).collect();
        for batch in actions.chunks(500) {
            node.store.append(batch.to_vec()).await.unwrap();
        }
        config(&server, "maxmemory-policy", policy);
        evict(&server, 50);
        config(&server, "maxmemory", "0");
        // At once, and whatever the node has found out meanwhile.
        for action in &actions {
            if node.store.append(vec![action.clone()]).await.is_err() {
                break;
            }
        }
        if server.ask::<String>(&["TYPE", LOG]) == "stream" {
            let ids = ids(&server);
            let unique: HashSet<_> = ids.iter().collect();
            assert_eq!(unique.len(), ids.len(), "{policy}");
        }
        assert_eq!(node.follower.rows()[0].1, 3000, "{policy}");
        let why = waits_until_unwritable(&node, "podium adopt").await;
        assert!(why.contains("in Redis"), "{why}");
    }
}

#[tokio::test]
async fn an_action_whose_id_is_gone_does_not_count_again() {
    let server = Server::new();
    let retention = Retention {
        entries: NonZeroU64::new(1000).unwrap(),
        ..Retention::default()
    };
    let open = async || {
        open_keeping(&server.url(), Rules::default(), retention)
            .await
            .unwrap()
    };
    // The newest, and one that has left the log.
    for id in ["29 99", "19 0"] {
        server.ask::<()>(&["FLUSHALL"]);
        let (node, other) = (open().await, open().await);
        node.store.append(vec![put(1), put(2)]).await.unwrap();
        for batch in 0..30 {
            let batch = (0..100).map(|i| act(&format!("{batch} {i}"), 1, 1));
            node.store.append(batch.collect()).await.unwrap();
        }
        agree(&[&node, &other]).await;
        assert_eq!(
            server.ask::<u64>(&["DEL", &format!("podium:{{main}}:action:{id}")]),
            1
        );
        let refused = other.store.append(vec![act(id, 1, 1)]).await.unwrap_err();
        assert!(
            refused
                .to_string()
                .contains(&format!("action:{id} is missing")),
            "{refused}"
        );
        assert_eq!(other.follower.rows()[0].1, 3000);
        is_unwritable(&node).await;
        // The operator knows that it counts again then.
        adopt(&server.url()).await;
        agree(&[&node, &other]).await;
        assert!(!other.one(act(id, 2, 0)).await.unwrap().duplicate);
        node.store.close().await;
        other.store.close().await;
    }
}

#[tokio::test]
async fn the_index_of_action_ids_is_bounded_and_counted() {
    let server = Server::new();
    let retention = Retention {
        entries: NonZeroU64::new(100).unwrap(),
        ..Retention::default()
    };
    let node = open_keeping(&server.url(), Rules::default(), retention)
        .await
        .unwrap();
    node.one(put(1)).await.unwrap();
    let mut known = 0;
    for batch in 0..50 {
        let batch = (0..10).map(|i| act(&format!("{batch} {i}"), 1, 1));
        node.store.append(batch.collect()).await.unwrap();
        let size = |key: &str| server.ask::<u64>(&["HLEN", &format!("podium:{{main}}:{key}")]);
        known = size("ids:1") + size("ids:2");
        assert!(known <= 200, "{known}");
    }
    assert!(known > 100, "{known}");
    server.ask::<u64>(&["HDEL", "podium:{main}:ids:1", "48 0"]);
    server.ask::<u64>(&["HDEL", "podium:{main}:ids:2", "48 0"]);
    expect_refused(&node, "more", "podium:{main}:ids:").await;
}

/// What is read of a user's record: score, and the entry by which it was reached.
fn record(server: &Server, n: u8) -> [String; 4] {
    let id = char::from(n).to_string().repeat(16);
    let record: String = server.ask(&["HGET", "podium:{main}:users", &id]);
    let words: Vec<_> = record.splitn(4, ' ').map(str::to_owned).collect();
    words.try_into().unwrap()
}

fn overwrite(server: &Server, n: u8, score: &str, reached: &str) {
    let [_, _, best, profile] = record(server, n);
    let id = char::from(n).to_string().repeat(16);
    let text = format!("{score} {reached} {best} {profile}");
    assert_eq!(
        server.ask::<u64>(&["HSET", "podium:{main}:users", &id, &text]),
        0
    );
}

#[tokio::test]
async fn a_score_that_contradicts_the_log_is_found() {
    const WORDS: &str = "is not the one of the log";
    // Another score; that of an older copy; one that is still to come.
    for (score, reached) in [("700", "6"), ("5", "4"), ("8", "90")] {
        let server = Server::new();
        let node = server.open(Rules::default()).await;
        let facts = vec![
            put(1),
            put(2),
            put(3),
            act("a", 1, 5),
            act("b", 2, 4),
            act("c", 1, 3),
        ];
        node.store.append(facts).await.unwrap();
        overwrite(&server, 1, score, reached);
        waits_until_unwritable(&node, WORDS).await;
        assert_eq!(node.follower.rows()[0], ("user 1".to_owned(), 8, 1));
        // A user without actions has the standing of the registration.
        adopt(&server.url()).await;
        is_open(&node).await;
    }
    for n in [3, 4] {
        let server = Server::new();
        let node = server.open(Rules::default()).await;
        node.store.append((1..=4).map(put).collect()).await.unwrap();
        overwrite(&server, n, "900", &n.to_string());
        if n == 4 {
            // Though somebody builds on it.
            _ = node.store.append(vec![act("a", n, 1)]).await;
        }
        waits_until_unwritable(&node, WORDS).await;
    }
}

/// All that may happen to a user leaves a record that the log says.
#[tokio::test]
async fn scores_that_agree_with_the_log_pass_under_every_rule() {
    use podium::board::{Direction, Operator};
    for (operator, direction) in [
        (Operator::Sum, Direction::HighestFirst),
        (Operator::Best, Direction::HighestFirst),
        (Operator::Best, Direction::LowestFirst),
        (Operator::Latest, Direction::LowestFirst),
    ] {
        let rules = Rules {
            operator,
            order: podium::board::Order {
                direction,
                ..podium::board::Order::default()
            },
            ..Rules::default()
        };
        let server = Server::new();
        let node = server.open(rules).await;
        let delete = || podium::store::Command::DeleteUser(crate::suite::user(2));
        let mut facts = vec![put(1), put(2)];
        for (i, points) in [3, 3, 0, 7, -2, 0].into_iter().enumerate() {
            for n in [1, 2] {
                facts.push(act(&format!("{n} {i}"), n, points));
            }
        }
        facts.extend([
            delete(),
            put(2),
            crate::suite::named(1, "Ada"),
            act("c", 2, 4),
            delete(),
            put(2),
        ]);
        node.store.append(facts).await.unwrap();
        // It reads, and looks at all now and then when it has read.
        let reads = || -> u64 {
            let stats: String = server.ask(&["INFO", "commandstats"]);
            let mut lines = stats.lines();
            let calls = lines.find_map(|line| line.strip_prefix("cmdstat_xread:calls="));
            calls.unwrap().split(',').next().unwrap().parse().unwrap()
        };
        let first = reads();
        wait_for("it has looked at all", || reads() > first + 5).await;
        assert_eq!(*node.store.health().borrow(), Health::Open);
    }
}
