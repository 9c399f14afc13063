//! The running board: the one handle by which the hub, the API and the page reach it. It
//! joins a store, which decides about commands, with a board, which ranks. It returns
//! domain types; what they are called on the wire is for the edges.

mod history;
mod projection;
mod race_chart;
mod revocations;
mod search;
#[cfg(test)]
pub(crate) mod testing;
mod user;
mod version;

use std::{sync::Arc, time::Instant};

use tokio::{sync::watch, time::timeout};

use crate::{
    board::{Board, Changes, Epoch, Timestamp, UserId},
    config::LimitsTable,
    limits::Refusals,
    metrics::Metrics,
    store::{
        AllNodes, Command, Connected, Health, LONGEST_APPEND, Opened, Outcome, Ready, Receipt,
        Refusal, Store, StoreError,
    },
};
use history::Histories;
pub use history::{HistoryError, UserHistory};
pub use projection::Folder;
use projection::Shared;
pub use race_chart::{RaceChart, RaceLine};
use search::Searches;
pub use search::{Found, MAX_FOUND, MAX_QUERY_CHARS, MAX_QUERY_WORDS, SearchError};
pub use user::UserState;
pub use version::{Version, Versions};

/// A handle to a running board. Clones are the same board.
#[derive(Clone)]
pub struct LiveBoard {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    /// The versions that costly answers show, and since when they are counted.
    versions: Arc<Versions>,
    started: Instant,
    searches: Searches,
    histories: Histories,
}

