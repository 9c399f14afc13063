//! Many boards in Redis: by several nodes, over time, and as a program with one board left them.

use podium::{
    board::{GroupId, Rules},
    store::{Action, ActionId, Command},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    files::Files,
    redis::agree,
    server::{Server, wait_for},
    suite::{
        Fixture, Running, act, act_on, group, id, named, points, put, put_board, put_team, user,
    },
};

const DAY: u64 = 86_400_000;
const DAILY: &str = r#"{"of": "main", "period": {"every": "day"}}"#;

impl Server {
    /// Runs commands, whose words are bytes.
    fn run(&self, commands: &[Vec<Vec<u8>>]) {
        let mut pipe = redis::pipe();
        for words in commands {
            let (name, words) = words.split_first().unwrap();
            let command = pipe.cmd(std::str::from_utf8(name).unwrap());
            for word in words {
                command.arg(&word[..]);
            }
        }
        let client = redis::Client::open(self.url()).unwrap();
        pipe.exec(&mut client.get_connection().unwrap()).unwrap();
    }

    /// Moves all that is on the log into the past, and when seasons end. No node may run.
    fn age(&self, millis: u64) {
        let earlier = |text: &[u8]| {
            let at: u64 = std::str::from_utf8(text).unwrap().parse().unwrap();
            (at - millis).to_string().into_bytes()
        };
        type Entries = Vec<(Vec<u8>, Vec<Vec<u8>>)>;
        let key = |name: &str| format!("podium:{{main}}:{name}");
        let log: Entries = self.ask(&["XRANGE", &key("log"), "-", "+"]);
        let mut commands = vec![vec![b"DEL".to_vec(), key("log").into_bytes()]];
        for (number, mut fields) in log {
            let at = fields.iter().position(|field| field == b"at").unwrap() + 1;
            fields[at] = earlier(&fields[at]);
            let mut words = vec![b"XADD".to_vec(), key("log").into_bytes(), number];
            words.extend(fields);
            commands.push(words);
        }
        for field in ["at", "began"] {
            let at: Vec<u8> = self.ask(&["HGET", &key("meta"), field]);
            let words = [b"HSET".to_vec(), key("meta").into_bytes(), field.into()];
            commands.push([&words[..], &[earlier(&at)]].concat());
        }
        let histories: Vec<Vec<u8>> = self.ask(&["KEYS", &key("histor*")]);
        for history in histories {
            let mut connection = redis::Client::open(self.url()).unwrap();
            let points: Vec<Vec<u8>> = redis::cmd("LRANGE")
                .arg(&history)
                .arg(&["0", "-1"])
                .query(&mut connection)
                .unwrap();
            commands.push(vec![b"DEL".to_vec(), history.clone()]);
            let mut words = vec![b"RPUSH".to_vec(), history];
            words.extend(points.into_iter().map(|point| {
                let mut parts: Vec<Vec<u8>> = point
                    .split(|byte| *byte == b' ')
                    .map(<[u8]>::to_vec)
                    .collect();
                parts[2] = earlier(&parts[2]);
                parts.join(&b' ')
            }));
            commands.push(words);
        }
        let seasons: Vec<(String, String)> = self.ask(&["HGETALL", &key("seasons")]);
        for (board, season) in seasons {
            let (number, ends) = season.split_once(' ').unwrap();
            let ends = String::from_utf8(earlier(ends.as_bytes())).unwrap();
            let head: String = self.ask(&["HGET", &key("boards"), &board]);
            let mut head: serde_json::Value = serde_json::from_str(&head).unwrap();
            head["season"][1] = ends.parse::<u64>().unwrap().into();
            for (hash, value) in [
                ("seasons", format!("{number} {ends}")),
                ("boards", head.to_string()),
            ] {
                let words = ["HSET", &key(hash), &board, &value];
                commands.push(words.map(|word| word.as_bytes().to_vec()).into());
            }
        }
        self.run(&commands);
    }
}

