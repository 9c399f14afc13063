//! Final standings: read from the store in parts, once for all who ask for the same. Those who
//! are hidden or gone are left out. Where somebody is, all rows are looked at once to know at
//! which positions; as long as nobody is, a page costs what is on it.

use std::{mem::size_of, num::NonZeroUsize, ops::Range, sync::Arc, time::Duration};

use super::{BoardsVersion, HistoryError, Live};
use crate::{
    board::{BoardId, Epoch, FinalPart, FinalRow, GapFinder, Gaps, Season, Seq},
    limits::{Bounds, Client, Reason, Refusals, Unanswered, Work},
    store::StoreError,
};

/// Bytes of rows in the cache: some thousand pages.
const CACHED_ROWS: u64 = 8 * 1024 * 1024;

/// Bytes of what is known of whole seasons: of thousands where nobody is left out, and else four
/// for each who is.
const CACHED_SEASONS: u64 = 8 * 1024 * 1024;

/// How long that stays, so that the rows of a season need not be looked at again and again.
const LASTS: Duration = Duration::from_secs(60 * 60);

/// Rows that are looked at while the state is locked.
const AT_ONCE: usize = 1024;

/// Of which log and board, and which season, and since when nobody was hidden or deleted, and no
/// board: another one may have had its name.
type Key = (Epoch, BoardId, u32, BoardsVersion, u64);

/// Why there are no standings.
#[derive(Clone, Debug)]
enum Absent {
    /// There is no such season yet: what is not there is not stored in the cache.
    Missing,
    Store(Arc<StoreError>),
}

/// A season that has ended, as of a moment: who is hidden later is not named any more, and
/// nobody moves up.
#[derive(Debug)]
pub struct FinalView {
    /// Which.
    pub season: Season,
    key: Key,
    gaps: Gaps,
}

impl FinalView {
    /// How many rows are shown.
    pub fn total(&self) -> usize {
        self.gaps.shown()
    }
}

/// Reading final standings, with those that were read last. Clones are the same.
#[derive(Clone)]
pub(super) struct Seasons {
    views: Work<Key, Arc<FinalView>, Absent>,
    rows: Work<(Key, Range<usize>), Arc<[FinalRow]>, Absent>,
}

impl Seasons {
    pub(super) fn new(concurrent: NonZeroUsize, refusals: Refusals) -> Seasons {
        let bounds = |cached| Bounds { concurrent, cached };
        let bytes =
            |_: &Key, view: &Arc<FinalView>| size_of::<(Key, FinalView)>() + view.gaps.bytes();
        let (of_views, reason) = (bounds(CACHED_SEASONS), Reason::History);
        let views = Work::with_idle(LASTS, of_views, bytes, reason, refusals.clone());
        let bytes = |_: &(Key, Range<usize>), rows: &Arc<[FinalRow]>| {
            size_of::<(Key, Range<usize>)>() + rows.len() * size_of::<FinalRow>()
        };
        let rows = Work::new(bounds(CACHED_ROWS), bytes, Reason::History, refusals);
        Seasons { views, rows }
    }

    pub(super) fn forget_idle(&self) {
        self.views.forget_idle();
        self.rows.forget_idle();
    }
}

impl Live {
    /// A season of a board that has ended; `None` if there is no such season or board, or if the
    /// season runs.
    ///
    /// # Errors
    /// If too much is asked for, or the store cannot be read.
    pub async fn final_standings(
        &self,
        client: Client,
        board: &BoardId,
        season: u32,
    ) -> Result<Option<Arc<FinalView>>, HistoryError> {
        let boards = self.boards_version();
        let key = self.read(|epoch, state| {
            let on = state.board(board)?;
            let has_ended = (1..=on.ended_seasons()).contains(&season);
            let key = (epoch, board.clone(), season, boards, state.hidden_as_of());
            has_ended.then_some(key)
        });
        let Some(key) = key else {
            return Ok(None);
        };
        let (live, its_key) = (self.clone(), key.clone());
        let view = self.seasons.views.get(client, key, async move |permit| {
            let view = live.view_season(its_key).await;
            drop(permit);
            view.map(Arc::new)
        });
        self.found(view.await)
    }

