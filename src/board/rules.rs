//! What an action does to a score, and how a board is ordered.

use super::{Direction, Order, Score, Scores};

/// How scores come about and how they are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// In which order competitors stand.
    pub order: Order,
    /// How an action changes a score.
    pub operator: Operator,
    /// How many rows the visible board has, 1 or more.
    pub top: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            order: Order::default(),
            operator: Operator::default(),
            top: 10,
        }
    }
}

/// How an action's points become a score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Points add up.
    #[default]
    Sum,
    /// The best result counts.
    Best,
    /// The latest result counts.
    Latest,
    /// Actions are counted, whatever their points are. The second score adds up.
    Count,
}

impl Rules {
    /// Does a competitor begin at 0? Otherwise one without a result has no score.
    pub fn begin_at_zero(&self) -> bool {
        matches!(self.operator, Operator::Sum | Operator::Count)
    }

    /// The scores after an action worth `points`, and `tiebreak` for the second score, of
    /// somebody whose scores are `current`; `None` if those are no scores: the action must
    /// be refused.
    pub fn after(&self, current: Option<Scores>, points: i64, tiebreak: i64) -> Option<Scores> {
        let (score, tiebreak) = self.result(current, points, tiebreak);
        let result = Scores {
            score: Score::new(score)?,
            tiebreak: Score::new(tiebreak)?,
        };
        Some(self.chosen(current, result))
    }

    /// The same on a derived board, which can refuse nothing: instead of what is no score
    /// it has the nearest.
    pub fn after_within_range(
        &self,
        current: Option<Scores>,
        points: i64,
        tiebreak: i64,
    ) -> Scores {
        let (score, tiebreak) = self.result(current, points, tiebreak);
        let result = Scores {
            score: Score::nearest(score),
            tiebreak: Score::nearest(tiebreak),
        };
        self.chosen(current, result)
    }

    /// What the action makes of the scores, were it to count.
    fn result(&self, current: Option<Scores>, points: i64, tiebreak: i64) -> (i64, i64) {
        let tiebreak = self.order.tiebreak.map_or(0, |_| tiebreak);
        let Scores {
            score,
            tiebreak: second,
        } = current.unwrap_or_default();
        let sum = |score: Score, more| score.points().saturating_add(more);
        match self.operator {
            Operator::Sum => (sum(score, points), sum(second, tiebreak)),
            Operator::Count => (sum(score, 1), sum(second, tiebreak)),
            Operator::Best | Operator::Latest => (points, tiebreak),
        }
    }

    fn chosen(&self, current: Option<Scores>, result: Scores) -> Scores {
        match current {
            Some(best)
                if self.operator == Operator::Best && !self.order.is_better(result, best) =>
            {
                best
            }
            _ => result,
        }
    }
}

impl Order {
    /// Does the one rank higher than the other, whoever reached them first?
    pub fn is_better(&self, one: Scores, other: Scores) -> bool {
        let key = |direction, score: Score| match direction {
            Direction::HighestFirst => -score.points(),
            Direction::LowestFirst => score.points(),
        };
        let keys = |it: Scores| {
            let tiebreak = self.tiebreak.map(|direction| key(direction, it.tiebreak));
            (key(self.direction, it.score), tiebreak)
        };
        keys(one) < keys(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(operator: Operator, direction: Direction, tiebreak: Option<Direction>) -> Rules {
        Rules {
            order: Order {
                direction,
                tiebreak,
                ..Order::default()
            },
            operator,
            ..Rules::default()
        }
    }

    fn scores(score: i64, tiebreak: i64) -> Option<Scores> {
        Some(Scores {
            score: Score::new(score)?,
            tiebreak: Score::new(tiebreak)?,
        })
    }

    #[test]
    fn sums_refuse_to_leave_the_range() {
        let rules = rules(Operator::Sum, Direction::HighestFirst, None);
        assert_eq!(rules.after(scores(5, 0), 7, 9), scores(12, 0));
        assert_eq!(rules.after(scores(5, 0), -7, 0), scores(-2, 0));
        assert_eq!(rules.after(None, 3, 0), scores(3, 0));
        let most = Score::MAX.points();
        assert_eq!(rules.after(scores(most, 0), 1, 0), None);
        assert_eq!(rules.after(scores(-most, 0), -1, 0), None);
    }

    #[test]
    fn counts_take_no_notice_of_points() {
        let rules = rules(
            Operator::Count,
            Direction::HighestFirst,
            Some(Direction::LowestFirst),
        );
        assert_eq!(rules.after(None, 500, 20), scores(1, 20));
        assert_eq!(rules.after(scores(1, 20), -3, 5), scores(2, 25));
        assert_eq!(rules.after(scores(1, 20), 0, i64::MAX), None);
    }

    #[test]
    fn the_best_result_is_that_of_the_direction() {
        let highest = rules(Operator::Best, Direction::HighestFirst, None);
        assert_eq!(highest.after(None, 61, 0), scores(61, 0));
        assert_eq!(highest.after(scores(61, 0), 59, 0), scores(61, 0));
        let lowest = rules(Operator::Best, Direction::LowestFirst, None);
        assert_eq!(lowest.after(scores(61, 0), 59, 0), scores(59, 0));
        assert_eq!(lowest.after(scores(59, 0), 61, 0), scores(59, 0));
    }

    #[test]
    fn of_equal_results_the_second_score_tells_the_better() {
        let rules = rules(
            Operator::Best,
            Direction::HighestFirst,
            Some(Direction::LowestFirst),
        );
        assert_eq!(rules.after(scores(5, 90), 5, 70), scores(5, 70));
        assert_eq!(rules.after(scores(5, 70), 5, 90), scores(5, 70));
        assert_eq!(rules.after(scores(5, 70), 6, 900), scores(6, 900));
    }

    #[test]
    fn the_latest_result_replaces_the_one_before() {
        let rules = rules(Operator::Latest, Direction::HighestFirst, None);
        assert_eq!(rules.after(scores(100, 0), 3, 0), scores(3, 0));
        assert_eq!(rules.after(None, i64::MAX, 0), None);
    }
}
