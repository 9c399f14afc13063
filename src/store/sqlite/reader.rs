//! Reading what happened, beside the writer: connections of its own that cannot
//! write, so that neither waits for the other (WAL).
//!
//! However long somebody's past is, it is read in pieces of some milliseconds, because
//! a reader keeps the write-ahead log from beginning again. SQLite itself ends a piece
//! that takes longer than [`LONGEST_PIECE`], whatever it is doing. Entries of the log
//! never change and are never deleted, so all pieces together are as of one moment:
//! that of the first, which says up to where the others look.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, params};
use tokio::sync::RwLock;

use super::{
    facts::{self, ENTRY, scores},
    file::{Identity, beside, length},
    index::SMALLEST,
    preparation::Preparation,
    wal::Gate,
};
use crate::{
    blocking,
    board::{BoardId, Fact, LogEntry, Seq, StoredChange, Timestamp, UserId},
    store::{
        DerivedHistory, Folded, History, HistoryPoint, StoreError,
        history::{LONGEST_READ, RECENT, RecentAction, Thinning},
    },
};

/// How much is read at once: on a disk that has to be asked for each page, a fraction of
/// a second.
const PIECE: Piece = Piece {
    rows: 4096,
    points: 50,
};

/// How long one transaction may take. On a disk that needs longer for a piece, what was read
/// is in the system's memory when the same is asked for again.
const LONGEST_PIECE: Duration = Duration::from_millis(500);

/// How many steps SQLite takes between two looks at the clock: some microseconds.
const STEPS: i32 = 1000;

/// How much is read in one transaction.
#[derive(Clone, Copy)]
struct Piece {
    /// Rows of an index that has them one beside the other.
    rows: usize,
    /// Entries that are looked up one by one.
    points: usize,
}

/// What committed entries did that is still to be written. A reader of histories
/// takes these before what the file has, so that nothing falls between.
pub(super) type Unwritten = Arc<Mutex<Arc<Vec<(LogEntry, Folded)>>>>;

/// What reads; see the module.
pub(super) struct Reader {
    path: PathBuf,
    /// The index of its write-ahead log.
    index: PathBuf,
    /// The file that is meant, if it was there.
    identity: Option<Identity>,
    unwritten: Unwritten,
    gate: Gate,
    /// How long one look back may take.
    longest: Duration,
    /// A reader holds it, so that closing waits.
    is_open: Arc<RwLock<bool>>,
    /// Those that nobody reads with just now.
    idle: Mutex<Vec<Reading>>,
}

/// A connection that reads, and when SQLite is to end what it does.
struct Reading {
    connection: Connection,
    end: Arc<Mutex<Option<Instant>>>,
}

impl Reading {
    fn new(mut connection: Connection) -> Result<Reading, StoreError> {
        let end = Arc::new(Mutex::new(None::<Instant>));
        let asked = end.clone();
        let is_over = move || asked.lock().is_some_and(|end| Instant::now() >= end);
        connection.progress_handler(STEPS, Some(is_over))?;
        // A reader that waits for another program keeps the gate from being closed too.
        connection.busy_timeout(LONGEST_PIECE)?;
        Ok(Reading { connection, end })
    }

    /// Reads as of one moment of the file.
    ///
    /// # Errors
    /// [`StoreError::TookTooLong`] if that takes longer than it may.
    fn transaction<T>(
        &self,
        longest: Duration,
        read: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        *self.end.lock() = Some(Instant::now() + longest);
        let transaction = self.connection.unchecked_transaction()?;
        let read = read(&transaction);
        // To end it must not be ended.
        *self.end.lock() = None;
        drop(transaction);
        read.map_err(|error| match error {
            StoreError::Database(error)
                if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) =>
            {
                StoreError::TookTooLong
            }
            error => error,
        })
    }
}

