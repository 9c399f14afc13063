//! A board that is written to a file, record by record.

use std::path::Path;

use rand::RngExt;

use super::{
    database::Database,
    file::{resolve, writable},
    load::{self, LogState},
    read_records::read,
    write_records::write,
};
use crate::{
    board::{BoardId, Epoch, Settings},
    store::{
        Opened, StoreError,
        records::{Head, Record},
    },
};

/// What is deleted of what is replaced.
const TABLES: [&str; 14] = [
    "log_state",
    "log",
    "people",
    "teams",
    "boards",
    "deleted_boards",
    "standings",
    "members",
    "seasons",
    "final_standings",
    "announcements",
    "revocations",
    "limited_actions",
    "counted_actions",
];

/// Records in one transaction.
const BATCH: usize = 20_000;

/// A board that is written to a file, and that nobody can open meanwhile.
pub(in crate::store) struct Target {
    database: Database,
    head: Head,
    /// Records of the transaction.
    written: usize,
}

impl Target {
    /// Claims a board in a file, which is made if it is not there; `None` if a board is
    /// there already that may not be replaced.
    pub(in crate::store) fn claim(
        path: &Path,
        main: &Settings,
        mut head: Head,
        replace: bool,
    ) -> Result<Option<Target>, StoreError> {
        let path = &resolve(path).map_err(|source| writable(path, source))?;
        let mut database = Database::open(path, main)?;
        let transaction = database.connection.transaction()?;
        if let Some(found) = load::find(&transaction)? {
            // A server that was started there by mistake has written what `main` is.
            let is_empty: bool = transaction.query_row(
                "SELECT NOT EXISTS (SELECT 1 FROM log WHERE kind <> 'board' OR board <> 'main')",
                [],
                |row| row.get(0),
            )?;
            if !found.is_migrating && !is_empty {
                if !replace {
                    return Ok(None);
                }
                head.epoch = Epoch(rand::rng().random());
            }
            for table in TABLES {
                transaction.execute(&format!("DELETE FROM {table}"), [])?;
            }
        }
        transaction.execute(
            "INSERT INTO log_state (id, epoch, folded_through, migrating) VALUES (1, ?1, 0, 1)",
            [head.epoch.0.cast_signed()],
        )?;
        // Whatever was there, it may be gone from now on.
        database.marker.note.forget(&BoardId::default());
        let noted = database.marker.sync();
        noted.map_err(|source| writable(path, source))?;
        transaction.commit()?;
        database.connection.execute_batch("BEGIN")?;
        Ok(Some(Target {
            database,
            head,
            written: 0,
        }))
    }

    pub(in crate::store) fn epoch(&self) -> Epoch {
        self.head.epoch
    }

    pub(in crate::store) fn write(&mut self, record: Record) -> Result<(), StoreError> {
        if let Record::History(_, _, points) = &record {
            self.written += points.len();
        }
        write(&self.database.connection, record)?;
        self.written += 1;
        if self.written >= BATCH {
            self.database.connection.execute_batch("COMMIT; BEGIN")?;
            self.written = 0;
        }
        Ok(())
    }

    pub(in crate::store) fn complete(&mut self) -> Result<Opened, StoreError> {
        self.database.connection.execute_batch("COMMIT")?;
        let sql = "UPDATE log_state SET folded_through = ?1";
        self.database.connection.execute(sql, [self.head.seq])?;
        let log = LogState {
            epoch: self.head.epoch,
            folded_through: self.head.seq,
            is_migrating: true,
        };
        load::load(&mut self.database.connection, log)
    }

    pub(in crate::store) async fn read(
        &self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        read(&self.database.connection, each).await
    }

    pub(in crate::store) fn set_free(self) -> Result<(), StoreError> {
        let sql = "UPDATE log_state SET migrating = 0";
        let Target {
            mut database, head, ..
        } = self;
        database.connection.execute(sql, [])?;
        let note = &mut database.marker.note;
        note.board(&BoardId::default(), head.epoch, head.seq);
        let noted = database.marker.sync();
        noted.map_err(|source| StoreError::File {
            path: "the lock of the file".into(),
            source,
        })
    }
}
