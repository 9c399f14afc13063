//! What follows from the log: people, teams, boards, what everybody has, and the ranks of
//! actions. The fold gives all of it after a commit, and the next commit writes it.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::facts::{groups_text, some};
use crate::{
    board::{
        BoardHead, BoardId, Fact, FinalStandings, LogEntry, Person, StoredBoard, StoredChange,
        StoredMember, StoredStanding, Team, UserId, Who,
    },
    board_settings,
    store::{Folded, StoreError},
};

/// Tables that have rows of boards, with the column that names the board.
const OF_BOARDS: [(&str, &str); 5] = [
    ("boards", "id"),
    ("standings", "board"),
    ("members", "board"),
    ("seasons", "board"),
    ("final_standings", "board"),
];

/// Writes what committed entries did.
pub(super) fn write(
    connection: &Connection,
    folded: &[(LogEntry, Folded)],
) -> Result<(), StoreError> {
    let Some((last, _)) = folded.last() else {
        return Ok(());
    };
    // Of many changes of a board as a whole only the last is written.
    let mut heads: HashMap<&BoardId, &BoardHead> = HashMap::new();
    for (entry, folded) in folded {
        write_entry(connection, entry, folded)?;
        for change in &folded.stored {
            match change {
                StoredChange::Board(head) => _ = heads.insert(&head.id, head),
                StoredChange::BoardDeleted(board, first) => {
                    heads.remove(board);
                    delete_board(connection, board)?;
                    write_deleted(connection, board, *first)?;
                }
                change => write_change(connection, change)?,
            }
        }
    }
    for head in heads.into_values() {
        write_head(connection, head, 0)?;
    }
    connection
        .prepare_cached("UPDATE log_state SET folded_through = ?1")?
        .execute([last.seq.get()])?;
    Ok(())
}

fn write_entry(
    connection: &Connection,
    entry: &LogEntry,
    folded: &Folded,
) -> Result<(), StoreError> {
    match &entry.fact {
        Fact::Action(_) => {
            let [old_rank, rank] = folded.ranks;
            connection
                .prepare_cached(
                    "UPDATE log SET rank = ?2, old_rank = ?3, board_seq = ?4 WHERE seq = ?1",
                )?
                .execute(params![entry.seq.get(), rank, old_rank, folded.seq])?;
        }
        Fact::UserChanged { user, profile } => {
            connection
                .prepare_cached(
                    "INSERT INTO people (id, username, avatar, registered) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE
                     SET username = excluded.username, avatar = excluded.avatar",
                )?
                .execute(params![
                    user.0,
                    profile.username,
                    profile.avatar,
                    entry.seq.get()
                ])?;
        }
        Fact::UserGrouped { user, team, groups } => {
            connection
                .prepare_cached("UPDATE people SET team = ?2, groups = ?3 WHERE id = ?1")?
                .execute(params![user.0, team.map(|it| it.0), groups_text(groups)])?;
        }
        Fact::UserHidden { user, hidden, .. } => {
            connection
                .prepare_cached("UPDATE people SET hidden = ?2 WHERE id = ?1")?
                .execute(params![user.0, hidden])?;
        }
        Fact::UserDeleted { user } => {
            connection
                .prepare_cached("DELETE FROM people WHERE id = ?1")?
                .execute([user.0])?;
        }
        Fact::TeamChanged { team, profile } => {
            let team = Team {
                id: *team,
                profile: profile.clone(),
            };
            write_team(connection, &team)?;
        }
        Fact::BoardChanged { .. }
        | Fact::BoardDeleted { .. }
        | Fact::SeasonEnded { .. }
        | Fact::TokensRevoked { .. }
        | Fact::Announced(_) => {}
    }
    Ok(())
}

fn write_change(connection: &Connection, change: &StoredChange) -> Result<(), StoreError> {
    match change {
        // They are written as a whole.
        StoredChange::Board(_) | StoredChange::BoardDeleted(..) => Ok(()),
        // The standings were written with the entry.
        StoredChange::SeasonEnded { goes_on: false, .. } => Ok(()),
        StoredChange::SeasonEnded { board, .. } => {
            for table in ["standings", "members"] {
                let sql = format!("DELETE FROM {table} WHERE board = ?1");
                connection.prepare_cached(&sql)?.execute([board.as_str()])?;
            }
            Ok(())
        }
        StoredChange::Standing(board, standing) => write_standing(connection, board, standing),
        StoredChange::Member(board, member) => write_member(connection, board, member),
        StoredChange::Removed(board, user, _) => remove(connection, board, *user),
    }
}

fn delete_board(connection: &Connection, board: &BoardId) -> Result<(), StoreError> {
    for (table, column) in OF_BOARDS {
        let sql = format!("DELETE FROM {table} WHERE {column} = ?1");
        connection.prepare_cached(&sql)?.execute([board.as_str()])?;
    }
    Ok(())
}