impl Reader {
    pub(super) fn new(path: PathBuf, unwritten: Unwritten, gate: Gate) -> Reader {
        let identity = path.metadata().ok().map(|it| Identity::of(&it));
        Reader {
            index: beside(&path, "-shm"),
            path,
            identity,
            unwritten,
            gate,
            longest: LONGEST_READ,
            is_open: Arc::new(RwLock::new(true)),
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(super) async fn history(
        self: Arc<Reader>,
        board: BoardId,
        user: UserId,
        points: usize,
    ) -> Result<Option<History>, StoreError> {
        let started = Instant::now();
        self.while_open(move |reader| {
            reader.look(
                &board,
                &|| started.elapsed() >= reader.longest,
                |look, unwritten| look.history(unwritten, user, points),
            )
        })
        .await
    }

    pub(super) async fn derived_history(
        self: Arc<Reader>,
        of: DerivedHistory,
        points: usize,
    ) -> Result<Option<History>, StoreError> {
        let started = Instant::now();
        self.while_open(move |reader| {
            let root = of.root().clone();
            reader.look(
                &root,
                &|| started.elapsed() >= reader.longest,
                |look, unwritten| look.derived_history(unwritten, of, points),
            )
        })
        .await
    }

    /// Reads on a thread. The caller may go; closing waits until this is done.
    async fn while_open<T: Send + 'static>(
        self: Arc<Reader>,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let is_open = self.is_open.clone().read_owned().await;
        if !*is_open {
            return Err(StoreError::Closed);
        }
        blocking::on_thread(move || {
            let _is_open = is_open;
            read(&self)
        })
        .await
    }

    /// Lets those finish who read, refuses others, and lets go of the file.
    pub(super) async fn close(&self) {
        *self.is_open.write().await = false;
        self.idle.lock().clear();
    }

    /// Reads something that is short, as of one moment of the file.
    pub(super) async fn read_once<T: Send + 'static>(
        self: Arc<Reader>,
        read: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.while_open(|reader| {
            let reading = reader.reading()?;
            let passed = reader.gate.pass();
            let result = reading.transaction(LONGEST_PIECE, read);
            drop(passed);
            reader.idle.lock().push(reading);
            result
        })
        .await
    }

    /// Folds all of the log that there is into a board that is prepared.
    pub(super) async fn prepare(
        self: Arc<Reader>,
        mut preparation: Box<Preparation>,
    ) -> Result<Box<Preparation>, StoreError> {
        self.while_open(|reader| {
            let reading = reader.reading()?;
            loop {
                let _passed = reader.gate.pass();
                let read = |now: &Transaction<'_>| preparation.read_piece(now);
                if reading.transaction(LONGEST_READ, read)? {
                    break;
                }
            }
            reader.idle.lock().push(reading);
            Ok(preparation)
        })
        .await
    }

