//! Update, rank and top N on boards of 10 thousand, 1 million and 10 million
//! users, and the memory that an entry of the ranking takes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use podium::board::{
    Competitor, Order, Ranking, Score, Scores, Seq,
    ranking::{Slot, Standing},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

fn standing(score: Score, reached: u64) -> Standing {
    let scores = Scores {
        score,
        ..Scores::default()
    };
    Standing::of(scores, Seq::new(reached).unwrap())
}

/// Users with scattered scores, as a board has them after a long contest.
fn ranking(users: u64, random: &mut SmallRng) -> (Ranking, Vec<Slot>) {
    let standings: Vec<_> = (1..=users)
        .map(|reached| {
            let score = Score::new(random.random_range(0..1_000_000)).unwrap();
            (Competitor(reached as u32), Some(standing(score, reached)))
        })
        .collect();
    let ids: Vec<_> = standings.iter().map(|&(id, _)| id).collect();
    let ranking = Ranking::load(Order::default(), standings);
    let slots = ids.iter().map(|&id| ranking.slot(id).unwrap()).collect();
    (ranking, slots)
}

fn board(c: &mut Criterion) {
    for users in [10_000u64, 1_000_000, 10_000_000] {
        let mut random = SmallRng::seed_from_u64(users);
        let (mut ranking, slots) = ranking(users, &mut random);
        let mut reached = users;
        let mut group = c.benchmark_group("board");
        group.warm_up_time(Duration::from_secs(1));
        group.measurement_time(Duration::from_secs(4));

        group.bench_function(BenchmarkId::new("update", users), |b| {
            b.iter(|| {
                let slot = slots[random.random_range(0..slots.len())];
                let score = ranking.standing(slot).unwrap().score;
                let score = score.checked_add(random.random_range(1..100)).unwrap();
                reached += 1;
                ranking.place(slot, standing(score, reached));
            });
        });
        group.bench_function(BenchmarkId::new("rank", users), |b| {
            b.iter(|| ranking.rank(slots[random.random_range(0..slots.len())]));
        });
        group.bench_function(BenchmarkId::new("update and rank", users), |b| {
            b.iter(|| {
                let slot = slots[random.random_range(0..slots.len())];
                let score = ranking.standing(slot).unwrap().score;
                let score = score.checked_add(random.random_range(1..100)).unwrap();
                reached += 1;
                ranking.place(slot, standing(score, reached));
                ranking.rank(slot)
            });
        });
        group.bench_function(BenchmarkId::new("top 100", users), |b| {
            b.iter(|| ranking.top(100).for_each(|row| _ = black_box(row)));
        });
        if users <= 1_000_000 {
            group.sample_size(10);
            let standings: Vec<_> = slots
                .iter()
                .map(|&slot| (ranking.competitor(slot), ranking.standing(slot)))
                .collect();
            group.bench_function(BenchmarkId::new("load", users), |b| {
                b.iter_batched(
                    || standings.clone(),
                    |users| Ranking::load(Order::default(), users),
                    BatchSize::PerIteration,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, board);
criterion_main!(benches);
