//! How a season of a board ends.

use super::{Board, Members};
use crate::board::{Directory, FinalRow, FinalStandings, Seq, Timestamp};

/// The season that runs on a board with a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Season {
    /// 1 for the first.
    pub number: u32,
    /// When it ends.
    pub ends: Timestamp,
}

impl Board {
    /// The season has ended, and the next one begins, which ends at `next`. Says with which
    /// standings.
    pub(in crate::board) fn end_season(
        &mut self,
        by: Seq,
        next: Timestamp,
        directory: &Directory,
    ) -> Option<FinalStandings> {
        let standings = self.final_standings(by, directory)?;
        let season = standings.season;
        self.season = Some(Season {
            number: season.number + 1,
            ends: next,
        });
        self.clear();
        self.add_everyone(directory);
        Some(standings)
    }

    /// With which standings the season ends if it ends now, by this entry. They have those too who are hidden,
    /// and are shown without.
    pub fn final_standings(&self, ended_by: Seq, directory: &Directory) -> Option<FinalStandings> {
        let season = self.season?;
        let with_hidden = self.with_hidden();
        let board = with_hidden.as_ref().unwrap_or(self);
        let rows = board.rows(directory, 0..usize::MAX).map(|row| FinalRow {
            who: row.who,
            rank: row.rank,
            scores: row.scores,
        });
        let rows = rows.collect();
        Some(FinalStandings {
            season,
            ended_by,
            rows,
        })
    }

    /// The same board on which those are placed too who are hidden, if there are any.
    fn with_hidden(&self) -> Option<Board> {
        let Members::People(hidden) = &self.members else {
            return None;
        };
        if hidden.is_empty() {
            return None;
        }
        let mut board = self.clone();
        for (person, it) in hidden {
            let slot = board.ranking.register(*person);
            board.ranking.place(slot, it.standing);
        }
        Some(board)
    }
}
