//! Reading what happened, beside the writer: connections of its own that cannot
//! write, so that neither waits for the other (WAL).

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    board::{Applied, Score, Seq, Timestamp, UserId},
    store::{
        History, HistoryPoint, StoreError,
        history::{RECENT, RecentAction, Thinning},
    },
};

/// Looks back that may go on at once; others wait. They need a core each, and
/// what is live comes first.
const PLACES: u32 = 2;
/// How long somebody waits for a place.
const PATIENCE: Duration = Duration::from_secs(2);

/// Ranks of committed entries that are still to be written. Whoever looks back
/// takes these before what the file says, so that nothing falls between.
pub(super) type Unwritten = Arc<Mutex<Arc<Vec<(Seq, Applied)>>>>;

/// What reads; see the module.
pub(super) struct Reader {
    path: PathBuf,
    board: i64,
    unwritten: Unwritten,
    places: Arc<Semaphore>,
    is_closed: AtomicBool,
    /// Those that nobody reads with just now.
    idle: Mutex<Vec<Connection>>,
}

impl Reader {
    pub(super) fn new(path: PathBuf, board: i64, unwritten: Unwritten) -> Reader {
        Reader {
            path,
            board,
            unwritten,
            places: Arc::new(Semaphore::new(PLACES as usize)),
            is_closed: AtomicBool::new(false),
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(super) async fn history(
        self: Arc<Reader>,
        user: UserId,
        points: usize,
    ) -> Result<Option<History>, StoreError> {
        let place = timeout(PATIENCE, self.places.clone().acquire_owned()).await;
        let place = place.map_err(|_| StoreError::Busy)?;
        let place = place.map_err(|_| StoreError::Closed)?;
        if self.is_closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        let read = tokio::task::spawn_blocking(move || {
            // Whoever asked may go, and the place stays taken until this is done.
            let _place = place;
            self.read(user, points)
        });
        read.await.map_err(|_| StoreError::Closed)?
    }

    /// Lets those finish who read, refuses others, and lets go of the file.
    pub(super) async fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        // Whoever waits for a place gets it first, and finds this closed.
        if self.places.acquire_many(PLACES).await.is_ok() {
            self.places.close();
        }
        self.idle.lock().clear();
    }

    fn read(&self, user: UserId, points: usize) -> Result<Option<History>, StoreError> {
        let unwritten = self.unwritten.lock().clone();
        let idle = self.idle.lock().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let history = history(&mut connection, self.board, &unwritten, user, points);
        self.idle.lock().push(connection);
        history
    }

    fn connect(&self) -> Result<Connection, StoreError> {
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

fn count() -> String {
    format!("SELECT count(*), min(at), max(at) {ACTIONS}")
}

fn times() -> String {
    format!("SELECT seq, at {ACTIONS} ORDER BY seq")
}

fn latest() -> String {
    format!(
        "SELECT seq, at, score, rank, action_type, increase {ACTIONS} ORDER BY seq DESC LIMIT ?4"
    )
}

fn history(
    connection: &mut Connection,
    board: i64,
    unwritten: &[(Seq, Applied)],
    user: UserId,
    points: usize,
) -> Result<Option<History>, StoreError> {
    // One moment of the file for all that follows.
    let connection = connection.transaction()?;
    let best: Option<Option<u64>> = connection
        .prepare_cached("SELECT best_rank FROM users WHERE board = ?1 AND id = ?2")?
        .query_row(params![board, user.0], |row| row.get(0))
        .optional()?;
    let Some(best) = best else {
        return Ok(None);
    };
    // Whoever was deleted and registered again has begun anew.
    let began: Option<u64> = connection
        .prepare_cached(DELETED)?
        .query_row(params![board, user.0], |row| row.get(0))?;
    let began = began.unwrap_or(0);
    let (actions, earliest, newest): (u64, Option<u64>, Option<u64>) = connection
        .prepare_cached(&count())?
        .query_row(params![board, user.0, began], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let (Some(earliest), Some(newest)) = (earliest, newest) else {
        return Ok(Some(History::default()));
    };

    let unwritten: Vec<&(Seq, Applied)> = unwritten
        .iter()
        .filter(|(seq, applied)| applied.user == user && seq.get() > began)
        .collect();
    // Of several entries of one user, the last knows the best rank of all.
    let unwritten_best = unwritten.last().and_then(|(_, applied)| applied.best);
    let add_rank = |point: &mut HistoryPoint| {
        let known = unwritten.iter().find(|(known, _)| *known == point.seq);
        point.rank = point
            .rank
            .or_else(|| known.and_then(|(_, applied)| applied.rank));
    };

    let mut thinning = Thinning::new(points, actions, Timestamp(earliest), Timestamp(newest));
    let (mut first, mut last) = (None, None);
    let mut statement = connection.prepare_cached(&times())?;
    let mut rows = statement.query(params![board, user.0, began])?;
    while let Some(row) = rows.next()? {
        let at = Timestamp(row.get(1)?);
        thinning.add(at, row.get::<_, u64>(0)?);
        first = first.or(Some(at));
        last = Some(at);
    }

    let mut statement = connection
        .prepare_cached("SELECT seq, at, score, rank FROM log WHERE board = ?1 AND seq = ?2")?;
    let points = thinning
        .chosen()
        .into_iter()
        .map(|seq| {
            let found = statement.query_row(params![board, seq], |row| Ok(point(row)));
            let mut point = found??;
            add_rank(&mut point);
            Ok(point)
        })
        .collect::<Result<_, StoreError>>()?;

    let mut statement = connection.prepare_cached(&latest())?;
    let mut rows = statement.query(params![board, user.0, began, RECENT])?;
    let mut recent = Vec::new();
    while let Some(row) = rows.next()? {
        let mut action = acted(row)?;
        add_rank(&mut action.after);
        recent.push(action);
    }

    Ok(Some(History {
        points,
        recent,
        actions,
        best: match (best, unwritten_best) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
        first,
        last,
    }))
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
    use std::path::Path;

    use super::*;
    use crate::store::sqlite::schema;

    #[test]
    fn many_actions_are_counted_without_being_read() {
        let mut connection = Connection::open_in_memory().expect("memory");
        schema::migrate(&mut connection, Path::new("memory")).expect("a schema");
        let actions = "log_user_actions (board=? AND user=? AND seq>?)";
        for (sql, index) in [
            (
                DELETED.to_owned(),
                "COVERING INDEX log_deleted (board=? AND user=?)".to_owned(),
            ),
            (count(), format!("COVERING INDEX {actions}")),
            (times(), format!("COVERING INDEX {actions}")),
            // Those few are looked up.
            (latest(), format!("INDEX {actions}")),
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
            assert_eq!(plan, [format!("SEARCH log USING {index}")]);
        }
    }
}
