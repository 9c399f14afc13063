//! The standings with which a season has ended: a fact. Hiding and deleting people are no
//! results, and so they are shown without those who are gone by then.

use super::{Directory, Scores, Season, Seq, Who};

/// The standings with which a season ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FinalStandings {
    /// Which.
    pub season: Season,
    /// The entry of the log by which it ended.
    pub ended_by: Seq,
    /// In order, with those who were hidden.
    pub rows: Vec<FinalRow>,
}

/// A row of final standings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FinalRow {
    /// Whose it is.
    pub who: Who,
    /// The rank, 1 or more.
    pub rank: u64,
    /// The scores.
    pub scores: Scores,
}

impl FinalStandings {
    /// The same season, in which nobody had a result.
    pub fn without_rows(&self) -> FinalStandings {
        FinalStandings {
            rows: Vec::new(),
            ..*self
        }
    }

    /// Is this row one of those that are shown? Who was registered later has the id of somebody
    /// who was deleted, and had nothing then.
    pub fn shows(&self, row: &FinalRow, directory: &Directory) -> bool {
        let is_later = match row.who {
            Who::User(user) => directory
                .person(user)
                .is_some_and(|person| person.registered > self.ended_by),
            Who::Team(_) => false,
        };
        !is_later && directory.shown(row.who).is_some()
    }

    /// The rows that are shown, of which the others are told by their place, counted from 0.
    /// They have the ranks that they would have had without the others.
    pub fn shown(&self, is_shown: impl Fn(usize) -> bool) -> impl Iterator<Item = FinalRow> {
        let is_dense = self.is_dense();
        let (mut shown, mut scores) = (0, 0);
        // The recorded rank of the rows before, and the rank that they are shown with.
        let mut last = (0, 0);
        let rows = self.rows.iter().enumerate();
        rows.filter(move |(place, _)| is_shown(*place))
            .map(move |(_, row)| {
                shown += 1;
                if row.rank != last.0 {
                    scores += 1;
                    last = (row.rank, if is_dense { scores } else { shown });
                }
                FinalRow {
                    rank: last.1,
                    ..*row
                }
            })
    }

    /// Do ranks count scores, and not who is ahead? Settings may say otherwise by now.
    fn is_dense(&self) -> bool {
        self.rows.last().is_some_and(|last| {
            let ahead = self.rows.partition_point(|row| row.rank < last.rank);
            last.rank <= ahead as u64
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Score, Timestamp, UserId};

    #[test]
    fn ranks_are_of_those_who_are_shown() {
        for (recorded, hidden, expected) in [
            (&[1, 2, 3, 4][..], &[][..], &[1, 2, 3, 4][..]),
            (&[1, 2, 3, 4], &[0], &[1, 2, 3]),
            (&[1, 2, 2, 4], &[0], &[1, 1, 3]),
            (&[1, 2, 2, 4], &[1], &[1, 2, 3]),
            (&[1, 1, 3, 3], &[0, 1], &[1, 1]),
            (&[1, 2, 2, 3], &[0], &[1, 1, 2]),
            (&[1, 2, 2, 3], &[2], &[1, 2, 3]),
            (&[1, 1, 2, 2, 3], &[2, 3], &[1, 1, 2]),
            (&[1], &[0], &[]),
        ] {
            let row = |(place, rank): (usize, &u64)| FinalRow {
                who: Who::User(UserId([place as u8; 16])),
                rank: *rank,
                scores: Scores {
                    score: Score::new(7).expect("fits"),
                    tiebreak: Score::default(),
                },
            };
            let standings = FinalStandings {
                season: Season {
                    number: 1,
                    ends: Timestamp(0),
                },
                ended_by: Seq::FIRST,
                rows: recorded.iter().enumerate().map(row).collect(),
            };
            let shown = standings.shown(|place| !hidden.contains(&place));
            let ranks: Vec<u64> = shown.map(|row| row.rank).collect();
            assert_eq!(ranks, expected, "{recorded:?} without {hidden:?}");
        }
    }
}