    fn look<T>(
        &self,
        board: &BoardId,
        is_given_up: &dyn Fn() -> bool,
        read: impl FnOnce(&Look<'_>, &[(LogEntry, Folded)]) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let unwritten = self.unwritten.lock().clone();
        let reading = self.reading()?;
        let look = Look {
            reading: &reading,
            gate: &self.gate,
            board,
            piece: PIECE,
            longest: LONGEST_PIECE,
            is_given_up,
        };
        let result = read(&look, &unwritten);
        self.idle.lock().push(reading);
        result
    }

    /// A connection that nobody reads with.
    fn reading(&self) -> Result<Reading, StoreError> {
        // SQLite has it mapped: to touch what was cut off would end the process.
        if length(&self.index).is_ok_and(|bytes| bytes < SMALLEST) {
            return Err(StoreError::Damaged("its index (-shm) was cut short"));
        }
        let idle = self.idle.lock().pop();
        idle.map_or_else(|| self.connect(), Ok)
    }

    fn connect(&self) -> Result<Reading, StoreError> {
        let found = self.path.metadata().ok().map(|it| Identity::of(&it));
        if found != self.identity {
            return Err(StoreError::Damaged("the file was replaced or moved away"));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Reading::new(Connection::open_with_flags(&self.path, flags)?)
    }
}

/// The entries of a user's actions after the entry `?3`. Without the name of the
/// index, all entries of the log might be looked at instead.
pub(super) const ACTIONS: &str = "FROM log INDEXED BY log_user_actions
     WHERE board = ?1 AND user = ?2 AND kind = 'action' AND seq > ?3";

/// The last entry by which a user was deleted.
const DELETED: &str = "SELECT max(seq) FROM log INDEXED BY log_deleted
     WHERE user = ?1 AND kind = 'deleted'";

/// The last entry by which a board of this name was deleted.
const BOARD_DELETED: &str = "SELECT max(seq) FROM log INDEXED BY log_deleted_boards
     WHERE board = ?1 AND kind = 'board_deleted'";

/// The last entry by which a user was deleted; 0 for none.
fn deleted(connection: &Connection, user: UserId) -> Result<u64, StoreError> {
    let deleted: Option<u64> = connection
        .prepare_cached(DELETED)?
        .query_row([user.0], |row| row.get(0))?;
    Ok(deleted.unwrap_or(0))
}

/// The entry after which a user's past on a board begins: who was deleted and registered again
/// has a new one, and so has a board of the same name.
pub(super) fn began(
    connection: &Connection,
    board: &BoardId,
    user: UserId,
) -> Result<u64, StoreError> {
    let deleted = deleted(connection, user)?;
    let board_deleted: Option<u64> = connection
        .prepare_cached(BOARD_DELETED)?
        .query_row([board.as_str()], |row| row.get(0))?;
    Ok(deleted.max(board_deleted.unwrap_or(0)))
}

/// The next entries of a user's actions, up to the entry `?4`.
fn next_sql() -> String {
    format!("SELECT seq, at {ACTIONS} AND seq <= ?4 ORDER BY seq LIMIT ?5")
}

fn count_sql() -> String {
    format!(
        "SELECT count(*), min(at), max(at), max(seq) FROM ({})",
        next_sql()
    )
}

/// The next entries by which a user acted on a board, those after the entry `?6`, or was given
/// a team and groups.
fn own_sql() -> String {
    format!(
        "SELECT {ENTRY} {ACTIONS} AND seq <= ?4 AND seq > ?6
         UNION ALL
         SELECT {ENTRY} FROM log INDEXED BY log_grouped
         WHERE user = ?2 AND kind = 'grouped' AND seq > ?3 AND seq <= ?4
         ORDER BY seq LIMIT ?5"
    )
}

fn latest_sql() -> String {
    format!(
        "SELECT {POINT}, action_type, increase {ACTIONS} AND seq <= ?4
         ORDER BY seq DESC LIMIT ?5"
    )
}

/// One look back at somebody's past, in pieces.
struct Look<'a> {
    reading: &'a Reading,
    gate: &'a Gate,
    board: &'a BoardId,
    piece: Piece,
    /// How long a piece may take.
    longest: Duration,
    /// Has it taken too long?
    is_given_up: &'a dyn Fn() -> bool,
}

/// Whose entries are looked at: those after `began` and up to `until`.
#[derive(Clone, Copy)]
struct Span {
    user: UserId,
    /// When the user, or the board, was deleted last; 0 for never.
    began: u64,
    /// The last entry when the look began.
    until: u64,
}

/// What is read at first.
struct First {
    /// The best rank that is written.
    best: Option<u64>,
    span: Span,
    /// The latest actions, each with its entry.
    recent: Vec<(u64, RecentAction)>,
}

/// How many actions there are, and between which moments.
#[derive(Default)]
struct Count {
    actions: u64,
    earliest: Timestamp,
    latest: Timestamp,
}

impl Look<'_> {
    /// Reads one piece, as of one moment of the file.
    fn piece<T>(
        &self,
        read: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if (self.is_given_up)() {
            return Err(StoreError::TookTooLong);
        }
        let _passed = self.gate.pass();
        self.reading.transaction(self.longest, read)
    }