    /// The rows of a season that are shown at these positions, counted from 0, with the ranks
    /// that they have without those who are left out; [`FinalPart::MOST`] at most.
    ///
    /// # Errors
    /// As of [`Live::final_standings`].
    pub async fn final_rows(
        &self,
        client: Client,
        view: &Arc<FinalView>,
        positions: Range<usize>,
    ) -> Result<Arc<[FinalRow]>, HistoryError> {
        let positions = FinalPart::positions(positions);
        let end = positions.end.min(view.total());
        let positions = positions.start.min(end)..end;
        if positions.is_empty() {
            return Ok(Arc::default());
        }
        let (live, its_view) = (self.clone(), view.clone());
        let key = (view.key.clone(), positions.clone());
        let rows = self.seasons.rows.get(client, key, async move |permit| {
            let rows = live.read_rows(&its_view, positions).await;
            drop(permit);
            rows.map(Arc::from)
        });
        Ok(self.found(rows.await)?.unwrap_or_default())
    }

    /// What was found, if it is there.
    fn found<T>(&self, found: Result<T, Unanswered<Absent>>) -> Result<Option<T>, HistoryError> {
        found.map(Some).or_else(|why| {
            why.recover(|absent| match absent {
                Absent::Missing => Ok(None),
                Absent::Store(error) => {
                    self.histories.failed(&error);
                    Err(error)
                }
            })
        })
    }

    /// Looks at a season as a whole.
    async fn view_season(&self, key: Key) -> Result<FinalView, Unanswered<Absent>> {
        let head = self.read_part(&key, 0..0).await?;
        let FinalPart {
            season,
            ended_by,
            total,
            ..
        } = head;
        let shows_all = self.read(|_, state| state.shows_all_since(ended_by));
        let gaps = match shows_all {
            true => Gaps::none(total),
            false => self.find_gaps(&key, ended_by, total).await?,
        };
        Ok(FinalView { season, key, gaps })
    }

    async fn find_gaps(
        &self,
        key: &Key,
        ended_by: Seq,
        total: usize,
    ) -> Result<Gaps, Unanswered<Absent>> {
        let mut finder = GapFinder::default();
        let mut position = 0;
        while position < total {
            let part = self.read_part(key, position..total).await?;
            if part.rows.is_empty() {
                return Err(Unanswered::Failed(Absent::Missing));
            }
            position += part.rows.len();
            for rows in part.rows.chunks(AT_ONCE) {
                self.read(|_, state| {
                    for row in rows {
                        finder.add(row.rank, row.is_shown(ended_by, state.directory()));
                    }
                });
            }
        }
        Ok(finder.finish())
    }

    async fn read_rows(
        &self,
        view: &FinalView,
        shown: Range<usize>,
    ) -> Result<Vec<FinalRow>, Unanswered<Absent>> {
        let gaps = &view.gaps;
        let mut rows = Vec::with_capacity(shown.len());
        let end = gaps.position(shown.end - 1) + 1;
        while rows.len() < shown.len() {
            // Over those who are left out, however many they are.
            let start = gaps.position(shown.start + rows.len());
            let part = self.read_part(&view.key, start..end).await?;
            if part.rows.is_empty() {
                return Err(Unanswered::Failed(Absent::Missing));
            }
            for (position, row) in (start..).zip(part.rows) {
                if gaps.shows(position) {
                    let rank = gaps.rank(row.rank);
                    rows.push(FinalRow { rank, ..row });
                }
            }
        }
        Ok(rows)
    }

