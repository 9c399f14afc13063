//! The store in Redis: the suite, and what only a server can suffer.

use std::{num::NonZeroU64, time::Duration};

use podium::{
    board::{BoardId, Direction, Operator, Order, Rules, Score, Settings},
    store::{
        self, Action, ActionId, AllNodes, Command, Connected, Receipt, StoreError, StoreUrl,
        redis::Retention,
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    files::Files,
    server::{Server, wait_for},
    store_suite,
    suite::{Fixture, Running, act, again, declared, named, points, put, user},
};

/// Opens the board at an address.
pub async fn open_at(url: &str, rules: Rules) -> Result<Running, StoreError> {
    open_keeping(url, rules, Retention::default()).await
}

pub async fn open_keeping(
    url: &str,
    rules: Rules,
    retention: Retention,
) -> Result<Running, StoreError> {
    let mut url: StoreUrl = url.parse().unwrap();
    if let StoreUrl::Redis(servers) = &mut url {
        servers.retention = retention;
    }
    let (opened, ready) = store::open(&url, &Settings::main(rules)).await?;
    Running::start(opened, ready)
}

impl Fixture for Server {
    fn new() -> Server {
        Server::new()
    }

    async fn open(&self, rules: Rules) -> Running {
        open_at(&self.url(), rules).await.unwrap()
    }
}

store_suite!(Server);

/// Waits until all of these hold the same board, which is open.
pub async fn agree(nodes: &[&Running]) {
    wait_for("all nodes agree", || {
        let state = |node: &Running| {
            let open = *node.store.health().borrow() == store::Health::Open;
            let follower = &node.follower;
            open.then(|| (follower.epoch(), follower.seq(), follower.rows()))
        };
        let first = state(nodes[0]);
        first.is_some() && nodes.iter().all(|node| state(node) == first)
    })
    .await;
}

#[tokio::test]
async fn every_node_answers_a_duplicate_alike() {
    let server = Server::new();
    let one = server.open(Rules::default()).await;
    let other = server.open(Rules::default()).await;
    one.store.append((1..=3).map(put).collect()).await.unwrap();
    for i in 0..50u8 {
        let action = act(&format!("a{i}"), i % 3 + 1, i64::from(i) * 7 % 11);
        // At once, while nobody has written the ranks, and by a third that comes then.
        let first = one.one(action.clone()).await.unwrap();
        assert_eq!(other.one(action.clone()).await, Ok(again(first)));
        if i % 10 == 0 {
            let third = server.open(Rules::default()).await;
            assert_eq!(third.one(action.clone()).await, Ok(again(first)));
            third.store.close().await;
        }
        assert_eq!(one.one(action).await, Ok(again(first)));
    }
    agree(&[&one, &other]).await;
}

#[tokio::test]
async fn what_one_node_accepted_is_on_all_boards() {
    let server = Server::new();
    let one = server.open(Rules::default()).await;
    let other = server.open(Rules::default()).await;
    one.one(put(1)).await.unwrap();
    // A sender that is answered finds it on the board of the node that answered.
    let same = other.one(put(1)).await.unwrap();
    assert!(same.duplicate);
    assert_eq!(other.follower.rows(), [("user 1".to_owned(), 0, 1)]);
    one.one(act("a", 1, 5)).await.unwrap();
    agree(&[&one, &other]).await;
    let history = other.history(1, 9).await;
    assert_eq!(points(&history), [(2, 5, Some(1))]);
}

#[tokio::test]
async fn many_senders_at_two_nodes_make_one_board() {
    let server = Server::new();
    let one = server.open(Rules::default()).await;
    let other = server.open(Rules::default()).await;
    one.store.append((0..20).map(put).collect()).await.unwrap();
    let senders = (0..20u8).map(|n| {
        let node = if n % 2 == 0 { &one } else { &other };
        async move {
            for i in 0..40 {
                // All reach the same scores, and each action is sent to both nodes.
                let action = act(&format!("{}-{i}", n / 2), n / 2, 1);
                let receipt = node.one(action).await.unwrap();
                assert!(node.follower.seq() >= receipt.seq);
            }
        }
    });
    futures_util::future::join_all(senders).await;
    agree(&[&one, &other]).await;
    let rows = one.follower.rows();
    assert!(rows[..10].iter().all(|row| row.1 == 40), "{rows:?}");
    assert_eq!(one.follower.seq(), 20 + 10 * 40);
    // The first user at 40 has the first rank.
    let mut order = Vec::new();
    for entry in one.follower.entries() {
        if let podium::board::Fact::Action(action) = entry.fact
            && action.scores.score == Score::new(40).unwrap()
        {
            order.push(format!("user {}", action.user.0[0]));
        }
    }
    let stand: Vec<_> = rows[..10].iter().map(|row| row.0.clone()).collect();
    assert_eq!(stand, order);
}

/// Anything that may be asked, of few users and few ids, so that they meet.
fn random_command(random: &mut StdRng) -> Command {
    let n = random.random_range(0..6u8);
    let extremes = [
        0,
        1,
        -1,
        Score::MAX.points(),
        Score::MIN.points(),
        Score::MAX.points() + 1,
        2 * Score::MAX.points(),
        2 * Score::MAX.points() - 1,
        2 * Score::MIN.points(),
        2 * Score::MIN.points() + 1,
        2 * Score::MAX.points() + 1,
        i64::MAX,
        i64::MIN,
    ];
    let increase = match random.random_range(0..4) {
        0 => extremes[random.random_range(0..extremes.len())],
        _ => random.random_range(-20..20),
    };
    let id = format!("id {}", random.random_range(0..400));
    match random.random_range(0..20) {
        0 => put(n),
        1 => named(n, &format!("name\n\0 \"{}\"", random.random_range(0..3))),
        2 => Command::DeleteUser(user(n)),
        3 => declared("quiz", &id, n, 0, 30),
        _ => Command::Act(Action {
            id: ActionId::new(&id).unwrap(),
            board: BoardId::default(),
            user: user(n),
            action_type: format!("type {}", n / 3).into(),
            increase,
            tiebreak_increase: 0,
            declared: None,
        }),
    }
}

/// The other store says what is right.
#[tokio::test]
async fn everything_is_decided_as_sqlite_does() {
    for (seed, operator, direction) in [
        (1, Operator::Sum, Direction::HighestFirst),
        (2, Operator::Best, Direction::HighestFirst),
        (3, Operator::Best, Direction::LowestFirst),
        (4, Operator::Latest, Direction::LowestFirst),
    ] {
        let rules = Rules {
            operator,
            order: Order {
                direction,
                ..Order::default()
            },
            ..Rules::default()
        };
        let (file, server) = (Files::new(), Server::new());
        let (mut right, mut redis) = (file.open(rules).await, server.open(rules).await);
        let mut random = StdRng::seed_from_u64(seed);
        for round in 0..120 {
            let count = random.random_range(1..12);
            let commands: Vec<_> = (0..count).map(|_| random_command(&mut random)).collect();
            let wanted = right.store.append(commands.clone()).await.unwrap();
            let found = redis.store.append(commands.clone()).await.unwrap();
            for ((command, wanted), found) in commands.iter().zip(wanted).zip(found) {
                assert_eq!(found, wanted, "{operator:?}, round {round}: {command:?}");
            }
            assert_eq!(
                redis.follower.rows(),
                right.follower.rows(),
                "{operator:?}, round {round}"
            );
            if random.random_ratio(1, 10) {
                redis.store.close().await;
                redis = server.open(rules).await;
                right.store.close().await;
                right = file.open(rules).await;
                assert_eq!(redis.follower.rows(), right.follower.rows());
            }
        }
        for n in 0..6 {
            let wanted = right
                .store
                .history(BoardId::default(), user(n), 1000)
                .await
                .unwrap();
            let found = redis
                .store
                .history(BoardId::default(), user(n), 1000)
                .await
                .unwrap();
            let shape = |history: podium::store::History| {
                let recent = history.recent.iter();
                let recent: Vec<_> = recent
                    .map(|action| (action.action_type.clone(), action.increase))
                    .collect();
                (points(&history), recent, history.actions, history.best)
            };
            assert_eq!(found.map(shape), wanted.map(shape), "user {n}");
        }
    }
}

#[tokio::test]
async fn a_node_that_ends_early_leaves_ranks_for_others_to_find() {
    let server = Server::new();
    let url = server.url();
    let started = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let answers: Vec<(Command, Receipt)> = runtime.block_on(async {
            let node = open_at(&url, Rules::default()).await.unwrap();
            node.store.append((1..=3).map(put).collect()).await.unwrap();
            let mut answers = Vec::new();
            for i in 0..30u8 {
                let action = act(&format!("a{i}"), i % 3 + 1, i64::from(i) * 7 % 11 - 2);
                answers.push((action.clone(), node.one(action).await.unwrap()));
            }
            std::mem::forget(node);
            answers
        });
        // Nothing that it does goes on.
        runtime.shutdown_background();
        answers
    });
    let answers = started.join().unwrap();
    let ranked: u64 = server.ask(&["HGET", "podium:{main}:meta", "ranked_through"]);
    assert!(ranked < 34, "some ranks are still to be written");
    let node = server.open(Rules::default()).await;
    for (action, answer) in &answers {
        assert_eq!(node.one(action.clone()).await, Ok(again(*answer)));
    }
    node.store.close().await;
    let ranked: u64 = server.ask(&["HGET", "podium:{main}:meta", "ranked_through"]);
    assert_eq!(ranked, 34);
    // By now they are remembered.
    let node = server.open(Rules::default()).await;
    for (action, answer) in answers {
        assert_eq!(node.one(action).await, Ok(again(answer)));
    }
}

