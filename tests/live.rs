//! Histories, race charts and searches of running boards, over a real store.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use podium::{
    board::{BoardId, Derivation, Operator, Profile, Rules, Score, Settings, Source, UserId, Who},
    config::LimitsTable,
    limits::{Client, Unanswered},
    live::Live,
    store::{self, Action, ActionId, Command, StoreError, StoreUrl},
};
use tempfile::TempDir;

struct Running {
    live: Live,
    main: BoardId,
    _folder: TempDir,
}

async fn start(rules: Rules) -> Running {
    let folder = TempDir::new().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("podium.db"));
    let main = Settings::main(rules);
    let (opened, ready) = store::open(&url, &main).await.unwrap();
    Running {
        live: Live::start(opened, ready, &LimitsTable::default()).unwrap(),
        main: BoardId::default(),
        _folder: folder,
    }
}

impl Running {
    async fn one(&self, command: Command) {
        self.live.append_one(command).await.unwrap();
    }

    async fn put(&self, n: u8, username: &str) {
        let profile = Profile {
            username: username.into(),
            avatar: None,
        };
        let user = user(n);
        self.one(Command::PutUser { user, profile }).await;
    }

    async fn act(&self, id: &str, n: u8, increase: i64) {
        self.act_on(&self.main, id, n, increase).await;
    }

    async fn act_on(&self, board: &BoardId, id: &str, n: u8, increase: i64) {
        self.one(Command::Act(Action {
            id: ActionId::new(id).unwrap(),
            board: board.clone(),
            user: user(n),
            action_type: "test".into(),
            increase,
            tiebreak_increase: 0,
            declared: None,
        }))
        .await;
    }

    async fn create(&self, id: &str, settings: Settings) -> BoardId {
        let board = BoardId::new(id).unwrap();
        self.one(Command::PutBoard {
            board: board.clone(),
            settings: Arc::new(settings),
            most: 10,
        })
        .await;
        board
    }
}

fn user(n: u8) -> UserId {
    UserId([n; 16])
}

#[tokio::test]
async fn the_race_chart_has_a_line_for_each_of_the_first_ten() {
    let live = start(Rules::default()).await;
    assert_eq!(
        live.live.race_chart(&live.main, 49).await.unwrap().lines,
        []
    );
    for n in 1..=12 {
        live.put(n, &format!("user {n}")).await;
    }
    let chart = live.live.race_chart(&live.main, 50).await.unwrap();
    assert_eq!((chart.times.len(), chart.lines.len()), (0, 10));

    live.act("a", 12, 5).await;
    live.act("b", 11, 9_000).await;
    // Until the clock has gone on, both times are one.
    let mut acted = 0;
    let chart = loop {
        acted += 1;
        live.act(&format!("c{acted}"), 12, 1).await;
        let chart = live.live.race_chart(&live.main, 2).await.unwrap();
        if chart.times.len() == 2 {
            break chart;
        }
    };
    assert!(chart.times[0] < chart.times[1]);
    let lines: Vec<_> = chart
        .lines
        .iter()
        .map(|line| (&*line.username, line.scores.as_slice()))
        .collect();
    assert_eq!(lines.len(), 10);
    assert_eq!(
        (lines[0].0, lines[0].1.last()),
        ("user 11", Some(&Score::new(9_000)))
    );
    assert_eq!(
        (lines[1].0, lines[1].1.last()),
        ("user 12", Some(&Score::new(5 + acted)))
    );
    assert_eq!(lines[2], ("user 1", &[None; 2][..]));
    assert_eq!(chart.lines[1].user, user(12));
    let history = live
        .live
        .history(Client::Server, &live.main, user(12), 4)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(Some(chart.times[0]), history.history.first);
    assert_eq!(chart.times.last().copied(), history.history.last);
}

#[tokio::test]
async fn a_small_board_has_a_small_race_chart() {
    let live = start(Rules {
        top: 2,
        ..Rules::default()
    })
    .await;
    for n in 1..=3 {
        live.put(n, "somebody").await;
    }
    assert_eq!(
        live.live
            .race_chart(&live.main, 9)
            .await
            .unwrap()
            .lines
            .len(),
        2
    );
}

#[tokio::test]
async fn a_closed_store_has_no_history() {
    let live = start(Rules::default()).await;
    live.put(1, "Ada").await;
    live.live.close().await;
    let chart = live.live.race_chart(&live.main, 8).await;
    assert!(
        matches!(chart, Err(Unanswered::Failed(error)) if matches!(*error, StoreError::Closed))
    );
}