    fn history(
        &self,
        unwritten: &[(LogEntry, Folded)],
        user: UserId,
        points: usize,
    ) -> Result<Option<History>, StoreError> {
        let first = self.piece(|now| self.first(now, user, unwritten))?;
        let Some(First {
            best,
            span,
            mut recent,
        }) = first
        else {
            return Ok(None);
        };
        let is_own = |entry: &LogEntry| {
            entry.seq.get() > span.began
                && matches!(&entry.fact, Fact::Action(it) if it.user == user && it.board == *self.board)
        };
        let unwritten = unwritten.iter().filter(|(entry, _)| is_own(entry));
        let unwritten: Vec<&(LogEntry, Folded)> = unwritten.collect();
        // Of several entries of one user, the last knows the best rank of all.
        let unwritten_best = unwritten.last().and_then(|(_, it)| best_of(it, user));
        let add_rank = |entry: u64, point: &mut HistoryPoint| {
            let known = unwritten.iter().find(|(it, _)| it.seq.get() == entry);
            if let Some((_, folded)) = known {
                point.rank = point.rank.or(folded.ranks[1]);
                point.seq = Some(Seq::new(folded.seq).unwrap_or(Seq::FIRST));
            }
        };

        let count = self.count(span)?;
        if count.actions == 0 {
            return Ok(Some(History::default()));
        }
        let mut thinning = Thinning::new(points, count.actions, count.earliest, count.latest);
        let (mut first, mut last) = (None, None);
        let mut after = span.began;
        while let Some(end) = self.piece(|now| {
            let mut statement = now.prepare_cached(&next_sql())?;
            let mut rows = statement.query(self.parameters(span, after))?;
            let mut end = None;
            while let Some(row) = rows.next()? {
                let (seq, at) = (row.get(0)?, Timestamp(row.get(1)?));
                thinning.add(at, seq);
                first = first.or(Some(at));
                last = Some(at);
                end = Some(seq);
            }
            Ok(end)
        })? {
            after = end;
        }

        let mut points = Vec::new();
        for seqs in thinning.chosen().chunks(self.piece.points) {
            self.piece(|now| {
                let sql = format!("SELECT {POINT} FROM log WHERE seq = ?1");
                let mut statement = now.prepare_cached(&sql)?;
                for seq in seqs {
                    let found = statement.query_row([seq], |row| Ok(point(row)));
                    let (entry, mut point) = found??;
                    add_rank(entry, &mut point);
                    points.push(point);
                }
                Ok(())
            })?;
        }
        for (entry, action) in &mut recent {
            add_rank(*entry, &mut action.after);
        }
        Ok(Some(History {
            points,
            recent: recent.into_iter().map(|(_, action)| action).collect(),
            actions: count.actions,
            best: match (best, unwritten_best) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            first,
            last,
        }))
    }

    fn derived_history(
        &self,
        unwritten: &[(LogEntry, Folded)],
        mut of: DerivedHistory,
        points: usize,
    ) -> Result<Option<History>, StoreError> {
        let user = of.user();
        let first = self.piece(|now| {
            let first = self.first(now, user, unwritten)?;
            // A person keeps the groups when a board is deleted.
            first
                .map(|it| Ok((it.span, deleted(now, user)?)))
                .transpose()
        })?;
        let Some((span, mut after)) = first else {
            return Ok(None);
        };
        while let Some(end) = self.piece(|now| {
            let mut statement = now.prepare_cached(&own_sql())?;
            let mut rows = statement.query(params![
                self.board.as_str(),
                user.0,
                after,
                span.until,
                self.piece.rows,
                span.began
            ])?;
            let mut end = None;
            while let Some(row) = rows.next()? {
                let entry = facts::read(now, row)?;
                end = Some(entry.seq.get());
                of.follow(&entry);
            }
            Ok(end)
        })? {
            after = end;
        }
        Ok(Some(of.history(points)))
    }

