//! What the tree stores of a user: 16 bytes, ordered as the ranking is.

use super::{Direction, Score, Slot, Standing};

/// From the highest bit down: 54 bits of score, 44 bits of when it was reached,
/// 30 bits of the user's slot. Numbers order as the ranking does, but for users
/// who are equal in score and moment, whom their ids order.
///
/// 2^44 log entries are a century at 5,000 a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(pub(super) u128);

impl Entry {
    pub(super) const REACHED_BITS: u32 = 44;
    const SLOT_BITS: u32 = 30;
    const SCORE_SHIFT: u32 = Entry::REACHED_BITS + Entry::SLOT_BITS;

    /// How many slots fit.
    pub(super) const MAX_USERS: u32 = 1 << Entry::SLOT_BITS;

    pub(super) fn new(direction: Direction, standing: Standing, slot: Slot) -> Entry {
        let score = match direction {
            Direction::HighestFirst => Score::MAX.points() - standing.score.points(),
            Direction::LowestFirst => standing.score.points() - Score::MIN.points(),
        };
        Entry(
            (score as u128) << Entry::SCORE_SHIFT
                | u128::from(standing.reached.get()) << Entry::SLOT_BITS
                | u128::from(slot.0),
        )
    }

    pub(super) fn slot(self) -> Slot {
        Slot(self.0 as u32 & (Entry::MAX_USERS - 1))
    }

    pub(super) fn score(self, direction: Direction) -> Score {
        let code = (self.0 >> Entry::SCORE_SHIFT) as i64;
        let points = match direction {
            Direction::HighestFirst => Score::MAX.points() - code,
            Direction::LowestFirst => code + Score::MIN.points(),
        };
        Score::new(points).unwrap_or_default()
    }

    /// Score and moment alone.
    pub(super) fn without_slot(self) -> u128 {
        self.0 >> Entry::SLOT_BITS
    }

    /// Stands before every entry of this score and after all of better ones.
    pub(super) fn score_floor(self) -> Entry {
        Entry(self.0 >> Entry::SCORE_SHIFT << Entry::SCORE_SHIFT)
    }

    /// The floor of the next worse score.
    pub(super) fn next_score_floor(self) -> Entry {
        Entry(self.score_floor().0 + (1 << Entry::SCORE_SHIFT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_the_extremes_of_every_field() {
        for direction in [Direction::HighestFirst, Direction::LowestFirst] {
            for score in [Score::MIN, Score::ZERO, Score::MAX] {
                for reached in [1, (1 << Entry::REACHED_BITS) - 1] {
                    let slot = Slot(Entry::MAX_USERS - 1);
                    let Some(standing) = Standing::new(score, reached) else {
                        panic!("{reached} fits");
                    };
                    let entry = Entry::new(direction, standing, slot);
                    assert_eq!(entry.slot(), slot);
                    assert_eq!(entry.score(direction), score);
                    assert!(entry.score_floor().0 < entry.0);
                    assert!(entry.next_score_floor().0 > entry.0);
                }
            }
        }
        assert_eq!(Standing::new(Score::ZERO, 0), None);
        assert_eq!(Standing::new(Score::ZERO, 1 << Entry::REACHED_BITS), None);
    }
}
