//! A board that is written to a file, record by record.

use std::path::Path;

use rand::RngExt;
use rusqlite::params;

use super::{
    database::{BoardRow, Database},
    file::{resolve, writable},
    load,
    read_records::read,
    write_records::write,
};
use crate::{
    board::{BoardId, Epoch, Rules},
    store::{
        Opened, StoreError,
        records::{Head, Record},
    },
};

/// Records in one transaction.
const BATCH: usize = 20_000;

/// A board that is written to a file, and that nobody can open meanwhile.
pub(in crate::store) struct Target {
    database: Database,
    name: BoardId,
    board: i64,
    head: Head,
    /// Records of the transaction.
    written: usize,
}

impl Target {
    /// Claims a board in a file, which is made if it is not there; `None` if a board is
    /// there already that may not be replaced.
    pub(in crate::store) fn claim(
        path: &Path,
        board: &BoardId,
        rules: Rules,
        mut head: Head,
        replace: bool,
    ) -> Result<Option<Target>, StoreError> {
        let path = &resolve(path).map_err(|source| writable(path, source))?;
        let mut database = Database::open(path)?;
        let transaction = database.connection.transaction()?;
        if let Some((id, is_unfinished)) = load::find(&transaction, board)? {
            let is_empty: bool = transaction.query_row(
                "SELECT NOT EXISTS (SELECT 1 FROM log WHERE board = ?1)",
                [id],
                |row| row.get(0),
            )?;
            if !is_unfinished && !is_empty {
                if !replace {
                    return Ok(None);
                }
                head.epoch = Epoch(rand::rng().random());
            }
            for table in [
                "log",
                "users",
                "announcements",
                "revocations",
                "limited_actions",
                "counted_actions",
            ] {
                transaction.execute(&format!("DELETE FROM {table} WHERE board = ?1"), [id])?;
            }
            transaction.execute("DELETE FROM boards WHERE id = ?1", [id])?;
        }
        transaction.execute(
            "INSERT INTO boards (name, epoch, deciding, migrating) VALUES (?1, ?2, ?3, 1)",
            params![board.as_str(), head.epoch.0.cast_signed(), rules.deciding()],
        )?;
        let id = transaction.last_insert_rowid();
        // Whatever was there, it may be gone from now on.
        database.marker.note.forget(board);
        let noted = database.marker.sync();
        noted.map_err(|source| writable(path, source))?;
        transaction.commit()?;
        database.connection.execute_batch("BEGIN")?;
        Ok(Some(Target {
            database,
            name: board.clone(),
            board: id,
            head,
            written: 0,
        }))
    }

    pub(in crate::store) fn epoch(&self) -> Epoch {
        self.head.epoch
    }

    pub(in crate::store) fn write(&mut self, record: Record) -> Result<(), StoreError> {
        if let Record::History(_, points) = &record {
            self.written += points.len();
        }
        write(&self.database.connection, self.board, record)?;
        self.written += 1;
        if self.written >= BATCH {
            self.database.connection.execute_batch("COMMIT; BEGIN")?;
            self.written = 0;
        }
        Ok(())
    }

    pub(in crate::store) fn complete(&mut self, rules: Rules) -> Result<Opened, StoreError> {
        self.database.connection.execute_batch("COMMIT")?;
        self.database.connection.execute(
            "UPDATE boards SET ranked_through = ?2 WHERE id = ?1",
            params![self.board, self.head.seq],
        )?;
        let row = BoardRow {
            id: self.board,
            epoch: self.head.epoch.0.cast_signed(),
            ranked_through: self.head.seq,
        };
        Ok(load::load(&mut self.database.connection, row, rules)?.0)
    }

    pub(in crate::store) async fn read(
        &self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        read(&self.database.connection, self.board, each).await
    }

    pub(in crate::store) fn set_free(self) -> Result<(), StoreError> {
        let sql = "UPDATE boards SET migrating = 0 WHERE id = ?1";
        let Target {
            mut database,
            name,
            board,
            head,
            ..
        } = self;
        database.connection.execute(sql, [board])?;
        database.marker.note.board(&name, head.epoch, head.seq);
        let noted = database.marker.sync();
        noted.map_err(|source| StoreError::File {
            path: "the lock of the file".into(),
            source,
        })
    }
}