fn remove(connection: &Connection, board: &BoardId, user: UserId) -> Result<(), StoreError> {
    for table in ["standings", "members"] {
        let sql = format!("DELETE FROM {table} WHERE board = ?1 AND user = ?2");
        connection
            .prepare_cached(&sql)?
            .execute(params![board.as_str(), user.0])?;
    }
    Ok(())
}

/// Writes a person.
pub(super) fn write_person(connection: &Connection, person: &Person) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO people (id, username, avatar, registered, team, groups, hidden)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            person.id.0,
            person.profile.username,
            person.profile.avatar,
            person.registered.get(),
            person.team().map(|it| it.0),
            groups_text(person.groups()),
            person.hidden,
        ])?;
    Ok(())
}

/// Writes a team.
pub(super) fn write_team(connection: &Connection, team: &Team) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO teams (id, name, avatar) VALUES (?1, ?2, ?3)")?
        .execute(params![
            team.id.0,
            team.profile.username,
            team.profile.avatar
        ])?;
    Ok(())
}

/// Writes a board with all that is on it.
pub(super) fn write_board(connection: &Connection, board: &StoredBoard) -> Result<(), StoreError> {
    let StoredBoard {
        head,
        as_of,
        standings,
        members,
    } = board;
    write_head(connection, head, *as_of)?;
    for standing in standings {
        write_standing(connection, &head.id, standing)?;
    }
    for member in members {
        write_member(connection, &head.id, member)?;
    }
    Ok(())
}

/// Writes a board as a whole.
pub(super) fn write_head(
    connection: &Connection,
    head: &BoardHead,
    as_of: u64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO boards (id, settings, seq, changed, is_used, season, season_ends, as_of)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE
             SET settings = excluded.settings, seq = excluded.seq, changed = excluded.changed,
                 is_used = excluded.is_used, season = excluded.season,
                 season_ends = excluded.season_ends",
        )?
        .execute(params![
            head.id.as_str(),
            board_settings::to_text(&head.settings),
            head.seq,
            head.changed.0,
            head.is_used,
            head.seasons.ended.saturating_add(1),
            head.seasons.ends.map(|ends| ends.0),
            as_of,
        ])?;
    Ok(())
}

/// Writes what a person has on a board.
pub(super) fn write_standing(
    connection: &Connection,
    board: &BoardId,
    StoredStanding {
        user,
        standing,
        best,
    }: &StoredStanding,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO standings (board, user, score, tiebreak, reached, best_rank)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE
             SET score = excluded.score, tiebreak = excluded.tiebreak, reached = excluded.reached,
                 best_rank = excluded.best_rank",
        )?
        .execute(params![
            board.as_str(),
            user.0,
            standing.score.points(),
            some(standing.tiebreak.points()),
            standing.reached.get(),
            best,
        ])?;
    Ok(())
}

/// Writes what a person has on a board of teams.
pub(super) fn write_member(
    connection: &Connection,
    board: &BoardId,
    StoredMember {
        user,
        team,
        standing,
    }: &StoredMember,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO members (board, user, team, score, tiebreak, reached)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE
             SET score = excluded.score, tiebreak = excluded.tiebreak, reached = excluded.reached",
        )?
        .execute(params![
            board.as_str(),
            user.0,
            team.0,
            standing.score.points(),
            some(standing.tiebreak.points()),
            standing.reached.get(),
        ])?;
    Ok(())
}

/// Writes from which number another board counts on that is given the id of a deleted one.
pub(super) fn write_deleted(
    connection: &Connection,
    board: &BoardId,
    first: u64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO deleted_boards (id, first_seq) VALUES (?1, ?2)")?
        .execute(params![board.as_str(), first])?;
    Ok(())
}

/// Writes the standings with which a season has ended.
pub(super) fn write_final(
    connection: &Connection,
    board: &BoardId,
    FinalStandings {
        season,
        ended_by,
        rows,
    }: &FinalStandings,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO seasons (board, number, ends, ended_by)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            board.as_str(),
            season.number,
            season.ends.0,
            ended_by.get()
        ])?;
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO final_standings
             (board, season, position, user, team, rank, score, tiebreak)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for (position, row) in rows.iter().enumerate() {
        let (user, team) = match row.who {
            Who::User(user) => (Some(user.0), None),
            Who::Team(team) => (None, Some(team.0)),
        };
        statement.execute(params![
            board.as_str(),
            season.number,
            position,
            user,
            team,
            row.rank,
            row.scores.score.points(),
            some(row.scores.tiebreak.points()),
        ])?;
    }
    Ok(())
}