/// Why a command had no effect.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The store has decided against it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It was not stored, or nobody knows: [`StoreError::NoAnswer`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LiveBoard {
    /// Starts the store that was opened, and the board that follows it. The limits say how
    /// many searches and histories are computed at once.
    ///
    /// # Errors
    /// If the store cannot start.
    pub fn start(
        opened: Opened,
        ready: Ready,
        limits: &LimitsTable,
    ) -> Result<LiveBoard, StoreError> {
        LiveBoard::over(opened, limits, |folder| ready.start(folder))
    }

    /// The board that follows a store that `start` starts, with what fills the board.
    ///
    /// # Errors
    /// If the store cannot start.
    pub fn over(
        opened: Opened,
        limits: &LimitsTable,
        start: impl FnOnce(Folder) -> Result<Arc<dyn Store>, StoreError>,
    ) -> Result<LiveBoard, StoreError> {
        let shared = Arc::new(Shared::new(opened));
        let store = start(Folder(shared.clone()))?;
        Ok(LiveBoard::new(shared, store, limits))
    }

    fn new(shared: Arc<Shared>, store: Arc<dyn Store>, limits: &LimitsTable) -> LiveBoard {
        let refusals = Refusals::new(shared.metrics.clone());
        LiveBoard {
            shared,
            store,
            versions: Arc::new(Versions::new(version::PERIOD, version::BURST)),
            started: Instant::now(),
            searches: Searches::new(limits.concurrent_searches, refusals.clone()),
            histories: Histories::new(limits.concurrent_histories, refusals),
        }
    }

    /// Puts one command on the log. When this answers, the board shows it.
    ///
    /// # Errors
    /// If the command was refused, was not stored, or nobody knows.
    pub async fn append_one(&self, command: Command) -> Result<Receipt, AppendError> {
        let outcomes = self.append(vec![command]).await?;
        let outcome = outcomes.into_iter().next().ok_or(StoreError::NoAnswer)?;
        Ok(outcome?)
    }

    /// Puts commands on the log; see [`Store::append`]. When this answers, the
    /// board shows what was accepted.
    ///
    /// # Errors
    /// If nothing could be written, or nobody knows: [`StoreError::NoAnswer`].
    pub async fn append(&self, commands: Vec<Command>) -> Result<Vec<Outcome>, StoreError> {
        let is_action = |command: &Command| matches!(command, Command::Act(_));
        let are_actions: Vec<bool> = commands.iter().map(is_action).collect();
        let answer = timeout(LONGEST_APPEND, self.store.append(commands)).await;
        let answer = answer.unwrap_or(Err(StoreError::NoAnswer));
        self.shared.metrics.count_actions(&are_actions, &answer);
        answer
    }

    /// Reads the board, and the epoch of the log that it follows. Nothing is folded
    /// meanwhile, so `read` must be short.
    pub fn read<T>(&self, read: impl FnOnce(Epoch, &Board) -> T) -> T {
        let projection = self.shared.projection.read();
        read(projection.epoch, &projection.board)
    }

    /// A user with score and rank, if the user is registered.
    pub fn user(&self, user: UserId) -> Option<UserState> {
        self.read(|epoch, board| UserState::of(epoch, board, user))
    }

    /// Is this user registered?
    pub fn knows(&self, user: UserId) -> bool {
        self.read(|_, board| board.user(user).is_some())
    }

    /// The version of the board that pages and other costly answers show now. Of a board
    /// that has been quiet it is the newest; while much happens, it is as old as one tick
    /// at most. Who asks for it and then reads the board sees this version or a newer one.
    pub fn version(&self) -> Version {
        self.version_by(&self.versions)
    }

    /// The same with versions of another pace.
    pub fn version_by(&self, versions: &Versions) -> Version {
        // Nothing is written meanwhile, so that versions never go back.
        let projection = self.shared.projection.read();
        let state = version::State {
            seq: projection.board.seq(),
            reloads: projection.reloads,
            removals: projection.removals,
        };
        versions.at(self.started.elapsed(), state)
    }

    /// Waits until there are changes that nobody has taken. For one caller: the
    /// hub.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Takes the changes since the last call, and reads the board that has just these.
    pub fn take_changes<T>(&self, read: impl FnOnce(Epoch, &Board, Changes) -> T) -> T {
        let projection = self.shared.projection.read();
        let changes = std::mem::take(&mut *self.shared.changes.lock());
        read(projection.epoch, &projection.board, changes)
    }

    /// The time by the clock that times what is on the log. The clock of this machine
    /// may be another.
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// Whether the store takes commands, now and from now on.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.store.health()
    }

    /// Reports how many are connected here, and returns how many are to all nodes; see
    /// [`Store::presence`].
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub async fn presence(&self, here: Connected) -> Result<AllNodes, StoreError> {
        self.store.presence(here).await
    }

    /// Gives back the memory of searches and histories that nobody asks for any more.
    pub fn forget_idle(&self) {
        self.searches.forget_idle();
        self.histories.forget_idle();
    }

    /// The metrics, with those of the board and the store as they are now.
    pub fn metrics(&self) -> &Metrics {
        let metrics = &self.shared.metrics;
        let (seq, users) = self.read(|_, board| (board.seq(), board.len()));
        metrics.board_seq.set(seq.cast_signed());
        metrics.board_users.set(users as i64);
        let is_open = *self.store.health().borrow() == Health::Open;
        metrics.store_open.set(is_open.into());
        metrics
    }

    /// Finishes what was begun, and closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::*, *};
    use crate::{
        auth::{Identity, Role},
        board::Score,
        limits::{Client, Unanswered},
        store::Fold,
    };

    #[test]
    fn a_reload_replaces_all_that_the_log_said() {
        let (live, mut folder) = live(log(1, 3, &[1, 2]));
        let is_revoked = |issued| {
            live.is_revoked(&Identity {
                user: user(9),
                role: Role::Viewer,
                issued: Some(issued),
                expires: u64::MAX,
            })
        };
        folder.fold(&[acted(4, 2)]);
        assert!(!is_revoked(5));
        folder.reload(log(5, 2, &[2]));
        assert!(is_revoked(5));
        assert!(!live.knows(user(1)));
        let score = live.user(user(2)).expect("registered");
        assert_eq!((score.epoch, score.seq), (Epoch(5), 2));
        folder.fold(&[acted(3, 2), acted(4, 2)]);
        live.take_changes(|epoch, board, changes| {
            assert_eq!((epoch, board.seq(), changes.replaced), (Epoch(5), 4, true));
            // Of what happened, only what happened on this log.
            assert_eq!(changes.actions[&user(2)].merged, 2);
            assert_eq!(changes.placed, [user(2), user(2)]);
            let announced: Vec<_> = changes.announced.iter().map(|it| it.id.0[15]).collect();
            assert_eq!(announced, [5]);
        });
        folder.fold(&[acted(5, 2)]);
        live.take_changes(|_, _, changes| assert!(!changes.replaced));
        assert_eq!(live.metrics().store_reloads.get(), 1);
    }

    /// In each log that replaces another, epoch and `seq` are the same.
    #[test]
    fn nobody_sees_parts_of_two_logs() {
        const LAST: u64 = 500;
        let (live, mut folder) = live(log(1, 1, &[1]));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while live.read(|epoch, board| {
                        assert_eq!(epoch.0, board.seq());
                        epoch.0 < LAST
                    }) {}
                });
            }
            scope.spawn(|| {
                while live.take_changes(|epoch, board, changes| {
                    assert_eq!(epoch.0, board.seq());
                    for announced in changes.announced {
                        assert_eq!(u128::from_be_bytes(announced.id.0), u128::from(epoch.0));
                    }
                    epoch.0 < LAST
                }) {}
            });
            for epoch in 2..=LAST {
                folder.reload(log(epoch, epoch, &[1]));
            }
        });
    }

    fn is_unreachable(error: &StoreError) -> bool {
        matches!(error, StoreError::Unreachable(_))
    }

    #[tokio::test]
    async fn a_deleted_user_is_in_no_answer() {
        let (live, mut folder) = live(log(1, 3, &[1, 2]));
        let found = async || {
            let found = live.search(Client::Server, "p", 9).await;
            found.expect("nobody else searches").users.len()
        };
        // So many entries that no version is left.
        for seq in 4..40 {
            folder.fold(&[acted(seq, 2)]);
            _ = live.version();
        }
        assert_eq!(found().await, 2);
        let before = live.version();
        folder.fold(&[deleted(40, 1)]);
        assert_ne!(live.version(), before);
        assert_eq!(found().await, 1);
        let history = live.history(Client::Server, user(1), 9).await;
        assert!(matches!(history, Ok(None)));
        let before = live.version();
        folder.reload(log(5, 2, &[2]));
        assert_ne!(live.version(), before);
    }

    #[tokio::test]
    async fn while_the_store_is_unreachable_the_board_can_be_read() {
        let (live, _folder) = live(log(1, 3, &[1, 2]));
        assert_eq!(*live.health().borrow(), Health::Unreachable);
        let appended = live.append(vec![Command::DeleteUser(user(1))]).await;
        assert!(matches!(appended, Err(StoreError::Unreachable(_))));
        let history = live.history(Client::Server, user(1), 9).await;
        assert!(matches!(history, Err(Unanswered::Failed(error)) if is_unreachable(&error)));
        let chart = live.race_chart(9).await;
        assert!(matches!(chart, Err(Unanswered::Failed(error)) if is_unreachable(&error)));
        let score = live.user(user(1)).expect("registered");
        assert_eq!((score.score, score.rank), (Score::new(5), Some(1)));
        let found = live.search(Client::Server, "p", 9).await;
        let found = found.expect("nobody else searches");
        assert_eq!(found.users.len(), 2);
        let metrics = live.metrics();
        assert_eq!((metrics.store_open.get(), metrics.board_seq.get()), (0, 3));
    }
}
