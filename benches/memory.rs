//! What an entry of the ranking costs in memory beside the user's own record:
//! the growth of the resident set while a million registered users, who are in
//! the ranking's tables already, are given a standing in scattered order.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use podium::board::{Competitor, Order, Ranking, Score, Scores, Seq, ranking::Standing};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

const USERS: usize = 1_000_000;

/// Resident memory in bytes, as the kernel counts it (Linux).
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("needs Linux's /proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse::<usize>().unwrap() * 1024
}

fn main() {
    let mut random = SmallRng::seed_from_u64(1);
    let before = resident();
    let mut ranking = Ranking::new(Order::default());
    let slots: Vec<_> = (0..USERS as u32)
        .map(|n| ranking.register(Competitor(n)))
        .collect();
    let registered = resident();
    for (slot, reached) in slots.iter().zip(1..) {
        let score = Score::new(random.random_range(0..1_000_000)).unwrap();
        let scores = Scores {
            score,
            ..Scores::default()
        };
        ranking.place(*slot, Standing::of(scores, Seq::new(reached).unwrap()));
    }
    let ranked = resident();
    println!("users: {USERS}");
    println!("bytes a user's record: {}", (registered - before) / USERS);
    println!(
        "bytes an entry of the ranking: {}",
        (ranked - registered) / USERS
    );
}
