//! Exact ranks over millions of competitors: order statistics on a counted B+ tree.
//!
//! The order is total: by score, then by second score where there is one, then by who
//! reached both first. On a board no two competitors reach a standing with the same entry
//! of the log, so every row has exactly one of them, and the same log gives the same order
//! on every node. Where two do, the one who was registered here first stands higher.

mod counted_tree;
mod entry;
mod tree;

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher},
    ops::Range,
};

use super::{Competitor, Score, Seq};
use counted_tree::CountedTree;
pub use entry::Position;
use entry::{MAX_SLOTS, Tie};
use tree::Tree;

/// Below as many elements as this, room that is not used is left as it is.
const ROOM: usize = 1024;

/// Which scores rank higher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// More is better: points.
    #[default]
    HighestFirst,
    /// Less is better: times, strokes, penalties.
    LowestFirst,
}

/// Which rank equal scores are given. The order of the rows is the same in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ties {
    /// 1, 2, 3, 4: who reached the score first ranks higher.
    #[default]
    Earliest,
    /// 1, 2, 2, 4: equal scores share the best rank.
    Competition,
    /// 1, 2, 2, 3: equal scores share a rank, and no rank is left out.
    Dense,
}

/// In which order competitors stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Order {
    /// Which scores rank higher.
    pub direction: Direction,
    /// Which second scores do, on a board that has them.
    pub tiebreak: Option<Direction>,
    /// Which ranks are given where both are equal.
    pub ties: Ties,
}

/// A ranked competitor's score, and the entry of the log by which it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    /// The score.
    pub score: Score,
    /// The second score, which counts on a board that has one.
    pub tiebreak: Score,
    /// Orders competitors of equal scores; below 2^44.
    pub reached: Seq,
}

/// A row of the ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Whose row it is.
    pub slot: Slot,
    /// The rank to show, 1 or more.
    pub rank: u64,
    /// The score.
    pub score: Score,
    /// The second score; 0 on a board without.
    pub tiebreak: Score,
}

/// What a competitor's move did to others: everybody from a position on has a rank that is
/// worse or better by one.
///
/// Under [`Ties::Earliest`] this is exact if no two competitors have the same position, as
/// on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The first position that it concerns; the mover is not meant.
    pub from: Position,
    /// 1 for a worse rank, −1 for a better one.
    pub by: i8,
}

/// The shifts of one move: at most one for the row that was left and one for the row that
/// was taken.
pub type Shifts = [Option<Shift>; 2];

/// A registered competitor's index, which stays the same until the competitor is removed,
/// and is another's afterwards: what one board stores about competitors can lie in plain
/// vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// The index, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Registered competitors, ranked as soon as they have a standing. See the module.
///
/// It holds at most 2^30 at a time. One who is removed leaves nothing behind.
#[derive(Clone, Debug)]
pub struct Ranking {
    order: Order,
    slots: HashMap<Competitor, Slot, BuildHasherDefault<IndexHasher>>,
    /// By slot, and so are `standings`; of a slot that is free, who had it last.
    competitors: Vec<Competitor>,
    standings: Vec<Option<Standing>>,
    /// Slots that nobody has. The lowest are given first, so that the vectors get
    /// shorter where many competitors go.
    free: BTreeSet<Slot>,
    tree: Tree,
    /// The scores that somebody has, for [`Ties::Dense`] alone.
    scores: Option<CountedTree<Tie>>,
}

impl Ranking {
    /// A ranking of nobody.
    pub fn new(order: Order) -> Ranking {
        Ranking::load(order, [])
    }

    /// A ranking of many competitors at once, in any order, each named once. Slots are in
    /// that order. O(n log n), several times faster than adding each.
    pub fn load(
        order: Order,
        competitors: impl IntoIterator<Item = (Competitor, Option<Standing>)>,
    ) -> Ranking {
        let competitors = competitors.into_iter();
        let expected = competitors.size_hint().0;
        let mut ranking = Ranking {
            order,
            slots: HashMap::with_capacity_and_hasher(expected, BuildHasherDefault::default()),
            competitors: Vec::with_capacity(expected),
            standings: Vec::with_capacity(expected),
            free: BTreeSet::new(),
            tree: Tree::new(order.tiebreak.is_some()),
            scores: None,
        };
        for (competitor, standing) in competitors {
            let slot = ranking.register(competitor);
            ranking.standings[slot.index()] = standing;
        }
        let standings = ranking.standings.iter().zip(0..);
        let positions: Vec<(Position, Slot)> = standings
            .filter_map(|(standing, i)| Some((order.position((*standing)?), Slot(i))))
            .collect();
        if order.ties == Ties::Dense {
            let mut ties: Vec<Tie> = positions.iter().map(|(at, _)| at.tie()).collect();
            ties.sort_unstable();
            ties.dedup();
            ranking.scores = Some(CountedTree::from_sorted(&ties));
        }
        ranking.tree = Tree::load(order.tiebreak.is_some(), positions);
        ranking
    }

