//! Writing a board to a file, record by record.

use rusqlite::{Connection, params};

use super::announcements;
use crate::{
    board::{Fact, LogEntry, Member, Seq, UserId},
    store::{
        RecentAction, StoreError,
        records::{Counted, Record},
    },
};

/// Writes a record of a board.
pub(super) fn write(connection: &Connection, board: i64, record: Record) -> Result<(), StoreError> {
    match record {
        Record::Member(member) => write_member(connection, board, &member)?,
        Record::Entry(entry, id) => write_entry(connection, board, &entry, id.as_deref())?,
        Record::History(user, points) => {
            for (_, action) in points {
                write_point(connection, board, user, &action)?;
            }
        }
        Record::Counted(counted) => write_counted(connection, board, &counted)?,
        Record::Announced(seq, announcement) => {
            let seq = Seq::new(seq).ok_or(StoreError::Damaged("an entry numbered 0"))?;
            announcements::insert(connection, board, seq, &announcement)?;
        }
        Record::Revoked(user, until) => {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO revocations (board, user, issued_until)
                     VALUES (?1, ?2, ?3)",
                )?
                .execute(params![board, user.0, until])?;
        }
        Record::Limited(limited) => {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO limited_actions (board, user, action_type, at, seq)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    board,
                    limited.user.0,
                    limited.action_type,
                    limited.at.0,
                    limited.seq
                ])?;
        }
    }
    Ok(())
}

fn write_member(connection: &Connection, board: i64, member: &Member) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO users
                 (board, id, username, avatar, score, reached, best_rank)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            board,
            member.id.0,
            member.profile.username,
            member.profile.avatar,
            member.standing.map(|standing| standing.score.points()),
            member.standing.map(|standing| standing.reached.get()),
            member.best,
        ])?;
    Ok(())
}

fn write_entry(
    connection: &Connection,
    board: i64,
    entry: &LogEntry,
    id: Option<&str>,
) -> Result<(), StoreError> {
    let (seq, at) = (entry.seq.get(), entry.at.0);
    match &entry.fact {
        Fact::UserChanged { user, profile } => {
            connection
                .prepare_cached(
                    "INSERT INTO log (board, seq, at, kind, user, username, avatar)
                     VALUES (?1, ?2, ?3, 'user', ?4, ?5, ?6)",
                )?
                .execute(params![
                    board,
                    seq,
                    at,
                    user.0,
                    profile.username,
                    profile.avatar
                ])?;
        }
        Fact::Action {
            user,
            action_type,
            increase,
            score,
        } => {
            // An id that was forgotten may have been counted again: then it is the
            // later entry's.
            connection
                .prepare_cached(
                    "UPDATE log SET action_id = NULL WHERE board = ?1 AND action_id = ?2",
                )?
                .execute(params![board, id])?;
            connection
                .prepare_cached(
                    "INSERT INTO log (board, seq, at, kind, user, action_id, action_type,
                                      increase, score)
                     VALUES (?1, ?2, ?3, 'action', ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    board,
                    seq,
                    at,
                    user.0,
                    id,
                    action_type,
                    increase,
                    score.points()
                ])?;
        }
        Fact::UserDeleted { user } => {
            connection
                .prepare_cached(
                    "INSERT INTO log (board, seq, at, kind, user)
                     VALUES (?1, ?2, ?3, 'deleted', ?4)",
                )?
                .execute(params![board, seq, at, user.0])?;
        }
        Fact::TokensRevoked { user, issued_until } => {
            connection
                .prepare_cached(
                    "INSERT INTO log (board, seq, at, kind, user, issued_until)
                     VALUES (?1, ?2, ?3, 'revoked', ?4, ?5)",
                )?
                .execute(params![board, seq, at, user.0, issued_until])?;
        }
        Fact::Announced(announcement) => {
            announcements::insert(connection, board, entry.seq, announcement)?;
            connection
                .prepare_cached(
                    "INSERT INTO log (board, seq, at, kind) VALUES (?1, ?2, ?3, 'announced')",
                )?
                .execute(params![board, seq, at])?;
        }
    }
    Ok(())
}

/// Writes the entry of an action of which the user's history knows, if the log did
/// not reach back so far, and its rank.
fn write_point(
    connection: &Connection,
    board: i64,
    user: UserId,
    action: &RecentAction,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO log (board, seq, at, kind, user, action_type, increase, score, rank)
             VALUES (?1, ?2, ?3, 'action', ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (board, seq) DO UPDATE SET rank = excluded.rank",
        )?
        .execute(params![
            board,
            action.after.seq.get(),
            action.after.at.0,
            user.0,
            action.action_type,
            action.increase,
            action.after.score.points(),
            action.after.rank,
        ])?;
    Ok(())
}

fn write_counted(connection: &Connection, board: i64, counted: &Counted) -> Result<(), StoreError> {
    let found = connection
        .prepare_cached(
            "UPDATE log SET action_id = ?3, rank = ?4, old_rank = ?5
             WHERE board = ?1 AND seq = ?2",
        )?
        .execute(params![
            board,
            counted.seq,
            counted.id,
            counted.rank,
            counted.old_rank
        ])?;
    if found > 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO counted_actions
                 (board, action_id, seq, at, user, action_type, increase, score, rank,
                  old_rank)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            board,
            counted.id,
            counted.seq,
            counted.at.0,
            counted.user.0,
            counted.action_type,
            counted.increase,
            counted.score.points(),
            counted.rank,
            counted.old_rank,
        ])?;
    Ok(())
}
