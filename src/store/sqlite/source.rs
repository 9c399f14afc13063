//! A board that is read from a file, record by record.

use std::path::Path;

use rusqlite::params;

use super::{
    database::{BoardRow, Database, opening},
    file::{beside, length, resolve, writable},
    inspect, load,
    marker::Marker,
    read_records::{COUNTED, counted, read},
};
use crate::{
    board::{BoardId, Rules},
    store::{
        ActionId, Opened, StoreError,
        records::{Counted, Record},
    },
};

/// A board that is read from a file.
pub(in crate::store) struct Source {
    database: Database,
    row: BoardRow,
}

impl Source {
    /// Opens a board and loads it; `None` if it is not there.
    pub(in crate::store) fn open(
        path: &Path,
        board: &BoardId,
        rules: Rules,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        Source::find(path, board, rules, false)
    }

    /// As [`Source::open`], of a board that is only looked at: what a crash has left in the
    /// write-ahead log stays there.
    pub(in crate::store) fn peek(
        path: &Path,
        board: &BoardId,
        rules: Rules,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        let path = &resolve(path).map_err(|source| writable(path, source))?;
        let has_log = length(&beside(path, "-wal")).is_ok_and(|bytes| bytes > 0);
        Source::find(path, board, rules, has_log)
    }

    fn find(
        path: &Path,
        board: &BoardId,
        rules: Rules,
        leaves: bool,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        let path = &resolve(path).map_err(|source| writable(path, source))?;
        if inspect::is_nothing(path)? {
            return Ok(None);
        }
        // To open what was never there would make it.
        if !path.exists() {
            let marker = Marker::lock(path)?;
            let found = inspect::outside(path, &marker.note)?;
            found.map_err(|problem| problem.in_file(path))?;
            return Ok(None);
        }
        let mut database = Database::open(path)?;
        if leaves {
            database.leave();
        }
        let found = Source::load(&mut database, path, board, rules);
        let found = found.inspect_err(|_| database.leave());
        let found = found.map_err(|error| opening(path, error))?;
        Ok(found.map(|(opened, row)| (opened, Source { database, row })))
    }

    fn load(
        database: &mut Database,
        path: &Path,
        board: &BoardId,
        rules: Rules,
    ) -> Result<Option<(Opened, BoardRow)>, StoreError> {
        let connection = &mut database.connection;
        if load::find(connection, board)?.is_none() {
            return Ok(None);
        }
        let row = load::board_row(connection, path, board, rules)?;
        load::load(connection, row, rules).map(Some)
    }

    pub(in crate::store) async fn read(
        &self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        read(&self.database.connection, self.row.id, each).await
    }

    /// What was counted under each of these ids.
    pub(in crate::store) fn counted(
        &self,
        ids: &[ActionId],
    ) -> Result<Vec<Option<Counted>>, StoreError> {
        let sql = format!(
            "SELECT {COUNTED} FROM log WHERE board = ?1 AND action_id = ?2
             UNION ALL
             SELECT {COUNTED} FROM counted_actions WHERE board = ?1 AND action_id = ?2"
        );
        let mut statement = self.database.connection.prepare_cached(&sql)?;
        let mut find = |id: &ActionId| {
            let mut rows = statement.query(params![self.row.id, id.as_str()])?;
            rows.next()?.map(counted).transpose()
        };
        ids.iter().map(&mut find).collect()
    }
}
