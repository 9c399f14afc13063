//! The SQLite store on this machine's disk, or the one that PODIUM_BENCH_STORE names,
//! which must be empty: durable actions a second by how many senders wait at once, how
//! long it takes to open a board of a million, and how long to look back and to find
//! names on it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use podium::{
    board::{BoardId, Profile, Rules, Settings, UserId},
    config::LimitsTable,
    limits::Client,
    live::Live,
    store::{self, Action, ActionId, Command, Store},
};

const USERS: u32 = 1_000_000;
/// Actions of one user, who is looked back at.
const ACTIONS: u32 = 200_000;
const FOR: Duration = Duration::from_secs(3);

fn user(n: u32) -> UserId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
    id[12..].copy_from_slice(&n.to_be_bytes());
    UserId(id)
}

fn act(n: u32) -> Command {
    act_of(n, n.wrapping_mul(7_919) % USERS)
}

fn act_of(n: u32, of: u32) -> Command {
    Command::Act(Action {
        // Ids as clients make them: in no order.
        id: ActionId::new(&format!("{:08x}-{n:08x}", n.wrapping_mul(0x9e37_79b9))).unwrap(),
        board: BoardId::default(),
        tiebreak_increase: 0,
        user: user(of),
        action_type: "bench".into(),
        increase: i64::from(n % 50),
        declared: None,
    })
}

async fn open(url: &str) -> Arc<dyn Store> {
    let began = Instant::now();
    let (opened, ready) = store::open(&url.parse().unwrap(), &Settings::main(Rules::default()))
        .await
        .unwrap();
    println!(
        "opened a board of {} users at entry {} in {:?}",
        opened.state.directory().len(),
        opened.state.seq(),
        began.elapsed()
    );
    ready.start(opened.state).unwrap()
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in("target").unwrap();
    let url = std::env::var("PODIUM_BENCH_STORE")
        .unwrap_or_else(|_| format!("sqlite:{}", folder.path().join("bench.db").display()));
    let store = open(&url).await;

    let began = Instant::now();
    let users: Vec<u32> = (0..USERS).collect();
    for batch in users.chunks(1_000) {
        let commands = batch.iter().map(|&n| Command::PutUser {
            user: user(n),
            profile: Profile {
                username: format!("Player {n}").into(),
                avatar: None,
            },
        });
        store.append(commands.collect()).await.unwrap();
    }
    println!("registered {USERS} users in {:?}", began.elapsed());

    let mut next = 0;
    for senders in [1, 8, 64, 512] {
        let (first, began) = (next, Instant::now());
        while began.elapsed() < FOR {
            let round = (next..next + senders).map(|n| store.append(vec![act(n)]));
            for outcomes in join_all(round).await {
                outcomes.unwrap()[0].as_ref().unwrap();
            }
            next += senders;
        }
        let rate = f64::from(next - first) / began.elapsed().as_secs_f64();
        println!("{senders} senders: {rate:.0} durable actions a second");
    }
    let (first, began) = (next, Instant::now());
    while began.elapsed() < FOR {
        let batch = (next..next + 1_000).map(act).collect();
        store.append(batch).await.unwrap();
        next += 1_000;
    }
    let rate = f64::from(next - first) / began.elapsed().as_secs_f64();
    println!("1 sender of arrays of 1000: {rate:.0} durable actions a second");

    for first in (next..next + ACTIONS).step_by(1_000) {
        let batch = (first..first + 1_000).map(|n| act_of(n, 0)).collect();
        store.append(batch).await.unwrap();
    }
    next += ACTIONS;

    store.close().await;
    drop(store);
    let store = open(&url).await;
    store.close().await;
    drop(store);

    let (opened, ready) = store::open(&url.parse().unwrap(), &Settings::main(Rules::default()))
        .await
        .unwrap();
    let live = Live::start(opened, ready, &LimitsTable::default()).unwrap();
    let main = BoardId::default();
    for n in [1, 0] {
        live.history(Client::Server, &main, user(n), 200)
            .await
            .unwrap();
        let began = Instant::now();
        let history = live
            .history(Client::Server, &main, user(n), 200)
            .await
            .unwrap()
            .unwrap();
        println!(
            "looked back at {} actions in {:?}",
            history.history.actions,
            began.elapsed()
        );
    }
    live.race_chart(&main, 200).await.unwrap();
    let began = Instant::now();
    live.race_chart(&main, 100).await.unwrap();
    println!("the race chart in {:?}", began.elapsed());
    for text in ["player 777777", "p", "nobody"] {
        let began = Instant::now();
        let found = live
            .search(Client::Server, &main, text, 20)
            .await
            .unwrap_or_default();
        println!(
            "{text:?} found {} of {USERS} users{} in {:?}",
            found.rows.len(),
            if found.more { " and more" } else { "" },
            began.elapsed()
        );
    }
    for searches in [0, 2] {
        let mut times = Vec::new();
        let began = Instant::now();
        while began.elapsed() < FOR {
            let searched =
                join_all((0..searches).map(|_| live.search(Client::Server, &main, "nobody", 20)));
            let acted = async {
                for _ in 0..20 {
                    let began = Instant::now();
                    live.append(vec![act(next)]).await.unwrap()[0]
                        .as_ref()
                        .unwrap();
                    times.push(began.elapsed());
                    next += 1;
                }
            };
            futures_util::join!(searched, acted);
        }
        times.sort_unstable();
        println!(
            "beside {searches} searches an action takes {:?}, and of a hundred the slowest {:?}",
            times[times.len() / 2],
            times[times.len() * 99 / 100]
        );
    }
    live.close().await;
}
