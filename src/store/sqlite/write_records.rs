//! Writing what another store had to a file, record by record.

use rusqlite::{Connection, params};

use super::{announcements, facts, tables};
use crate::{
    board::{BoardId, Fact, Seq, UserId},
    store::{
        StoreError,
        records::{Counted, PastAction, Record},
    },
};

/// Writes a record.
pub(super) fn write(connection: &Connection, record: Record) -> Result<(), StoreError> {
    match record {
        Record::Person(person) => tables::write_person(connection, &person)?,
        Record::Team(team) => tables::write_team(connection, &team)?,
        Record::Board(head) => tables::write_head(connection, &head, 0)?,
        Record::Standing(board, standing) => tables::write_standing(connection, &board, &standing)?,
        Record::TeamMember(board, member) => tables::write_member(connection, &board, &member)?,
        Record::Deleted(board, first) => tables::write_deleted(connection, &board, first)?,
        Record::Final(board, standings) => tables::write_final(connection, &board, &standings)?,
        Record::Entry(entry, id) => {
            if let (Fact::Action(_), Some(id)) = (&entry.fact, &id) {
                // An id that was forgotten may have been counted again: then it is the
                // later entry's.
                connection
                    .prepare_cached("UPDATE log SET action_id = NULL WHERE action_id = ?1")?
                    .execute([id])?;
            }
            facts::insert(connection, &entry, id.as_deref())?;
        }
        Record::History(board, user, points) => {
            for (_, past) in points {
                write_point(connection, &board, user, &past)?;
            }
        }
        Record::Counted(counted) => write_counted(connection, &counted)?,
        Record::Announced(seq, announcement) => {
            let seq = Seq::new(seq).ok_or(StoreError::Damaged("an entry numbered 0"))?;
            announcements::insert(connection, seq, &announcement)?;
        }
        Record::Revoked(user, until) => {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO revocations (user, issued_until) VALUES (?1, ?2)",
                )?
                .execute(params![user.0, until])?;
        }
        Record::Limited(limited) => {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO limited_actions (user, action_type, at, seq)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    limited.user.0,
                    limited.action_type,
                    limited.at.0,
                    limited.seq
                ])?;
        }
    }
    Ok(())
}

/// Writes the entry of an action of which the user's history knows, if the log did
/// not reach back so far, and what followed from it.
fn write_point(
    connection: &Connection,
    board: &BoardId,
    user: UserId,
    PastAction { entry, action }: &PastAction,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO log (board, seq, at, kind, user, action_type, increase,
                              score, tiebreak, rank, board_seq)
             VALUES (?1, ?2, ?3, 'action', ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (seq) DO UPDATE SET rank = excluded.rank, board_seq = excluded.board_seq",
        )?
        .execute(params![
            board.as_str(),
            entry,
            action.after.at.0,
            user.0,
            action.action_type,
            action.increase,
            action.after.score.points(),
            facts::some(action.after.scores().tiebreak.points()),
            action.after.rank,
            action.after.seq.map(Seq::get),
        ])?;
    Ok(())
}

fn write_counted(connection: &Connection, counted: &Counted) -> Result<(), StoreError> {
    let found = connection
        .prepare_cached(
            "UPDATE log SET action_id = ?2, rank = ?3, old_rank = ?4, board_seq = ?5
             WHERE seq = ?1",
        )?
        .execute(params![
            counted.seq,
            counted.id,
            counted.rank,
            counted.old_rank,
            counted.board_seq
        ])?;
    if found > 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO counted_actions
                 (action_id, seq, at, board, user, action_type, increase, tiebreak_increase, score,
                  tiebreak, rank, old_rank, board_seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            counted.id,
            counted.seq,
            counted.at.0,
            counted.board.as_str(),
            counted.user.0,
            counted.action_type,
            counted.increase,
            facts::some(counted.tiebreak_increase),
            counted.scores.score.points(),
            facts::some(counted.scores.tiebreak.points()),
            counted.rank,
            counted.old_rank,
            counted.board_seq,
        ])?;
    Ok(())
}
