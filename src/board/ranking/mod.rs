//! Exact ranks over millions of users: order statistics on a counted B+ tree.
//!
//! The order is total: by score, then by who reached that score first, then by
//! id. So every place has exactly one user, and the same input gives the same
//! order on every node.

mod counted_tree;
mod entry;

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap},
    ops::Range,
};

use super::{Score, Seq, UserId};
use counted_tree::CountedTree;
use entry::Entry;

/// Below as many places as this, room that is not used is left as it is.
const ROOM: usize = 1024;

/// Which scores rank higher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// More is better: points.
    #[default]
    HighestFirst,
    /// Less is better: times, strokes, penalties.
    LowestFirst,
}

/// Which rank equal scores are given. The order of the rows is the same in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ties {
    /// 1, 2, 3, 4: who reached the score first ranks higher.
    #[default]
    Earliest,
    /// 1, 2, 2, 4: equal scores share the best rank.
    Competition,
    /// 1, 2, 2, 3: equal scores share a rank, and no rank is left out.
    Dense,
}

/// A ranked user's score, and the entry of the log by which it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    /// The score.
    pub score: Score,
    /// Orders users of equal scores; below 2^44.
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
}

/// Where a user stands in the order of the ranking: who is smaller stands before.
/// Two users differ in it wherever they differ in score or moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u128);

/// What somebody's move did to others: everybody from a position on has a rank
/// that is worse or better by one.
///
/// Under [`Ties::Earliest`] this is exact if no two users have the same score and
/// moment, as on a board, where moments are entries of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The first position that it concerns; the mover is not meant.
    pub from: Position,
    /// 1 for a worse rank, −1 for a better one.
    pub by: i8,
}

/// The shifts of one move: at most one for the place that was left and one for
/// the place that was taken.
pub type Shifts = [Option<Shift>; 2];

/// A registered user's index, which stays the same until the user is removed, and is
/// another's afterwards: what one board keeps about a user can lie in plain vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// The index, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Registered users, ranked as soon as they have a score. See the module.
///
/// It holds at most 2^30 users at a time. Whoever is removed leaves nothing behind.
#[derive(Clone, Debug)]
pub struct Ranking {
    direction: Direction,
    ties: Ties,
    slots: HashMap<UserId, Slot>,
    /// By slot, and so are `standings`; of a slot that is free, whoever had it last.
    ids: Vec<UserId>,
    standings: Vec<Option<Standing>>,
    /// Slots that nobody has. The lowest are given first, so that the vectors get
    /// shorter where many users go.
    free: BTreeSet<Slot>,
    tree: CountedTree,
    /// One entry for each score that somebody has, for [`Ties::Dense`] alone.
    scores: Option<CountedTree>,
}

impl Ranking {
    /// A ranking of nobody.
    pub fn new(direction: Direction, ties: Ties) -> Ranking {
        Ranking {
            direction,
            ties,
            slots: HashMap::new(),
            ids: Vec::new(),
            standings: Vec::new(),
            free: BTreeSet::new(),
            tree: CountedTree::new(),
            scores: (ties == Ties::Dense).then(CountedTree::new),
        }
    }

    /// A ranking of many users at once, in any order, each named once. Slots are in
    /// that order. O(n log n), several times faster than adding each.
    pub fn load(
        direction: Direction,
        ties: Ties,
        users: impl IntoIterator<Item = (UserId, Option<Standing>)>,
    ) -> Ranking {
        let users = users.into_iter();
        let mut ranking = Ranking::new(direction, ties);
        ranking.slots.reserve(users.size_hint().0);
        for (id, standing) in users {
            let slot = ranking.register(id);
            ranking.standings[slot.index()] = standing;
        }
        let mut entries: Vec<u128> = ranking
            .standings
            .iter()
            .zip(0..)
            .filter_map(|(standing, i)| Some(Entry::new(direction, (*standing)?, Slot(i)).0))
            .collect();
        entries.sort_unstable_by(|&a, &b| order(&ranking.ids, a, b));
        ranking.tree = CountedTree::from_sorted(&entries);
        if ranking.scores.is_some() {
            let mut scores: Vec<u128> = entries.iter().map(|&e| Entry(e).score_floor().0).collect();
            scores.dedup();
            ranking.scores = Some(CountedTree::from_sorted(&scores));
        }
        ranking
    }

