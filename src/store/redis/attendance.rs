//! How many are connected, to this node and to all.

use std::{sync::Arc, time::Duration};

use redis::aio::MultiplexedConnection;
use tokio::sync::watch;

use super::kept::KeptBoard;
use crate::store::{ATTENDANCE_EVERY, AllNodes, Attendance, StoreError};

/// A node that has told nothing for so long has gone.
const LASTS: Duration = ATTENDANCE_EVERY.saturating_mul(3);

/// See the module.
pub(super) struct Roll {
    board: Arc<KeptBoard>,
    /// What this node is called.
    node: u64,
    /// The way to Redis, while there is one.
    way: watch::Receiver<Option<MultiplexedConnection>>,
}

impl Roll {
    pub(super) fn new(
        board: Arc<KeptBoard>,
        way: watch::Receiver<Option<MultiplexedConnection>>,
    ) -> Roll {
        Roll {
            board,
            node: rand::random(),
            way,
        }
    }

    pub(super) async fn call(&self, here: Attendance) -> Result<AllNodes, StoreError> {
        let way = self.way.borrow().clone();
        let mut connection =
            way.ok_or_else(|| StoreError::Away("it is being looked for".into()))?;
        let mut call = self.board.scripts.attendance.prepare_invoke();
        let found: Result<(u64, u64, u64), _> = call
            .key(&self.board.keys.nodes)
            .arg(self.node)
            .arg(here.sockets)
            .arg(here.users)
            .arg(LASTS.as_millis() as u64)
            .invoke_async(&mut connection)
            .await;
        let (nodes, sockets, users) = found.map_err(|error| StoreError::Away(error.to_string()))?;
        Ok(AllNodes {
            nodes,
            all: Attendance { sockets, users },
        })
    }
}
