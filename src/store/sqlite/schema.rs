//! The tables, and how older files become newer ones.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::{early, problem::Problem};
use crate::{board::Settings, store::StoreError};

/// `PRAGMA application_id` of our files, as it stands in their header. Early ones say
/// nothing there, 0.
pub(super) const APPLICATION: [u8; 4] = *b"Podm";

/// Where that stands in a file, in bytes (sqlite.org/fileformat2.html, section 1.3).
pub(super) const APPLICATION_AT: u64 = 68;

/// The same of a file whose latest entries are in the write-ahead log beside it. It stands in
/// the file while a server runs; the log itself says [`APPLICATION`]. So a copy of the file
/// without its log is known, and one that SQLite has made is whole.
pub(super) const WITH_LOG: [u8; 4] = *b"Podw";

/// Tables that early schemas have, with a log for each board, and those that later ones do.
const EARLY_TABLES: [&str; 3] = ["boards", "log", "users"];
const TABLES: [&str; 3] = ["log_state", "log", "people"];

/// The first schema with one log.
const ONE_LOG: usize = 6;

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
    -- More kinds of facts. An announcement is about nobody; what it says is in
    -- the table of its own, by its `seq`.
    CREATE TABLE log_2 (
        board          INTEGER NOT NULL,
        seq            INTEGER NOT NULL,
        at             INTEGER NOT NULL,
        kind           TEXT    NOT NULL
                       CHECK (kind IN ('user', 'action', 'deleted', 'revoked', 'announced')),
        user           BLOB,
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
        issued_until   INTEGER,
        PRIMARY KEY (board, seq)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO log_2
    SELECT board, seq, at, kind, user, username, avatar, action_id, action_type, increase,
           score, score_before, reached_before, rank, old_rank, NULL
    FROM log;
    DROP TABLE log;
    ALTER TABLE log_2 RENAME TO log;
    CREATE UNIQUE INDEX log_action_id ON log (board, action_id) WHERE action_id IS NOT NULL;

    CREATE TABLE announcements (
        board      INTEGER NOT NULL,
        id         BLOB    NOT NULL,
        seq        INTEGER NOT NULL,
        kind       TEXT    NOT NULL,
        message    TEXT    NOT NULL,
        severity   TEXT    NOT NULL,
        audience   TEXT    NOT NULL,
        -- Where `audience` is 'user'.
        user       BLOB,
        shown_from INTEGER NOT NULL,
        until      INTEGER NOT NULL,
        duration   INTEGER,
        PRIMARY KEY (board, id)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX announcements_seq ON announcements (board, seq);

    -- What follows from the log.
    CREATE TABLE revocations (
        board        INTEGER NOT NULL,
        user         BLOB    NOT NULL,
        issued_until INTEGER NOT NULL,
        PRIMARY KEY (board, user)
    ) STRICT, WITHOUT ROWID;

    -- The best rank after an own action, up to `boards.ranked_through`.
    ALTER TABLE users ADD COLUMN best_rank INTEGER;
    UPDATE users SET best_rank = best.rank
    FROM (SELECT board, user, min(rank) AS rank FROM log
          WHERE kind = 'action' AND rank IS NOT NULL GROUP BY board, user) AS best
    WHERE users.board = best.board AND users.id = best.user;
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
    "
    -- For looking back. With `at`, when a user acted is in the index alone.
    CREATE INDEX log_user_actions ON log (board, user, seq, at) WHERE kind = 'action';
    CREATE INDEX log_deleted ON log (board, user, seq) WHERE kind = 'deleted';
",
    "
    -- Whether a migration from another store is still writing it.
    ALTER TABLE boards ADD COLUMN migrating INTEGER NOT NULL DEFAULT 0;

    -- A board that was in Redis has a log with gaps. These are the actions whose ids
    -- were known there, and whose entries are not in the log.
    CREATE TABLE counted_actions (
        board       INTEGER NOT NULL,
        action_id   TEXT    NOT NULL,
        seq         INTEGER NOT NULL,
        at          INTEGER NOT NULL,
        user        BLOB    NOT NULL,
        action_type TEXT    NOT NULL,
        increase    INTEGER NOT NULL,
        score       INTEGER NOT NULL,
        rank        INTEGER,
        old_rank    INTEGER,
        PRIMARY KEY (board, action_id)
    ) STRICT, WITHOUT ROWID;

    -- In Redis an announcement that has ended may be made again: the id is on the log
    -- twice.
    CREATE TABLE announcements_2 (
        board      INTEGER NOT NULL,
        seq        INTEGER NOT NULL,
        id         BLOB    NOT NULL,
        kind       TEXT    NOT NULL,
        message    TEXT    NOT NULL,
        severity   TEXT    NOT NULL,
        audience   TEXT    NOT NULL,
        -- Where `audience` is 'user'.
        user       BLOB,
        shown_from INTEGER NOT NULL,
        until      INTEGER NOT NULL,
        duration   INTEGER,
        PRIMARY KEY (board, seq)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO announcements_2
    SELECT board, seq, id, kind, message, severity, audience, user, shown_from, until, duration
    FROM announcements;
    DROP TABLE announcements;
    ALTER TABLE announcements_2 RENAME TO announcements;
    CREATE INDEX announcements_id ON announcements (board, id);
",
    include_str!("one_log.sql"),
];

/// Brings a file to the latest schema; each step happens wholly or not at all.
///
/// # Errors
/// If the file is of a later schema, or a step fails.
///
/// A file of an early schema has a board that becomes `main` with these settings.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    main: &Settings,
) -> Result<(), StoreError> {
    let found = version(connection)?;
    refuse_newer(found, path)?;
    if (1..ONE_LOG).contains(&found) {
        remember_rule(connection)?;
        early::check(connection, path, main)?;
    }
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        if found > 0 {
            tracing::info!(
                path = %path.display(),
                schema = step + 1,
                "the file is being brought to a newer schema; that takes half a minute for some \
                 millions of actions, and as much free space again as the file has"
            );
        }
        let transaction = connection.transaction()?;
        let becomes_one_log = step + 1 == ONE_LOG;
        let end = becomes_one_log.then(|| early::finish(&transaction, main));
        transaction.execute_batch(sql)?;
        if let Some(Some(end)) = end.transpose()? {
            early::put_main(&transaction, main, end)?;
        }
        transaction.pragma_update(None, "user_version", step + 1)?;
        transaction.commit()?;
    }
    if application(connection)?.to_be_bytes() != APPLICATION {
        let ours = i32::from_be_bytes(APPLICATION);
        connection.pragma_update(None, "application_id", ours)?;
    }
    Ok(())
}

