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
mod derived_board;
mod eviction;
mod fault;
mod finals;
mod history;
mod keys;
mod load;
mod main_settings;
mod meta;
mod node;
mod plan_board;
mod presence;
mod put_board;
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
mod stored_log;
mod target;
mod time;

use std::{ops::Range, sync::Arc};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    AllNodes, Command, Connected, DerivedHistory, Fold, Health, History, Opened, Outcome, Store,
    StoreError,
};
use crate::{
    board::{BoardId, FinalPart, Season, Settings, Timestamp, UserId},
    vital::Pulse,
};
pub use adopt::{Reset, Survey};
use connect::Link;
use eviction::Evictions;
use history::Reader;
use load::Following;
pub(super) use main_settings::main_settings;
use node::{Node, Request};
use presence::Presence;
use put_board::Boards;
use recent::Recent;
pub(super) use risks::risks;
pub use servers::{Retention, Servers};
pub(super) use source::Source;
use stored_log::StoredLog;
pub(super) use target::Target;

/// Requests that may wait for the node before senders are made to wait.
const QUEUE: usize = 1024;

/// A store that was opened and loaded, and takes no commands yet.
pub struct Ready {
    board: StoredLog,
    link: Link,
    following: Following,
    recent: Recent,
    /// Of the node.
    pub(super) pulse: Pulse,
}

/// Connects to Redis, and loads all boards. A log is begun if there is none: then `main` has
/// these settings.
///
/// # Errors
/// If Redis cannot be reached or used, or what is there is not what it should be.
pub async fn open(servers: &Servers, main: &Settings) -> Result<(Opened, Ready), StoreError> {
    let board = StoredLog::new(servers, main);
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
        let boards = Boards {
            log: board.clone(),
            requests: requests.clone(),
            connection: connections.clone(),
            health: healthy.clone(),
        };
        let reader = Reader::new(board.clone(), recent.clone(), connections, healthy.clone());
        let mut commands = self.link.commands.clone();
        let log = board.clone();
        // What a node has not come to that had deleted a board.
        tokio::spawn(async move { put_board::forget_pasts(&mut commands, &log).await });
        let node = Node {
            board: board.clone(),
            health,
            connection,
            recent,
            following: self.following,
            evictions,
            made: Vec::new(),
            fold: Box::new(fold),
        };
        // It waits for Redis with limits of its own.
        tokio::spawn(self.pulse.keep(node.run(self.link, queue)));
        RedisStore {
            board,
            requests,
            boards,
            reader,
            presence,
            health: healthy,
        }
    }
}

/// A running store; see the module.
pub struct RedisStore {
    board: Arc<StoredLog>,
    requests: mpsc::Sender<Request>,
    boards: Boards,
    reader: Reader,
    presence: Presence,
    health: watch::Receiver<Health>,
}

impl RedisStore {
    async fn append_all(&self, commands: Vec<Command>) -> Result<Vec<Outcome>, StoreError> {
        let is_of_board = |command: &Command| {
            matches!(command, Command::PutBoard { .. } | Command::DeleteBoard(_))
        };
        if !commands.iter().any(is_of_board) {
            return self.decide(commands).await;
        }
        let mut outcomes = Vec::new();
        for command in commands {
            match command {
                Command::PutBoard {
                    board,
                    settings,
                    most,
                } => outcomes.push(self.boards.put(board, settings, most).await?),
                Command::DeleteBoard(board) => outcomes.push(self.boards.delete(board).await?),
                command => outcomes.extend(self.decide(vec![command]).await?),
            }
        }
        Ok(outcomes)
    }

    async fn decide(&self, commands: Vec<Command>) -> Result<Vec<Outcome>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let sent = self
            .requests
            .send(Request::Append { commands, reply })
            .await;
        sent.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Store for RedisStore {
    fn append(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        Box::pin(self.append_all(commands))
    }

    fn history(
        &self,
        board: BoardId,
        user: UserId,
        points: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        Box::pin(self.reader.history(board, user, points))
    }

    fn derived_history(
        &self,
        of: DerivedHistory,
        points: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        Box::pin(self.reader.derived_history(of, points))
    }

    fn seasons(&self, board: BoardId) -> BoxFuture<'_, Result<Vec<Season>, StoreError>> {
        Box::pin(self.reader.seasons(board))
    }

    fn final_standings(
        &self,
        board: BoardId,
        number: u32,
        positions: Range<usize>,
    ) -> BoxFuture<'_, Result<Option<FinalPart>, StoreError>> {
        Box::pin(self.reader.final_standings(board, number, positions))
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