#[tokio::test]
async fn ranks_are_written_though_nobody_acts() {
    let server = Server::new();
    let node = server.open(Rules::default()).await;
    node.one(put(1)).await.unwrap();
    node.one(act("a", 1, 1)).await.unwrap();
    wait_for("ranks are written", || {
        server.ask::<u64>(&["HGET", "podium:{main}:meta", "ranked_through"]) == 2
    })
    .await;
}

#[tokio::test]
async fn what_is_retained_is_bounded() {
    let server = Server::new();
    let keep = |n| NonZeroU64::new(n).unwrap();
    let retention = Retention {
        actions: Duration::from_secs(90),
        entries: keep(500),
        history: keep(100),
    };
    let node = open_keeping(&server.url(), Rules::default(), retention)
        .await
        .unwrap();
    node.one(put(1)).await.unwrap();
    let actions: Vec<_> = (0..3000).map(|i| act(&format!("a{i}"), 1, 1)).collect();
    for batch in actions.chunks(100) {
        node.store.append(batch.to_vec()).await.unwrap();
    }
    node.one(declared("quiz", "limited", 1, 0, 9))
        .await
        .unwrap();
    let history = node.history(1, 1000).await;
    assert_eq!(history.actions, 3001);
    assert!(history.points.len() < 300, "{}", history.points.len());
    assert_eq!(points(&history)[0], (2, 1, Some(1)));
    assert_eq!(points(&history).last(), Some(&(3002, 3001, Some(1))));
    assert_eq!(history.recent.len(), 20);
    let newest: Vec<_> = history
        .recent
        .iter()
        .map(|a| a.after.seq.expect("known").get())
        .collect();
    assert_eq!(newest, (2983..=3002).rev().collect::<Vec<_>>());

    let entries: u64 = server.ask(&["XLEN", "podium:{main}:log"]);
    assert!((500..800).contains(&entries), "{entries}");
    let remembered: i64 = server.ask(&["PTTL", "podium:{main}:action:a2999"]);
    assert!((60_000..=90_000).contains(&remembered), "{remembered}");
    let keys: Vec<Vec<u8>> = server.ask(&["KEYS", "podium:{main}:limited:*"]);
    assert_eq!(keys.len(), 1);
    // It is loaded from what is retained.
    node.store.close().await;
    let again = server.open(Rules::default()).await;
    assert_eq!(again.follower.rows(), [("user 1".to_owned(), 3001, 1)]);
    assert_eq!(again.one(put(2)).await.unwrap().seq, 3003);
}

