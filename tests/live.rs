//! What the running board tells of the past and of names, over a real store.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use podium::{
    board::{BoardId, Profile, Rules, UserId},
    live::LiveBoard,
    store::{self, Action, ActionId, Command, StoreError, StoreUrl},
    wire,
};
use tempfile::TempDir;

struct Live {
    live: LiveBoard,
    _folder: TempDir,
}

fn start(rules: Rules) -> Live {
    let folder = TempDir::new().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("podium.db"));
    let (opened, ready) = store::open(&url, &BoardId::default(), rules).unwrap();
    Live {
        live: LiveBoard::start(opened, ready).unwrap(),
        _folder: folder,
    }
}

impl Live {
    async fn one(&self, command: Command) {
        for outcome in self.live.append(vec![command]).await.unwrap() {
            outcome.unwrap();
        }
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
async fn the_race_has_a_line_for_each_of_the_first_ten() {
    let live = start(Rules::default());
    assert_eq!(live.live.race(49).await.unwrap().lines, []);
    for n in 1..=12 {
        live.put(n, &format!("user {n}")).await;
    }
    let race = live.live.race(50).await.unwrap();
    assert_eq!((race.times.len(), race.lines.len()), (0, 10));

    live.act("a", 12, 5).await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    live.act("b", 11, 9).await;
    live.act("c", 12, 2).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let race = live.live.race(4).await.unwrap();
    assert_eq!(race.times.len(), 4);
    assert!(race.times.is_sorted_by(|a, b| a < b));
    let lines: Vec<_> = race
        .lines
        .iter()
        .map(|line| (line.username.as_str(), line.scores.as_slice()))
        .collect();
    assert_eq!(lines.len(), 10);
    assert_eq!(lines[0], ("user 11", &[None, None, None, Some(9)][..]));
    let second = [Some(5), Some(5), Some(5), Some(7)];
    assert_eq!(lines[1], ("user 12", &second[..]));
    assert_eq!(lines[2], ("user 1", &[None; 4][..]));
    assert_eq!(race.lines[1].user_id, wire::user_text(user(12)));
    let history = live.live.history(user(12), 4).await.unwrap().unwrap();
    assert_eq!(Some(&race.times[0]), history.first_action_at.as_ref());
    assert_eq!(race.times.last(), history.last_action_at.as_ref());
    // Others are asked for another number of moments, and nothing was kept of that.
    assert_eq!(live.live.race(1).await.unwrap().times.len(), 1);
}

#[tokio::test]
async fn a_small_board_has_a_small_race() {
    let live = start(Rules {
        top: 2,
        ..Rules::default()
    });
    for n in 1..=3 {
        live.put(n, "somebody").await;
    }
    assert_eq!(live.live.race(9).await.unwrap().lines.len(), 2);
}

#[tokio::test]
async fn a_race_that_others_look_at_is_asked_for_once() {
    let live = start(Rules::default());
    live.put(1, "Ada").await;
    live.act("a", 1, 5).await;
    let first = live.live.race(9).await.unwrap();
    live.act("b", 1, 5).await;
    assert_eq!(live.live.race(9).await.unwrap(), first, "a moment old");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let later = live.live.race(9).await.unwrap();
    assert_eq!(later.lines[0].scores.last(), Some(&Some(10)));
    live.live.close().await;
    // Nothing has happened since, so this is still true.
    assert_eq!(live.live.race(9).await.unwrap(), later);
    assert!(matches!(live.live.race(8).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn a_history_has_all_that_its_seq_holds() {
    let live = start(Rules::default());
    live.put(1, "Ada").await;
    for i in 0..200 {
        let id = format!("a{i}");
        let (history, ()) = tokio::join!(live.live.history(user(1), 1000), live.act(&id, 1, 1));
        let history = history.unwrap().unwrap();
        let last = history.history.last().map_or(1, |point| point.seq);
        assert!(last >= history.seq, "{last} of {}", history.seq);
    }
    assert_eq!(live.live.history(user(2), 9).await.unwrap(), None);
}

#[tokio::test]
async fn many_searches_at_once_are_all_answered() {
    let live = start(Rules::default());
    live.put(1, "Ada").await;
    live.put(2, "Zoë").await;
    let searches = (0..50).map(|i| live.live.search(["ad", "ZOE"][i % 2], 5));
    for (i, found) in futures_util::future::join_all(searches)
        .await
        .iter()
        .enumerate()
    {
        assert_eq!(found.users[0].username, ["Ada", "Zoë"][i % 2]);
        assert_eq!((found.users.len(), found.more), (1, false));
    }
    assert!(live.live.search("  ", 5).await.users.is_empty());
}
