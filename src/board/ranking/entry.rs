//! Where a competitor stands in the order of a board, and how the tree stores that.

use super::{Direction, Score, Slot};

/// Where a competitor stands: who is smaller stands before. Two competitors differ in it
/// wherever they differ in score, second score or moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// 54 bits, smaller for better scores; and so is `tiebreak`, which is 0 on a board
    /// without a second score.
    score: u64,
    tiebreak: u64,
    /// The entry of the log by which both were reached: 44 bits, which are a century at
    /// 5,000 entries a second.
    pub(super) reached: u64,
}

impl Position {
    pub(super) const REACHED_BITS: u32 = 44;
    const SCORE_BITS: u32 = 54;
    /// After every entry of a log.
    pub(super) const MAX_REACHED: u64 = (1 << Position::REACHED_BITS) - 1;

    pub(super) fn new(
        (direction, score): (Direction, Score),
        tiebreak: Option<(Direction, Score)>,
        reached: u64,
    ) -> Position {
        Position {
            score: encoded(direction, score),
            tiebreak: tiebreak.map_or(0, |(direction, score)| encoded(direction, score)),
            reached,
        }
    }

    pub(super) fn score(self, direction: Direction) -> Score {
        decoded(direction, self.score)
    }

    pub(super) fn tiebreak(self, direction: Direction) -> Score {
        decoded(direction, self.tiebreak)
    }

    /// What is shared by competitors who are tied.
    pub(super) fn tie(self) -> Tie {
        Tie(self.score, self.tiebreak)
    }

    /// Before everybody of this tie and after all who are better.
    pub(super) fn of_tie(tie: Tie) -> Position {
        Position {
            score: tie.0,
            tiebreak: tie.1,
            reached: 0,
        }
    }

    /// After everybody of this tie and before all who are worse.
    pub(super) fn after_tie(tie: Tie) -> Position {
        Position {
            reached: Position::MAX_REACHED,
            ..Position::of_tie(tie)
        }
    }

    /// The next position after all who have this one.
    pub(super) fn next(self) -> Position {
        Position {
            reached: self.reached + 1,
            ..self
        }
    }
}

/// Score and second score of competitors who are tied, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tie(u64, u64);

fn encoded(direction: Direction, score: Score) -> u64 {
    let code = match direction {
        Direction::HighestFirst => Score::MAX.points() - score.points(),
        Direction::LowestFirst => score.points() - Score::MIN.points(),
    };
    code.cast_unsigned()
}

fn decoded(direction: Direction, code: u64) -> Score {
    let code = code.cast_signed();
    let points = match direction {
        Direction::HighestFirst => Score::MAX.points() - code,
        Direction::LowestFirst => code + Score::MIN.points(),
    };
    Score::new(points).unwrap_or_default()
}

/// What the tree stores of a competitor. Entries order as positions do, and competitors
/// with one position by their slots.
pub(super) trait Entry: Copy + Ord {
    fn new(position: Position, slot: Slot) -> Self;
    fn position(self) -> Position;
    fn slot(self) -> Slot;
}

/// How many slots fit.
pub(super) const MAX_SLOTS: u32 = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 30;

/// 16 bytes, of a board without a second score: from the highest bit down 54 bits of
/// score, 44 bits of when it was reached, 30 bits of the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Narrow(u128);

impl Entry for Narrow {
    fn new(position: Position, slot: Slot) -> Narrow {
        Narrow(
            u128::from(position.score) << (Position::REACHED_BITS + SLOT_BITS)
                | u128::from(position.reached) << SLOT_BITS
                | u128::from(slot.0),
        )
    }

    fn position(self) -> Position {
        Position {
            score: (self.0 >> (Position::REACHED_BITS + SLOT_BITS)) as u64,
            tiebreak: 0,
            reached: (self.0 >> SLOT_BITS) as u64 & Position::MAX_REACHED,
        }
    }

    fn slot(self) -> Slot {
        Slot(self.0 as u32 & (MAX_SLOTS - 1))
    }
}

/// 24 bytes, of a board with a second score: 54 bits of score; 54 of the second score and
/// 10 of when both were reached; the other 34 of that, and 30 bits of the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide(u64, u64, u64);

impl Wide {
    const LOW_BITS: u32 = u64::BITS - SLOT_BITS;
    const HIGH_BITS: u32 = Position::REACHED_BITS - Wide::LOW_BITS;
}

// The second word is full.
const _: () = assert!(Position::SCORE_BITS + Wide::HIGH_BITS == u64::BITS);

impl Entry for Wide {
    fn new(position: Position, slot: Slot) -> Wide {
        Wide(
            position.score,
            position.tiebreak << Wide::HIGH_BITS | position.reached >> Wide::LOW_BITS,
            position.reached << SLOT_BITS | u64::from(slot.0),
        )
    }

    fn position(self) -> Position {
        let high = self.1 & ((1 << Wide::HIGH_BITS) - 1);
        Position {
            score: self.0,
            tiebreak: self.1 >> Wide::HIGH_BITS,
            reached: high << Wide::LOW_BITS | self.2 >> SLOT_BITS,
        }
    }

    fn slot(self) -> Slot {
        Slot(self.2 as u32 & (MAX_SLOTS - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [Score; 3] = [Score::MIN, Score::ZERO, Score::MAX];
    const DIRECTIONS: [Direction; 2] = [Direction::HighestFirst, Direction::LowestFirst];

    /// What is stored is what comes back, and the order is that of positions.
    fn check<E: Entry>(positions: &[Position]) {
        let slot = Slot(MAX_SLOTS - 1);
        for &position in positions {
            let entry = E::new(position, slot);
            assert_eq!((entry.position(), entry.slot()), (position, slot));
            for &other in positions {
                let slots = [Slot(0), slot];
                let order = position.cmp(&other).then(slots[0].cmp(&slots[1]));
                let entries = [E::new(position, slots[0]), E::new(other, slots[1])];
                assert_eq!(entries[0].cmp(&entries[1]), order);
            }
        }
    }

    fn positions(direction: Direction, tiebreak: Option<Direction>) -> Vec<Position> {
        let mut all = Vec::new();
        for score in SCORES {
            for second in SCORES {
                for reached in [1, 1 << 34, Position::MAX_REACHED - 1] {
                    let tiebreak = tiebreak.map(|direction| (direction, second));
                    let position = Position::new((direction, score), tiebreak, reached);
                    assert_eq!(position.score(direction), score);
                    if let Some((direction, second)) = tiebreak {
                        assert_eq!(position.tiebreak(direction), second);
                    }
                    let tie = position.tie();
                    assert!(Position::of_tie(tie) < position);
                    assert!(position.next() <= Position::after_tie(tie));
                    assert!(position < Position::after_tie(tie));
                    all.push(position);
                }
            }
        }
        all
    }

    #[test]
    fn hold_the_extremes_of_every_field() {
        for direction in DIRECTIONS {
            check::<Narrow>(&positions(direction, None));
            for tiebreak in DIRECTIONS {
                check::<Wide>(&positions(direction, Some(tiebreak)));
            }
        }
    }
}
