//! How a season of a board ends.

use super::{Board, Members};
use crate::board::{Directory, FinalRow, FinalStandings, Seq, Settings, Timestamp};

/// A part of a board's life that has an end: of a board with a period one of many, of another
/// one all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Season {
    /// 1 for the first.
    pub number: u32,
    /// When it ends.
    pub ends: Timestamp,
}

/// Where a board is in its seasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seasons {
    /// How many have ended.
    pub ended: u32,
    /// When the running one ends; `None` if no end is known, or if the board has ended.
    pub ends: Option<Timestamp>,
}

impl Seasons {
    /// Of a board that is new, with a period when its seasons end, up to the running one.
    pub fn of_new(settings: &Settings, borders: &[Timestamp]) -> Seasons {
        match borders {
            [.., last] if settings.period().is_some() => Seasons {
                ended: u32::try_from(borders.len() - 1).unwrap_or(u32::MAX),
                ends: Some(*last),
            },
            _ => Seasons {
                ended: 0,
                ends: settings.ends,
            },
        }
    }

    /// Of the same board with other settings, and with a period when the running season ends
    /// then, if that is at another time.
    pub fn with(self, before: &Settings, now: &Settings, borders: &[Timestamp]) -> Seasons {
        let ends = match now.period() {
            Some(_) => borders.last().copied().or(self.ends),
            None if before.ends == now.ends => self.ends,
            None => now.ends,
        };
        Seasons { ends, ..self }
    }

    /// The one that runs, if it is known when it ends.
    pub fn running(self) -> Option<Season> {
        Some(Season {
            number: self.ended.saturating_add(1),
            ends: self.ends?,
        })
    }
}

impl Board {
    /// The season has ended, and the next one begins, which ends at `next`; without that the
    /// board has ended, and stays as it is. Says with which standings.
    pub(in crate::board) fn end_season(
        &mut self,
        by: Seq,
        next: Option<Timestamp>,
        directory: &Directory,
    ) -> Option<FinalStandings> {
        let standings = self.final_standings(by, directory)?;
        self.seasons = Seasons {
            ended: standings.season.number,
            ends: next,
        };
        if next.is_some() {
            self.begin_anew(directory);
        }
        Some(standings)
    }

    /// With which standings the season ends if it ends now, by this entry. They have those too
    /// who are hidden, and are shown without.
    pub fn final_standings(&self, ended_by: Seq, directory: &Directory) -> Option<FinalStandings> {
        let season = self.season()?;
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
