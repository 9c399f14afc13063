//! The store of many nodes in one Redis, or Valkey: a primary with or without
//! replicas, or a cluster.
//!
//! A script decides about commands, numbers what it accepts and writes it to a stream,
//! all at once: so it does not matter which node asks, or how many do. Every node reads
//! that stream, folds it, and answers when it has folded what it asked for. Ranks
//! follow from the fold, so each node knows the same. They are written back by
//! whichever node comes first, and `ranked_through` is how far that has come: a board
//! is loaded as it was there, and the entries after it are folded again.
//!
//! A connection may break at any time, and what comes back may be another server that
//! has not all that was folded. An entry has its epoch and the call that wrote it, which
//! tells. Keys may also be deleted, evicted, restored from an older copy, or written by
//! another program. No script writes to a board that is not as scripts left it
//! (`scripts/check.lua`), and a node that finds that it is not stops writing, reports it, and goes
//! on to show what it has: an operator decides what becomes of it (`adopt`). A new epoch
//! begins only by such a command. While Redis may evict keys, nothing is written
//! (`eviction`).
//!
//! All clocks are Redis's.

mod adopt;
mod call;
mod connect;
mod eviction;
mod fault;
mod history;
mod keys;
mod load;
mod meta;
mod node;
mod presence;
mod read_records;
mod recent;
mod reconnect;
mod record;
mod retained;
mod risks;
mod scan;
mod scripts;
mod servers;
mod session;
mod source;
mod stored_board;
mod target;
mod time;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    AllNodes, Command, Connected, Fold, Health, History, Opened, Outcome, Store, StoreError,
};
use crate::{
    board::{BoardId, Rules, Timestamp, UserId},
    vital::Pulse,
};
pub use adopt::{Reset, Survey};
use connect::Link;
use eviction::Evictions;
use history::Reader;
use load::Following;
use node::{Node, Request};
use presence::Presence;
use recent::Recent;
pub(super) use risks::risks;
pub use servers::{Retention, Servers};
pub(super) use source::Source;
use stored_board::StoredBoard;
pub(super) use target::Target;

/// Requests that may wait for the node before senders are made to wait.
const QUEUE: usize = 1024;

/// A store that was opened and loaded, and takes no commands yet.
pub struct Ready {
    board: StoredBoard,
    link: Link,
    following: Following,
    recent: Recent,
    /// Of the node.
    pub(super) pulse: Pulse,
}

/// Connects to Redis, and loads a board, which is made if it is not there.
///
/// # Errors
/// If Redis cannot be reached or used, or what is there is not what it should be.
pub async fn open(
    servers: &Servers,
    board: &BoardId,
    rules: Rules,
) -> Result<(Opened, Ready), StoreError> {
    let board = StoredBoard::new(servers, board, rules);
    let (link, loaded) = load::open(&board)
        .await
        .map_err(|fault| fault.at(servers.to_string()))?;
    let ready = Ready {
        board,
        link,
        following: loaded.following,
        recent: loaded.recent,
        pulse: Pulse::unwatched(),
    };
    Ok((loaded.opened, ready))
}

impl Ready {
    /// Starts to follow the log, and hands what is on it to `fold`. It needs a runtime
    /// of tokio around it.
    pub fn start(self, fold: impl Fold) -> RedisStore {
        let (requests, queue) = mpsc::channel(QUEUE);
        let mut evictions = Evictions::default();
        evictions.observe(&self.link.info);
        let (health, healthy) = watch::channel(evictions.health());
        let (connection, connections) = watch::channel(Some(self.link.commands.clone()));
        let board = Arc::new(self.board);
        let recent = Arc::new(Mutex::new(self.recent));
        let presence = Presence::new(board.clone(), connections.clone());
        let reader = Reader::new(board.clone(), recent.clone(), connections, healthy.clone());
        let node = Node {
            board: board.clone(),
            health,
            connection,
            recent,
            following: self.following,
            evictions,
            fold: Box::new(fold),
        };
        // It waits for Redis with limits of its own.
        tokio::spawn(self.pulse.keep(node.run(self.link, queue)));
        RedisStore {
            board,
            requests,
            reader,
            presence,
            health: healthy,
        }
    }
}

/// A running store; see the module.
pub struct RedisStore {
    board: Arc<StoredBoard>,
    requests: mpsc::Sender<Request>,
    reader: Reader,
    presence: Presence,
    health: watch::Receiver<Health>,
}

impl Store for RedisStore {
    fn append(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.requests
                .send(Request::Append { commands, reply })
                .await
                .map_err(|_| StoreError::Closed)?;
            answer.await.map_err(|_| StoreError::Closed)?
        })
    }

    fn history(
        &self,
        user: UserId,
        points: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        Box::pin(self.reader.history(user, points))
    }

    fn presence(&self, here: Connected) -> BoxFuture<'_, Result<AllNodes, StoreError>> {
        Box::pin(self.presence.report(here))
    }

    fn now(&self) -> Timestamp {
        self.board.clock.now()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // A caller that closed it before waits for the same end.
            _ = self.requests.send(Request::Close).await;
            let mut health = self.health.clone();
            _ = health.wait_for(|health| *health == Health::Closed).await;
        })
    }
}
