//! The scores of several users over time, on one axis.

use crate::{
    board::{Score, Timestamp},
    store::{HistoryPoint, history::MAX_POINTS},
};

/// Scores of several users at the same moments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aligned {
    /// At even distances, oldest first.
    pub times: Vec<Timestamp>,
    /// For each user, the score at each of these; `None` before the first action.
    pub scores: Vec<Vec<Option<Score>>>,
}

/// What is known of one user.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line<'a> {
    /// The history, in the order of the log.
    Past(&'a [HistoryPoint]),
    /// No history; the score of now, if there is one.
    Now(Option<Score>),
}

/// Looks at all of these at the same moments: `points` of them at most, from the first
/// point of all to the last. The score of now is known at the last moment alone.
pub(super) fn align(lines: &[Line<'_>], points: usize) -> Aligned {
    let times = axis(lines, points);
    let scores = lines
        .iter()
        .map(|line| match *line {
            Line::Past(history) => scores_at(&times, history),
            Line::Now(score) => {
                let mut scores = vec![None; times.len()];
                if let Some(last) = scores.last_mut() {
                    *last = score;
                }
                scores
            }
        })
        .collect();
    Aligned { times, scores }
}

fn scores_at(times: &[Timestamp], history: &[HistoryPoint]) -> Vec<Option<Score>> {
    let mut points = in_time(history).peekable();
    let mut score = None;
    let score_at = |time: &Timestamp| {
        while let Some((_, next)) = points.next_if(|(at, _)| at <= time) {
            score = Some(next);
        }
        score
    };
    times.iter().map(score_at).collect()
}

/// The log says what came later. Where a clock was set back meanwhile, the later
/// point counts as taken with the one before.
fn in_time(history: &[HistoryPoint]) -> impl Iterator<Item = (Timestamp, Score)> {
    history.iter().scan(Timestamp::default(), |latest, point| {
        *latest = point.at.max(*latest);
        Some((*latest, point.score))
    })
}

fn axis(lines: &[Line<'_>], points: usize) -> Vec<Timestamp> {
    let histories = lines.iter().filter_map(|line| match *line {
        Line::Past(history) => Some(history),
        Line::Now(_) => None,
    });
    let times = || histories.clone().flat_map(in_time);
    let earliest = times().map(|(at, _)| at.0).min();
    let latest = times().map(|(at, _)| at.0).max();
    let (Some(earliest), Some(latest)) = (earliest, latest) else {
        return Vec::new();
    };
    let whole = latest - earliest;
    let steps = (points.clamp(1, MAX_POINTS) as u64 - 1).min(whole);
    let from_the_end = |step: u64| Timestamp(latest - whole * step / steps.max(1));
    (0..=steps).rev().map(from_the_end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Seq;

    /// A history of these moments and scores.
    fn history(points: &[(u64, i64)]) -> Vec<HistoryPoint> {
        let points = points.iter().zip(1..);
        points
            .map(|(&(at, score), seq)| HistoryPoint {
                seq: Seq::new(seq).expect("from 1"),
                at: Timestamp(at),
                score: Score::new(score).expect("in range"),
                rank: None,
            })
            .collect()
    }

    /// The moments, and for each user the scores at them.
    type Lines = (Vec<u64>, Vec<Vec<Option<i64>>>);

    fn aligned(histories: &[&[(u64, i64)]], points: usize) -> Lines {
        let histories: Vec<_> = histories.iter().map(|points| history(points)).collect();
        let lines: Vec<_> = histories.iter().map(|it| Line::Past(it)).collect();
        shown(align(&lines, points))
    }

    fn shown(Aligned { times, scores }: Aligned) -> Lines {
        let points = |score: Option<Score>| score.map(Score::points);
        (
            times.into_iter().map(|at| at.0).collect(),
            scores
                .into_iter()
                .map(|line| line.into_iter().map(points).collect())
                .collect(),
        )
    }

    #[test]
    fn everybody_is_looked_at_at_the_same_moments() {
        let (times, lines) = aligned(
            &[
                &[(1000, 5), (1100, 7), (1399, 6), (1400, 9)],
                &[(1201, 4), (1300, -2)],
                &[],
            ],
            5,
        );
        assert_eq!(times, [1000, 1100, 1200, 1300, 1400]);
        assert_eq!(lines[0], [5, 7, 7, 7, 9].map(Some));
        assert_eq!(lines[1], [None, None, None, Some(-2), Some(-2)]);
        assert_eq!(lines[2], [None; 5]);
    }

    #[test]
    fn of_a_user_without_a_history_the_score_of_now_is_shown() {
        let known = history(&[(1, 5), (3, 7)]);
        let lines = [
            Line::Now(Score::new(9)),
            Line::Past(&known),
            Line::Now(None),
        ];
        let (times, lines) = shown(align(&lines, 9));
        assert_eq!(times, [1, 2, 3]);
        assert_eq!(lines[0], [None, None, Some(9)]);
        assert_eq!(lines[1], [5, 5, 7].map(Some));
        assert_eq!(lines[2], [None; 3]);
        let nobody = align(&[Line::Now(Score::new(9))], 9);
        assert_eq!(shown(nobody), (vec![], vec![vec![]]));
    }

    #[test]
    fn there_are_no_more_moments_than_milliseconds() {
        let (times, lines) = aligned(&[&[(7, 1), (9, 2)]], 100);
        assert_eq!(times, [7, 8, 9]);
        assert_eq!(lines, [[1, 1, 2].map(Some)]);
        let (times, lines) = aligned(&[&[(7, 1), (7, 2)]], 100);
        assert_eq!((times, lines), (vec![7], vec![vec![Some(2)]]));
    }

    #[test]
    fn one_moment_is_the_last() {
        let (times, lines) = aligned(&[&[(7, 1), (9, 2)], &[(8, 5)]], 1);
        assert_eq!(times, [9]);
        assert_eq!(lines, [[Some(2)], [Some(5)]]);
        assert_eq!(aligned(&[&[(7, 1), (9, 2)]], 0).0, [9]);
    }

    #[test]
    fn where_nobody_acted_there_is_no_moment() {
        assert_eq!(aligned(&[&[], &[]], 9), (vec![], vec![vec![]; 2]));
        assert_eq!(aligned(&[], 9), (vec![], vec![]));
    }

    #[test]
    fn a_clock_that_was_set_back_loses_nothing() {
        let (times, lines) = aligned(&[&[(500, 1), (900, 2), (100, 3)], &[(600, 4)]], 3);
        assert_eq!(times, [500, 700, 900]);
        assert_eq!(lines[0], [1, 1, 3].map(Some));
    }

    #[test]
    fn the_axis_has_both_ends_whatever_the_distances() {
        let (times, lines) = aligned(&[&[(10, 1), (20, 2)]], 4);
        assert_eq!(times, [10, 14, 17, 20]);
        assert_eq!(lines[0], [1, 1, 1, 2].map(Some));
    }
}
