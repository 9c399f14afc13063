//! What is looked at before a database is written to: that it is one of ours, whole, and
//! not older than what was answered.
//!
//! SQLite itself takes what is there for what was meant. It deletes a write-ahead log
//! beside an empty file, plays any log back that is sound in itself, no matter who wrote it,
//! and undoes by any journal. So what can be seen from outside is looked at before SQLite
//! opens the file, and until the rest is known to be right, nothing is written back.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use rusqlite::{Connection, params};

use super::{
    file::{Stamp, beside, length, writable},
    marker::Note,
    problem::Problem,
    schema,
    wal_id::{WAL_HEADER, WalId},
};
use crate::{board::BoardId, store::StoreError};

/// Up to this size, in bytes, all that a file contains is checked when it is opened: half a
/// second of work.
const AUDITED: u64 = 16 << 20;
/// Up to this size the structure of its pages is: the same. Of a larger one only what is
/// read anyway is checked.
const CHECKED: u64 = 256 << 20;

/// What SQLite files begin with, and the size of their header.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;

/// What is at the path of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet, and nothing was there before.
    Nothing,
    /// An SQLite file.
    Database,
    /// An SQLite file with a write-ahead log of which it was not noted that it belongs to it.
    /// It may: SQLite begins the log again, with salts at random after another program has
    /// written it back, and the process may have died before that was noted.
    WithUnknownLog,
    /// An SQLite file beside its write-ahead log that is not as it was noted to be. It may have
    /// been moved with all that belongs to it, or the process has died while it wrote the log
    /// back; or another was put in its place, which the log does not belong to.
    Changed,
}

/// Whether what is at a path may be opened for all that its first bytes say. Changes and
/// makes nothing.
pub(super) fn head(path: &Path) -> Result<(), StoreError> {
    let header = read_header::<HEADER>(path)?;
    match header {
        Some(header) if may_be_ours(&header) => Ok(()),
        Some(_) => Err(Problem::Foreign.in_file(path)),
        None if length(path).map_err(|e| writable(path, e))? == 0 => Ok(()),
        None => Err(Problem::NoDatabase.in_file(path)),
    }
}

/// Whether the header of a database is one of ours, or does not name its program.
fn may_be_ours(header: &[u8; HEADER]) -> bool {
    let application = &header[68..72];
    [[0; 4], schema::APPLICATION, schema::WITH_LOG].contains(&[
        application[0],
        application[1],
        application[2],
        application[3],
    ])
}

/// Whether nothing is there, not even a note. Changes and makes nothing.
pub(super) fn is_nothing(path: &Path) -> Result<bool, StoreError> {
    let is_noted = beside(path, ".lock").exists();
    Ok(!is_noted && !path.exists() && outside(path, &Note::default())? == Ok(Found::Nothing))
}

/// Whether what is there, of which this was noted, may be given to SQLite. Changes and makes
/// nothing.
pub(super) fn outside(path: &Path, note: &Note) -> Result<Result<Found, Problem>, StoreError> {
    let size = |suffix: &str| {
        let file = beside(path, suffix);
        length(&file).map_err(|source| writable(&file, source))
    };
    let (database, wal, journal) = (size("")?, size("-wal")?, size("-journal")?);
    if database == 0 {
        return Ok(match (wal, journal, note.entries()) {
            (0, 0, 0) => Ok(Found::Nothing),
            (0, 0, entries) if path.exists() => Err(Problem::Empty(entries)),
            (0, 0, entries) => Err(Problem::Missing(entries)),
            (0, ..) => Err(Problem::Left("-journal")),
            _ => Err(Problem::Left("-wal")),
        });
    }
    let Some(header) = read_header::<HEADER>(path)? else {
        return Ok(Err(Problem::NoDatabase));
    };
    if journal > 0 {
        return Ok(Err(Problem::Journal));
    }
    if wal > 0 {
        return wal_fits(path, note, &header);
    }
    // Without a log the file must have all its pages; SQLite would go on with fewer.
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    if database < page * u64::from(pages) {
        let problem = format!("of {pages} pages, {} are there", database / page.max(1));
        return Ok(Err(Problem::Damaged(problem)));
    }
    Ok(Ok(Found::Database))
}

