//! The running board: the one handle by which the hub, the API and the page
//! reach it. It joins a store, which decides, with a board, which ranks.

use std::sync::Arc;

use app::wire::UserScore;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::{
    actions::ActionTypes,
    board::{Applied, Board, Changes, Epoch, LogEntry, UserId},
    store::{Command, Fold, Opened, Outcome, Store, StoreError, sqlite},
    wire,
};

/// A handle to a running board. Clones are the same board.
#[derive(Clone)]
pub struct LiveBoard {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    action_types: Arc<ActionTypes>,
}

/// What the store's writer fills and everybody else reads.
struct Shared {
    epoch: Epoch,
    board: RwLock<Board>,
    changes: Mutex<Changes>,
    changed: Notify,
}

struct Folder(Arc<Shared>);

impl Fold for Folder {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Option<Applied>> {
        if entries.is_empty() {
            return Vec::new();
        }
        let mut board = self.0.board.write();
        let applied = board.fold(entries);
        // Under the board's lock, so that nobody sees one without the other.
        let mut changes = self.0.changes.lock();
        entries.iter().for_each(|entry| changes.add(entry));
        drop((changes, board));
        self.0.changed.notify_one();
        applied
    }
}

impl LiveBoard {
    /// Starts the store that was opened, and the board that follows it, on which
    /// actions are worth what `action_types` says.
    ///
    /// # Errors
    /// If the store cannot start.
    pub fn start(
        opened: Opened,
        ready: sqlite::Ready,
        action_types: ActionTypes,
    ) -> Result<LiveBoard, StoreError> {
        let shared = Arc::new(Shared {
            epoch: opened.epoch,
            board: RwLock::new(opened.board),
            changes: Mutex::default(),
            changed: Notify::new(),
        });
        let store = ready.start(Folder(shared.clone()))?;
        Ok(LiveBoard {
            shared,
            store: Arc::new(store),
            action_types: Arc::new(action_types),
        })
    }

    /// Which life of the log the board follows.
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// What actions are worth that others send.
    pub fn action_types(&self) -> &ActionTypes {
        &self.action_types
    }

    /// A user with score and rank, as of now.
    pub fn user_score(&self, user: UserId) -> Option<UserScore> {
        self.read(|board| wire::user_score(self.epoch(), board, user))
    }

    /// Is this user registered?
    pub fn knows(&self, user: UserId) -> bool {
        self.read(|board| board.user(user).is_some())
    }

    /// Looks at the board. It stands still meanwhile, so the look must be short.
    pub fn read<T>(&self, look: impl FnOnce(&Board) -> T) -> T {
        look(&self.shared.board.read())
    }

    /// Puts commands on the log; see [`Store::append`]. When this answers, the
    /// board shows what was accepted.
    ///
    /// # Errors
    /// If nothing could be written.
    pub async fn append(&self, commands: Vec<Command>) -> Result<Vec<Outcome>, StoreError> {
        self.store.append(commands).await
    }

    /// Waits until there are changes that nobody has taken. For one caller: the
    /// hub.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Takes the changes since the last call, and looks at the board that has
    /// just these.
    pub fn take_changes<T>(&self, look: impl FnOnce(&Board, Changes) -> T) -> T {
        let board = self.shared.board.read();
        let changes = std::mem::take(&mut *self.shared.changes.lock());
        look(&board, changes)
    }

    /// Does the store take commands?
    pub fn is_open(&self) -> bool {
        self.store.is_open()
    }

    /// Finishes what was begun, and closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }
}