/// Writes the mark of a file, [`APPLICATION`] or [`WITH_LOG`], and its epoch, by which it is
/// known whose log this is in.
pub(super) fn mark(connection: &Connection, mark: [u8; 4]) -> Result<(), StoreError> {
    let transaction = connection.unchecked_transaction()?;
    transaction.pragma_update(None, "application_id", i32::from_be_bytes(mark))?;
    touch(&transaction)?;
    Ok(transaction.commit()?)
}

/// Writes the row that has the epoch as it is. SQLite writes no page in which nothing changes,
/// so it changes there and back.
pub(super) fn touch(connection: &Connection) -> Result<(), StoreError> {
    let sql = if has_one_log(connection)? {
        "UPDATE log_state SET folded_through = folded_through + ?1"
    } else {
        "UPDATE boards SET ranked_through = ranked_through + ?1"
    };
    for change in [1, -1] {
        connection.prepare_cached(sql)?.execute([change])?;
    }
    Ok(())
}

/// The epoch of the log and its last entry, if there is one. Of a file of an early schema that
/// is the log of `main`.
pub(super) fn log_end(connection: &Connection) -> Result<Option<(i64, u64)>, StoreError> {
    let sql = if has_one_log(connection)? {
        "SELECT epoch, max(folded_through, coalesce((SELECT max(seq) FROM log), 0)) FROM log_state"
    } else {
        "SELECT epoch, max(ranked_through, coalesce(
             (SELECT max(seq) FROM log WHERE log.board = boards.id), 0))
         FROM boards WHERE name = 'main'"
    };
    let mut statement = connection.prepare_cached(sql)?;
    let end = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(end.optional()?)
}

