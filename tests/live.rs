//! Histories, race charts and searches of the running board, over a real store.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use podium::{
    board::{BoardId, Profile, Rules, Score, UserId},
    config::LimitsTable,
    limits::{Client, Unanswered},
    live::LiveBoard,
    store::{self, Action, ActionId, Command, StoreError, StoreUrl},
};
use tempfile::TempDir;

struct Live {
    live: LiveBoard,
    _folder: TempDir,
}

async fn start(rules: Rules) -> Live {
    let folder = TempDir::new().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("podium.db"));
    let (opened, ready) = store::open(&url, &BoardId::default(), rules).await.unwrap();
    Live {
        live: LiveBoard::start(opened, ready, &LimitsTable::default()).unwrap(),
        _folder: folder,
    }
}

impl Live {
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
        self.one(Command::Act(Action {
            id: ActionId::new(id).unwrap(),
            user: user(n),
            action_type: "test".into(),
            increase,
            declared: None,
        }))
        .await;
    }
}

fn user(n: u8) -> UserId {
    UserId([n; 16])
}

#[tokio::test]
async fn the_race_chart_has_a_line_for_each_of_the_first_ten() {
    let live = start(Rules::default()).await;
    assert_eq!(live.live.race_chart(49).await.unwrap().lines, []);
    for n in 1..=12 {
        live.put(n, &format!("user {n}")).await;
    }
    let chart = live.live.race_chart(50).await.unwrap();
    assert_eq!((chart.times.len(), chart.lines.len()), (0, 10));

    live.act("a", 12, 5).await;
    live.act("b", 11, 9_000).await;
    // Until the clock has gone on, both times are one.
    let mut acted = 0;
    let chart = loop {
        acted += 1;
        live.act(&format!("c{acted}"), 12, 1).await;
        let chart = live.live.race_chart(2).await.unwrap();
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
        .history(Client::Server, user(12), 4)
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
    assert_eq!(live.live.race_chart(9).await.unwrap().lines.len(), 2);
}

#[tokio::test]
async fn a_closed_store_has_no_history() {
    let live = start(Rules::default()).await;
    live.put(1, "Ada").await;
    live.live.close().await;
    let chart = live.live.race_chart(8).await;
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
            live.live.history(Client::Server, user(1), 1000),
            live.act(&id, 1, 1)
        );
        let history = history.unwrap().unwrap();
        let last = history
            .history
            .points
            .last()
            .map_or(1, |point| point.seq.get());
        let seq = history.user.seq;
        assert!(last >= seq, "{last} of {seq}");
    }
    assert_eq!(
        live.live.history(Client::Server, user(2), 9).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn many_searches_at_once_are_all_answered() {
    let live = start(Rules::default()).await;
    live.put(1, "Ada").await;
    live.put(2, "Zoë").await;
    let searches = (0..50).map(|i| live.live.search(Client::Server, ["ad", "ZOE"][i % 2], 5));
    for (i, found) in futures_util::future::join_all(searches)
        .await
        .iter()
        .enumerate()
    {
        let found = found.as_ref().unwrap();
        assert_eq!(&*found.users[0].profile.username, ["Ada", "Zoë"][i % 2]);
        assert_eq!((found.users.len(), found.more), (1, false));
    }
    assert!(
        live.live
            .search(Client::Server, "  ", 5)
            .await
            .unwrap()
            .users
            .is_empty()
    );
}
