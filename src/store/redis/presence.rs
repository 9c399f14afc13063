//! How many are connected, to this node and to all.

use std::{sync::Arc, time::Duration};

use redis::aio::MultiplexedConnection;
use tokio::sync::watch;

use super::stored_log::StoredLog;
use crate::store::{AllNodes, Connected, PRESENCE_EVERY, StoreError};

/// A node that has not reported for so long has gone.
const LASTS: Duration = PRESENCE_EVERY.saturating_mul(3);

/// Reports what is connected to this node; see the module.
pub(super) struct Presence {
    board: Arc<StoredLog>,
    /// What this node is called.
    node: u64,
    /// The connection to Redis, while there is one.
    connection: watch::Receiver<Option<MultiplexedConnection>>,
}

impl Presence {
    pub(super) fn new(
        board: Arc<StoredLog>,
        connection: watch::Receiver<Option<MultiplexedConnection>>,
    ) -> Presence {
        Presence {
            board,
            node: rand::random(),
            connection,
        }
    }

    /// Reports what is connected to this node, and sums what all nodes have reported.
    pub(super) async fn report(&self, here: Connected) -> Result<AllNodes, StoreError> {
        let connection = self.connection.borrow().clone();
        let mut connection =
            connection.ok_or_else(|| StoreError::Unreachable("it is being looked for".into()))?;
        let mut call = self.board.scripts.presence.prepare_invoke();
        let found: Result<(u64, u64, u64), _> = call
            .key(&self.board.keys.nodes)
            .arg(self.node)
            .arg(here.sockets)
            .arg(here.users)
            .arg(LASTS.as_millis() as u64)
            .invoke_async(&mut connection)
            .await;
        let (nodes, sockets, users) =
            found.map_err(|error| StoreError::Unreachable(error.to_string()))?;
        Ok(AllNodes {
            nodes,
            all: Connected { sockets, users },
        })
    }
}
