//! The tables, and how older files become newer ones.

use std::path::Path;

use rusqlite::Connection;

use crate::store::StoreError;

/// Each step brings a file from the schema of its index to the next. A step that
/// was released is never changed. `PRAGMA user_version` holds the schema.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE boards (
        id             INTEGER PRIMARY KEY,
        name           TEXT    NOT NULL UNIQUE,
        epoch          INTEGER NOT NULL,
        -- The rule by which its scores were decided: `Rules::deciding`.
        deciding       TEXT    NOT NULL,
        ranked_through INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    -- What follows from the log, kept so that a start need not read all of it.
    CREATE TABLE users (
        board    INTEGER NOT NULL,
        id       BLOB    NOT NULL,
        username TEXT    NOT NULL,
        avatar   TEXT,
        score    INTEGER,
        reached  INTEGER,
        PRIMARY KEY (board, id)
    ) STRICT, WITHOUT ROWID;

    -- Which columns are filled depends on the kind. `score_before` and
    -- `reached_before` are the user's standing when the entry was written;
    -- `rank` and `old_rank` are filled up to `boards.ranked_through`.
    CREATE TABLE log (
        board          INTEGER NOT NULL,
        seq            INTEGER NOT NULL,
        at             INTEGER NOT NULL,
        kind           TEXT    NOT NULL CHECK (kind IN ('user', 'action')),
        user           BLOB    NOT NULL,
        username       TEXT,
        avatar         TEXT,
        action_id      TEXT,
        action_type    TEXT,
        increase       INTEGER,
        score          INTEGER,
        score_before   INTEGER,
        reached_before INTEGER,
        rank           INTEGER,
        old_rank       INTEGER,
        PRIMARY KEY (board, seq)
    ) STRICT, WITHOUT ROWID;

    CREATE UNIQUE INDEX log_action_id ON log (board, action_id) WHERE action_id IS NOT NULL;
",
    "
    -- When actions were counted whose types have limits, for as long as a window
    -- reaches back: a day.
    CREATE TABLE limited_actions (
        board       INTEGER NOT NULL,
        user        BLOB    NOT NULL,
        action_type TEXT    NOT NULL,
        at          INTEGER NOT NULL,
        seq         INTEGER NOT NULL,
        PRIMARY KEY (board, user, action_type, at, seq)
    ) STRICT, WITHOUT ROWID;

    CREATE INDEX limited_actions_at ON limited_actions (board, at);
",
];

/// Brings a file to the latest schema; each step happens wholly or not at all.
///
/// # Errors
/// If the file is of a later schema, or a step fails.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > MIGRATIONS.len() {
        return Err(StoreError::TooNew {
            path: path.display().to_string(),
            found,
            known: MIGRATIONS.len(),
        });
    }
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", step + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
