//! Whether the log still ends where this process has ended it. SQLite lets other programs
//! write to the file in good order, and one that restores a backup into it, or deletes
//! entries, takes away what was confirmed.

use rusqlite::{Connection, OptionalExtension};

use crate::{board::LogEntry, store::StoreError};

/// See the module.
#[derive(Default)]
pub(super) struct LogEnd {
    /// Changes when another connection has committed something; `None` before the first
    /// look.
    data_version: Option<i64>,
    /// The epoch and the last entry in the file; `None` if there is no log.
    end: Option<(i64, u64)>,
}

impl LogEnd {
    /// Looks at it, if another connection has written since the last time.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`] if the log ends elsewhere, or the file cannot be read.
    pub(super) fn look(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let version = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if self.data_version == Some(version) {
            return Ok(());
        }
        let mut statement = connection
            .prepare_cached("SELECT epoch, (SELECT ifnull(max(seq), 0) FROM log) FROM log_state")?;
        let end = statement
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if self.data_version.is_none() {
            self.end = end;
        } else if end != self.end {
            return Err(StoreError::Unwritable(
                "another program has changed the log of the board: whoever runs the server should \
                 put back what was there and start the server again"
                    .into(),
            ));
        }
        self.data_version = Some(version);
        Ok(())
    }

    /// This process has written these entries.
    pub(super) fn advance(&mut self, entries: &[LogEntry]) {
        if let (Some((_, seq)), Some(last)) = (&mut self.end, entries.last()) {
            *seq = last.seq.get();
        }
    }
}