    /// How many users are ranked.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Is nobody ranked?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot of a user, who is given one if the user is new. A new user is not
    /// ranked yet.
    pub fn register(&mut self, user: UserId) -> Slot {
        if let Some(slot) = self.slot(user) {
            return slot;
        }
        let slot = match self.free.pop_first() {
            Some(slot) => {
                self.ids[slot.index()] = user;
                slot
            }
            None => {
                let slot = Slot(self.ids.len() as u32);
                assert!(
                    slot.0 < Entry::MAX_USERS,
                    "a board holds at most 2^30 users"
                );
                self.ids.push(user);
                self.standings.push(None);
                slot
            }
        };
        self.slots.insert(user, slot);
        slot
    }

    /// The slot of a registered user.
    pub fn slot(&self, user: UserId) -> Option<Slot> {
        self.slots.get(&user).copied()
    }

    /// The index after the highest slot that somebody has: what is kept by slot needs
    /// no more places.
    pub fn slots(&self) -> usize {
        self.ids.len()
    }

    /// The slot with this index, if somebody has it.
    pub fn slot_at(&self, index: usize) -> Option<Slot> {
        let slot = Slot(u32::try_from(index).ok()?);
        (index < self.ids.len() && !self.free.contains(&slot)).then_some(slot)
    }

    /// Who has a slot.
    pub fn user(&self, slot: Slot) -> UserId {
        self.ids[slot.index()]
    }

    /// A user's standing, if the user is ranked.
    pub fn standing(&self, slot: Slot) -> Option<Standing> {
        self.standings[slot.index()]
    }

    /// Where a user stands, if the user is ranked.
    pub fn position(&self, slot: Slot) -> Option<Position> {
        let entry = Entry::new(self.direction, self.standing(slot)?, slot);
        Some(Position(entry.0))
    }

    /// Gives a user a standing: ranks a new user, moves a ranked one. Says what
    /// that did to others. O(log n).
    pub fn place(&mut self, slot: Slot, standing: Standing) -> Shifts {
        let old = self.standings[slot.index()];
        if old == Some(standing) {
            return [None, None];
        }
        let left = self.leave(slot);
        self.standings[slot.index()] = Some(standing);
        let entry = Entry::new(self.direction, standing, slot);
        let ids = &self.ids;
        self.tree.insert(entry.0, |a, b| order(ids, a, b));
        let is_new_score = match &mut self.scores {
            Some(scores) => scores.insert(entry.score_floor().0, |a, b| a.cmp(&b)),
            None => true,
        };
        [left, self.shift(entry, is_new_score, 1)]
    }

    /// Forgets a user, who may be registered again. The slot is the next new user's.
    /// Says what that did to others. O(log n), but for what gives back memory now and
    /// then.
    pub fn remove(&mut self, user: UserId) -> Option<Shift> {
        let slot = self.slots.remove(&user)?;
        // Before the slot is free: where moments are equal, the order asks for its id.
        let shift = self.leave(slot);
        self.free.insert(slot);
        while self.free.last().map(|slot| slot.index() + 1) == Some(self.ids.len()) {
            self.free.pop_last();
            self.ids.pop();
            self.standings.pop();
        }
        trim(&mut self.ids);
        trim(&mut self.standings);
        if is_roomy(self.slots.len(), self.slots.capacity()) {
            self.slots.shrink_to(2 * self.slots.len());
        }
        shift
    }

    /// Takes a user out of the order.
    fn leave(&mut self, slot: Slot) -> Option<Shift> {
        let old = self.standings[slot.index()].take()?;
        let entry = Entry::new(self.direction, old, slot);
        let ids = &self.ids;
        self.tree.remove(entry.0, |a, b| order(ids, a, b));
        let was_only_one = self.scores.is_none() || self.with_score(entry.score_floor()) == 0;
        if let Some(scores) = self.scores.as_mut().filter(|_| was_only_one) {
            scores.remove(entry.score_floor().0, |a, b| a.cmp(&b));
        }
        self.shift(entry, was_only_one, -1)
    }

    /// What it does to others that `entry` comes (1) or goes (−1).
    fn shift(&self, entry: Entry, is_alone: bool, by: i8) -> Option<Shift> {
        let from = match self.ties {
            Ties::Earliest => entry.0 + 1,
            Ties::Competition => entry.next_score_floor().0,
            Ties::Dense if is_alone => entry.next_score_floor().0,
            Ties::Dense => return None,
        };
        Some(Shift {
            from: Position(from),
            by,
        })
    }