    /// The first piece; `None` if nobody with this id is registered.
    fn first(
        &self,
        now: &Transaction<'_>,
        user: UserId,
        unwritten: &[(LogEntry, Folded)],
    ) -> Result<Option<First>, StoreError> {
        let known_through = unwritten.last().map_or(0, |(entry, _)| entry.seq.get());
        let folded_through: u64 = now
            .prepare_cached("SELECT folded_through FROM log_state")?
            .query_row([], |row| row.get(0))?;
        let newer = unwritten.iter().rev().map(|(entry, _)| entry);
        let newer = newer.filter(|entry| entry.seq.get() > folded_through);
        let mut is_registered = newer.filter_map(|entry| match &entry.fact {
            Fact::UserChanged { user: it, .. } if *it == user => Some(true),
            Fact::UserDeleted { user: it } if *it == user => Some(false),
            _ => None,
        });
        let is_registered = match is_registered.next() {
            Some(is_registered) => is_registered,
            None => now
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM people WHERE id = ?1)")?
                .query_row([user.0], |row| row.get(0))?,
        };
        if !is_registered {
            return Ok(None);
        }
        let best: Option<Option<u64>> = now
            .prepare_cached("SELECT best_rank FROM standings WHERE board = ?1 AND user = ?2")?
            .query_row(params![self.board.as_str(), user.0], |row| row.get(0))
            .optional()?;
        let span = Span {
            user,
            began: began(now, self.board, user)?,
            until: folded_through.max(known_through),
        };
        // What is written may be of a life that has ended.
        let best = best.flatten().filter(|_| span.began <= folded_through);
        let mut statement = now.prepare_cached(&latest_sql())?;
        let mut rows = statement.query(params![
            self.board.as_str(),
            user.0,
            span.began,
            span.until,
            RECENT
        ])?;
        let mut recent = Vec::new();
        while let Some(row) = rows.next()? {
            recent.push(acted(row)?);
        }
        Ok(Some(First { best, span, recent }))
    }

    fn count(&self, span: Span) -> Result<Count, StoreError> {
        let mut count = Count::default();
        let mut after = span.began;
        loop {
            let (actions, earliest, latest, end): (u64, Option<u64>, Option<u64>, Option<u64>) =
                self.piece(|now| {
                    let mut statement = now.prepare_cached(&count_sql())?;
                    Ok(statement.query_row(self.parameters(span, after), |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                    })?)
                })?;
            let (Some(earliest), Some(latest), Some(end)) = (earliest, latest, end) else {
                return Ok(count);
            };
            let (earliest, latest) = (Timestamp(earliest), Timestamp(latest));
            count = Count {
                earliest: if count.actions == 0 {
                    earliest
                } else {
                    count.earliest.min(earliest)
                },
                latest: count.latest.max(latest),
                actions: count.actions + actions,
            };
            after = end;
        }
    }

    /// Of a piece of these entries.
    fn parameters(&self, span: Span, after: u64) -> impl rusqlite::Params {
        let Span { user, until, .. } = span;
        (self.board.as_str(), user.0, after, until, self.piece.rows)
    }
}

/// The best rank of a user after an action that was folded.
fn best_of(folded: &Folded, user: UserId) -> Option<u64> {
    let mut stored = folded.stored.iter();
    // That of the board that the action names is the first.
    stored.find_map(|change| match change {
        StoredChange::Standing(_, standing) if standing.user == user => standing.best,
        _ => None,
    })
}

/// The columns of [`point`].
pub(super) const POINT: &str = "seq, at, score, tiebreak, rank, board_seq";

/// An entry, and how its user stood after it: from the columns of [`POINT`].
fn point(row: &Row<'_>) -> Result<(u64, HistoryPoint), StoreError> {
    let entry: u64 = row.get(0)?;
    // Before there were many boards, the log was the board.
    let seq: Option<u64> = row.get(5)?;
    let scores = scores(row, 2)?;
    let point = HistoryPoint {
        seq: Some(Seq::new(seq.unwrap_or(entry)).unwrap_or(Seq::FIRST)),
        at: Timestamp(row.get(1)?),
        score: scores.score,
        tiebreak: Some(scores.tiebreak),
        rank: row.get(4)?,
    };
    Ok((entry, point))
}

