//! The rank sweep against asking for each rank.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

use podium::board::{
    Competitor, Direction, Order, RankSweep, Ranking, Score, Ties, Watched,
    ranking::{Slot, Standing},
};
use proptest::prelude::*;

fn id(n: u32) -> Competitor {
    Competitor(n.wrapping_mul(2_654_435_761))
}

#[derive(Clone, Debug)]
enum Step {
    /// A user is given a score, and registered before if need be.
    Place(u32, i64),
    Remove(u32),
    Watch(u32),
    Unwatch(u32),
    /// Somebody is told their rank as it is now, without a sweep.
    Tell(u32),
    Sweep,
}

fn step(users: u32) -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..users, -4i64..4).prop_map(|(n, points)| Step::Place(n, points)),
        1 => (0..users).prop_map(Step::Remove),
        3 => (0..users).prop_map(Step::Watch),
        1 => (0..users).prop_map(Step::Unwatch),
        2 => (0..users).prop_map(Step::Tell),
        2 => Just(Step::Sweep),
    ]
}

/// What the hub does around a sweep, without sockets: it drops whoever moved and
/// looks them up again.
#[derive(Default)]
struct Watchers {
    sweep: RankSweep,
    /// The rank that each was told last.
    told: BTreeMap<u32, Option<u64>>,
    unplaced: BTreeSet<u32>,
}

impl Watchers {
    fn sweep(&mut self, ranking: &Ranking) {
        let placed: Vec<Watched> = self
            .unplaced
            .iter()
            .filter(|n| self.told.contains_key(n))
            .filter_map(|&n| {
                let slot = ranking.slot(id(n))?;
                Some(Watched {
                    position: ranking.position(slot)?,
                    rank: ranking.rank(slot)?,
                    watcher: n,
                })
            })
            .collect();
        for n in &self.unplaced {
            if let Some(told) = self.told.get_mut(n) {
                *told = rank(ranking, *n);
            }
        }
        let (told, unplaced) = (&self.told, &self.unplaced);
        let mut ranked = Vec::new();
        self.sweep.sweep(
            placed,
            |n| told.contains_key(&n) && !unplaced.contains(&n),
            |n, rank| ranked.push((n, Some(rank))),
        );
        self.unplaced.clear();
        self.told.extend(ranked);
    }
}

fn rank(ranking: &Ranking, n: u32) -> Option<u64> {
    ranking.slot(id(n)).and_then(|slot| ranking.rank(slot))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// After a sweep, everybody who is watched was told the rank that they have.
    #[test]
    fn a_sweep_knows_every_rank(
        highest in any::<bool>(),
        ties in prop_oneof![Just(Ties::Earliest), Just(Ties::Competition), Just(Ties::Dense)],
        steps in prop::collection::vec(step(40), 0..200),
    ) {
        let direction = if highest { Direction::HighestFirst } else { Direction::LowestFirst };
        let mut ranking = Ranking::new(Order { direction, ties, tiebreak: None });
        let mut watchers = Watchers::default();
        for (step, reached) in steps.into_iter().zip(1..) {
            match step {
                Step::Place(n, points) => {
                    let slot = ranking.register(id(n));
                    let standing = Standing::new(Score::new(points).unwrap(), reached).unwrap();
                    let shifts = ranking.place(slot, standing);
                    watchers.sweep.note(shifts.into_iter().flatten());
                    watchers.unplaced.insert(n);
                }
                Step::Remove(n) => {
                    let shift = ranking.remove(id(n));
                    watchers.sweep.note(shift);
                    watchers.unplaced.insert(n);
                }
                Step::Watch(n) => {
                    watchers.told.insert(n, rank(&ranking, n));
                    watchers.unplaced.insert(n);
                }
                Step::Unwatch(n) => {
                    watchers.told.remove(&n);
                }
                Step::Tell(n) => {
                    if let Some(told) = watchers.told.get_mut(&n) {
                        *told = rank(&ranking, n);
                    }
                }
                Step::Sweep => {
                    watchers.sweep(&ranking);
                    for (&n, &told) in &watchers.told {
                        prop_assert_eq!(told, rank(&ranking, n), "user {}", n);
                    }
                }
            }
        }
    }
}

/// Whoever is removed leaves no trace, and comes back as somebody new.
#[test]
fn a_removed_user_is_nowhere() {
    let mut ranking = Ranking::new(Order {
        ties: Ties::Dense,
        ..Order::default()
    });
    let slots: Vec<Slot> = (0..3).map(|n| ranking.register(id(n))).collect();
    for (slot, reached) in slots.iter().zip(1..) {
        ranking.place(
            *slot,
            Standing::new(Score::new(7).unwrap(), reached).unwrap(),
        );
    }
    ranking.remove(id(1));
    ranking.remove(id(1));
    assert_eq!(ranking.slot(id(1)), None);
    assert_eq!(ranking.len(), 2);
    let left: Vec<_> = ranking
        .top(9)
        .map(|row| ranking.competitor(row.slot))
        .collect();
    assert_eq!(left, [id(0), id(2)]);
    // Whoever comes next has the slot, and nothing that belonged to it.
    let next = ranking.register(id(3));
    assert_eq!((next, ranking.competitor(next)), (slots[1], id(3)));
    assert_eq!((ranking.standing(next), ranking.rank(next)), (None, None));
    assert_eq!(ranking.slot(id(1)), None);
    let again = ranking.register(id(1));
    assert_eq!(ranking.rank(again), None);
}
