//! Final standings: read from the store, once for all who ask for the same.

use std::{mem::size_of, num::NonZeroUsize, sync::Arc};

use super::{HistoryError, Live};
use crate::{
    blocking,
    board::{BoardId, Epoch, FinalRow, FinalStandings},
    limits::{Bounds, Client, Reason, Refusals, Unanswered, Work},
    store::StoreError,
};

/// Bytes of standings in the cache: three hundred thousand rows.
const CACHED: u64 = 16 * 1024 * 1024;

/// Rows that are looked at while the state is locked.
const AT_ONCE: usize = 1024;

/// Of which log and board, and which season, and since when nobody was hidden or deleted, and no
/// board: another one may have had its name.
type Key = (Epoch, BoardId, u32, u64, u64);

/// Why there are no standings.
#[derive(Clone, Debug)]
enum Absent {
    /// There is no such season yet: what is not there is not stored in the cache.
    Missing,
    Store(Arc<StoreError>),
}

/// Reading final standings, with those that were read last. Clones are the same.
#[derive(Clone)]
pub(super) struct Seasons(Work<Key, Arc<FinalStandings>, Absent>);

impl Seasons {
    pub(super) fn new(concurrent: NonZeroUsize, refusals: Refusals) -> Seasons {
        let bounds = Bounds {
            concurrent,
            cached: CACHED,
        };
        let bytes = |_: &Key, standings: &Arc<FinalStandings>| {
            size_of::<Key>() + standings.rows.len() * size_of::<FinalRow>()
        };
        Seasons(Work::new(bounds, bytes, Reason::History, refusals))
    }

    pub(super) fn forget_idle(&self) {
        self.0.forget_idle();
    }
}

impl Live {
    /// The standings with which a season of a board has ended, without those who are hidden or
    /// gone now; `None` if there is no such season or board, or if the season runs.
    ///
    /// # Errors
    /// If too much is asked for, or the store cannot be read.
    pub async fn final_standings(
        &self,
        client: Client,
        board: &BoardId,
        season: u32,
    ) -> Result<Option<Arc<FinalStandings>>, HistoryError> {
        let key = self.read(|epoch, state| {
            let on = state.board(board)?;
            let has_ended = (1..=on.ended_seasons()).contains(&season);
            let as_of = (state.boards_version(), state.hidden_as_of());
            let key = (epoch, board.clone(), season, as_of.0, as_of.1);
            has_ended.then_some(key)
        });
        let Some(key) = key else {
            return Ok(None);
        };
        let (live, board) = (self.clone(), board.clone());
        let standings = self.seasons.0.get(client, key, async move |permit| {
            let standings = live.store.final_standings(board, season).await;
            match standings {
                Ok(Some(standings)) => {
                    let show = move || {
                        let _permit = permit;
                        Arc::new(live.shown(&standings))
                    };
                    Ok(blocking::on_thread(show).await)
                }
                Ok(None) => Err(Unanswered::Failed(Absent::Missing)),
                Err(StoreError::TookTooLong) => Err(Unanswered::TookTooLong),
                Err(error) => Err(Unanswered::Failed(Absent::Store(Arc::new(error)))),
            }
        });
        match standings.await {
            Ok(standings) => Ok(Some(standings)),
            Err(Unanswered::Failed(Absent::Missing)) => Ok(None),
            Err(Unanswered::Failed(Absent::Store(error))) => {
                self.histories.failed(&error);
                Err(Unanswered::Failed(error))
            }
            Err(Unanswered::QueueFull) => Err(Unanswered::QueueFull),
            Err(Unanswered::Busy) => Err(Unanswered::Busy),
            Err(Unanswered::TookTooLong) => Err(Unanswered::TookTooLong),
            Err(Unanswered::Panicked) => Err(Unanswered::Panicked),
        }
    }

    /// Those of final standings who are shown now.
    fn shown(&self, standings: &FinalStandings) -> FinalStandings {
        let mut is_shown = Vec::with_capacity(standings.rows.len());
        for rows in standings.rows.chunks(AT_ONCE) {
            self.read(|_, state| {
                let directory = state.directory();
                let shown = rows.iter().map(|row| standings.shows(row, directory));
                is_shown.extend(shown);
            });
        }
        FinalStandings {
            season: standings.season,
            ended_by: standings.ended_by,
            rows: standings.shown(|place| is_shown[place]).collect(),
        }
    }
}
