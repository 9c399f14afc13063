//! The ranking against two oracles: a naive one that sorts everything, and
//! `indexset`, an independent ordered set that knows positions.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use indexset::BTreeSet;
use podium::board::{
    Action, BoardId, Competitor, Direction, Fact, LogEntry, Operator, Order, Profile, Ranking,
    Rules, Score, Scores, Seq, Settings, State, Ties, Timestamp, UserId,
    ranking::{Ranked, Slot, Standing},
};
use proptest::prelude::*;

/// The order of the ranking, as a plain key: better first.
type Key = (Reverse<i64>, Reverse<i64>, u64, Slot);

fn key(order: Order, slot: Slot, standing: Standing) -> Key {
    let points = |direction, score: Score| match direction {
        Direction::HighestFirst => score.points(),
        Direction::LowestFirst => -score.points(),
    };
    let tiebreak = order.tiebreak.map_or(0, |it| points(it, standing.tiebreak));
    (
        Reverse(points(order.direction, standing.score)),
        Reverse(tiebreak),
        standing.reached.get(),
        slot,
    )
}

/// Competitors whose order is not the order of registration.
fn id(n: u32) -> Competitor {
    Competitor(n.wrapping_mul(2_654_435_761))
}

fn standing(points: i64, tiebreak: i64, reached: u64) -> Standing {
    let scores = Scores {
        score: Score::new(points).unwrap(),
        tiebreak: Score::new(tiebreak).unwrap(),
    };
    Standing::of(scores, Seq::new(reached).unwrap())
}

/// Sorts everything for every question.
struct Naive {
    order: Order,
    standings: HashMap<Competitor, Standing>,
}

/// Who, rank and scores of a row.
type Row = (Competitor, u64, Scores);

impl Naive {
    /// Everybody in order, with the rank to show.
    fn rows(&self, ranking: &Ranking) -> Vec<Row> {
        let mut all: Vec<_> = self.standings.iter().map(|(&id, &s)| (id, s)).collect();
        all.sort_by_key(|&(id, standing)| key(self.order, ranking.slot(id).unwrap(), standing));
        let mut rows: Vec<Row> = Vec::new();
        for (place, (id, standing)) in all.into_iter().enumerate() {
            let place = place as u64 + 1;
            let mut scores = standing.scores();
            if self.order.tiebreak.is_none() {
                scores.tiebreak = Score::ZERO;
            }
            let rank = match (self.order.ties, rows.last()) {
                (Ties::Earliest, _) | (_, None) => place,
                (_, Some(&(_, rank, above))) if above == scores => rank,
                (Ties::Competition, _) => place,
                (Ties::Dense, Some(&(_, rank, _))) => rank + 1,
            };
            rows.push((id, rank, scores));
        }
        rows
    }
}

fn rows(ranking: &Ranking, ranked: impl Iterator<Item = Ranked>) -> Vec<Row> {
    let scores = |row: Ranked| Scores {
        score: row.score,
        tiebreak: row.tiebreak,
    };
    ranked
        .map(|row| (ranking.competitor(row.slot), row.rank, scores(row)))
        .collect()
}

/// Asks the ranking everything it can be asked.
fn check_everything(ranking: &Ranking, naive: &Naive, window: usize) {
    let expected = naive.rows(ranking);
    assert_eq!(ranking.len(), expected.len());
    assert_eq!(ranking.is_empty(), expected.is_empty());
    assert_eq!(rows(ranking, ranking.range(0..usize::MAX)), expected);
    assert_eq!(
        rows(ranking, ranking.top(3)),
        expected[..expected.len().min(3)]
    );
    for (place, &(id, rank, scores)) in expected.iter().enumerate() {
        let slot = ranking.slot(id).unwrap();
        assert_eq!(ranking.rank(slot), Some(rank));
        let at = ranking.at(place).unwrap();
        assert_eq!((at.slot, at.rank, at.score), (slot, rank, scores.score));
        assert_eq!(ranking.row(slot), Some(place));
        let around = ranking.around(slot, window).unwrap();
        let from = place.saturating_sub(window);
        let to = (place + window + 1).min(expected.len());
        assert_eq!(around, from..to);
        assert_eq!(rows(ranking, ranking.range(around)), expected[from..to]);
    }
    assert_eq!(ranking.at(expected.len()), None);
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::HighestFirst), Just(Direction::LowestFirst)]
}

fn order() -> impl Strategy<Value = Order> {
    let ties = prop_oneof![
        Just(Ties::Earliest),
        Just(Ties::Competition),
        Just(Ties::Dense)
    ];
    let parts = (direction(), prop::option::of(direction()), ties);
    parts.prop_map(|(direction, tiebreak, ties)| Order {
        direction,
        tiebreak,
        ties,
    })
}