/// An entry, and the action: from the columns of [`POINT`], then action_type and increase.
pub(super) fn acted(row: &Row<'_>) -> Result<(u64, RecentAction), StoreError> {
    let (entry, after) = point(row)?;
    let action = RecentAction {
        action_type: row.get::<_, String>(6)?.into(),
        increase: row.get(7)?,
        after,
    };
    Ok((entry, action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::Settings,
        store::sqlite::{
            schema,
            wal::{MANY, Wal, progress},
        },
    };

    /// A file with the schema, which the connection that writes it keeps open.
    fn file() -> (tempfile::TempDir, PathBuf, Connection) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("podium.db");
        let mut connection = Connection::open(&path).expect("a file");
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .expect("a log");
        schema::migrate(&mut connection, &path, &Settings::default()).expect("a schema");
        connection
            .execute("INSERT INTO log_state VALUES (1, 1, 20, 0)", [])
            .expect("written");
        (folder, path, connection)
    }

    #[test]
    fn many_actions_are_counted_without_being_read() {
        let (_folder, _, connection) = file();
        let actions = "log_user_actions (board=? AND user=? AND seq>? AND seq<?)";
        for (sql, index) in [
            (
                DELETED.to_owned(),
                "COVERING INDEX log_deleted (user=?)".to_owned(),
            ),
            (count_sql(), format!("COVERING INDEX {actions}")),
            (next_sql(), format!("COVERING INDEX {actions}")),
            // Those few are looked up.
            (latest_sql(), format!("INDEX {actions}")),
        ] {
            let plan: Vec<String> = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .and_then(|mut plan| {
                    let count = plan.parameter_count();
                    let null = vec![None::<i64>; count];
                    let rows =
                        plan.query_map(rusqlite::params_from_iter(null), |row| row.get(3))?;
                    rows.collect()
                })
                .expect("a plan");
            let of_the_log: Vec<&String> = plan.iter().filter(|it| it.contains("log")).collect();
            assert_eq!(
                of_the_log,
                [&format!("SEARCH log USING {index}")],
                "{plan:?}"
            );
            assert!(!plan.iter().any(|step| step.contains("TEMP")), "{plan:?}");
        }
    }

    const USER: UserId = UserId([7; 16]);

    /// Writes an action as the entry `seq`.
    fn act(connection: &Connection, seq: u64) {
        connection
            .execute(
                "INSERT INTO log (board, seq, at, kind, user, action_type, increase, score, tiebreak,
                                  rank)
                 VALUES ('main', ?1, ?2, 'action', ?3, 'test', 1, ?1, 0, 1)",
                params![seq, 100 * seq, USER.0],
            )
            .expect("written");
    }

    /// However small the pieces are, and whatever is written between them.
    #[test]
    fn all_pieces_are_of_one_moment() {
        for piece in [1, 2, 7, 4096] {
            let (_folder, path, connection) = file();
            connection
                .execute(
                    "INSERT INTO people (id, username, registered) VALUES (?1, 'A', 1)",
                    [USER.0],
                )
                .expect("written");
            for seq in 1..=20 {
                act(&connection, seq);
            }
            let reading = Reading::new(Connection::open(&path).expect("a file")).expect("one");
            let pieces = std::cell::Cell::new(0);
            let goes_on = || {
                pieces.set(pieces.get() + 1);
                // The first has been read.
                if pieces.get() > 1 {
                    act(&connection, 100 + pieces.get());
                }
                false
            };
            let look = Look {
                reading: &reading,
                gate: &Gate::default(),
                longest: LONGEST_PIECE,
                board: &BoardId::default(),
                piece: Piece {
                    rows: piece,
                    points: piece,
                },
                is_given_up: &goes_on,
            };
            let history = look.history(&[], USER, 6).expect("read").expect("there");
            let points: Vec<_> = history
                .points
                .iter()
                .map(|it| it.seq.map_or(0, Seq::get))
                .collect();
            // 19 stretches of time in four parts.
            assert_eq!(points, [1, 5, 10, 15, 19, 20], "{piece} at once");
            assert_eq!(history.actions, 20);
            assert_eq!(history.recent.len(), 20);
            assert_eq!(history.last, Some(Timestamp(2000)));
            // More than one transaction, of which each is small.
            assert!(pieces.get() > 2 * 20_u64.div_ceil(piece as u64));
        }
    }

    #[test]
    fn a_look_that_takes_too_long_ends_before_the_next_piece() {
        let (_folder, _, connection) = file();
        let look = Look {
            reading: &Reading::new(connection).expect("one"),
            gate: &Gate::default(),
            longest: LONGEST_PIECE,
            board: &BoardId::default(),
            piece: PIECE,
            is_given_up: &|| true,
        };
        let given_up = look.history(&[], USER, 6);
        assert!(matches!(given_up, Err(StoreError::TookTooLong)));
    }

    /// What never ends by itself.
    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n)
         SELECT count(*) FROM n, (SELECT count(*) FROM log)";

    fn endless(now: &Transaction<'_>) -> Result<u64, StoreError> {
        Ok(now.query_row(ENDLESS, [], |row| row.get(0))?)
    }

    #[test]
    fn a_piece_that_takes_too_long_is_ended_by_sqlite_and_the_next_is_read() {
        let (_folder, path, _writing) = file();
        let reading = Reading::new(Connection::open(path).expect("a file")).expect("one");
        for longest in [Duration::ZERO, Duration::from_millis(50), LONGEST_PIECE] {
            let ended = reading.transaction(longest, endless);
            assert!(matches!(ended, Err(StoreError::TookTooLong)), "{ended:?}");
            let entries = reading.transaction(LONGEST_READ, |now| {
                Ok(now.query_row("SELECT count(*) FROM log", [], |row| row.get::<_, u64>(0))?)
            });
            assert!(matches!(entries, Ok(0)), "{entries:?}");
        }
    }

    /// Readers that would stay for ever follow each other without a pause, and the log begins
    /// again all the same.
    #[test]
    fn slow_readers_do_not_hold_the_log() {
        let (_folder, path, writing) = file();
        let gate = Gate::default();
        let mut wal = Wal::new(&path, &writing, gate.clone()).expect("a log");
        let (read, is_read) = std::sync::mpsc::channel();
        let readers = (0..3).map(|_| {
            let (path, gate, read) = (path.clone(), gate.clone(), read.clone());
            std::thread::spawn(move || {
                let reading = Reading::new(Connection::open(path).expect("a file")).expect("one");
                let look = Look {
                    reading: &reading,
                    gate: &gate,
                    board: &BoardId::default(),
                    piece: PIECE,
                    longest: LONGEST_PIECE,
                    is_given_up: &|| false,
                };
                loop {
                    let ended = look.piece(endless);
                    assert!(matches!(ended, Err(StoreError::TookTooLong)), "{ended:?}");
                    if read.send(()).is_err() {
                        return;
                    }
                }
            })
        });
        let readers: Vec<_> = readers.collect();
        writing
            .execute_batch("CREATE TABLE t (a)")
            .expect("written");
        for _ in 0..3 {
            // While all of them read.
            is_read.recv().expect("readers");
            // 34 MB, which is much.
            writing
                .execute_batch("INSERT INTO t VALUES (zeroblob(34000000)); DELETE FROM t;")
                .expect("written");
            assert!(progress(&writing).expect("a log").pages >= MANY);
            wal.tend(&writing).expect("written back");
            writing
                .execute_batch("INSERT INTO t VALUES (1)")
                .expect("written");
            let left = progress(&writing).expect("a log").pages;
            assert!(left < MANY / 8, "it has begun again: {left} pages");
        }
        let log = path.with_extension("db-wal").metadata().expect("a log");
        assert!(log.len() <= 64_000_000, "{} bytes", log.len());
        drop(is_read);
        for reader in readers {
            reader.join().expect("it ended");
        }
    }

    #[tokio::test]
    async fn a_reader_gives_up_in_time_and_lets_others_read() {
        let (_folder, path, _connection) = file();
        let reader = |longest| {
            let reader = Reader::new(path.clone(), Unwritten::default(), Gate::default());
            Arc::new(Reader { longest, ..reader })
        };
        let hasty = reader(Duration::ZERO)
            .history(BoardId::default(), USER, 6)
            .await;
        assert!(matches!(hasty, Err(StoreError::TookTooLong)));
        let patient = reader(LONGEST_READ);
        // As many at once as ask: how many may is not decided here.
        let all = (0..8).map(|_| patient.clone().history(BoardId::default(), USER, 6));
        for nobody in futures_util::future::join_all(all).await {
            assert!(matches!(nobody, Ok(None)));
        }
        patient.close().await;
        let late = patient.history(BoardId::default(), USER, 6).await;
        assert!(matches!(late, Err(StoreError::Closed)));
    }
}