    async fn read_part(
        &self,
        (_, board, season, ..): &Key,
        positions: Range<usize>,
    ) -> Result<FinalPart, Unanswered<Absent>> {
        let part = self
            .store
            .final_standings(board.clone(), *season, positions);
        match part.await {
            Ok(Some(part)) => Ok(part),
            Ok(None) => Err(Unanswered::Failed(Absent::Missing)),
            Err(StoreError::TookTooLong) => Err(Unanswered::TookTooLong),
            Err(error) => Err(Unanswered::Failed(Absent::Store(Arc::new(error)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::{super::testing::*, *};
    use crate::{
        board::{
            Derivation, Every, Fact, Period, Rules, Score, Scores, Settings, Source, Timestamp, Who,
        },
        store::Fold,
    };

    const ROWS: usize = 10_000;

    /// Who has a row: each of three people in turn, as many rows as there may be.
    fn row(position: usize) -> FinalRow {
        FinalRow {
            who: Who::User(user((position % 3) as u8 + 1)),
            // Two and two have the same.
            rank: position as u64 / 2 * 2 + 1,
            scores: Scores {
                score: Score::ZERO,
                ..Scores::default()
            },
        }
    }

    fn weekly() -> BoardId {
        BoardId::new("weekly").expect("an id")
    }

    /// A board of which one season has ended, and what is read of that.
    fn with_season() -> (Live, impl Fold, Arc<Mutex<Vec<Range<usize>>>>) {
        let mut log = Log::new(Settings::main(Rules::default()));
        for n in 1..=3 {
            log.add(registered(n));
        }
        let period = Period {
            every: Every::Week,
            zone: "UTC".into(),
            starts: None,
        };
        let source = Source::Derived(Derivation {
            of: main(),
            types: None,
            group: None,
            team: None,
            period: Some(period),
        });
        let settings = Settings {
            source,
            ..Settings::default()
        };
        let (board, ends) = (weekly(), Timestamp(u64::MAX));
        let settings = settings.into();
        let borders = [ends].into();
        log.add(Fact::BoardChanged {
            board,
            settings,
            borders,
        });
        let (board, next) = (weekly(), ends);
        let (entry, _) = log.add(Fact::SeasonEnded {
            board,
            next: Some(next),
        });
        let reads: Arc<Mutex<Vec<Range<usize>>>> = Arc::default();
        let noted = reads.clone();
        let finals = move |positions: Range<usize>| {
            noted.lock().push(positions.clone());
            FinalPart {
                season: Season { number: 1, ends },
                ended_by: entry.seq,
                total: ROWS,
                rows: positions.take_while(|it| *it < ROWS).map(row).collect(),
            }
        };
        let (live, folder) = live_with(opened(1, log.state), Box::new(finals));
        (live, folder, reads)
    }

    async fn read(live: &Live, positions: Range<usize>) -> (usize, Arc<[FinalRow]>) {
        let client = Client::Server;
        let view = live.final_standings(client, &weekly(), 1).await;
        let view = view.expect("read").expect("it has ended");
        let rows = live.final_rows(client, &view, positions).await;
        (view.total(), rows.expect("read"))
    }

    #[tokio::test]
    async fn a_page_costs_what_is_on_it_while_nobody_is_left_out() {
        let (live, _folder, reads) = with_season();
        for _ in 0..3 {
            let (total, rows) = read(&live, 5000..5050).await;
            let expected: Vec<FinalRow> = (5000..5050).map(row).collect();
            assert_eq!((total, &*rows), (ROWS, &expected[..]));
        }
        assert_eq!(*reads.lock(), [0..0, 5000..5050], "once for all");
        let (_, rows) = read(&live, 9990..usize::MAX).await;
        assert_eq!(rows.len(), 10);
        let (_, rows) = read(&live, 10_000..10_050).await;
        assert!(rows.is_empty());
        let running = live.final_standings(Client::Server, &weekly(), 2).await;
        assert!(running.expect("read").is_none());
    }

    #[tokio::test]
    async fn who_is_left_out_leaves_no_gap_on_any_page() {
        let (live, mut folder, reads) = with_season();
        let hidden = |seq, hidden| {
            entry(
                seq,
                Fact::UserHidden {
                    user: user(2),
                    hidden,
                    reason: None,
                },
            )
        };
        let seq = live.read(|_, state| state.seq());
        folder.fold(&[hidden(seq + 1, true)]);
        let left: Vec<usize> = (0..ROWS).filter(|it| it % 3 != 1).collect();
        let expected = left.iter().enumerate().map(|(at, position)| {
            // The rank of the first who is left of those with the same.
            let first = position / 2 * 2;
            let is_tied = left[at.saturating_sub(1)] == first && *position != first;
            let rank = if is_tied { at } else { at + 1 };
            FinalRow {
                rank: rank as u64,
                ..row(*position)
            }
        });
        let expected: Vec<FinalRow> = expected.collect();
        for positions in [0..50, 3333..3383, left.len() - 7..left.len() + 7] {
            let (total, rows) = read(&live, positions.clone()).await;
            assert_eq!(total, left.len());
            let end = positions.end.min(total);
            assert_eq!(&*rows, &expected[positions.start..end], "{positions:?}");
        }
        // All were looked at once, in parts, and then what was asked for.
        let reads = std::mem::take(&mut *reads.lock());
        let all: usize = reads.iter().map(|it| it.len().min(ROWS - it.start)).sum();
        assert!(all < ROWS + 300, "{all}: {reads:?}");
        assert!(reads.iter().all(|it| it.len() <= FinalPart::MOST));
        folder.fold(&[hidden(seq + 2, false)]);
        assert_eq!(read(&live, 0..3).await.0, ROWS);
        folder.fold(&[deleted(seq + 3, 3)]);
        assert_eq!(
            read(&live, 0..3).await.0,
            (0..ROWS).filter(|it| it % 3 != 2).count()
        );
    }
}