#[tokio::test]
async fn what_a_later_version_wrote_is_left_alone() {
    let server = Server::new();
    server.open(Rules::default()).await.store.close().await;
    server.ask::<()>(&["HSET", "podium:{main}:meta", "schema", "999"]);
    let Err(error) = open_at(&server.url(), Rules::default()).await else {
        panic!("opened schema 999");
    };
    assert!(
        error.to_string().contains("use the newer version"),
        "{error}"
    );
}

/// Nodes may have clocks apart: what is written down is said by the clock of Redis.
#[test]
fn nothing_depends_on_the_clock_of_a_node() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/redis");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert!(files.len() > 5);
    for file in files {
        let path = file.unwrap().path();
        if path.is_file() {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(
                !text.contains("SystemTime") && !text.contains("clock::"),
                "{path:?}"
            );
        }
    }
}

#[tokio::test]
async fn nodes_know_how_many_are_connected_to_all() {
    let server = Server::new();
    let one = server.open(Rules::default()).await;
    let other = server.open(Rules::default()).await;
    let here = |sockets, users| Connected { sockets, users };
    let all = |nodes, sockets, users| AllNodes {
        nodes,
        all: here(sockets, users),
    };
    let total = one.store.presence(here(5, 3)).await.unwrap();
    assert_eq!(total, all(1, 5, 3));
    let total = other.store.presence(here(7, 7)).await.unwrap();
    assert_eq!(total, all(2, 12, 10));
    let total = one.store.presence(here(0, 0)).await.unwrap();
    assert_eq!(total, all(2, 7, 7));
    // What a node reported long ago, before it died, is neither counted nor stored.
    let _: u64 = server.ask(&["HSET", "podium:{main}:nodes", "died", "1000 9 9"]);
    let total = one.store.presence(here(1, 1)).await.unwrap();
    assert_eq!(total, all(2, 8, 8));
    assert_eq!(server.ask::<u64>(&["HLEN", "podium:{main}:nodes"]), 2);
}