    /// In which order they stand.
    pub fn order(&self) -> Order {
        self.order
    }

    /// How many competitors are ranked.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Is nobody ranked?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot of a competitor, who is given one if this one is new. A new competitor is
    /// not ranked yet.
    ///
    /// # Panics
    /// If there are 2^30 already.
    pub fn register(&mut self, competitor: Competitor) -> Slot {
        if let Some(slot) = self.slot(competitor) {
            return slot;
        }
        let slot = match self.free.pop_first() {
            Some(slot) => {
                self.competitors[slot.index()] = competitor;
                slot
            }
            None => {
                let slot = Slot(self.competitors.len() as u32);
                assert!(slot.0 < MAX_SLOTS, "a board holds at most 2^30 competitors");
                self.competitors.push(competitor);
                self.standings.push(None);
                slot
            }
        };
        self.slots.insert(competitor, slot);
        slot
    }

    /// The slot of a registered competitor.
    pub fn slot(&self, competitor: Competitor) -> Option<Slot> {
        self.slots.get(&competitor).copied()
    }

    /// The index after the highest slot that somebody has: what is stored by slot needs
    /// to be no longer.
    pub fn slots(&self) -> usize {
        self.competitors.len()
    }

    /// Who has a slot.
    pub fn competitor(&self, slot: Slot) -> Competitor {
        self.competitors[slot.index()]
    }

    /// All who are registered, in no order.
    pub fn competitors(&self) -> impl Iterator<Item = (Competitor, Option<Standing>)> + '_ {
        let slots = self.slots.iter();
        slots.map(|(competitor, slot)| (*competitor, self.standing(*slot)))
    }

    /// A competitor's standing, if the competitor is ranked.
    pub fn standing(&self, slot: Slot) -> Option<Standing> {
        self.standings[slot.index()]
    }

    /// Where a competitor stands, if the competitor is ranked.
    pub fn position(&self, slot: Slot) -> Option<Position> {
        Some(self.order.position(self.standing(slot)?))
    }

    /// Gives a competitor a standing: ranks a new one, moves a ranked one. Says what that
    /// did to others. O(log n).
    pub fn place(&mut self, slot: Slot, standing: Standing) -> Shifts {
        let old = self.standings[slot.index()];
        if old == Some(standing) {
            return [None, None];
        }
        let left = self.withdraw(slot);
        self.standings[slot.index()] = Some(standing);
        let position = self.order.position(standing);
        self.tree.insert(position, slot);
        let is_new_score = match &mut self.scores {
            Some(scores) => scores.insert(position.tie()),
            None => true,
        };
        [left, self.shift(position, is_new_score, 1)]
    }

    /// Forgets a competitor, who may be registered again. The slot is the next new one's.
    /// Says what that did to others. O(log n), but for what gives back memory now and
    /// then.
    pub fn remove(&mut self, competitor: Competitor) -> Option<Shift> {
        let slot = self.slots.remove(&competitor)?;
        let shift = self.withdraw(slot);
        self.free.insert(slot);
        while self.free.last().map(|slot| slot.index() + 1) == Some(self.competitors.len()) {
            self.free.pop_last();
            self.competitors.pop();
            self.standings.pop();
        }
        trim(&mut self.competitors);
        trim(&mut self.standings);
        trim_map(&mut self.slots);
        shift
    }

    /// Takes a competitor out of the order, who stays registered. Says what that did to
    /// others. O(log n).
    pub fn withdraw(&mut self, slot: Slot) -> Option<Shift> {
        let old = self.standings[slot.index()].take()?;
        let position = self.order.position(old);
        self.tree.remove(position, slot);
        let was_only_one = self.scores.is_none() || self.with_tie(position.tie()) == 0;
        if let Some(scores) = self.scores.as_mut().filter(|_| was_only_one) {
            scores.remove(position.tie());
        }
        self.shift(position, was_only_one, -1)
    }

    /// What it does to others that somebody comes (1) to a position or leaves it (−1).
    fn shift(&self, position: Position, is_alone: bool, by: i8) -> Option<Shift> {
        let from = match self.order.ties {
            Ties::Earliest => position.next(),
            Ties::Competition => Position::after_tie(position.tie()),
            Ties::Dense if is_alone => Position::after_tie(position.tie()),
            Ties::Dense => return None,
        };
        Some(Shift { from, by })
    }

    /// How many competitors have this score.
    fn with_tie(&self, tie: Tie) -> usize {
        let after = self.tree.count_before(Position::after_tie(tie), Slot(0));
        after - self.before_tie(tie)
    }

    fn before_tie(&self, tie: Tie) -> usize {
        self.tree.count_before(Position::of_tie(tie), Slot(0))
    }

    /// The rank of a competitor, 1 or more, or `None` if the competitor is not ranked.
    /// O(log n).
    pub fn rank(&self, slot: Slot) -> Option<u64> {
        Some(self.rank_at(self.position(slot)?, slot))
    }

    fn rank_at(&self, position: Position, slot: Slot) -> u64 {
        let before = match (self.order.ties, &self.scores) {
            (Ties::Dense, Some(scores)) => scores.count_before(position.tie()),
            (Ties::Competition, _) => self.before_tie(position.tie()),
            _ => self.tree.count_before(position, slot),
        };
        before as u64 + 1
    }

    /// Who stands in a row, counted from 0. O(log n).
    pub fn at(&self, row: usize) -> Option<Ranked> {
        self.range(row..row.saturating_add(1)).next()
    }

    /// These rows, counted from 0, as far as there are any. O(log n) to begin, then O(1)
    /// a row.
    pub fn range(&self, rows: Range<usize>) -> impl Iterator<Item = Ranked> + '_ {
        let mut above: Option<(Position, u64)> = None;
        self.tree
            .iter_from(rows.start)
            .zip(rows)
            .map(move |((position, slot), row)| {
                let rank = match above {
                    None => self.rank_at(position, slot),
                    Some((at, rank))
                        if self.order.ties != Ties::Earliest && at.tie() == position.tie() =>
                    {
                        rank
                    }
                    Some((_, rank)) if self.order.ties == Ties::Dense => rank + 1,
                    Some(_) => row as u64 + 1,
                };
                above = Some((position, rank));
                Ranked {
                    slot,
                    rank,
                    score: position.score(self.order.direction),
                    tiebreak: self
                        .order
                        .tiebreak
                        .map_or(Score::ZERO, |it| position.tiebreak(it)),
                }
            })
    }

    /// The first `n` rows.
    pub fn top(&self, n: usize) -> impl Iterator<Item = Ranked> + '_ {
        self.range(0..n)
    }

    /// The row of a competitor, counted from 0; `None` if the competitor is not ranked.
    /// O(log n).
    pub fn row(&self, slot: Slot) -> Option<usize> {
        Some(self.tree.count_before(self.position(slot)?, slot))
    }

    /// The rows, counted from 0, of a competitor and of up to `window` others on either
    /// side; `None` if the competitor is not ranked. O(log n).
    pub fn around(&self, slot: Slot, window: usize) -> Option<Range<usize>> {
        let row = self.row(slot)?;
        let end = row.saturating_add(window).saturating_add(1);
        Some(row.saturating_sub(window)..end.min(self.len()))
    }
}

