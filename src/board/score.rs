//! Points, in the range that every JSON client can hold exactly.

/// A score: an integer within ±(2^53 − 1), the range in which a JavaScript
/// number is exact (ECMA-262, `Number.MAX_SAFE_INTEGER`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(i64);

impl Score {
    /// The largest score, 2^53 − 1.
    pub const MAX: Score = Score((1 << 53) - 1);
    /// The smallest score, −(2^53 − 1).
    pub const MIN: Score = Score(-Score::MAX.0);
    /// The score of somebody who has done nothing yet.
    pub const ZERO: Score = Score(0);

    /// The score with this many points, or `None` outside the range.
    pub const fn new(points: i64) -> Option<Score> {
        if points >= Score::MIN.0 && points <= Score::MAX.0 {
            Some(Score(points))
        } else {
            None
        }
    }

    /// The score that is nearest to this many points.
    pub const fn nearest(points: i64) -> Score {
        if points > Score::MAX.0 {
            Score::MAX
        } else if points < Score::MIN.0 {
            Score::MIN
        } else {
            Score(points)
        }
    }

    /// The points.
    pub const fn points(self) -> i64 {
        self.0
    }

    /// This score and `points` more, or `None` if that leaves the range.
    pub fn checked_add(self, points: i64) -> Option<Score> {
        self.0.checked_add(points).and_then(Score::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_that_of_safe_integers() {
        assert_eq!(Score::new(9_007_199_254_740_991), Some(Score::MAX));
        assert_eq!(Score::new(9_007_199_254_740_992), None);
        assert_eq!(Score::new(-9_007_199_254_740_991), Some(Score::MIN));
        assert_eq!(Score::new(-9_007_199_254_740_992), None);
    }

    #[test]
    fn adding_never_leaves_the_range() {
        assert_eq!(Score::MAX.checked_add(1), None);
        assert_eq!(Score::MIN.checked_add(-1), None);
        assert_eq!(Score::MAX.checked_add(i64::MAX), None);
        assert_eq!(Score::ZERO.checked_add(-3).map(Score::points), Some(-3));
    }
}
