//! Reading what happened, beside the writer: connections of its own that cannot
//! write, so that neither waits for the other (WAL).
//!
//! However long somebody's past is, it is read in pieces of some milliseconds, because
//! whoever reads keeps the write-ahead log from beginning again. Entries of the log
//! never change and are never taken away, so all pieces together are as of one moment:
//! that of the first, which says up to where the others look.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, params};
use tokio::sync::RwLock;

use super::{place::Identity, wal::Gate};
use crate::{
    blocking,
    board::{Applied, Score, Seq, Timestamp, UserId},
    store::{
        History, HistoryPoint, StoreError,
        history::{LONGEST_READ, RECENT, RecentAction, Thinning},
    },
};

/// How much is read at once: on a disk that has to be asked for each page, a fraction of
/// a second.
const PIECE: Piece = Piece {
    rows: 4096,
    points: 50,
};

/// How much is read in one transaction.
#[derive(Clone, Copy)]
struct Piece {
    /// Rows of an index that has them one beside the other.
    rows: usize,
    /// Entries that are looked up one by one.
    points: usize,
}

/// Ranks of committed entries that are still to be written. Whoever looks back
/// takes these before what the file says, so that nothing falls between.
pub(super) type Unwritten = Arc<Mutex<Arc<Vec<(Seq, Applied)>>>>;

/// What reads; see the module.
pub(super) struct Reader {
    path: PathBuf,
    /// The file that is meant, if it was there.
    identity: Option<Identity>,
    board: i64,
    unwritten: Unwritten,
    gate: Gate,
    /// How long one look back may take.
    longest: Duration,
    /// Whoever reads holds it, so that closing waits.
    is_open: Arc<RwLock<bool>>,
    /// Those that nobody reads with just now.
    idle: Mutex<Vec<Connection>>,
}

impl Reader {
    pub(super) fn new(path: PathBuf, board: i64, unwritten: Unwritten, gate: Gate) -> Reader {
        let identity = path.metadata().ok().map(|it| Identity::of(&it));
        Reader {
            path,
            identity,
            board,
            unwritten,
            gate,
            longest: LONGEST_READ,
            is_open: Arc::new(RwLock::new(true)),
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(super) async fn history(
        self: Arc<Reader>,
        user: UserId,
        points: usize,
    ) -> Result<Option<History>, StoreError> {
        let is_open = self.is_open.clone().read_owned().await;
        if !*is_open {
            return Err(StoreError::Closed);
        }
        let begun = Instant::now();
        blocking::on_thread(move || {
            // Whoever asked may go, and closing waits until this is done.
            let _is_open = is_open;
            self.read(user, points, &|| begun.elapsed() >= self.longest)
        })
        .await
    }

    /// Lets those finish who read, refuses others, and lets go of the file.
    pub(super) async fn close(&self) {
        *self.is_open.write().await = false;
        self.idle.lock().clear();
    }

    fn read(
        &self,
        user: UserId,
        points: usize,
        is_given_up: &dyn Fn() -> bool,
    ) -> Result<Option<History>, StoreError> {
        let unwritten = self.unwritten.lock().clone();
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let look = Look {
            connection: &connection,
            gate: &self.gate,
            board: self.board,
            piece: PIECE,
            is_given_up,
        };
        let history = look.history(&unwritten, user, points);
        self.idle.lock().push(connection);
        history
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let found = self.path.metadata().ok().map(|it| Identity::of(&it));
        if found != self.identity {
            return Err(StoreError::Damaged("the file was replaced or moved away"));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(connection)
    }
}

/// The entries of a user's actions after the entry `?3`. Without the name of the
/// index, all entries of the log might be looked at instead.
pub(super) const ACTIONS: &str = "FROM log INDEXED BY log_user_actions
     WHERE board = ?1 AND user = ?2 AND kind = 'action' AND seq > ?3";

/// The last entry by which a user was deleted.
pub(super) const DELETED: &str = "SELECT max(seq) FROM log INDEXED BY log_deleted
     WHERE board = ?1 AND user = ?2 AND kind = 'deleted'";

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

fn latest_sql() -> String {
    format!(
        "SELECT seq, at, score, rank, action_type, increase {ACTIONS} AND seq <= ?4
         ORDER BY seq DESC LIMIT ?5"
    )
}

/// One look back at somebody's past, in pieces.
struct Look<'a> {
    connection: &'a Connection,
    gate: &'a Gate,
    board: i64,
    piece: Piece,
    /// Has it taken too long?
    is_given_up: &'a dyn Fn() -> bool,
}

/// Whose entries are looked at: those after `began` and up to `until`.
#[derive(Clone, Copy)]
struct Span {
    user: UserId,
    /// When the user was deleted last; 0 for never.
    began: u64,
    /// The last entry when the look began.
    until: u64,
}

/// What is read at first.
struct First {
    /// The best rank that is written.
    best: Option<u64>,
    span: Span,
    /// The latest actions.
    recent: Vec<RecentAction>,
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
        read(&self.connection.unchecked_transaction()?)
    }

    fn history(
        &self,
        unwritten: &[(Seq, Applied)],
        user: UserId,
        points: usize,
    ) -> Result<Option<History>, StoreError> {
        let first = self.piece(|now| self.first(now, user))?;
        let Some(First {
            best,
            span,
            mut recent,
        }) = first
        else {
            return Ok(None);
        };
        let unwritten: Vec<&(Seq, Applied)> = unwritten
            .iter()
            .filter(|(seq, applied)| applied.user == user && seq.get() > span.began)
            .collect();
        // Of several entries of one user, the last knows the best rank of all.
        let unwritten_best = unwritten.last().and_then(|(_, applied)| applied.best);
        let add_rank = |point: &mut HistoryPoint| {
            let known = unwritten.iter().find(|(known, _)| *known == point.seq);
            point.rank = point
                .rank
                .or_else(|| known.and_then(|(_, applied)| applied.rank));
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
                let mut statement = now.prepare_cached(
                    "SELECT seq, at, score, rank FROM log WHERE board = ?1 AND seq = ?2",
                )?;
                for seq in seqs {
                    let row = params![self.board, seq];
                    let found = statement.query_row(row, |row| Ok(point(row)));
                    let mut point = found??;
                    add_rank(&mut point);
                    points.push(point);
                }
                Ok(())
            })?;
        }
        for action in &mut recent {
            add_rank(&mut action.after);
        }
        Ok(Some(History {
            points,
            recent,
            actions: count.actions,
            best: match (best, unwritten_best) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            first,
            last,
        }))
    }

    /// The first piece; `None` if nobody with this id is registered.
    fn first(&self, now: &Transaction<'_>, user: UserId) -> Result<Option<First>, StoreError> {
        let best: Option<Option<u64>> = now
            .prepare_cached("SELECT best_rank FROM users WHERE board = ?1 AND id = ?2")?
            .query_row(params![self.board, user.0], |row| row.get(0))
            .optional()?;
        let Some(best) = best else {
            return Ok(None);
        };
        // Whoever was deleted and registered again has begun anew.
        let began: Option<u64> = now
            .prepare_cached(DELETED)?
            .query_row(params![self.board, user.0], |row| row.get(0))?;
        let until: Option<u64> = now
            .prepare_cached("SELECT max(seq) FROM log WHERE board = ?1")?
            .query_row([self.board], |row| row.get(0))?;
        let span = Span {
            user,
            began: began.unwrap_or(0),
            until: until.unwrap_or(0),
        };
        let mut statement = now.prepare_cached(&latest_sql())?;
        let mut rows =
            statement.query(params![self.board, user.0, span.began, span.until, RECENT])?;
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
        (self.board, user.0, after, until, self.piece.rows)
    }
}