fn wal_fits(
    path: &Path,
    note: &Note,
    database: &[u8; HEADER],
) -> Result<Result<Found, Problem>, StoreError> {
    let stamp = path.metadata().map(|found| Stamp::of(&found));
    let stamp = stamp.map_err(|source| writable(path, source))?;
    let path = beside(path, "-wal");
    let Some(header) = read_header::<WAL_HEADER>(&path)? else {
        // Cut off within its header: nothing in it was ever committed.
        return Ok(Ok(Found::Database));
    };
    let Some(wal) = WalId::of_header(&header) else {
        return Ok(Err(Problem::ForeignWal));
    };
    // Of the same size of pages: two bytes there, four here.
    let page = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    let is_alike = page == u32::from(u16::from_be_bytes([database[16], database[17]]));
    let is_noted = note.wal.is_none_or(|noted| wal == noted) && !note.is_closed;
    Ok(match (is_alike, is_noted) {
        (true, true) if note.file.is_none_or(|noted| stamp == noted) => Ok(Found::Database),
        (true, true) => Ok(Found::Changed),
        (true, false) => Ok(Found::WithUnknownLog),
        (false, _) => Err(Problem::ForeignWal),
    })
}

/// The first bytes of a file, if it has so many; of a database, only if it is one.
fn read_header<const N: usize>(path: &Path) -> Result<Option<[u8; N]>, StoreError> {
    let error = |source| writable(path, source);
    let mut header = [0; N];
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(error(source)),
    };
    match file.read_exact(&mut header) {
        Ok(()) if N == HEADER && header[..16] != MAGIC[..] => Ok(None),
        Ok(()) => Ok(Some(header)),
        Err(source) if source.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(source) => Err(error(source)),
    }
}

/// Whether a database is ours, whole, and as far as was noted. Reads only, and all of it if it
/// has a log that may not be its own.
pub(super) fn inside(
    connection: &Connection,
    path: &Path,
    note: &Note,
    found: Found,
) -> Result<Result<(), Problem>, StoreError> {
    let is_doubtful = match found {
        Found::Nothing => return Ok(Ok(())),
        Found::Database => false,
        Found::WithUnknownLog | Found::Changed => true,
    };
    let fits = match fits(connection, path, note, is_doubtful) {
        Ok(fits) => fits,
        Err(error) => match Problem::of(&error) {
            Some(problem @ (Problem::Damaged(_) | Problem::NoDatabase)) if is_doubtful => {
                Err(problem)
            }
            _ => return Err(error),
        },
    };
    Ok(fits.map_err(|problem| match (found, problem) {
        // All of both was checked: they belong together, and are a copy of an earlier time.
        (Found::WithUnknownLog, problem @ Problem::Older { .. }) => problem,
        (Found::WithUnknownLog, _) => Problem::ForeignWal,
        (Found::Changed, Problem::Damaged(damage)) => Problem::Mixed(damage),
        (_, problem) => problem,
    }))
}

fn fits(
    connection: &Connection,
    path: &Path,
    note: &Note,
    is_doubtful: bool,
) -> Result<Result<(), Problem>, StoreError> {
    if let Err(problem) = schema::identify(connection, path)? {
        return Ok(Err(problem));
    }
    if schema::is_empty(connection)? {
        return without_tables(connection, note);
    }
    let error = |source| writable(path, source);
    let size = length(path).map_err(error)? + length(&beside(path, "-wal")).map_err(error)?;
    if size > CHECKED && is_doubtful {
        tracing::info!(
            path = %path.display(),
            "the file and its write-ahead log are not as they were noted to be: all of them is \
             checked, which takes some seconds for each gigabyte"
        );
    }
    if (size <= CHECKED || is_doubtful)
        && let Some(damage) = damage(connection, size <= AUDITED || is_doubtful)?
    {
        return Ok(Err(Problem::Damaged(damage)));
    }
    for noted in &note.boards {
        let board = noted.name.to_string();
        let found = schema::log_end(connection)?.filter(|_| noted.name == BoardId::default());
        let problem = match found {
            None if noted.seq == 0 => continue,
            None => Problem::NoBoard(board),
            Some((epoch, _)) if epoch.cast_unsigned() != noted.epoch.0 => {
                Problem::OtherBoard(board)
            }
            Some((_, found)) if found < noted.seq => Problem::Older {
                board,
                found,
                noted: noted.seq,
            },
            Some(_) => continue,
        };
        return Ok(Err(problem));
    }
    // What was noted is there, whatever else is not.
    if note.boards.is_empty() && schema::lacks_log(connection)? {
        return Ok(Err(Problem::WithoutLog));
    }
    Ok(Ok(()))
}

/// Whether a file without tables may be one that was just begun. Early versions wrote all
/// tables to the log first: of their young boards the file itself is empty.
fn without_tables(connection: &Connection, note: &Note) -> Result<Result<(), Problem>, StoreError> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    Ok(match note.entries() {
        0 if note.is_noted || mode != "wal" => Ok(()),
        0 => Err(Problem::EmptyWithoutLog),
        entries => Err(Problem::LogLost(entries)),
    })
}

