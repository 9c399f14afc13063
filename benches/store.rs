//! The SQLite store on this machine's disk: durable actions a second by how many
//! senders wait at once, and how long it takes to open a board of a million.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use podium::{
    board::{BoardId, Profile, Rules, UserId},
    store::{self, Action, ActionId, Command, Store, sqlite::SqliteStore},
};

const USERS: u32 = 1_000_000;
const FOR: Duration = Duration::from_secs(3);

fn user(n: u32) -> UserId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
    id[12..].copy_from_slice(&n.to_be_bytes());
    UserId(id)
}

fn act(n: u32) -> Command {
    Command::Act(Action {
        // Ids as clients make them: in no order.
        id: ActionId::new(&format!("{:08x}-{n:08x}", n.wrapping_mul(0x9e37_79b9))).unwrap(),
        user: user(n.wrapping_mul(7_919) % USERS),
        action_type: "bench".into(),
        increase: i64::from(n % 50),
        declared: None,
    })
}

fn open(url: &str) -> SqliteStore {
    let began = Instant::now();
    let (opened, ready) =
        store::open(&url.parse().unwrap(), &BoardId::default(), Rules::default()).unwrap();
    println!(
        "opened a board of {} users at seq {} in {:?}",
        opened.board.len(),
        opened.board.seq(),
        began.elapsed()
    );
    ready.start(opened.board).unwrap()
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in("target").unwrap();
    let url = format!("sqlite:{}", folder.path().join("bench.db").display());
    let store = open(&url);

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
                outcomes.unwrap()[0].unwrap();
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

    store.close().await;
    drop(store);
    let store = open(&url);
    store.close().await;
}
