//! The running boards: the one handle by which the hub, the API and the page reach them. It
//! joins a store, which decides about commands, with the state that follows from its log.
//! It returns domain types; what they are called on the wire is for the edges.

mod history;
mod members;
mod projection;
mod race_chart;
mod revocations;
mod search;
mod seasons;
#[cfg(test)]
pub(crate) mod testing;
mod user;
mod version;
mod viewer;

use std::{sync::Arc, time::Instant};

use tokio::{sync::watch, time::timeout};

use crate::{
    board::{BoardId, BoardView, Changes, Epoch, Season, State, Timestamp, UserId},
    config::LimitsTable,
    limits::Refusals,
    metrics::{BoardMeasures, Metrics},
    store::{
        AllNodes, Command, Connected, Health, LONGEST_APPEND, LONGEST_DERIVATION, Opened, Outcome,
        Ready, Receipt, Refusal, Store, StoreError,
    },
};
use history::Histories;
pub use history::{HistoryError, UserHistory};
pub use members::{MemberRow, TeamState};
pub use projection::Folder;
use projection::Shared;
pub use race_chart::{RaceChart, RaceLine};
use search::Searches;
pub use search::{Found, FoundRow, MAX_FOUND, MAX_QUERY_CHARS, MAX_QUERY_WORDS, SearchError};
pub use seasons::FinalView;
use seasons::Seasons;
pub use user::UserState;
pub use version::{BoardsVersion, Version, Versions};
pub use viewer::Viewer;

/// A handle to the running boards. Clones are the same.
#[derive(Clone)]
pub struct Live {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    /// The versions that costly answers show, and since when they are counted.
    versions: Arc<Versions>,
    started: Instant,
    searches: Searches,
    histories: Histories,
    seasons: Seasons,
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

impl Live {
    /// Starts the store that was opened, and what follows it. The limits say how
    /// many searches and histories are computed at once.
    ///
    /// # Errors
    /// If the store cannot start.
    pub fn start(opened: Opened, ready: Ready, limits: &LimitsTable) -> Result<Live, StoreError> {
        Live::over(opened, limits, |folder| ready.start(folder))
    }

    /// What follows a store that `start` starts, with what fills it.
    ///
    /// # Errors
    /// If the store cannot start.
    pub fn over(
        opened: Opened,
        limits: &LimitsTable,
        start: impl FnOnce(Folder) -> Result<Arc<dyn Store>, StoreError>,
    ) -> Result<Live, StoreError> {
        let shared = Arc::new(Shared::new(opened));
        let store = start(Folder(shared.clone()))?;
        Ok(Live::new(shared, store, limits))
    }

    fn new(shared: Arc<Shared>, store: Arc<dyn Store>, limits: &LimitsTable) -> Live {
        let refusals = Refusals::new(shared.metrics.clone());
        Live {
            shared,
            store,
            versions: Arc::new(Versions::new(version::PERIOD, version::BURST)),
            started: Instant::now(),
            searches: Searches::new(limits.concurrent_searches, refusals.clone()),
            seasons: Seasons::new(limits.concurrent_histories, refusals.clone()),
            histories: Histories::new(limits.concurrent_histories, refusals),
        }
    }

    /// Puts one command on the log. When this answers, all boards show it.
    ///
    /// # Errors
    /// If the command was refused, was not stored, or nobody knows.
    pub async fn append_one(&self, command: Command) -> Result<Receipt, AppendError> {
        let outcomes = self.append(vec![command]).await?;
        let outcome = outcomes.into_iter().next().ok_or(StoreError::NoAnswer)?;
        Ok(outcome?)
    }

    /// Puts commands on the log; see [`Store::append`]. When this answers, all boards
    /// show what was accepted.
    ///
    /// # Errors
    /// If nothing could be written, or nobody knows: [`StoreError::NoAnswer`].
    pub async fn append(&self, commands: Vec<Command>) -> Result<Vec<Outcome>, StoreError> {
        let is_action = |command: &Command| matches!(command, Command::Act(_));
        let are_actions: Vec<bool> = commands.iter().map(is_action).collect();
        let makes_board = |command: &Command| matches!(command, Command::PutBoard { .. });
        let longest = match commands.iter().any(makes_board) {
            true => LONGEST_DERIVATION,
            false => LONGEST_APPEND,
        };
        let answer = timeout(longest, self.store.append(commands)).await;
        let answer = answer.unwrap_or(Err(StoreError::NoAnswer));
        self.shared.metrics.count_actions(&are_actions, &answer);
        answer
    }

    /// Reads what follows from the log, and the epoch of the log. Nothing is folded
    /// meanwhile, so `read` must be short.
    pub fn read<T>(&self, read: impl FnOnce(Epoch, &State) -> T) -> T {
        let projection = self.shared.projection.read();
        read(projection.epoch, &projection.state)
    }