/// Few scores make many ties; the extremes are among them.
fn points() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => -3i64..3,
        1 => Just(Score::MAX.points()),
        1 => Just(Score::MIN.points()),
    ]
}

#[derive(Clone, Debug)]
enum Operation {
    Place(u32, i64, i64, u64),
    Remove(u32),
}

fn operation(users: u32) -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => (0..users, points(), points(), 1u64..6)
            .prop_map(|(n, points, tiebreak, reached)| Operation::Place(n, points, tiebreak, reached)),
        1 => (0..users).prop_map(Operation::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Users come, move and go in small rankings, where every tie is met.
    #[test]
    fn agrees_with_sorting(
        order in order(),
        operations in prop::collection::vec(operation(24), 0..240),
        window in 0usize..5,
    ) {
        let mut ranking = Ranking::new(order);
        let mut naive = Naive { order, standings: HashMap::new() };
        let mut most = 0;
        for operation in operations {
            match operation {
                Operation::Place(n, points, tiebreak, reached) => {
                    let slot = ranking.register(id(n));
                    ranking.place(slot, standing(points, tiebreak, reached));
                    naive.standings.insert(id(n), standing(points, tiebreak, reached));
                }
                Operation::Remove(n) => {
                    ranking.remove(id(n));
                    naive.standings.remove(&id(n));
                    prop_assert_eq!(ranking.slot(id(n)), None);
                }
            }
            most = most.max(naive.standings.len());
            prop_assert!(ranking.slots() <= most);
        }
        ranking.register(id(99));
        check_everything(&ranking, &naive, window);
        prop_assert_eq!(ranking.slot(id(99)).and_then(|slot| ranking.rank(slot)), None);
        prop_assert_eq!(ranking.slot(id(100)), None);
    }

    /// A ranking loaded at once is the one that grew.
    #[test]
    fn loading_is_growing(
        order in order(),
        users in prop::collection::vec((points(), points(), 1u64..6, any::<bool>()), 0..600),
    ) {
        let users: Vec<_> = (0..).zip(users).map(|(n, (points, tiebreak, reached, ranked))| {
            (id(n), ranked.then(|| standing(points, tiebreak, reached)))
        }).collect();
        let mut ranking = Ranking::load(order, users.iter().copied());
        let mut naive = Naive { order, standings: HashMap::new() };
        for &(id, standing) in &users {
            naive.standings.extend(standing.map(|standing| (id, standing)));
        }
        check_everything(&ranking, &naive, 1);
        for &(id, _) in users.iter().take(40) {
            let slot = ranking.slot(id).unwrap();
            ranking.place(slot, standing(1, 0, 9));
            naive.standings.insert(id, standing(1, 0, 9));
        }
        check_everything(&ranking, &naive, 1);
    }
}

/// A generator good enough to scatter (Vigna, SplitMix64).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Half a million operations on a ranking of three levels: users arrive, climb,
/// fall into a few crowded scores and scatter again, and some of them go.
fn agrees_with_indexset(direction: Direction, seed: u64) {
    const USERS: u64 = 60_000;
    let mut random = SplitMix(seed);
    let order = Order {
        direction,
        ..Order::default()
    };
    let mut ranking = Ranking::new(order);
    let mut oracle: BTreeSet<Key> = BTreeSet::new();
    let mut slots: Vec<(Slot, Competitor, Standing)> = Vec::new();
    let mut registered = 0;

    for reached in 1..=500_000u64 {
        let crowded = (reached / 100_000) % 2 == 1;
        let points = if crowded {
            random.below(4) as i64
        } else {
            random.below(1 << 40) as i64 - (1 << 39)
        };
        let new = standing(points, 0, reached);
        let pick = random.below(USERS) as usize;
        if pick < slots.len() && random.below(8) == 0 {
            let (slot, id, old) = slots.swap_remove(pick);
            ranking.remove(id);
            assert!(oracle.remove(&key(order, slot, old)));
            continue;
        }
        let slot = if pick < slots.len() {
            let (slot, _, old) = &mut slots[pick];
            assert!(oracle.remove(&key(order, *slot, *old)));
            *old = new;
            *slot
        } else {
            let id = id(registered);
            registered += 1;
            let slot = ranking.register(id);
            slots.push((slot, id, new));
            slot
        };
        ranking.place(slot, new);
        oracle.insert(key(order, slot, new));

        let place = oracle.rank(&key(order, slot, new));
        assert_eq!(
            ranking.rank(slot),
            Some(place as u64 + 1),
            "after {reached}"
        );
        if reached % 64 == 0 {
            let place = random.below(oracle.len() as u64) as usize;
            let expected = oracle.get_index(place).unwrap();
            assert_eq!(ranking.at(place).unwrap().slot, expected.3);
        }
    }
    let order = ranking.range(0..usize::MAX).map(|row| row.slot);
    assert!(order.eq(oracle.iter().map(|key| key.3)));
    assert!(registered as u64 > USERS && ranking.slots() as u64 <= USERS);
}

