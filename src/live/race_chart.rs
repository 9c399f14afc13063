//! The race chart: the scores over time of the first ten users, on one axis.

use futures_util::future::join_all;

use super::{HistoryError, Live};
use crate::{
    board::{BoardId, Score, Timestamp, UserId, Who},
    limits::Client,
    store::{HistoryPoint, history::MAX_POINTS},
};

/// Users in a chart.
const LINES: usize = 10;

/// Points that are asked of the store for each time of a chart: of two times that are
/// drawn, the line between them is right to a fifth.
const POINTS_PER_TIME: usize = 5;

/// Scores of several users over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RaceChart {
    /// At even distances, oldest first.
    pub times: Vec<Timestamp>,
    /// The users, best first.
    pub lines: Vec<RaceLine>,
}

/// The line of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaceLine {
    /// Whose line it is.
    pub user: UserId,
    /// The name to show.
    pub username: Box<str>,
    /// The score at each of the times; `None` before the first action.
    pub scores: Vec<Option<Score>>,
}

impl Live {
    /// The scores over time of the first ten of the visible board, at `points` times at
    /// most, 1 to 1000. A score may be as old as the time before its own. Of a user whose
    /// history cannot be read, it has the present score alone. Teams have no lines, and a
    /// board that is not there has none.
    ///
    /// # Errors
    /// If no history can be read.
    pub async fn race_chart(
        &self,
        board: &BoardId,
        points: usize,
    ) -> Result<RaceChart, HistoryError> {
        let users = self.read_board(board, |_, board| {
            let rows = board.top().take(LINES);
            let users = rows.filter_map(|row| match row.who {
                Who::User(user) => Some((user, row.profile.username.clone(), row.scores.score)),
                Who::Team(_) => None,
            });
            users.collect::<Vec<_>>()
        });
        let users = users.unwrap_or_default();
        let fine = points.saturating_mul(POINTS_PER_TIME).min(MAX_POINTS);
        // For the server, so that no client keeps it from the others.
        let histories = users
            .iter()
            .map(|(user, ..)| self.history(Client::Server, board, *user, fine));
        let histories = join_all(histories).await;
        if let Some(Err(error)) = histories.first()
            && histories.iter().all(Result::is_err)
        {
            return Err(error.clone());
        }
        let known: Vec<_> = histories
            .iter()
            .zip(&users)
            .map(|(history, (.., score))| match history {
                // A user who was deleted meanwhile has done nothing.
                Ok(history) => {
                    let points = history.as_ref().map(|it| &*it.history.points);
                    Known::History(points.unwrap_or_default())
                }
                Err(_) => Known::Score(Some(*score)),
            })
            .collect();
        let (times, scores) = align(&known, points);
        let lines = users.into_iter().zip(scores);
        let lines = lines.map(|((user, username, _), scores)| RaceLine {
            user,
            username,
            scores,
        });
        Ok(RaceChart {
            times,
            lines: lines.collect(),
        })
    }
}

/// What is known of one user.
#[derive(Clone, Copy, Debug)]
enum Known<'a> {
    /// The history, in the order of the log.
    History(&'a [HistoryPoint]),
    /// No history; the present score, if there is one.
    Score(Option<Score>),
}

/// Times and, for each user, the score at each of them: `points` times at most, from the
/// first point of all to the last. A present score is known at the last time alone.
fn align(lines: &[Known<'_>], points: usize) -> (Vec<Timestamp>, Vec<Vec<Option<Score>>>) {
    let times = axis(lines, points);
    let scores = lines
        .iter()
        .map(|line| match *line {
            Known::History(history) => scores_at(&times, history),
            Known::Score(score) => {
                let mut scores = vec![None; times.len()];
                if let Some(last) = scores.last_mut() {
                    *last = score;
                }
                scores
            }
        })
        .collect();
    (times, scores)
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

/// The order is that of the log. Where a clock was set back meanwhile, the later
/// point counts as taken with the one before.
fn in_time(history: &[HistoryPoint]) -> impl Iterator<Item = (Timestamp, Score)> {
    history.iter().scan(Timestamp::default(), |latest, point| {
        *latest = point.at.max(*latest);
        Some((*latest, point.score))
    })
}

fn axis(lines: &[Known<'_>], points: usize) -> Vec<Timestamp> {
    let histories = lines.iter().filter_map(|line| match *line {
        Known::History(history) => Some(history),
        Known::Score(_) => None,
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

    /// A history of these times and scores.
    fn history(points: &[(u64, i64)]) -> Vec<HistoryPoint> {
        let points = points.iter().zip(1..);
        points
            .map(|(&(at, score), seq)| HistoryPoint {
                seq: Seq::new(seq),
                at: Timestamp(at),
                score: Score::new(score).expect("in range"),
                tiebreak: None,
                rank: None,
            })
            .collect()
    }

    /// The times, and for each user the scores at them.
    type Lines = (Vec<u64>, Vec<Vec<Option<i64>>>);

    fn aligned(histories: &[&[(u64, i64)]], points: usize) -> Lines {
        let histories: Vec<_> = histories.iter().map(|points| history(points)).collect();
        let lines: Vec<_> = histories.iter().map(|it| Known::History(it)).collect();
        shown(align(&lines, points))
    }

    fn shown((times, scores): (Vec<Timestamp>, Vec<Vec<Option<Score>>>)) -> Lines {
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
    fn all_scores_are_of_the_same_times() {
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
    fn a_user_without_a_history_has_the_present_score() {
        let known = history(&[(1, 5), (3, 7)]);
        let lines = [
            Known::Score(Score::new(9)),
            Known::History(&known),
            Known::Score(None),
        ];
        let (times, lines) = shown(align(&lines, 9));
        assert_eq!(times, [1, 2, 3]);
        assert_eq!(lines[0], [None, None, Some(9)]);
        assert_eq!(lines[1], [5, 5, 7].map(Some));
        assert_eq!(lines[2], [None; 3]);
        let nobody = align(&[Known::Score(Score::new(9))], 9);
        assert_eq!(shown(nobody), (vec![], vec![vec![]]));
    }

    #[test]
    fn there_are_no_more_times_than_milliseconds() {
        let (times, lines) = aligned(&[&[(7, 1), (9, 2)]], 100);
        assert_eq!(times, [7, 8, 9]);
        assert_eq!(lines, [[1, 1, 2].map(Some)]);
        let (times, lines) = aligned(&[&[(7, 1), (7, 2)]], 100);
        assert_eq!((times, lines), (vec![7], vec![vec![Some(2)]]));
    }

    #[test]
    fn one_time_is_the_last() {
        let (times, lines) = aligned(&[&[(7, 1), (9, 2)], &[(8, 5)]], 1);
        assert_eq!(times, [9]);
        assert_eq!(lines, [[Some(2)], [Some(5)]]);
        assert_eq!(aligned(&[&[(7, 1), (9, 2)]], 0).0, [9]);
    }

    #[test]
    fn without_actions_there_are_no_times() {
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