/// From the columns seq, at, score and rank.
fn point(row: &Row<'_>) -> Result<HistoryPoint, StoreError> {
    Ok(HistoryPoint {
        seq: Seq::new(row.get(0)?).ok_or(StoreError::Damaged("an entry numbered 0"))?,
        at: Timestamp(row.get(1)?),
        score: Score::new(row.get(2)?).ok_or(StoreError::Damaged("a score out of range"))?,
        rank: row.get(3)?,
    })
}

/// From the columns seq, at, score, rank, action_type and increase.
pub(super) fn acted(row: &Row<'_>) -> Result<RecentAction, StoreError> {
    Ok(RecentAction {
        action_type: row.get::<_, String>(4)?.into(),
        increase: row.get(5)?,
        after: point(row)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema;

    /// A file with the schema, which the connection that writes it keeps open.
    fn file() -> (tempfile::TempDir, PathBuf, Connection) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("podium.db");
        let mut connection = Connection::open(&path).expect("a file");
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .expect("a log");
        schema::migrate(&mut connection, &path).expect("a schema");
        (folder, path, connection)
    }

    #[test]
    fn many_actions_are_counted_without_being_read() {
        let (_folder, _, connection) = file();
        let actions = "log_user_actions (board=? AND user=? AND seq>? AND seq<?)";
        for (sql, index) in [
            (
                DELETED.to_owned(),
                "COVERING INDEX log_deleted (board=? AND user=?)".to_owned(),
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
                "INSERT INTO log (board, seq, at, kind, user, action_type, increase, score, rank)
                 VALUES (1, ?1, ?2, 'action', ?3, 'test', 1, ?1, 1)",
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
                    "INSERT INTO users (board, id, username, best_rank) VALUES (1, ?1, 'A', 1)",
                    [USER.0],
                )
                .expect("written");
            for seq in 1..=20 {
                act(&connection, seq);
            }
            let reading = Connection::open(&path).expect("a file");
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
                connection: &reading,
                gate: &Gate::default(),
                board: 1,
                piece: Piece {
                    rows: piece,
                    points: piece,
                },
                is_given_up: &goes_on,
            };
            let history = look.history(&[], USER, 6).expect("read").expect("there");
            let points: Vec<_> = history.points.iter().map(|it| it.seq.get()).collect();
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
            connection: &connection,
            gate: &Gate::default(),
            board: 1,
            piece: PIECE,
            is_given_up: &|| true,
        };
        let given_up = look.history(&[], USER, 6);
        assert!(matches!(given_up, Err(StoreError::TookTooLong)));
    }

    #[tokio::test]
    async fn a_reader_gives_up_in_time_and_lets_others_read() {
        let (_folder, path, _connection) = file();
        let reader = |longest| {
            let reader = Reader::new(path.clone(), 1, Unwritten::default(), Gate::default());
            Arc::new(Reader { longest, ..reader })
        };
        let hasty = reader(Duration::ZERO).history(USER, 6).await;
        assert!(matches!(hasty, Err(StoreError::TookTooLong)));
        let patient = reader(LONGEST_READ);
        // As many at once as ask: how many may is not decided here.
        let all = (0..8).map(|_| patient.clone().history(USER, 6));
        for nobody in futures_util::future::join_all(all).await {
            assert!(matches!(nobody, Ok(None)));
        }
        patient.close().await;
        let late = patient.history(USER, 6).await;
        assert!(matches!(late, Err(StoreError::Closed)));
    }
}
