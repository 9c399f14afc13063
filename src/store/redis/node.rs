//! One node: what it knows of the board, and what it is asked.

use std::sync::Arc;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use tokio::sync::{oneshot, watch};

use super::{eviction::Evictions, load::Following, recent::Recent, stored_board::StoredBoard};
use crate::store::{Command, Fold, Health, Outcome, StoreError};

pub(super) enum Request {
    Append {
        commands: Vec<Command>,
        reply: Reply,
    },
    Close,
}

pub(super) type Reply = oneshot::Sender<Result<Vec<Outcome>, StoreError>>;

pub(super) struct Node {
    pub(super) board: Arc<StoredBoard>,
    pub(super) health: watch::Sender<Health>,
    /// For readers of histories.
    pub(super) connection: watch::Sender<Option<MultiplexedConnection>>,
    pub(super) recent: Arc<Mutex<Recent>>,
    pub(super) following: Following,
    pub(super) evictions: Evictions,
    pub(super) fold: Box<dyn Fold>,
}

/// However the node ends.
impl Drop for Node {
    fn drop(&mut self) {
        self.connection.send_replace(None);
        self.health.send_replace(Health::Closed);
    }
}