/// All boards in the order of their names, with all that is on them.
fn all_boards(node: &Running) -> Vec<String> {
    node.follower.read(|state| {
        let mut boards: Vec<String> = state
            .boards()
            .map(|board| {
                let view = state.view(board.id()).unwrap();
                let rows: Vec<_> = view
                    .rows(0..usize::MAX)
                    .map(|row| (row.profile.username.clone(), row.scores, row.rank))
                    .collect();
                format!(
                    "{} {:?} {} {:?}",
                    board.id(),
                    board.settings(),
                    board.seq(),
                    rows
                )
            })
            .collect();
        boards.sort();
        boards
    })
}

/// Waits until all of these have folded as much, and compares them.
async fn agree_on_all(nodes: &[&Running], context: &str) {
    wait_for("all nodes have folded the same", || {
        let seq = |node: &Running| node.follower.read(|state| state.seq());
        nodes.iter().all(|node| seq(node) == seq(nodes[0]))
    })
    .await;
    for node in nodes {
        assert_eq!(all_boards(node), all_boards(nodes[0]), "{context}");
    }
}

#[tokio::test]
async fn what_had_one_board_goes_on_as_main() {
    let server = Server::new();
    let dump = include_str!("../data/store/redis-schema-1.jsonl");
    let commands = dump.lines().map(|line| {
        let words: Vec<String> = serde_json::from_str(line).unwrap();
        // Each character is a byte.
        let bytes = |word: String| word.chars().map(|byte| byte as u8).collect();
        words.into_iter().map(bytes).collect()
    });
    server.run(&commands.collect::<Vec<_>>());
    // Whichever of two nodes comes first.
    let (one, other) =
        futures_util::join!(server.open(Rules::default()), server.open(Rules::default()));
    for node in [&one, &other] {
        assert_eq!(node.epoch.to_string(), "47892c196c9cf4e0");
        let rows = [
            ("user 3 again", 21, 1),
            ("Zoë", 10, 2),
            ("Ken", 0, 3),
            ("user 2", -12, 4),
        ];
        let rows = rows.map(|(name, score, rank)| (name.to_owned(), score, rank));
        assert_eq!(node.follower.rows(), rows);
        // One more fact than were answered: it says what `main` is.
        assert_eq!(node.follower.seq(), 17);
    }
    agree(&[&one, &other]).await;
    // As they were answered then; the rank of the last was not written.
    for (name, n, increase, seq, rank, old_rank) in [
        ("a", 1, 5, 4, 1, 1),
        ("b", 2, 8, 5, 1, 2),
        ("c", 3, 2, 6, 3, 3),
        ("d", 3, 1, 10, 3, 3),
        ("e", 1, 4, 11, 1, 2),
        ("f", 2, -20, 12, 3, 2),
        ("g", 1, 1, 13, 1, 1),
        ("h", 3, 20, 16, 1, 2),
    ] {
        let again = other.one(act(name, n, increase)).await.unwrap();
        let ranks = (again.seq, again.rank, again.old_rank);
        assert_eq!(ranks, (seq, Some(rank), Some(old_rank)), "{name}");
        assert!(again.duplicate);
    }
    let history = one.history(1, 9).await;
    assert_eq!(
        points(&history),
        [(4, 5, Some(1)), (11, 9, Some(1)), (13, 10, Some(1))]
    );
    assert_eq!(
        points(&one.history(3, 9).await),
        [(10, 1, Some(3)), (16, 21, Some(1))]
    );
    assert_eq!(one.one(act("i", 2, 1)).await.unwrap().seq, 18);
    one.one(put_board("goals", r#"{"of": "main"}"#))
        .await
        .unwrap();
    let rows = |node: &Running| node.follower.rows_of("goals");
    assert_eq!(rows(&one)[0], ("user 3 again".to_owned(), 21, 1));
    agree_on_all(&[&one, &other], "afterwards").await;
    // What a released program asks first.
    let claimed: String = server.ask(&["HGET", "podium:{main}:meta", "migrating"]);
    assert_eq!(claimed, "a later version");
}

/// Anything that may be asked about few people and few boards, so that they meet.
fn random_command(random: &mut StdRng) -> Command {
    let n = random.random_range(1..6u8);
    let fed = ["main", "other", "third"][random.random_range(0..3)];
    let json = match random.random_range(0..4) {
        0 => "{}",
        1 => r#"{"operator": "best", "tiebreak": {"direction": "lowest"}}"#,
        2 => r#"{"operator": "latest", "direction": "lowest"}"#,
        _ => r#"{"operator": "count", "title": "Counted"}"#,
    };
    let derived = ["goals", "teams", "weekly", "juniors"];
    let derived = derived[random.random_range(0..4)];
    let of = format!(
        r#"{{"of": "{fed}", {}}}"#,
        match random.random_range(0..5) {
            0 => r#""types": ["goal"]"#,
            1 => r#""by": "team", "best": 2"#,
            2 => r#""period": {"every": "week"}"#,
            3 => r#""group": "U18", "everyone": true"#,
            _ => r#""everyone": true"#,
        }
    );
    match random.random_range(0..40) {
        0 | 1 => put(n),
        2 => named(n, &format!("name {}", random.random_range(0..3))),
        3 => Command::DeleteUser(user(n)),
        4 => put_team(n % 2),
        5 | 6 => group(n, Some(n % 2), &["U18"]),
        7 => Command::GroupUser {
            user: user(n),
            team: None,
            groups: Some([GroupId("U18".into())][..usize::from(n % 2)].into()),
        },
        8 => Command::GroupUser {
            user: user(n),
            team: Some(None),
            groups: None,
        },
        9 | 10 => Command::HideUser {
            user: user(n),
            hidden: random.random(),
            reason: None,
        },
        11 => put_board(fed, json),
        12 => Command::DeleteBoard(id(fed)),
        13 | 14 => put_board(derived, &of),
        15 => Command::DeleteBoard(id(derived)),
        16 => act_on(derived, "to a derived one", n, 1, 0),
        _ => Command::Act(Action {
            id: ActionId::new(&format!("id {}", random.random_range(0..2000))).unwrap(),
            board: id(fed),
            user: user(n),
            action_type: ["goal", "test"][random.random_range(0..2)].into(),
            increase: random.random_range(-9..20),
            tiebreak_increase: random.random_range(0..3),
            declared: None,
        }),
    }
}

/// The other store says what is right, whichever node is asked, and whoever starts anew.
#[tokio::test]
async fn boards_are_decided_as_sqlite_does() {
    for seed in 0..6 {
        let (file, server) = (Files::new(), Server::new());
        let right = file.open(Rules::default()).await;
        let mut nodes = vec![
            server.open(Rules::default()).await,
            server.open(Rules::default()).await,
        ];
        let mut random = StdRng::seed_from_u64(seed);
        if seed % 2 == 1 {
            // People are registered before it is said how results count.
            for command in [
                put(1),
                put(2),
                put_board(
                    "main",
                    r#"{"operator": "best", "direction": "lowest", "everyone": true}"#,
                ),
                act("first", 1, 59),
            ] {
                let wanted = right.one(command.clone()).await;
                assert_eq!(nodes[0].one(command).await, wanted);
            }
        }
        for round in 0..250 {
            let count = match random.random_range(0..4) {
                0 => random.random_range(2..9),
                _ => 1,
            };
            let commands: Vec<_> = (0..count).map(|_| random_command(&mut random)).collect();
            let wanted = right.store.append(commands.clone()).await.unwrap();
            let asked = random.random_range(0..nodes.len());
            // What a node has not read yet would be another state.
            agree_on_all(&[&nodes[0], &nodes[1]], "before").await;
            let found = nodes[asked].store.append(commands.clone()).await.unwrap();
            for ((command, wanted), found) in commands.iter().zip(wanted).zip(found) {
                assert_eq!(found, wanted, "seed {seed}, round {round}: {command:?}");
            }
            let context = format!("seed {seed}, round {round}: {commands:?}");
            agree_on_all(&[&right, &nodes[0], &nodes[1]], &context).await;
            if random.random_ratio(1, 8) {
                let late = server.open(Rules::default()).await;
                agree_on_all(&[&right, &late], &format!("late, {context}")).await;
                nodes[asked].store.close().await;
                nodes[asked] = late;
            }
        }
        for board in ["main", "other", "third"] {
            let is_there = right
                .follower
                .read(|state| state.board(&id(board)).is_some());
            for n in (1..6).filter(|_| is_there) {
                let wanted = right.store.history(id(board), user(n), 1000).await.unwrap();
                for node in &nodes {
                    let found = node.store.history(id(board), user(n), 1000).await.unwrap();
                    let shape = |history: &podium::store::History| {
                        (points(history), history.actions, history.best)
                    };
                    assert_eq!(
                        found.as_ref().map(shape),
                        wanted.as_ref().map(shape),
                        "seed {seed}: user {n} on {board}"
                    );
                }
            }
        }
    }
}

/// A board that is derived while others write has missed nothing.
#[tokio::test]
async fn a_board_may_be_derived_while_others_write() {
    let server = Server::new();
    let (one, other) = (
        server.open(Rules::default()).await,
        server.open(Rules::default()).await,
    );
    for n in 0..2 {
        one.one(put_team(n)).await.unwrap();
    }
    for n in 1..=4 {
        one.one(put(n)).await.unwrap();
        one.one(group(n, Some(n % 2), &[])).await.unwrap();
    }
    one.one(put_board("first", r#"{"of": "main", "by": "team"}"#))
        .await
        .unwrap();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let is_over = &is_over;
    let write = |node, name: &'static str| async move {
        let node: &Running = node;
        for i in 0u32.. {
            if is_over.load(std::sync::atomic::Ordering::Relaxed) {
                return;
            }
            let n = (i % 4 + 1) as u8;
            node.one(act(&format!("{name} {i}"), n, i64::from(i % 7)))
                .await
                .unwrap();
            if i % 10 == 0 {
                let moved = group(n, Some((i / 10 % 2) as u8), &[]);
                node.one(moved).await.unwrap();
            }
        }
    };
    let derive = async {
        for (at, node) in [&one, &other, &one, &other].into_iter().enumerate() {
            let board = format!("copy-{at}");
            node.one(put_board(&board, r#"{"of": "main", "by": "team"}"#))
                .await
                .unwrap();
            // In whatever order their names are found.
            for (name, of) in [
                ("parent", "main"),
                ("child", "parent"),
                ("a-child", "child"),
            ] {
                let of = match of {
                    "main" => of.to_owned(),
                    of => format!("{of}-{at}"),
                };
                let json = format!(r#"{{"of": "{of}"}}"#);
                node.one(put_board(&format!("{name}-{at}"), &json))
                    .await
                    .unwrap();
            }
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    // Nodes that start while others write, and while boards are made.
    let start = async {
        let mut late = Vec::new();
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            late.push(server.open(Rules::default()).await);
        }
        late
    };
    let ((), (), (), late) =
        futures_util::join!(write(&one, "a"), write(&other, "b"), derive, start);
    for node in &late {
        agree_on_all(&[&one, node], "started meanwhile").await;
    }
    agree_on_all(&[&one, &other], "in the end").await;
    let late = server.open(Rules::default()).await;
    agree_on_all(&[&one, &late], "loaded anew").await;
    for at in 0..4 {
        let copy = late.follower.rows_of(&format!("copy-{at}"));
        assert_eq!(copy, late.follower.rows_of("first"), "copy {at}");
    }
}

/// Final standings by season.
async fn finals(node: &Running, board: &str) -> Vec<(u32, Vec<(i64, u64)>)> {
    let mut finals = Vec::new();
    for season in node.store.seasons(id(board)).await.unwrap() {
        let standings = node
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
async fn final_standings_are_read_in_parts() {
    let server = Server::new();
    let before = server.open(Rules::default()).await;
    let after = async || {
        // From what Redis has, and not from what the node remembers that has ended it.
        let node = server.open(Rules::default()).await;
        node.one(put(1)).await.unwrap();
        node.store.close().await;
        server.open(Rules::default()).await
    };
    crate::suite::final_standings_are_read_in_parts(before, || server.age(DAY), after).await;
}

#[tokio::test]
async fn seasons_end_once_whichever_node_is_first() {
    let server = Server::new();
    let node = server.open(Rules::default()).await;
    for command in [put(1), put(2), put_board("daily", DAILY), act("a", 1, 5)] {
        node.one(command).await.unwrap();
    }
    node.store.close().await;
    server.age(DAY);
    let (one, other) =
        futures_util::join!(server.open(Rules::default()), server.open(Rules::default()));
    // Both write at once what comes in the new season.
    let (b, c) = futures_util::join!(one.one(act("b", 2, 7)), other.one(act("c", 1, 1)));
    assert!(b.is_ok() && c.is_ok());
    agree_on_all(&[&one, &other], "in the second season").await;
    assert_eq!(
        one.follower.rows_of("daily"),
        [("user 2".to_owned(), 7, 1), ("user 1".to_owned(), 1, 2)]
    );
    let third = server.open(Rules::default()).await;
    for node in [&one, &other, &third] {
        node.store.close().await;
    }
    // Over three midnights, and nobody writes anything.
    server.age(3 * DAY);
    let (one, other) =
        futures_util::join!(server.open(Rules::default()), server.open(Rules::default()));
    for node in [&one, &other] {
        wait_for("it has ended", || {
            let season = |state: &podium::board::State| state.board(&id("daily")).unwrap().season();
            node.follower.read(season).unwrap().number == 5
        })
        .await;
    }
    agree_on_all(&[&one, &other], "in the fifth season").await;
    one.one(act("d", 2, 2)).await.unwrap();
    let expected = [
        (1, vec![(5, 1)]),
        (2, vec![(7, 1), (1, 2)]),
        (3, vec![]),
        (4, vec![]),
    ];
    wait_for("the ranks are written", || {
        let [seq, ranked]: [u64; 2] =
            server.ask(&["HMGET", "podium:{main}:meta", "seq", "ranked_through"]);
        seq == ranked
    })
    .await;
    assert_eq!(finals(&other, "daily").await, expected);
    // Made now, it has had the same seasons.
    other.one(put_board("again", DAILY)).await.unwrap();
    assert_eq!(finals(&one, "again").await, expected);
    agree_on_all(&[&one, &other], "with another").await;
    let late = server.open(Rules::default()).await;
    agree_on_all(&[&one, &late], "loaded anew").await;
    assert_eq!(
        late.follower.rows_of("again"),
        [("user 2".to_owned(), 2, 1)]
    );
    let ends = one
        .follower
        .entries()
        .into_iter()
        .filter(|entry| matches!(entry.fact, podium::board::Fact::SeasonEnded { .. }));
    assert_eq!(ends.count(), 3);
}

/// All boards go from a file to Redis and back, with what has ended.
#[tokio::test]
async fn all_boards_may_be_moved() {
    let (server, files) = (Server::new(), Files::new());
    let node = server.open(Rules::default()).await;
    for command in [
        put(1),
        put(2),
        put(3),
        put_team(1),
        group(1, Some(1), &["U18"]),
        group(3, Some(1), &[]),
        put_board("daily", DAILY),
        put_board("clubs", r#"{"of": "main", "by": "team"}"#),
        put_board(
            "cup",
            r#"{"operator": "best", "tiebreak": {"direction": "lowest"}}"#,
        ),
        act("a", 1, 5),
        act("b", 2, 3),
        act_on("cup", "c", 1, 5, 2),
        act_on("cup", "d", 2, 5, 1),
        Command::HideUser {
            user: user(3),
            hidden: true,
            reason: None,
        },
    ] {
        node.one(command).await.unwrap();
    }
    node.store.close().await;
    server.age(DAY);
    let node = server.open(Rules::default()).await;
    node.one(act("e", 3, 9)).await.unwrap();
    let (boards, ended) = (all_boards(&node), finals(&node, "daily").await);
    assert_eq!(ended, [(1, vec![(5, 1), (3, 2)])]);
    let history = node.store.history(id("cup"), user(1), 9).await.unwrap();
    let again_of_cup = node.one(act_on("cup", "d", 2, 5, 1)).await;
    node.store.close().await;
    let back = Server::new();
    let file = files.url().to_string();
    for (from, to) in [(server.url(), file.clone()), (file.clone(), back.url())] {
        crate::migrate::migrate(&from, &to, Rules::default())
            .await
            .unwrap();
    }
    let moved = crate::redis::open_at(&file, Rules::default())
        .await
        .unwrap();
    let again = back.open(Rules::default()).await;
    for node in [&moved, &again] {
        assert_eq!(all_boards(node), boards);
        assert_eq!(finals(node, "daily").await, ended);
        let found = node.store.history(id("cup"), user(1), 9).await.unwrap();
        assert_eq!(found.as_ref().map(points), history.as_ref().map(points));
        assert_eq!(node.one(act_on("cup", "d", 2, 5, 1)).await, again_of_cup);
        let shown = Command::HideUser {
            user: user(3),
            hidden: false,
            reason: None,
        };
        node.one(shown).await.unwrap();
        let rows = node.follower.rows_of("clubs");
        assert_eq!(rows, [("team 1".to_owned(), 14, 1)]);
        node.one(act_on("cup", "f", 2, 9, 0)).await.unwrap();
        assert_eq!(node.follower.rows_of("cup")[0].1, 9);
    }
}

/// What people did on a deleted board is not theirs on one that is made under its name.
#[tokio::test]
async fn a_board_of_the_same_name_begins_anew() {
    let server = Server::new();
    let node = server.open(Rules::default()).await;
    for command in [
        put(1),
        put(2),
        put_board("cup", "{}"),
        act_on("cup", "a", 1, 5, 0),
        Command::DeleteBoard(id("cup")),
        put_board("cup", "{}"),
        act_on("cup", "b", 2, 3, 0),
    ] {
        node.one(command).await.unwrap();
    }
    for _ in 0..2 {
        let late = server.open(Rules::default()).await;
        assert_eq!(late.follower.rows_of("cup"), [("user 2".to_owned(), 3, 1)]);
        let history = late.store.history(id("cup"), user(1), 9).await.unwrap();
        assert_eq!(history.map(|it| it.actions), Some(0));
        let history = late.store.history(id("cup"), user(2), 9).await.unwrap();
        assert_eq!(history.map(|it| it.actions), Some(1));
        late.store.close().await;
    }
    // Nothing is left of the first one.
    node.store.close().await;
    wait_for("its pasts are deleted", || {
        let keys: Vec<Vec<u8>> = server.ask(&["KEYS", "podium:{main}:histories:*"]);
        keys.len() == 1 && server.ask::<u64>(&["EXISTS", "podium:{main}:gone"]) == 0
    })
    .await;
}

/// Whatever is deleted of what boards are made of is missed, and nothing is written without it.
#[tokio::test]
async fn nothing_of_boards_vanishes_unnoticed() {
    for key in [
        "rules",
        "boards",
        "seasons",
        "used",
        "teams",
        "membership",
        "hidden",
        "sizes",
        "standings:cup",
        "standings:daily",
        "members:clubs",
    ] {
        let server = Server::new();
        let node = server.open(Rules::default()).await;
        for command in [
            put(1),
            put(2),
            put_team(1),
            group(1, Some(1), &["U18"]),
            put_board("daily", DAILY),
            put_board("clubs", r#"{"of": "main", "by": "team"}"#),
            put_board("cup", "{}"),
            act("a", 1, 5),
            act_on("cup", "b", 1, 5, 0),
            Command::HideUser {
                user: user(2),
                hidden: true,
                reason: None,
            },
        ] {
            node.one(command).await.unwrap();
        }
        wait_for("the ranks are written", || {
            let [seq, ranked]: [u64; 2] =
                server.ask(&["HMGET", "podium:{main}:meta", "seq", "ranked_through"]);
            seq == ranked
        })
        .await;
        let removed: u64 = server.ask(&["DEL", &format!("podium:{{main}}:{key}")]);
        assert_eq!(removed, 1, "{key}");
        let why = crate::redis_faults::is_unwritable(&node).await;
        assert!(why.contains(key), "{key}: {why}");
        let refused = node.store.append(vec![act_on("cup", "c", 1, 1, 0)]).await;
        assert!(refused.is_err(), "{key}");
        crate::redis_faults::adopt(&server.url()).await;
        wait_for("it goes on", || node.follower.epoch() != node.epoch).await;
        crate::redis_faults::is_open(&node).await;
        node.one(act("d", 1, 1)).await.unwrap();
        // What is left of seasons goes on, too.
        node.store.close().await;
        server.age(DAY);
        let node = server.open(Rules::default()).await;
        node.one(act("e", 1, 1)).await.unwrap();
    }
}

/// More people than are read at once, who go on acting while a node starts.
#[tokio::test]
async fn large_derived_boards_are_read_while_they_change() {
    const PEOPLE: u16 = 2200;
    let server = Server::new();
    let node = server.open(Rules::default()).await;
    for n in 0..2 {
        node.one(put_team(n)).await.unwrap();
    }
    let who = |n: u16| {
        let mut id = [7; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        podium::board::UserId(id)
    };
    let of = |n: u16, command: Command| match command {
        Command::PutUser { profile, .. } => Command::PutUser {
            user: who(n),
            profile,
        },
        Command::GroupUser { team, groups, .. } => Command::GroupUser {
            user: who(n),
            team,
            groups,
        },
        Command::Act(action) => Command::Act(Action {
            user: who(n),
            ..action
        }),
        other => other,
    };
    node.one(put_board(
        "weekly",
        r#"{"of": "main", "period": {"every": "week"}}"#,
    ))
    .await
    .unwrap();
    node.one(put_board("clubs", r#"{"of": "main", "by": "team"}"#))
        .await
        .unwrap();
    let all: Vec<u16> = (0..PEOPLE).collect();
    for some in all.chunks(200) {
        let commands = some.iter().flat_map(|n| {
            [
                of(*n, named(1, &format!("person {n}"))),
                of(*n, group(1, Some((n % 2) as u8), &[])),
                of(*n, act(&format!("first {n}"), 1, i64::from(n % 100))),
            ]
        });
        node.store.append(commands.collect()).await.unwrap();
    }
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let write = async {
        let mut random = StdRng::seed_from_u64(1);
        let mut i = 0;
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            let commands = (0..50).map(|_| {
                i += 1;
                let n = random.random_range(0..PEOPLE);
                match i % 10 {
                    0 => of(n, group(1, Some(random.random_range(0..2)), &[])),
                    1 => Command::DeleteUser(who(n)),
                    2 => of(n, named(1, &format!("person {n}"))),
                    _ => of(n, act(&format!("more {i}"), 1, 1)),
                }
            });
            node.store.append(commands.collect()).await.unwrap();
        }
    };
    let start = async {
        let mut late = Vec::new();
        for _ in 0..3 {
            late.push(server.open(Rules::default()).await);
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        late
    };
    let ((), late) = futures_util::join!(write, start);
    for late in &late {
        agree_on_all(&[&node, late], "after all was written").await;
    }
}
