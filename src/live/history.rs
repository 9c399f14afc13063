//! What users have done: read from the store, once for all who ask for the same.

use std::{mem::size_of, num::NonZeroUsize, sync::Arc, time::Instant};

use super::{Live, UserState, Version};
use crate::{
    board::{BoardId, UserId},
    limits::{Bounds, Client, Reason, Refusals, Unanswered, Work},
    log_throttle::LogThrottle,
    store::{DerivedHistory, History, HistoryPoint, RecentAction, StoreError},
};

/// Bytes of histories in the cache: two hundred of the longest.
const CACHED: u64 = 16 * 1024 * 1024;

/// Why there is no history.
pub type HistoryError = Unanswered<Arc<StoreError>>;

/// What a user has done on a board, and how the user stood then. The history has all that the `seq`
/// of the user says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserHistory {
    /// The user, before the history was read.
    pub user: UserState,
    /// What the user has done.
    pub history: History,
}

impl UserHistory {
    /// How large it is in memory, about.
    fn bytes(&self) -> usize {
        let History { points, recent, .. } = &self.history;
        let types: usize = recent.iter().map(|it| it.action_type.len()).sum();
        size_of::<UserHistory>()
            + self.user.bytes()
            + types
            + points.len() * size_of::<HistoryPoint>()
            + recent.len() * size_of::<RecentAction>()
    }
}

/// Whose history, on which board and in how many points.
type Key = (Version, BoardId, UserId, usize);

/// Reading histories, with those that were read last. Clones are the same.
#[derive(Clone)]
pub(super) struct Histories {
    work: Work<Key, Option<Arc<UserHistory>>, Arc<StoreError>>,
    failures: Arc<LogThrottle>,
}

impl Histories {
    pub(super) fn new(concurrent: NonZeroUsize, refusals: Refusals) -> Histories {
        let bounds = Bounds {
            concurrent,
            cached: CACHED,
        };
        let bytes = |(_, board, ..): &Key, history: &Option<Arc<UserHistory>>| {
            size_of::<Key>()
                + board.as_str().len()
                + history.as_deref().map_or(0, UserHistory::bytes)
        };
        Histories {
            work: Work::new(bounds, bytes, Reason::History, refusals),
            failures: Arc::default(),
        }
    }

    pub(super) fn forget_idle(&self) {
        self.work.forget_idle();
    }

    /// Logs that a history could not be read.
    pub(super) fn failed(&self, error: &StoreError) {
        // A store that cannot be reached says so itself.
        if !matches!(error, StoreError::Unreachable(_))
            && let Some(suppressed) = self.failures.allow(Instant::now())
        {
            tracing::error!(%error, suppressed, "a history could not be read");
        }
    }
}

impl Live {
    /// What a user has done on a board as of a tick ago at most, with at most `points` points
    /// of the score over time, 1 to 1000; `None` if nobody with this id is registered, or if
    /// there is no such board.
    ///
    /// # Errors
    /// If too much is asked for, or the store cannot be read. Both are logged here.
    pub async fn history(
        &self,
        client: Client,
        board: &BoardId,
        user: UserId,
        points: usize,
    ) -> Result<Option<Arc<UserHistory>>, HistoryError> {
        let is_known = self.read_board(board, |_, board| board.user(user).is_some());
        if is_known != Some(true) {
            return Ok(None);
        }
        let key = (self.version(board), board.clone(), user, points);
        let (live, board) = (self.clone(), board.clone());
        let history = self.histories.work.get(client, key, async move |permit| {
            let history = live.read_history(board, user, points).await;
            drop(permit);
            history.map_err(|error| match error {
                StoreError::TookTooLong => Unanswered::TookTooLong,
                error => Unanswered::Failed(Arc::new(error)),
            })
        });
        let history = history.await;
        if let Err(Unanswered::Failed(error)) = &history {
            self.histories.failed(error);
        }
        history
    }

    /// How to make the history of a person on a board, if it is a derived one of people.
    async fn derived_history(
        &self,
        board: &BoardId,
        user: UserId,
    ) -> Result<Option<DerivedHistory>, StoreError> {
        let settings = self.read_board(board, |_, board| board.board().settings().clone());
        let Some(settings) = settings else {
            return Ok(None);
        };
        let period = settings.derivation().map(|it| it.period.is_some());
        let ended = match period {
            Some(true) => self.store.seasons(board.clone()).await?,
            _ => Vec::new(),
        };
        Ok(self.read(|_, state| DerivedHistory::new(state, board, &ended, user)))
    }

    async fn read_history(
        &self,
        board: BoardId,
        user: UserId,
        points: usize,
    ) -> Result<Option<Arc<UserHistory>>, StoreError> {
        // The board first, so that no action that it holds is missing.
        let Some(now) = self.user(&board, user) else {
            return Ok(None);
        };
        // Who is hidden is off every board, with all that was done there.
        if self.read(|_, state| state.directory().person(user).is_some_and(|it| it.hidden)) {
            let history = History::default();
            return Ok(Some(Arc::new(UserHistory { user: now, history })));
        }
        let history = match self.derived_history(&board, user).await? {
            Some(derived) => self.store.derived_history(derived, points).await?,
            None => self.store.history(board, user, points).await?,
        };
        Ok(history.map(|history| Arc::new(UserHistory { user: now, history })))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};
    use crate::{
        board::{Score, Seq, Timestamp},
        store::history::MAX_POINTS,
    };

    #[tokio::test]
    async fn a_history_that_takes_too_long_is_refused_and_no_fault() {
        let (live, _folder) = live_over(log(1, 3, &[1]), || StoreError::TookTooLong);
        let history = live.history(Client::Server, &main(), user(1), 9).await;
        assert!(matches!(history, Err(Unanswered::TookTooLong)));
        let text = live.metrics().text();
        assert!(text.contains("podium_refused_total{reason=\"history\"} 1"));
    }

    #[tokio::test]
    async fn a_panic_of_the_store_is_no_refusal() {
        let (live, _folder) = live_over(log(1, 3, &[1]), || panic!("a test"));
        let history = live.history(Client::Server, &main(), user(1), 9).await;
        assert!(matches!(history, Err(Unanswered::Panicked)));
        let text = live.metrics().text();
        assert!(text.contains("podium_refused_total{reason=\"history\"} 0"));
    }

    #[tokio::test]
    async fn the_cache_has_its_bound_in_bytes() {
        let (live, _folder) = live(log(1, 3, &[1]));
        let version = live.version(&main());
        let work = &live.histories.work;
        let point = HistoryPoint {
            seq: Seq::new(1),
            at: Timestamp(1),
            score: Score::ZERO,
            tiebreak: None,
            rank: Some(1),
        };
        let history = || UserHistory {
            user: live.user(&main(), user(1)).expect("registered"),
            history: History {
                points: vec![point; MAX_POINTS],
                ..History::default()
            },
        };
        let mut most = 0;
        for points in 0..1_000 {
            let history = (points % 2 == 0).then(|| Arc::new(history()));
            let key = (version, main(), user(1), points);
            let got = work.get(Client::Server, key, async move |_| Ok(history));
            assert!(got.await.is_ok());
            most = most.max(work.cached_bytes());
        }
        assert!(most <= CACHED && most > CACHED / 2, "{most}");
        let before = work.cached_bytes();
        let key = (version, main(), user(2), 0);
        let nobody = work.get(Client::Server, key, async |_| Ok(None));
        assert!(nobody.await.is_ok());
        assert_ne!(
            work.cached_bytes(),
            before,
            "what is as small as can be counts as well"
        );
    }
}
