//! A board that is read from Redis, record by record.

use rand::RngExt;
use redis::{Value, aio::MultiplexedConnection};

use super::{
    call::{self, Answer},
    connect::connect,
    fault::Fault,
    load::{Loaded, load},
    meta::meta,
    read_records::{ask_of_each, read},
    record::{bytes, read_counted},
    servers::Servers,
    stored_log::StoredLog,
};
use crate::{
    board::{Settings, Timestamp},
    store::{
        ActionId, Opened, StoreError,
        records::{Counted, Head, Record},
    },
};

/// Ranks that are written at once.
const RANKS: usize = 1024;

/// A board that is read from Redis.
pub(in crate::store) struct Source {
    board: StoredLog,
    connection: MultiplexedConnection,
    head: Head,
}

impl Source {
    /// Loads a board, when all its ranks are written; `None` if it is not there.
    pub(in crate::store) async fn open(
        servers: &Servers,
        main: &Settings,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        let board = StoredLog::new(servers, main);
        let opened = Source::try_open(board, true).await;
        opened.map_err(|fault| fault.at(servers.to_string()))
    }

    /// Loads a board, and writes nothing; `None` if it is not there.
    pub(in crate::store) async fn peek(
        servers: &Servers,
        main: &Settings,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        let board = StoredLog::new(servers, main);
        let opened = Source::try_open(board, false).await;
        opened.map_err(|fault| fault.at(servers.to_string()))
    }

    async fn try_open(
        board: StoredLog,
        with_ranks: bool,
    ) -> Result<Option<(Opened, Source)>, Fault> {
        let mut connection = connect(&board.servers, &board.keys).await?.commands;
        if board.find_taken_over(&mut connection).await?.is_none() {
            return Ok(None);
        }
        let mut loaded = load(&mut connection, &board).await?;
        let epoch = loaded.opened.epoch;
        if with_ranks {
            write_ranks(&mut connection, &board, &mut loaded).await?;
        }
        let source = Source {
            head: Head {
                epoch,
                seq: loaded.opened.state.seq(),
            },
            board,
            connection,
        };
        Ok(Some((loaded.opened, source)))
    }

    /// Has nobody written to it since it was opened?
    pub(in crate::store) async fn is_as_it_was(&mut self) -> Result<bool, StoreError> {
        let found = meta(&mut self.connection, &self.board.keys.meta).await;
        let found = found.map_err(|fault| fault.at(self.board.servers.to_string()))?;
        Ok((found.epoch, found.seq) == (self.head.epoch, self.head.seq))
    }

    pub(in crate::store) async fn read(
        &mut self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let read = read(&mut self.connection, &self.board, each).await;
        read.map_err(|fault| fault.at(self.board.servers.to_string()))
    }

    /// What was counted under each of these ids, as far as it is remembered.
    pub(in crate::store) async fn counted(
        &mut self,
        ids: &[ActionId],
    ) -> Result<Vec<Option<Counted>>, StoreError> {
        let counted = self.try_counted(ids).await;
        counted.map_err(|fault| fault.at(self.board.servers.to_string()))
    }

    async fn try_counted(&mut self, ids: &[ActionId]) -> Result<Vec<Option<Counted>>, Fault> {
        let keys = ids.iter().map(|id| self.board.keys.action(id.as_str()));
        let keys: Vec<_> = keys.collect();
        let asked = ask_of_each(&mut self.connection, &keys, |pipe, key| {
            pipe.cmd("GET").arg(key);
        });
        let found = asked.await?;
        let read = |(id, record): (&ActionId, &Value)| match record {
            Value::Nil => Ok(None),
            // When it was counted is not asked for.
            record => read_counted(id.as_str().as_bytes(), bytes(record)?, Timestamp(0)).map(Some),
        };
        ids.iter().zip(&found).map(read).collect()
    }
}

/// Writes the ranks that no node has written.
async fn write_ranks(
    connection: &mut MultiplexedConnection,
    board: &StoredLog,
    loaded: &mut Loaded,
) -> Result<(), Fault> {
    let recent = &mut loaded.recent;
    while recent.is_ahead() {
        let nonce = rand::rng().random();
        let retention = &board.servers.retention;
        let arguments = call::begin(true, &loaded.following, nonce, retention, recent, RANKS);
        let mut call = board.call(&board.scripts.append);
        let answer: Value = call.arg(arguments).invoke_async(connection).await?;
        let known = recent.ranked_through();
        recent.observe(Answer::read(&answer)?.ranked_through);
        // They were read as far as Redis reported, so only another can have set it back.
        if recent.ranked_through() == known {
            return Err(Fault::Unusable(format!(
                "it says no longer that it knows ranks up to {known}, so something else wrote to \
                 it, or it lost what was written last: stop all nodes that use it, and run podium \
                 migrate again"
            )));
        }
    }
    Ok(())
}
