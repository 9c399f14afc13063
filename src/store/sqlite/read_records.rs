//! Reading all of a file, record by record.

use rusqlite::{Connection, Row, params};

use super::{
    announcements,
    facts::{self, ENTRY, scores},
    load,
    reader::{ACTIONS, POINT, acted, began},
};
use crate::{
    board::{BoardId, Fact, StoredBoard, Timestamp, UserId},
    store::{
        StoreError,
        records::{Counted, Limited, PastAction, Record},
    },
};

/// Reads all records.
pub(super) async fn read(
    connection: &Connection,
    mut each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for person in load::people(connection)? {
        each(Record::Person(person)).await?;
    }
    for team in load::teams(connection)? {
        each(Record::Team(team)).await?;
    }
    let mut boards = Vec::new();
    for board in load::boards(connection)? {
        let StoredBoard {
            head,
            standings,
            members,
            ..
        } = board;
        let id = head.id.clone();
        each(Record::Board(head)).await?;
        for standing in standings {
            each(Record::Standing(id.clone(), standing)).await?;
        }
        for member in members {
            each(Record::TeamMember(id.clone(), member)).await?;
        }
        for season in load::seasons(connection, &id)? {
            let standings = load::final_standings(connection, &id, season.number)?;
            if let Some(standings) = standings {
                each(Record::Final(id.clone(), standings)).await?;
            }
        }
        boards.push(id);
    }
    for (board, first) in load::deleted(connection)? {
        each(Record::Deleted(board, first)).await?;
    }
    read_log(connection, &mut each).await?;
    for board in &boards {
        for user in actors(connection, board)? {
            let points = history(connection, board, user)?;
            if !points.is_empty() {
                each(Record::History(board.clone(), user, points)).await?;
            }
        }
    }

    let sql = format!("SELECT {COUNTED} FROM counted_actions");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(Record::Counted(counted(row)?)).await?;
    }

    for (seq, announcement) in announcements::all(connection)? {
        each(Record::Announced(seq, announcement)).await?;
    }
    for (user, until) in load::revoked(connection)? {
        each(Record::Revoked(user, until)).await?;
    }

    let mut statement =
        connection.prepare("SELECT user, action_type, at, seq FROM limited_actions")?;
    let mut rows = statement.query([])?;
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

async fn read_log(
    connection: &Connection,
    each: &mut impl AsyncFnMut(Record) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {ENTRY}, action_id, rank, old_rank, board_seq FROM log ORDER BY seq");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let entry = facts::read(connection, row)?;
        let id: Option<String> = row.get(15)?;
        let id = id.map(String::into_boxed_str);
        let counted = match (&id, &entry.fact) {
            (Some(id), Fact::Action(action)) => Some(Counted {
                id: id.clone(),
                seq: entry.seq.get(),
                at: entry.at,
                board: action.board.clone(),
                user: action.user,
                action_type: action.action_type.clone(),
                increase: action.increase,
                tiebreak_increase: action.tiebreak_increase,
                scores: action.scores,
                rank: row.get(16)?,
                old_rank: row.get(17)?,
                board_seq: row.get(18)?,
            }),
            _ => None,
        };
        each(Record::Entry(entry, id)).await?;
        if let Some(counted) = counted {
            each(Record::Counted(counted)).await?;
        }
    }
    Ok(())
}

/// Who has acted on a board and is registered.
fn actors(connection: &Connection, board: &BoardId) -> Result<Vec<UserId>, StoreError> {
    let sql = "SELECT DISTINCT user FROM log INDEXED BY log_user_actions
               WHERE board = ?1 AND kind = 'action' AND user IN (SELECT id FROM people)";
    let mut statement = connection.prepare_cached(sql)?;
    let users = statement.query_map([board.as_str()], |row| Ok(UserId(row.get(0)?)))?;
    Ok(users.collect::<Result<_, _>>()?)
}

/// All actions of a user on a board since they were registered.
fn history(
    connection: &Connection,
    board: &BoardId,
    user: UserId,
) -> Result<Vec<(u64, PastAction)>, StoreError> {
    let began = began(connection, board, user)?;
    let sql = format!("SELECT {POINT}, action_type, increase {ACTIONS} ORDER BY seq");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![board.as_str(), user.0, began])?;
    let mut points = Vec::new();
    while let Some(row) = rows.next()? {
        let (entry, action) = acted(row)?;
        let past = PastAction { entry, action };
        points.push((points.len() as u64 + 1, past));
    }
    Ok(points)
}

/// The columns of [`counted`].
pub(super) const COUNTED: &str = "action_id, seq, at, board, user, action_type, increase, \
                                  tiebreak_increase, score, tiebreak, rank, old_rank, board_seq";

/// An action that was counted, from the columns of [`COUNTED`].
pub(super) fn counted(row: &Row<'_>) -> Result<Counted, StoreError> {
    Ok(Counted {
        id: row.get::<_, String>(0)?.into(),
        seq: row.get(1)?,
        at: Timestamp(row.get(2)?),
        board: facts::board(row, 3)?,
        user: UserId(row.get(4)?),
        action_type: row.get::<_, String>(5)?.into(),
        increase: row.get(6)?,
        tiebreak_increase: row.get::<_, Option<i64>>(7)?.unwrap_or(0),
        scores: scores(row, 8)?,
        rank: row.get(10)?,
        old_rank: row.get(11)?,
        board_seq: row.get(12)?,
    })
}
