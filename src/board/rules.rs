//! What an action does to a score, and how a board is ordered.

use super::{Direction, Score, Ties};

/// What belongs to a board beside its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Which scores rank higher.
    pub direction: Direction,
    /// How an action changes a score.
    pub operator: Operator,
    /// How equal scores are displayed.
    pub ties: Ties,
    /// How many rows the visible board has, 1 or more.
    pub top: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            direction: Direction::default(),
            operator: Operator::default(),
            ties: Ties::default(),
            top: 10,
        }
    }
}

/// How an action's points become a score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operator {
    /// Points add up; everybody starts at 0.
    #[default]
    Sum,
    /// The best result counts; without a result a user is not ranked.
    Best,
    /// The latest result counts; without a result a user is not ranked.
    Latest,
}

impl Rules {
    /// Names the part of the rules by which scores are decided. Under another
    /// name the same actions would have led to other scores.
    pub fn deciding(&self) -> &'static str {
        match (self.operator, self.direction) {
            (Operator::Sum, _) => "sum",
            (Operator::Best, Direction::HighestFirst) => "best, highest",
            (Operator::Best, Direction::LowestFirst) => "best, lowest",
            (Operator::Latest, _) => "latest",
        }
    }

    /// The score with which a user who has just been registered is ranked.
    pub fn initial(&self) -> Option<Score> {
        (self.operator == Operator::Sum).then_some(Score::ZERO)
    }

    /// The score after an action worth `points` by somebody whose score is
    /// `current`, or `None` if that is not a score: the action must be refused.
    pub fn after(&self, current: Option<Score>, points: i64) -> Option<Score> {
        match (self.operator, current) {
            (Operator::Sum, current) => current.unwrap_or_default().checked_add(points),
            (Operator::Best, Some(best)) => {
                let new = Score::new(points)?;
                Some(match self.direction {
                    Direction::HighestFirst => best.max(new),
                    Direction::LowestFirst => best.min(new),
                })
            }
            (Operator::Best, None) | (Operator::Latest, _) => Score::new(points),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(points: i64) -> Option<Score> {
        Score::new(points)
    }

    #[test]
    fn sums_refuse_to_leave_the_range() {
        let rules = Rules::default();
        assert_eq!(rules.after(score(5), 7), score(12));
        assert_eq!(rules.after(score(5), -7), score(-2));
        assert_eq!(rules.after(Some(Score::MAX), 1), None);
        assert_eq!(rules.after(Some(Score::MIN), -1), None);
    }

    #[test]
    fn the_best_result_is_that_of_the_direction() {
        let mut rules = Rules {
            operator: Operator::Best,
            ..Rules::default()
        };
        assert_eq!(rules.initial(), None);
        assert_eq!(rules.after(None, 61), score(61));
        assert_eq!(rules.after(score(61), 59), score(61));
        rules.direction = Direction::LowestFirst;
        assert_eq!(rules.after(score(61), 59), score(59));
        assert_eq!(rules.after(score(59), 61), score(59));
    }

    #[test]
    fn the_latest_result_replaces_the_one_before() {
        let rules = Rules {
            operator: Operator::Latest,
            ..Rules::default()
        };
        assert_eq!(rules.after(score(100), 3), score(3));
        assert_eq!(rules.after(None, i64::MAX), None);
    }
}
