//! What is read from a file, record by record.

use std::path::Path;

use super::{
    database::{Database, opening},
    file::{beside, length, resolve, writable},
    inspect, load,
    marker::Marker,
    read_records::{COUNTED, counted, read},
};
use crate::{
    board::Settings,
    store::{
        ActionId, Opened, StoreError,
        records::{Counted, Record},
    },
};

/// What is read from a file.
pub(in crate::store) struct Source {
    database: Database,
}

impl Source {
    /// Opens a file and loads what is in it; `None` if there is nothing.
    pub(in crate::store) fn open(
        path: &Path,
        main: &Settings,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        Source::find(path, main, false)
    }

    /// As [`Source::open`], of a file that is only looked at: what a crash has left in the
    /// write-ahead log stays there.
    pub(in crate::store) fn peek(
        path: &Path,
        main: &Settings,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        let path = &resolve(path).map_err(|source| writable(path, source))?;
        let has_log = length(&beside(path, "-wal")).is_ok_and(|bytes| bytes > 0);
        Source::find(path, main, has_log)
    }

    fn find(
        path: &Path,
        main: &Settings,
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
        let mut database = Database::open(path, main)?;
        if leaves {
            database.leave();
        }
        let found = Source::load(&mut database, path, main);
        let found = found.inspect_err(|_| database.leave());
        let found = found.map_err(|error| opening(path, error))?;
        Ok(found.map(|opened| (opened, Source { database })))
    }

    fn load(
        database: &mut Database,
        path: &Path,
        main: &Settings,
    ) -> Result<Option<Opened>, StoreError> {
        if load::find(&database.connection)?.is_none() {
            return Ok(None);
        }
        database.load(path, main).map(Some)
    }

    pub(in crate::store) async fn read(
        &self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        read(&self.database.connection, each).await
    }

    /// What was counted under each of these ids.
    pub(in crate::store) fn counted(
        &self,
        ids: &[ActionId],
    ) -> Result<Vec<Option<Counted>>, StoreError> {
        let sql = format!(
            "SELECT {COUNTED} FROM log WHERE action_id = ?1
             UNION ALL
             SELECT {COUNTED} FROM counted_actions WHERE action_id = ?1"
        );
        let mut statement = self.database.connection.prepare_cached(&sql)?;
        let mut find = |id: &ActionId| {
            let mut rows = statement.query([id.as_str()])?;
            rows.next()?.map(counted).transpose()
        };
        ids.iter().map(&mut find).collect()
    }
}