#[tokio::test]
async fn a_history_has_all_that_its_seq_holds() {
    let live = start(Rules::default()).await;
    live.put(1, "Ada").await;
    for i in 0..200 {
        let id = format!("a{i}");
        let (history, ()) = tokio::join!(
            live.live.history(Client::Server, &live.main, user(1), 1000),
            live.act(&id, 1, 1)
        );
        let history = history.unwrap().unwrap();
        let last = history
            .history
            .points
            .last()
            .map_or(1, |point| point.seq.expect("known of main").get());
        let seq = history.user.seq;
        assert!(last >= seq, "{last} of {seq}");
    }
    assert_eq!(
        live.live
            .history(Client::Server, &live.main, user(2), 9)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn many_searches_at_once_are_all_answered() {
    let live = start(Rules::default()).await;
    live.put(1, "Ada").await;
    live.put(2, "Zoë").await;
    let searches = (0..50).map(|i| {
        live.live
            .search(Client::Server, &live.main, ["ad", "ZOE"][i % 2], 5)
    });
    for (i, found) in futures_util::future::join_all(searches)
        .await
        .iter()
        .enumerate()
    {
        let found = found.as_ref().unwrap();
        assert_eq!(&*found.rows[0].profile.username, ["Ada", "Zoë"][i % 2]);
        assert_eq!((found.rows.len(), found.more), (1, false));
    }
    assert!(
        live.live
            .search(Client::Server, &live.main, "  ", 5)
            .await
            .unwrap()
            .rows
            .is_empty()
    );
}

/// Each board has its own histories, race chart, and ranks of those who are found.
#[tokio::test]
async fn what_is_read_of_a_board_is_of_that_board() {
    let live = start(Rules::default()).await;
    live.put(1, "Ada").await;
    live.put(2, "Adam").await;
    let fed = live.create("fed", Settings::default()).await;
    live.act("a", 1, 5).await;
    live.act("b", 2, 3).await;
    live.act_on(&fed, "c", 2, 7).await;
    // It is made from what happened before.
    let derivation = Derivation {
        of: live.main.clone(),
        types: None,
        group: None,
        team: None,
        period: None,
    };
    let counted = Settings {
        source: Source::Derived(derivation),
        rules: Rules {
            operator: Operator::Count,
            ..Rules::default()
        },
        ..Settings::default()
    };
    let counted = live.create("counted", counted).await;
    live.act("d", 2, 1).await;

    let found = async |board| {
        let found = live.live.search(Client::Server, board, "ad", 9).await;
        let rows = found.unwrap().rows.into_iter();
        let row = |row: podium::live::FoundRow| {
            let Who::User(UserId(id)) = row.who else {
                panic!("no team stands on it");
            };
            (
                id[0],
                row.ranked
                    .map(|(scores, rank)| (scores.score.points(), rank)),
            )
        };
        rows.map(row).collect::<Vec<_>>()
    };
    let expected = [(1, Some((5, 1))), (2, Some((4, 2)))];
    assert_eq!(found(&live.main).await, expected);
    assert_eq!(found(&fed).await, [(2, Some((7, 1))), (1, None)]);
    let expected = [(2, Some((2, 1))), (1, Some((1, 2)))];
    assert_eq!(found(&counted).await, expected);
    assert_eq!(found(&BoardId::new("nowhere").unwrap()).await, []);

    let history = async |board, n| {
        let history = live.live.history(Client::Server, board, user(n), 9).await;
        history.unwrap().map(|history| {
            let points = history.history.points.iter();
            let scores: Vec<i64> = points.map(|point| point.score.points()).collect();
            (scores, history.user.rank())
        })
    };
    assert_eq!(history(&live.main, 2).await, Some((vec![3, 4], Some(2))));
    assert_eq!(history(&fed, 2).await, Some((vec![7], Some(1))));
    assert_eq!(history(&fed, 1).await, Some((vec![], None)));
    assert_eq!(history(&BoardId::new("nowhere").unwrap(), 1).await, None);

    let chart = live.live.race_chart(&fed, 9).await.unwrap();
    let lines: Vec<UserId> = chart.lines.iter().map(|line| line.user).collect();
    assert_eq!(lines, [user(2)]);
    let nowhere = BoardId::new("nowhere").unwrap();
    assert_eq!(live.live.race_chart(&nowhere, 9).await.unwrap().lines, []);

    let before = live.live.version(&fed);
    live.act("e", 1, 1).await;
    assert_eq!(live.live.version(&fed), before, "it was another board");
    live.act_on(&fed, "f", 1, 1).await;
    assert_ne!(live.live.version(&fed), before);
    live.one(Command::DeleteBoard(fed.clone())).await;
    assert_eq!(live.live.user(&fed, user(1)), None);
}