/// Begins a new epoch.
pub(super) fn renew(connection: &Connection, epoch: i64) -> Result<(), StoreError> {
    let sql = if has_one_log(connection)? {
        "UPDATE log_state SET epoch = ?1"
    } else {
        "UPDATE boards SET epoch = ?1 WHERE name = 'main'"
    };
    connection.execute(sql, [epoch])?;
    Ok(())
}

fn has_one_log(connection: &Connection) -> Result<bool, StoreError> {
    Ok(version(connection)? >= ONE_LOG)
}

/// Is the write-ahead log missing that the file is marked as having?
pub(super) fn lacks_log(connection: &Connection) -> Result<bool, StoreError> {
    Ok(application(connection)?.to_be_bytes() == WITH_LOG)
}

/// Are there no tables at all?
pub(super) fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Whether a file is empty or one of ours.
///
/// # Errors
/// If it is of a later schema, or cannot be read.
pub(super) fn identify(
    connection: &Connection,
    path: &Path,
) -> Result<Result<(), Problem>, StoreError> {
    let is_ours = match application(connection)? {
        0 => false,
        id if [APPLICATION, WITH_LOG].contains(&id.to_be_bytes()) => true,
        _ => return Ok(Err(Problem::Foreign)),
    };
    let version = version(connection)?;
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names = statement.query_map([], |row| row.get(0))?;
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    let tables = if version < ONE_LOG {
        EARLY_TABLES
    } else {
        TABLES
    };
    let has_ours = tables
        .iter()
        .all(|table| names.iter().any(|name| name == table));
    if is_ours || names.is_empty() || has_ours {
        refuse_newer(version, path)?;
    }
    if names.is_empty() && version == 0 || has_ours && version > 0 {
        Ok(Ok(()))
    } else if is_ours {
        Ok(Err(Problem::Damaged(
            "tables of the board are missing".into(),
        )))
    } else {
        Ok(Err(Problem::Foreign))
    }
}

/// Does a file have the latest schema?
pub(super) fn is_latest(connection: &Connection) -> Result<bool, StoreError> {
    Ok(version(connection)? == MIGRATIONS.len())
}

/// A table or an index of the present schema that is not as it was made: SQLite believes what
/// a file says of its columns. What others have added is theirs.
pub(super) fn altered(connection: &Connection) -> Result<Option<String>, StoreError> {
    if !is_latest(connection)? {
        return Ok(None);
    }
    let intact = Connection::open_in_memory()?;
    intact.execute_batch(&MIGRATIONS.concat())?;
    let mut statement = intact.prepare("SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL")?;
    let mut made = statement.query([])?;
    while let Some(row) = made.next()? {
        let (name, sql): (String, String) = (row.get(0)?, row.get(1)?);
        let found: Option<String> = connection
            .prepare_cached("SELECT sql FROM sqlite_schema WHERE name = ?1")?
            .query_row([&name], |row| row.get(0))
            .optional()?;
        if found != Some(sql) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn application(connection: &Connection) -> Result<i32, StoreError> {
    Ok(connection.pragma_query_value(None, "application_id", |row| row.get(0))?)
}

fn version(connection: &Connection) -> Result<usize, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn refuse_newer(found: usize, path: &Path) -> Result<(), StoreError> {
    if found > MIGRATIONS.len() {
        return Err(StoreError::TooNew {
            path: path.display().to_string(),
            found,
            known: MIGRATIONS.len(),
        });
    }
    Ok(())
}

/// Files of the first schema exist with and without `boards.deciding`, under the
/// same number. Where it is missing nobody knows the rule, which is the empty text.
fn remember_rule(connection: &Connection) -> Result<(), StoreError> {
    let is_there: bool = connection.query_row(
        "SELECT count(*) FROM pragma_table_info('boards') WHERE name = 'deciding'",
        [],
        |row| row.get(0),
    )?;
    if !is_there {
        connection
            .execute_batch("ALTER TABLE boards ADD COLUMN deciding TEXT NOT NULL DEFAULT ''")?;
    }
    Ok(())
}
