//! Reading a board of a file, record by record.

use rusqlite::{Connection, Row, params};

use super::{
    announcements,
    load::{self, ENTRY, MEMBER, entry, member},
    reader::{ACTIONS, DELETED, acted},
};
use crate::{
    board::{Fact, Score, Timestamp, UserId},
    store::{
        RecentAction, StoreError,
        records::{Counted, Limited, Record},
    },
};

/// Reads all records of a board.
pub(super) async fn read(
    connection: &Connection,
    board: i64,
    mut each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {MEMBER} FROM users WHERE board = ?1");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([board])?;
    while let Some(row) = rows.next()? {
        each(Record::Member(member(row)?)).await?;
    }

    let sql =
        format!("SELECT {ENTRY}, action_id, rank, old_rank FROM log WHERE board = ?1 ORDER BY seq");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([board])?;
    while let Some(row) = rows.next()? {
        let entry = entry(connection, board, row)?;
        let id: Option<String> = row.get(10)?;
        let id = id.map(String::into_boxed_str);
        let counted = match (&id, &entry.fact) {
            (
                Some(id),
                Fact::Action {
                    user,
                    action_type,
                    increase,
                    score,
                },
            ) => Some(Counted {
                id: id.clone(),
                seq: entry.seq.get(),
                at: entry.at,
                user: *user,
                action_type: action_type.clone(),
                increase: *increase,
                score: *score,
                rank: row.get(11)?,
                old_rank: row.get(12)?,
            }),
            _ => None,
        };
        each(Record::Entry(entry, id)).await?;
        if let Some(counted) = counted {
            each(Record::Counted(counted)).await?;
        }
    }

    let mut statement = connection.prepare("SELECT id FROM users WHERE board = ?1")?;
    let mut rows = statement.query([board])?;
    while let Some(row) = rows.next()? {
        let user = UserId(row.get(0)?);
        let points = history(connection, board, user)?;
        if !points.is_empty() {
            each(Record::History(user, points)).await?;
        }
    }

    let sql = format!("SELECT {COUNTED} FROM counted_actions WHERE board = ?1");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([board])?;
    while let Some(row) = rows.next()? {
        each(Record::Counted(counted(row)?)).await?;
    }

    for (seq, announcement) in announcements::all(connection, board)? {
        each(Record::Announced(seq, announcement)).await?;
    }
    for (user, until) in load::revoked(connection, board)? {
        each(Record::Revoked(user, until)).await?;
    }

    let mut statement = connection
        .prepare("SELECT user, action_type, at, seq FROM limited_actions WHERE board = ?1")?;
    let mut rows = statement.query([board])?;
    while let Some(row) = rows.next()? {
        let limited = Limited {
            user: UserId(row.get(0)?),
            action_type: row.get::<_, String>(1)?.into(),
            at: Timestamp(row.get(2)?),
            seq: row.get(3)?,
        };
        each(Record::Limited(limited)).await?;
    }
    Ok(())
}

/// All actions of a user since they were registered.
fn history(
    connection: &Connection,
    board: i64,
    user: UserId,
) -> Result<Vec<(u64, RecentAction)>, StoreError> {
    let began: Option<u64> = connection
        .prepare_cached(DELETED)?
        .query_row(params![board, user.0], |row| row.get(0))?;
    let sql = format!("SELECT seq, at, score, rank, action_type, increase {ACTIONS} ORDER BY seq");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![board, user.0, began.unwrap_or(0)])?;
    let mut points = Vec::new();
    while let Some(row) = rows.next()? {
        points.push((points.len() as u64 + 1, acted(row)?));
    }
    Ok(points)
}

/// The columns of [`counted`].
pub(super) const COUNTED: &str =
    "action_id, seq, at, user, action_type, increase, score, rank, old_rank";

/// An action that was counted, from the columns of [`COUNTED`].
pub(super) fn counted(row: &Row<'_>) -> Result<Counted, StoreError> {
    Ok(Counted {
        id: row.get::<_, String>(0)?.into(),
        seq: row.get(1)?,
        at: Timestamp(row.get(2)?),
        user: UserId(row.get(3)?),
        action_type: row.get::<_, String>(4)?.into(),
        increase: row.get(5)?,
        score: Score::new(row.get(6)?).ok_or(StoreError::Damaged("a score out of range"))?,
        rank: row.get(7)?,
        old_rank: row.get(8)?,
    })
}