#[test]
fn agrees_with_indexset_highest_first() {
    agrees_with_indexset(Direction::HighestFirst, 1);
}

#[test]
fn agrees_with_indexset_lowest_first() {
    agrees_with_indexset(Direction::LowestFirst, 2);
}

/// A log that is written entry by entry, with a board where nobody is ranked at first.
struct Log(State);

fn user(n: u32) -> UserId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    UserId(bytes)
}

impl Log {
    fn new() -> Log {
        let mut log = Log(State::default());
        log.add(Fact::BoardChanged {
            board: BoardId::default(),
            settings: Arc::new(Settings::main(Rules {
                operator: Operator::Latest,
                ..Rules::default()
            })),
            borders: Box::default(),
        });
        log
    }

    fn add(&mut self, fact: Fact) {
        let seq = Seq::new(self.0.seq() + 1).unwrap();
        let at = Timestamp(seq.get());
        self.0.apply(&LogEntry { seq, at, fact });
    }

    fn ranked(&self) -> usize {
        self.0.board(&BoardId::default()).unwrap().len()
    }

    fn register(&mut self, n: u32) {
        let profile = Profile {
            username: format!("user {n}").into(),
            avatar: Some("/picture.png".into()),
        };
        let user = user(n);
        self.add(Fact::UserChanged { user, profile });
    }

    fn act(&mut self, n: u32) {
        self.add(Fact::Action(Action {
            board: BoardId::default(),
            user: user(n),
            action_type: "test".into(),
            increase: 1,
            tiebreak_increase: 0,
            scores: Scores {
                score: Score::new(1).unwrap(),
                ..Scores::default()
            },
        }));
    }

    fn delete(&mut self, n: u32) {
        self.add(Fact::UserDeleted { user: user(n) });
    }
}

#[test]
fn people_who_are_deleted_leave_nothing() {
    let mut log = Log::new();
    log.register(0);
    log.act(0);
    for n in 1..=24_000 {
        log.register(n);
        log.act(n);
        log.delete(n);
    }
    assert_eq!((log.0.directory().indices(), log.ranked()), (1, 1));
    // A new user has neither the name, nor the best rank, nor the score of whoever had
    // the slot.
    log.register(24_001);
    let person = log.0.directory().person(user(24_001)).unwrap();
    assert_eq!(&*person.profile.username, "user 24001");
    let index = log.0.directory().index_of(user(24_001)).unwrap();
    assert_eq!(
        log.0.board(&BoardId::default()).unwrap().ranked(index),
        None
    );
    // However many there were, the room that they had is given back with the last.
    for n in 1..5_000 {
        log.register(n);
    }
    for n in (1..5_000).rev() {
        log.delete(n);
    }
    assert_eq!(log.0.directory().indices(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A search looks at some slots at a time, and users come and go between: whoever
    /// stays is met, and once.
    #[test]
    fn a_walk_in_pieces_meets_everybody_who_stays_once(
        piece in 1u32..6,
        between in 0usize..8,
        changes in prop::collection::vec((0u32..30, any::<bool>()), 0..200),
    ) {
        let mut log = Log::new();
        for n in 0..20 {
            log.register(n);
        }
        let mut changes = changes.into_iter();
        // Some slots are free to begin with.
        for (n, _) in changes.by_ref().take(between) {
            log.delete(n);
        }
        let mut stays: Vec<u32> = (0..20).filter(|n| log.0.directory().person(user(*n)).is_some()).collect();
        let mut met: HashMap<UserId, u32> = HashMap::new();
        let mut next = 0;
        loop {
            for index in (next..next + piece).map(Competitor) {
                if let Some(person) = log.0.directory().person_at(index) {
                    *met.entry(person.id).or_default() += 1;
                }
            }
            next += piece;
            if next >= log.0.directory().indices() {
                break;
            }
            for (n, comes) in changes.by_ref().take(between) {
                if comes {
                    log.register(n);
                } else {
                    log.delete(n);
                    stays.retain(|known| *known != n);
                }
            }
        }
        for n in stays {
            prop_assert_eq!(met.get(&user(n)), Some(&1), "user {}", n);
        }
    }
}
