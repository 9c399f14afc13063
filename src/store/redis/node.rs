//! One node: what it knows of the board, and what it is asked.

use std::sync::Arc;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use tokio::sync::{oneshot, watch};

use super::{
    eviction::Evictions,
    load::Following,
    plan_board::{BoardChange, Plan},
    recent::Recent,
    stored_log::StoredLog,
};
use crate::{
    board::{BoardId, StoredBoard},
    store::{Command, Fold, Health, Outcome, StoreError},
};

pub(super) enum Request {
    Append {
        commands: Vec<Command>,
        reply: Reply,
    },
    /// What would become of a board that is to be created, changed or deleted.
    Plan {
        change: BoardChange,
        reply: oneshot::Sender<Plan>,
    },
    /// Says how many facts a board holds when this entry has been folded.
    Folded {
        entry: u64,
        board: BoardId,
        reply: oneshot::Sender<u64>,
    },
    Close,
}

pub(super) type Reply = oneshot::Sender<Result<Vec<Outcome>, StoreError>>;

pub(super) struct Node {
    pub(super) board: Arc<StoredLog>,
    pub(super) health: watch::Sender<Health>,
    /// For readers of histories.
    pub(super) connection: watch::Sender<Option<MultiplexedConnection>>,
    pub(super) recent: Arc<Mutex<Recent>>,
    pub(super) following: Following,
    pub(super) evictions: Evictions,
    /// Derived boards that are put in their place when enough of the log was folded.
    pub(super) made: Vec<StoredBoard>,
    pub(super) fold: Box<dyn Fold>,
}

/// However the node ends.
impl Drop for Node {
    fn drop(&mut self) {
        self.connection.send_replace(None);
        self.health.send_replace(Health::Closed);
    }
}