    /// Reads a board in the same way; `None` if there is none with this id.
    pub fn read_board<T>(
        &self,
        board: &BoardId,
        read: impl FnOnce(Epoch, BoardView<'_>) -> T,
    ) -> Option<T> {
        self.read(|epoch, state| Some(read(epoch, state.view(board)?)))
    }

    /// A user and where they stand on a board; `None` if no such user is registered, or if
    /// there is no such board.
    pub fn user(&self, board: &BoardId, user: UserId) -> Option<UserState> {
        self.read_board(board, |epoch, board| UserState::of(epoch, board, user))?
    }

    /// Whoever has this id on a board, and where they stand there: on a board of teams a team,
    /// and else a user.
    pub fn competitor(&self, board: &BoardId, id: UserId) -> Option<UserState> {
        self.read_board(board, |epoch, board| {
            UserState::of(epoch, board, board.who(id))
        })?
    }

    /// Is this user registered?
    pub fn knows(&self, user: UserId) -> bool {
        self.read(|_, state| state.directory().person(user).is_some())
    }

    /// May somebody see this board, if there is one?
    pub fn shows(&self, board: &BoardId, viewer: Viewer) -> bool {
        let may_see = |board: BoardView<'_>| viewer.may_see(board.board().settings());
        self.read_board(board, |_, board| may_see(board)) == Some(true)
    }

    /// The version of a board that pages and other costly answers show now. Of a board
    /// that has been quiet it is the newest; while much happens, it is as old as one tick
    /// at most. Who asks for it and then reads the board sees this version or a newer one.
    /// Of a board that is not there it is always the same.
    pub fn version(&self, board: &BoardId) -> Version {
        self.version_by(&self.versions, board)
    }

    /// The version of all boards together: another one when anything is shown otherwise on any.
    pub fn version_of_all(&self) -> Version {
        let projection = self.shared.projection.read();
        let shown = projection.shown_of_all();
        self.versions.of_all(self.started.elapsed(), shown)
    }

    /// Which boards there are now, what each is and in which season.
    pub fn boards_version(&self) -> BoardsVersion {
        let projection = self.shared.projection.read();
        BoardsVersion {
            reloads: projection.reloads,
            boards: projection.state.boards_version(),
        }
    }

    /// [`Live::version`] with versions of another pace.
    pub fn version_by(&self, versions: &Versions, board: &BoardId) -> Version {
        // Nothing is written meanwhile, so that versions never go back.
        let projection = self.shared.projection.read();
        let Some(view) = projection.state.view(board) else {
            return Version::default();
        };
        let shown = projection.shown(view);
        versions.at(self.started.elapsed(), board, shown, &projection.state)
    }

    /// Waits until there are changes that nobody has taken. For one caller: the
    /// hub.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Takes the changes since the last call, and reads the state that has just these.
    pub fn take_changes<T>(&self, read: impl FnOnce(Epoch, &State, Changes) -> T) -> T {
        let projection = self.shared.projection.read();
        let changes = std::mem::take(&mut *self.shared.changes.lock());
        read(projection.epoch, &projection.state, changes)
    }

    /// The seasons of a board that have ended; see [`Store::seasons`].
    ///
    /// # Errors
    /// If the store cannot be read, as is logged here.
    pub async fn seasons(&self, board: &BoardId) -> Result<Vec<Season>, StoreError> {
        let seasons = self.store.seasons(board.clone()).await;
        seasons.inspect_err(|error| self.histories.failed(error))
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
        self.seasons.forget_idle();
    }

    /// The metrics, with those of the boards and the store as they are now.
    pub fn metrics(&self) -> &Metrics {
        let metrics = &self.shared.metrics;
        metrics.set_boards(self.read(|_, state| BoardMeasures::of(state)));
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
        let score = live.user(&main(), user(2)).expect("registered");
        assert_eq!((score.epoch, score.seq), (Epoch(5), 2));
        folder.fold(&[acted(3, 2), acted(4, 2)]);
        live.take_changes(|epoch, state, mut changes| {
            let board = state.view(&main()).expect("it is there");
            assert_eq!((epoch, board.seq(), changes.replaced), (Epoch(5), 4, true));
            // Of what happened, only what happened on this log.
            let on_main = changes.boards.remove(&main()).expect("something happened");
            assert_eq!(on_main.actions[&user(2)].merged, 2);
            assert_eq!(
                on_main.placed,
                [board.index_of(user(2)).expect("registered"); 2]
            );
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
                    while live.read(|epoch, state| {
                        assert_eq!(epoch.0, state.seq());
                        epoch.0 < LAST
                    }) {}
                });
            }
            scope.spawn(|| {
                while live.take_changes(|epoch, state, changes| {
                    assert_eq!(epoch.0, state.seq());
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
            let found = live.search(Client::Server, &main(), "p", 9).await;
            found.expect("nobody else searches").rows.len()
        };
        // So many entries that no version is left.
        for seq in 4..40 {
            folder.fold(&[acted(seq, 2)]);
            _ = live.version(&main());
        }
        assert_eq!(found().await, 2);
        let before = live.version(&main());
        folder.fold(&[deleted(40, 1)]);
        assert_ne!(live.version(&main()), before);
        assert_eq!(found().await, 1);
        let history = live.history(Client::Server, &main(), user(1), 9).await;
        assert!(matches!(history, Ok(None)));
        let before = live.version(&main());
        folder.reload(log(5, 2, &[2]));
        assert_ne!(live.version(&main()), before);
    }

    #[tokio::test]
    async fn while_the_store_is_unreachable_the_board_can_be_read() {
        let (live, _folder) = live(log(1, 3, &[1, 2]));
        assert_eq!(*live.health().borrow(), Health::Unreachable);
        let appended = live.append(vec![Command::DeleteUser(user(1))]).await;
        assert!(matches!(appended, Err(StoreError::Unreachable(_))));
        let history = live.history(Client::Server, &main(), user(1), 9).await;
        assert!(matches!(history, Err(Unanswered::Failed(error)) if is_unreachable(&error)));
        let chart = live.race_chart(&main(), 9).await;
        assert!(matches!(chart, Err(Unanswered::Failed(error)) if is_unreachable(&error)));
        let score = live.user(&main(), user(1)).expect("registered");
        assert_eq!((score.score(), score.rank()), (Score::new(5), Some(1)));
        let found = live.search(Client::Server, &main(), "p", 9).await;
        let found = found.expect("nobody else searches");
        assert_eq!(found.rows.len(), 2);
        let metrics = live.metrics();
        assert_eq!(metrics.store_open.get(), 0);
        assert!(metrics.text().contains("\npodium_board_seq 3\n"));
    }
}
