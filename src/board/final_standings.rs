//! The standings with which a season has ended: a fact. Hiding and deleting people are no
//! results, and so they are shown without those who are gone by then.

use std::ops::Range;

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
}

/// Some of the rows with which a season ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalPart {
    /// Which season.
    pub season: Season,
    /// The entry of the log by which it ended.
    pub ended_by: Seq,
    /// How many rows there are in all, with those who were hidden.
    pub total: usize,
    /// Those at the positions that were asked for.
    pub rows: Vec<FinalRow>,
}

impl FinalPart {
    /// No part has more rows: some hundred kB.
    pub const MOST: usize = 4096;

    /// The positions of a part, as far as it may have them.
    pub fn positions(asked: Range<usize>) -> Range<usize> {
        let most = asked.start.saturating_add(FinalPart::MOST);
        asked.start..asked.end.min(most).max(asked.start)
    }
}

impl FinalRow {
    /// Is this row of a season shown that ended by this entry? Who was registered later has the
    /// id of somebody who was deleted, and had nothing then.
    pub fn is_shown(&self, ended_by: Seq, directory: &Directory) -> bool {
        let is_later = match self.who {
            Who::User(user) => directory
                .person(user)
                .is_some_and(|person| person.registered > ended_by),
            Who::Team(_) => false,
        };
        !is_later && directory.shown(self.who).is_some()
    }
}

/// Which rows of final standings are not shown, by which the others find their places and
/// ranks: those that they would have had without them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How many rows there are in all.
    rows: usize,
    /// The positions of those that are not shown, in order.
    absent: Vec<u32>,
    /// Where ranks count scores and not who is ahead: those that nobody has any more.
    lost: Option<Vec<u64>>,
}

/// Finds the gaps, row by row.
#[derive(Debug, Default)]
pub struct GapFinder {
    rows: usize,
    absent: Vec<u32>,
    lost: Vec<u64>,
    /// The rank of the row before, of how many rows are ahead of it, and whether anybody is
    /// shown with it.
    rank: u64,
    ahead: usize,
    is_rank_shown: bool,
}

impl GapFinder {
    /// Adds the next row.
    pub fn add(&mut self, rank: u64, is_shown: bool) {
        if rank != self.rank {
            self.end_rank();
            (self.rank, self.ahead, self.is_rank_shown) = (rank, self.rows, false);
        }
        self.is_rank_shown |= is_shown;
        if !is_shown {
            // More rows than this number holds fit into no machine.
            self.absent.push(self.rows as u32);
        }
        self.rows += 1;
    }

    fn end_rank(&mut self) {
        if self.rows > 0 && !self.is_rank_shown {
            self.lost.push(self.rank);
        }
    }

    /// When all rows were added.
    pub fn finish(mut self) -> Gaps {
        self.end_rank();
        // Settings may say otherwise by now.
        let is_dense = self.rank <= self.ahead as u64;
        Gaps {
            rows: self.rows,
            absent: self.absent,
            lost: is_dense.then_some(self.lost),
        }
    }
}

impl Gaps {
    /// All of so many rows are shown.
    pub fn none(rows: usize) -> Gaps {
        Gaps {
            rows,
            ..Gaps::default()
        }
    }

    /// How many rows are shown.
    pub fn shown(&self) -> usize {
        self.rows - self.absent.len()
    }

    /// The position among all rows of the one that is shown at a position.
    pub fn position(&self, shown: usize) -> usize {
        // So many are shown before a gap, and there are so many gaps before it.
        let (mut low, mut high) = (0, self.absent.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.absent[middle] as usize - middle <= shown {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        shown + low
    }

    /// Is the row at a position among all shown?
    pub fn shows(&self, position: usize) -> bool {
        let absent = |it: &u32| (*it as usize).cmp(&position);
        self.absent.binary_search_by(absent).is_err()
    }

    /// The rank that a row is shown with that was recorded with this one.
    pub fn rank(&self, recorded: u64) -> u64 {
        let gone = match &self.lost {
            Some(lost) => lost.partition_point(|rank| *rank < recorded),
            // So many rows were ahead.
            None => self
                .absent
                .partition_point(|it| u64::from(*it) + 1 < recorded),
        };
        recorded - gone as u64
    }

    /// How large it is in memory, about.
    pub fn bytes(&self) -> usize {
        let lost = self
            .lost
            .as_ref()
            .map_or(0, |it| it.len() * size_of::<u64>());
        size_of::<Gaps>() + self.absent.len() * size_of::<u32>() + lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(recorded: &[u64], hidden: &[usize]) -> Gaps {
        let mut finder = GapFinder::default();
        for (place, rank) in recorded.iter().enumerate() {
            finder.add(*rank, !hidden.contains(&place));
        }
        finder.finish()
    }

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
            (&[], &[], &[]),
        ] {
            let gaps = gaps(recorded, hidden);
            let places = (0..gaps.shown()).map(|shown| gaps.position(shown));
            let places: Vec<usize> = places.collect();
            let left: Vec<usize> = (0..recorded.len())
                .filter(|it| !hidden.contains(it))
                .collect();
            assert_eq!(places, left, "{recorded:?} without {hidden:?}");
            assert!(places.iter().all(|place| gaps.shows(*place)));
            assert!(hidden.iter().all(|place| !gaps.shows(*place)));
            let ranks: Vec<u64> = places.iter().map(|it| gaps.rank(recorded[*it])).collect();
            assert_eq!(ranks, expected, "{recorded:?} without {hidden:?}");
        }
    }

    #[test]
    fn without_gaps_all_is_as_it_was_recorded() {
        let none = Gaps::none(3);
        assert_eq!((none.shown(), none.position(2), none.rank(2)), (3, 2, 2));
        assert_eq!(gaps(&[1, 1, 2], &[]).rank(2), 2);
        assert_eq!(FinalPart::positions(7..9), 7..9);
        assert_eq!(FinalPart::positions(7..usize::MAX), 7..7 + FinalPart::MOST);
    }
}