    /// How many users have the score of which `floor` is the floor.
    fn with_score(&self, floor: Entry) -> usize {
        let before = |entry: Entry| self.tree.count_before(entry.0, |a, b| a.cmp(&b));
        before(floor.next_score_floor()) - before(floor)
    }

    /// The rank of a user, 1 or more, or `None` if the user is not ranked.
    /// O(log n).
    pub fn rank(&self, slot: Slot) -> Option<u64> {
        let entry = Entry::new(self.direction, self.standing(slot)?, slot);
        Some(self.rank_of(entry))
    }

    fn rank_of(&self, entry: Entry) -> u64 {
        let before = match (self.ties, &self.scores) {
            (Ties::Dense, Some(scores)) => {
                scores.count_before(entry.score_floor().0, |a, b| a.cmp(&b))
            }
            (Ties::Competition, _) => self
                .tree
                .count_before(entry.score_floor().0, |a, b| a.cmp(&b)),
            _ => self.place_of(entry),
        };
        before as u64 + 1
    }

    fn place_of(&self, entry: Entry) -> usize {
        self.tree
            .count_before(entry.0, |a, b| order(&self.ids, a, b))
    }

    /// Who stands at a place, counted from 0. O(log n).
    pub fn at(&self, place: usize) -> Option<Ranked> {
        self.range(place..place.saturating_add(1)).next()
    }

    /// The rows at these places, counted from 0, as far as there are any.
    /// O(log n) to begin, then O(1) a row.
    pub fn range(&self, places: Range<usize>) -> impl Iterator<Item = Ranked> + '_ {
        let mut above: Option<Ranked> = None;
        self.tree
            .iter_from(places.start)
            .map(Entry)
            .zip(places)
            .map(move |(entry, place)| {
                let score = entry.score(self.direction);
                let rank = match above {
                    None => self.rank_of(entry),
                    Some(above) if self.ties == Ties::Earliest || above.score != score => {
                        if self.ties == Ties::Dense {
                            above.rank + 1
                        } else {
                            place as u64 + 1
                        }
                    }
                    Some(above) => above.rank,
                };
                let row = Ranked {
                    slot: entry.slot(),
                    rank,
                    score,
                };
                above = Some(row);
                row
            })
    }

    /// The first `n` rows.
    pub fn top(&self, n: usize) -> impl Iterator<Item = Ranked> + '_ {
        self.range(0..n)
    }

    /// The places, counted from 0, of a user and of up to `window` users on
    /// either side; `None` if the user is not ranked. O(log n).
    pub fn around(&self, slot: Slot, window: usize) -> Option<Range<usize>> {
        let entry = Entry::new(self.direction, self.standing(slot)?, slot);
        let place = self.place_of(entry);
        let end = place.saturating_add(window).saturating_add(1);
        Some(place.saturating_sub(window)..end.min(self.len()))
    }
}

/// Gives memory back where a vector has become much shorter than it was.
pub(super) fn trim<T>(vector: &mut Vec<T>) {
    if is_roomy(vector.len(), vector.capacity()) {
        vector.shrink_to(2 * vector.len());
    }
}

/// So much is free that moving what is there costs less than one step for each that
/// went since it was moved last.
fn is_roomy(len: usize, capacity: usize) -> bool {
    capacity > ROOM && len < capacity / 4
}

/// The order of the ranking: entries hold all of it but the ids, which decide
/// where score and moment are equal.
fn order(ids: &[UserId], a: u128, b: u128) -> Ordering {
    let (a, b) = (Entry(a), Entry(b));
    a.without_slot().cmp(&b.without_slot()).then_with(|| {
        if a == b {
            Ordering::Equal
        } else {
            ids[a.slot().index()].cmp(&ids[b.slot().index()])
        }
    })
}

impl Standing {
    /// A standing; `None` if `reached` is 0 or needs more than 44 bits.
    pub fn new(score: Score, reached: u64) -> Option<Standing> {
        let reached = Seq::new(reached)?;
        (reached.get() >> Entry::REACHED_BITS == 0).then_some(Standing { score, reached })
    }
}
