//! Exact ranks of 100,000 watched users on a board of a million, after 500
//! actions: by one sweep, and by asking for each.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use podium::board::{
    Competitor, Order, RankSweep, Ranking, Score, Scores, Seq, Watched,
    ranking::{Shift, Slot, Standing},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

const USERS: u64 = 1_000_000;
const WATCHED: usize = 100_000;
const ACTIONS: usize = 500;

fn standing(score: Score, reached: u64) -> Standing {
    let scores = Scores {
        score,
        ..Scores::default()
    };
    Standing::of(scores, Seq::new(reached).unwrap())
}

fn sweep(c: &mut Criterion) {
    let mut random = SmallRng::seed_from_u64(USERS);
    let standings: Vec<_> = (1..=USERS)
        .map(|reached| {
            let score = Score::new(random.random_range(0..1_000_000)).unwrap();
            (Competitor(reached as u32), Some(standing(score, reached)))
        })
        .collect();
    let slots: Vec<Slot> = {
        let ranking = Ranking::load(Order::default(), standings.clone());
        let slots = standings.iter().map(|&(id, _)| ranking.slot(id).unwrap());
        slots.collect()
    };
    let mut ranking = Ranking::load(Order::default(), standings);
    let mut reached = USERS;
    // Those who act are not among the watched: the hub looks them up anyhow.
    let mut act = |ranking: &mut Ranking| -> Vec<Shift> {
        (0..ACTIONS)
            .flat_map(|_| {
                let slot = slots[random.random_range(WATCHED..slots.len())];
                let score = ranking.standing(slot).unwrap().score;
                let score = score.checked_add(random.random_range(1..10_000)).unwrap();
                reached += 1;
                ranking.place(slot, standing(score, reached))
            })
            .flatten()
            .collect()
    };

    let mut group = c.benchmark_group("ranks of 100,000 watched");
    group.warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(4));
    let mut watched = RankSweep::default();
    let placed = (0..WATCHED).map(|n| Watched {
        position: ranking.position(slots[n]).unwrap(),
        rank: ranking.rank(slots[n]).unwrap(),
        watcher: n as u32,
    });
    watched.sweep(placed.collect(), |_| true, |_, _| ());
    group.bench_function("sweep", |b| {
        b.iter_batched(
            || act(&mut ranking),
            |shifts| {
                watched.note(shifts);
                let mut sum = 0;
                watched.sweep(Vec::new(), |_| true, |_, rank| sum += rank);
                sum
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("a question each", |b| {
        b.iter(|| {
            for &slot in &slots[..WATCHED] {
                black_box(ranking.rank(slot));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, sweep);
criterion_main!(benches);