impl Order {
    fn position(&self, standing: Standing) -> Position {
        Position::new(
            (self.direction, standing.score),
            self.tiebreak
                .map(|direction| (direction, standing.tiebreak)),
            standing.reached.get(),
        )
    }
}

/// Spreads indices over a hash table (Fibonacci hashing: Knuth, *The Art of Computer
/// Programming*, vol. 3, 6.4). They are ours: nobody can choose them so that they collide.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IndexHasher(u64);

impl Hasher for IndexHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, index: u32) {
        self.0 = (self.0 ^ u64::from(index)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        // The table takes its low bits for the bucket, which are the poorest.
        self.0 ^ self.0 >> 32
    }
}

/// Gives memory back where a vector has become much shorter than it was.
pub(super) fn trim<T>(vector: &mut Vec<T>) {
    if is_roomy(vector.len(), vector.capacity()) {
        vector.shrink_to(2 * vector.len());
    }
}

/// Gives memory back where a map has become much smaller than it was.
pub(super) fn trim_map<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    if is_roomy(map.len(), map.capacity()) {
        map.shrink_to(2 * map.len());
    }
}

/// So much is free that moving what is there costs less than one step for each that
/// went since it was moved last.
fn is_roomy(len: usize, capacity: usize) -> bool {
    capacity > ROOM && len < capacity / 4
}

impl Standing {
    /// A standing without a second score; `None` if `reached` is 0, or
    /// 2^44 − 1 or more.
    pub fn new(score: Score, reached: u64) -> Option<Standing> {
        let reached = Seq::new(reached)?;
        (reached.get() < Position::MAX_REACHED).then_some(Standing {
            score,
            tiebreak: Score::ZERO,
            reached,
        })
    }
}