/// What is wrong with the structure of a file, and with what it stores twice if that is audited.
/// Reads all of it.
fn damage(connection: &Connection, is_audited: bool) -> Result<Option<String>, StoreError> {
    let check = if is_audited {
        "PRAGMA integrity_check(1)"
    } else {
        "PRAGMA quick_check(1)"
    };
    let answer: String = connection.query_row(check, [], |row| row.get(0))?;
    if answer != "ok" {
        return Ok(Some(answer));
    }
    if let Some(name) = schema::altered(connection)? {
        return Ok(Some(format!("{name} is not as it was made")));
    }
    if !is_audited || !schema::is_latest(connection)? {
        return Ok(None);
    }
    for (what, sql) in AUDITS {
        let is_wrong: bool = connection.query_row(sql, params![], |row| row.get(0))?;
        if is_wrong {
            return Ok(Some((*what).to_owned()));
        }
    }
    Ok(None)
}

/// What an intact file stores twice, with queries for where it does not. A board that is being
/// migrated is not whole yet; one that came from Redis has entries that do not know what was
/// before them.
const AUDITS: &[(&str, &str)] = &[
    (
        "a user's score is not the one of the last entry about the user",
        "SELECT EXISTS (
             SELECT 1
             FROM (SELECT board, user, max(seq) AS seq
                   FROM log INDEXED BY log_user_actions JOIN log_state
                   WHERE kind = 'action' AND seq <= folded_through GROUP BY board, user) AS last
             JOIN log_state ON NOT migrating
             JOIN boards ON boards.id = last.board AND settings ->> 'of' IS NULL
             JOIN log ON log.seq = last.seq
             LEFT JOIN standings ON standings.board = last.board AND standings.user = last.user
             WHERE (log.score IS NOT standings.score OR log.tiebreak IS NOT standings.tiebreak)
                 AND NOT EXISTS (SELECT 1 FROM log AS gone INDEXED BY log_deleted
                                 WHERE gone.user = last.user AND gone.kind = 'deleted'
                                     AND gone.seq > last.seq AND gone.seq <= folded_through)
                 AND NOT EXISTS (SELECT 1 FROM log AS gone INDEXED BY log_deleted_boards
                                 WHERE gone.board = last.board AND gone.kind = 'board_deleted'
                                     AND gone.seq > last.seq AND gone.seq <= folded_through))",
    ),
    (
        "a user is not called what the last entry about that says",
        "SELECT EXISTS (
             SELECT 1
             FROM (SELECT user, username, avatar, max(seq) AS seq FROM log JOIN log_state
                   WHERE kind = 'user' AND seq <= folded_through GROUP BY user) AS last
             JOIN log_state ON NOT migrating
             LEFT JOIN people ON people.id = last.user
             WHERE (last.username IS NOT people.username OR last.avatar IS NOT people.avatar)
                 AND NOT EXISTS (SELECT 1 FROM log AS gone INDEXED BY log_deleted
                                 WHERE gone.user = last.user AND gone.kind = 'deleted'
                                     AND gone.seq > last.seq AND gone.seq <= folded_through))",
    ),
    (
        "a user is hidden, and no entry says so",
        "SELECT EXISTS (
             SELECT 1 FROM people JOIN log_state ON NOT migrating
             WHERE hidden AND NOT EXISTS (SELECT 1 FROM counted_actions)
                 AND NOT EXISTS (SELECT 1 FROM log
                                 WHERE kind = 'hidden' AND user = people.id
                                     AND (detail = 'true' OR detail LIKE 'true %')))",
    ),
    (
        "an action has a rank or a number that no board gives",
        // What somebody does who is hidden is no fact that others know.
        "SELECT EXISTS (
             SELECT 1 FROM log
             WHERE kind = 'action'
                 AND (board_seq NOT BETWEEN 0 AND seq OR rank < 1 OR old_rank < 1))",
    ),
    (
        "an action was not counted by the rule of its board",
        "SELECT EXISTS (
             SELECT 1 FROM (
                 SELECT board, increase, score, user, seq,
                        lag(score) OVER (PARTITION BY board, user ORDER BY seq) AS before
                 FROM log WHERE kind = 'action') AS action
             JOIN log_state ON NOT migrating
             JOIN boards ON boards.id = action.board AND settings ->> 'operator' = 'sum'
             -- A log that was in Redis has gaps.
             WHERE NOT EXISTS (SELECT 1 FROM counted_actions)
                 -- Another board may have had the id.
                 AND NOT EXISTS (SELECT 1 FROM log AS gone INDEXED BY log_deleted_boards
                                 WHERE gone.board = action.board AND gone.kind = 'board_deleted'
                                     AND gone.seq > action.seq)
                 AND (SELECT count(*) FROM log) = (SELECT max(seq) FROM log)
                 AND action.score NOT IN (action.increase, ifnull(action.before, 0) + action.increase))",
    ),
];
