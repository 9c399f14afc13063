//! What is looked at before a database is written to: that it is one of ours, whole, and
//! not older than what was answered.
//!
//! SQLite itself takes what is there for what was meant. It deletes a write-ahead log
//! beside an empty file, plays any log back that is sound in itself, no matter who wrote it,
//! and undoes by any journal. So what can be seen from outside is looked at before SQLite
//! opens the file, and until the rest is known to be right, nothing is written back.

use std::{
    fmt,
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    condition::problem,
    file::{NO_ROOM, READ_ONLY, Stamp, beside, length, writable},
    marker::Note,
    schema,
};
use crate::store::StoreError;

/// Up to this size, in bytes, all that a file contains is checked when it is opened: half a
/// second of work.
const AUDITED: u64 = 16 << 20;
/// Up to this size the structure of its pages is: the same. Of a larger one only what is
/// read anyway is checked.
const CHECKED: u64 = 256 << 20;

/// What SQLite files begin with, and the size of their header.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;

/// The size of the header of a write-ahead log.
pub(super) const WAL_HEADER: usize = 32;

/// What is wrong with a database. Nothing was changed in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("there is no board, and none was there")]
    Nothing,
    #[error("it is no SQLite file")]
    NoDatabase,
    #[error("it is the SQLite file of another program")]
    Foreign,
    #[error("it is missing, and held {0} entries of the log")]
    Missing(u64),
    #[error("it is empty, and held {0} entries of the log")]
    Empty(u64),
    #[error("it is missing or empty, and beside it is what belongs to it, {0}")]
    Left(&'static str),
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it cannot be written")]
    ReadOnly,
    #[error("there is no room on its disk")]
    NoRoom,
    #[error("its disk reports an error ({0})")]
    Disk(String),
    #[error("beside it is a journal by which changes would be undone that Podium did not make")]
    Journal,
    #[error("the write-ahead log beside it (-wal) is not the one that belongs to it")]
    ForeignWal,
    #[error("it and the write-ahead log beside it (-wal) do not belong together: {0}")]
    Mixed(String),
    #[error(
        "it is a copy of a file in use without the write-ahead log (-wal) that belonged beside \
         it: the latest entries are missing, unless sqlite3 made the copy by .backup"
    )]
    WithoutLog,
    #[error(
        "it holds nothing yet, because all {0} entries of the log were in its write-ahead log \
         (-wal), which is lost"
    )]
    LogLost(u64),
    #[error(
        "it holds nothing, as a copy of a new board without the write-ahead log (-wal) that \
         belonged beside it"
    )]
    EmptyWithoutLog,
    #[error(
        "its log of the board {board} ends at {found}, and entries up to {noted} were \
         confirmed: its write-ahead log (-wal) is lost, or it is an older copy"
    )]
    Older {
        board: String,
        found: u64,
        noted: u64,
    },
    #[error("the board {0} in it is not the one that was there, but another of the same name")]
    OtherBoard(String),
    #[error("the board {0} is not in it any more")]
    NoBoard(String),
    #[error("it is not what Podium writes into such a file")]
    NoNote,
}

/// What to do when what was there may be put back.
const PUT_BACK: &str = "put back what was there, all files with this name together; or run podium \
                        adopt, which says what it would give up";

impl Problem {
    pub(super) fn in_file(self, path: &Path) -> StoreError {
        let cure = match self {
            Problem::Nothing => {
                "name the file of the board in store.url; podium serve makes a new one"
            }
            Problem::NoDatabase | Problem::Foreign => "name another file in store.url",
            Problem::Damaged(_) => {
                "keep all files with this name as they are, and restore a backup under this name, \
                 or save what can be read with sqlite3's .recover"
            }
            Problem::ReadOnly => READ_ONLY,
            Problem::NoRoom => NO_ROOM,
            Problem::Disk(_) => "look at the disk, and start again",
            Problem::Journal => {
                "open it with the program that wrote the journal, or move the journal (-journal) \
                 away if it belongs to another file"
            }
            Problem::NoNote => "move it away if nobody needs it",
            _ => PUT_BACK,
        };
        StoreError::Unfit {
            path: path.display().to_string(),
            problem: self.to_string(),
            cure,
        }
    }
}

/// Which write-ahead log it is, by the salts in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wal {
    salts: [u32; 2],
}

impl Wal {
    /// From the header of a write-ahead log; `None` if it is not one.
    pub(super) fn of_header(header: &[u8; WAL_HEADER]) -> Option<Wal> {
        let word = |at: usize| {
            let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            u32::from_be_bytes(bytes)
        };
        // The last bit is the order of bytes in its checksums.
        (word(0) & !1 == 0x377f_0682).then(|| Wal {
            salts: [word(16), word(20)],
        })
    }

    /// From its text.
    pub(super) fn parse(text: &str) -> Option<Wal> {
        let salts = u64::from_str_radix(text, 16).ok()?;
        (text.len() == 16).then_some(Wal {
            salts: [(salts >> 32) as u32, salts as u32],
        })
    }
}

impl fmt::Display for Wal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = self.salts;
        write!(f, "{a:08x}{b:08x}")
    }
}

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
    let Some(wal) = Wal::of_header(&header) else {
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
        Err(error) => match problem(&error) {
            Some(problem @ (Problem::Damaged(_) | Problem::NoDatabase)) if is_doubtful => {
                Err(problem)
            }
            _ => return Err(error),
        },
    };
    Ok(fits.map_err(|problem| match (found, problem) {
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
        let found = connection
            .query_row(
                "SELECT epoch, max(ranked_through, coalesce(
                     (SELECT max(seq) FROM log WHERE log.board = boards.id), 0))
                 FROM boards WHERE name = ?1",
                [&board],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?)),
            )
            .optional()?;
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
             SELECT 1 FROM users
             JOIN boards ON boards.id = users.board AND NOT boards.migrating
             JOIN (SELECT board, user, max(seq) AS seq FROM log INDEXED BY log_user_actions
                   WHERE kind = 'action' GROUP BY board, user) AS last
                 ON last.board = users.board AND last.user = users.id
             JOIN log ON log.board = last.board AND log.seq = last.seq
             WHERE log.score IS NOT users.score
                 AND NOT EXISTS (SELECT 1 FROM log AS gone INDEXED BY log_deleted
                                 WHERE gone.board = last.board AND gone.user = last.user
                                     AND gone.kind = 'deleted' AND gone.seq > last.seq))",
    ),
    (
        "a user is not called what the last entry about that says",
        "SELECT EXISTS (
             SELECT 1 FROM users
             JOIN boards ON boards.id = users.board AND NOT boards.migrating
             JOIN (SELECT board, user, username, avatar, max(seq) FROM log
                   WHERE kind = 'user' GROUP BY board, user) AS last
                 ON last.board = users.board AND last.user = users.id
             WHERE last.username IS NOT users.username OR last.avatar IS NOT users.avatar)",
    ),
    (
        "an action was not counted by the rule of its board",
        "SELECT EXISTS (
             SELECT 1 FROM log JOIN boards ON boards.id = log.board AND NOT boards.migrating
             WHERE log.kind = 'action' AND boards.deciding = 'sum'
                 AND log.score_before IS NOT NULL
                 AND log.score <> log.score_before + log.increase)",
    ),
];
