//! What is read when a store is opened.

use std::collections::HashMap;

use std::ops::Range;

use rand::RngExt;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    announcements,
    facts::{self, ENTRY, groups, profile, scores, settings},
    tables,
};
use crate::{
    board::{
        BoardHead, BoardId, Epoch, Fact, FinalPart, FinalRow, FinalStandings, LogEntry, Membership,
        Person, Season, Seasons, Seq, Settings, State, StoredBoard, StoredMember, StoredStanding,
        StoredState, Team, TeamId, Timestamp, UserId, Who, ranking::Standing,
    },
    clock,
    store::{Fold, Opened, StoreError},
};

/// The row of the log.
#[derive(Clone, Copy)]
pub(super) struct LogState {
    pub(super) epoch: Epoch,
    /// The tables are as of this entry.
    pub(super) folded_through: u64,
    /// Is it being written by a migration?
    pub(super) is_migrating: bool,
}

/// The row of the log, if there is one.
pub(super) fn find(connection: &Connection) -> Result<Option<LogState>, StoreError> {
    let sql = "SELECT epoch, folded_through, migrating FROM log_state";
    let state = connection.query_row(sql, [], |row| {
        Ok(LogState {
            epoch: Epoch(row.get::<_, i64>(0)?.cast_unsigned()),
            folded_through: row.get(1)?,
            is_migrating: row.get(2)?,
        })
    });
    Ok(state.optional()?)
}

/// Begins a log whose first fact is what `main` is.
pub(super) fn begin(connection: &mut Connection, main: &Settings) -> Result<LogState, StoreError> {
    let epoch: i64 = rand::rng().random();
    let transaction = connection.transaction()?;
    let sql = "INSERT INTO log_state (id, epoch, folded_through) VALUES (1, ?1, 0)";
    transaction.execute(sql, [epoch])?;
    facts::insert(
        &transaction,
        &main_changed(Seq::FIRST, clock::now(), main),
        None,
    )?;
    transaction.commit()?;
    Ok(LogState {
        epoch: Epoch(epoch.cast_unsigned()),
        folded_through: 0,
        is_migrating: false,
    })
}

/// The entry that says what `main` is.
pub(super) fn main_changed(seq: Seq, at: Timestamp, main: &Settings) -> LogEntry {
    let fact = Fact::BoardChanged {
        board: BoardId::default(),
        settings: main.clone().into(),
        borders: Box::default(),
    };
    LogEntry { seq, at, fact }
}

/// Loads the state as of `folded_through`, folds the rest of the log, and writes what that
/// did.
pub(super) fn load(connection: &mut Connection, log: LogState) -> Result<Opened, StoreError> {
    let stored = StoredState {
        seq: log.folded_through,
        people: people(connection)?,
        teams: teams(connection)?,
        boards: boards(connection)?,
        deleted: deleted(connection)?,
    };
    let mut state = State::load(stored);
    state.knows_deletions_after(last_deletion(connection)?);
    let rest = entries_after(connection, log.folded_through)?;
    let folded = state.fold(&rest);
    let folded: Vec<_> = rest.into_iter().zip(folded).collect();
    let opened = Opened {
        epoch: log.epoch,
        state,
        announcements: announcements::valid(connection)?,
        revoked: revoked(connection)?,
    };
    // When all of it can be read.
    let transaction = connection.transaction()?;
    tables::write(&transaction, &folded)?;
    transaction.commit()?;
    Ok(opened)
}

/// The last entry by which somebody was deleted, or the last before those that the log has.
fn last_deletion(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT ifnull(max(seq), 0) FROM log INDEXED BY log_deleted WHERE kind = 'deleted'";
    let deleted: u64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(deleted.max(last_gap(connection)?))
}

/// When the first entry was taken, and the last.
pub(super) fn times(connection: &Connection) -> Result<(Timestamp, Timestamp), StoreError> {
    let at = |order| {
        let sql = format!("SELECT at FROM log ORDER BY seq {order} LIMIT 1");
        let at: Option<u64> = connection
            .query_row(&sql, [], |row| row.get(0))
            .optional()?;
        Ok::<_, StoreError>(Timestamp(at.unwrap_or(0)))
    };
    Ok((at("ASC")?, at("DESC")?))
}

fn entries_after(connection: &Connection, seq: u64) -> Result<Vec<LogEntry>, StoreError> {
    let sql = format!("SELECT {ENTRY} FROM log WHERE seq > ?1 ORDER BY seq");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([seq])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(facts::read(connection, row)?);
    }
    Ok(entries)
}

/// All that a query gives.
fn all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

/// All people.
pub(super) fn people(connection: &Connection) -> Result<Vec<Person>, StoreError> {
    let sql = "SELECT id, username, avatar, registered, team, groups, hidden FROM people";
    all(connection, sql, [], person)
}

/// The next people after this id, at most so many, of whom the log does not know how they were
/// registered, as they were when it begins. What was in Redis may have lost its first entries.
pub(super) fn people_before_log(
    connection: &Connection,
    after: UserId,
    most: usize,
) -> Result<Vec<Person>, StoreError> {
    let grouped = "EXISTS (SELECT 1 FROM log INDEXED BY log_grouped
                           WHERE user = people.id AND kind = 'grouped')";
    let sql = format!(
        "SELECT id, username, avatar, registered, iif({grouped}, NULL, team),
                iif({grouped}, NULL, groups), hidden
         FROM people
         WHERE id > ?1 AND NOT EXISTS (
             SELECT 1 FROM log WHERE seq = people.registered AND kind = 'user')
         ORDER BY id LIMIT ?2"
    );
    all(connection, &sql, params![after.0, most as u64], person)
}

/// What the log says first of people who were hidden or shown again.
pub(super) fn first_hidden(connection: &Connection) -> Result<HashMap<UserId, bool>, StoreError> {
    // SQLite takes what stands beside the least number from the same row.
    let sql = "SELECT user, detail LIKE 'true%', min(seq) FROM log
               WHERE kind = 'hidden' GROUP BY user";
    let first = all(connection, sql, [], |row| {
        Ok((UserId(row.get(0)?), row.get(1)?))
    })?;
    Ok(first.into_iter().collect())
}

/// The entry after which there are no gaps. A log that was in Redis may have lost its first
/// entries, and has some of them for people's histories.
pub(super) fn last_gap(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM log WHERE seq = 1)";
    if connection.query_row(sql, [], |row| row.get(0))? {
        return Ok(0);
    }
    let sql = "SELECT ifnull(max(seq), 1) - 1 FROM log AS entry
               WHERE NOT EXISTS (SELECT 1 FROM log WHERE seq = entry.seq - 1)";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

fn person(row: &Row<'_>) -> Result<Person, StoreError> {
    let membership = Membership {
        team: row.get::<_, Option<[u8; 16]>>(4)?.map(TeamId),
        groups: groups(row.get_ref(5)?.as_str_or_null().unwrap_or_default())?,
    };
    Ok(Person {
        id: UserId(row.get(0)?),
        profile: profile(row, 1)?,
        registered: reached(row, 3)?,
        membership: (membership != Membership::default()).then(|| Box::new(membership)),
        hidden: row.get(6)?,
    })
}

/// All teams.
pub(super) fn teams(connection: &Connection) -> Result<Vec<Team>, StoreError> {
    all(
        connection,
        "SELECT id, name, avatar FROM teams",
        [],
        |row| {
            Ok(Team {
                id: TeamId(row.get(0)?),
                profile: profile(row, 1)?,
            })
        },
    )
}

/// All boards, with all that is on them.
pub(super) fn boards(connection: &Connection) -> Result<Vec<StoredBoard>, StoreError> {
    let sql = "SELECT id, settings, seq, changed, is_used, season, season_ends, as_of FROM boards";
    let mut boards = all(connection, sql, [], |row| {
        let settings = settings(row.get_ref(1)?.as_str().unwrap_or_default())?;
        let seasons = match row.get::<_, Option<u32>>(5)? {
            Some(number) => Seasons {
                ended: number.saturating_sub(1),
                ends: row.get::<_, Option<u64>>(6)?.map(Timestamp),
            },
            None => Seasons::of_new(&settings, &[]),
        };
        let head = BoardHead {
            id: facts::board(row, 0)?,
            settings: settings.into(),
            seq: row.get(2)?,
            changed: Timestamp(row.get(3)?),
            is_used: row.get(4)?,
            seasons,
        };
        Ok(StoredBoard {
            head,
            as_of: row.get(7)?,
            standings: Vec::new(),
            members: Vec::new(),
        })
    })?;
    for board in &mut boards {
        board.standings = standings(connection, &board.head.id)?;
        board.members = members(connection, &board.head.id)?;
    }
    Ok(boards)
}

/// What people have on a board.
pub(super) fn standings(
    connection: &Connection,
    board: &BoardId,
) -> Result<Vec<StoredStanding>, StoreError> {
    let sql = "SELECT user, score, tiebreak, reached, best_rank FROM standings WHERE board = ?1";
    all(connection, sql, [board.as_str()], |row| {
        Ok(StoredStanding {
            user: UserId(row.get(0)?),
            standing: Standing::of(scores(row, 1)?, reached(row, 3)?),
            best: row.get(4)?,
        })
    })
}

/// What people have on a board of teams.
pub(super) fn members(
    connection: &Connection,
    board: &BoardId,
) -> Result<Vec<StoredMember>, StoreError> {
    let sql = "SELECT user, team, score, tiebreak, reached FROM members WHERE board = ?1";
    all(connection, sql, [board.as_str()], |row| {
        Ok(StoredMember {
            user: UserId(row.get(0)?),
            team: TeamId(row.get(1)?),
            standing: Standing::of(scores(row, 2)?, reached(row, 4)?),
        })
    })
}

/// Of ids of deleted boards, the number from which another one counts on.
pub(super) fn deleted(connection: &Connection) -> Result<Vec<(BoardId, u64)>, StoreError> {
    let sql = "SELECT id, first_seq FROM deleted_boards";
    all(connection, sql, [], |row| {
        Ok((facts::board(row, 0)?, row.get(1)?))
    })
}

/// The seasons of a board that have ended, the first one first.
pub(super) fn seasons(connection: &Connection, board: &BoardId) -> Result<Vec<Season>, StoreError> {
    let sql = "SELECT number, ends FROM seasons WHERE board = ?1 ORDER BY number";
    all(connection, sql, [board.as_str()], |row| {
        Ok(Season {
            number: row.get(0)?,
            ends: Timestamp(row.get(1)?),
        })
    })
}

/// The standings with which a season has ended; none for a season that has not.
pub(super) fn final_standings(
    connection: &Connection,
    board: &BoardId,
    number: u32,
) -> Result<Option<FinalStandings>, StoreError> {
    let all = final_part(connection, board, number, 0..usize::MAX)?;
    let whole = |part: FinalPart| FinalStandings {
        season: part.season,
        ended_by: part.ended_by,
        rows: part.rows,
    };
    Ok(all.map(whole))
}

/// Those of their rows that are at these positions.
pub(super) fn final_part(
    connection: &Connection,
    board: &BoardId,
    number: u32,
    positions: Range<usize>,
) -> Result<Option<FinalPart>, StoreError> {
    let sql = "SELECT ends, ended_by FROM seasons WHERE board = ?1 AND number = ?2";
    let found: Option<(u64, u64)> = connection
        .query_row(sql, params![board.as_str(), number], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((ends, ended_by)) = found else {
        return Ok(None);
    };
    let ended_by = Seq::new(ended_by).ok_or(StoreError::Damaged("an entry numbered 0"))?;
    let sql = "SELECT max(position) FROM final_standings WHERE board = ?1 AND season = ?2";
    let last: Option<usize> =
        connection.query_row(sql, params![board.as_str(), number], |row| row.get(0))?;
    let total = last.map_or(0, |last| last + 1);
    let sql = "SELECT user, team, rank, score, tiebreak FROM final_standings
               WHERE board = ?1 AND season = ?2 AND position >= ?3 AND position < ?4
               ORDER BY position";
    let (start, end) = (positions.start.min(total), positions.end.min(total));
    let parameters = params![board.as_str(), number, start, end];
    let rows = all(connection, sql, parameters, |row| {
        let team: Option<[u8; 16]> = row.get(1)?;
        Ok(FinalRow {
            who: match team {
                Some(team) => Who::Team(TeamId(team)),
                None => Who::User(UserId(row.get(0)?)),
            },
            rank: row.get(2)?,
            scores: scores(row, 3)?,
        })
    })?;
    let season = Season {
        number,
        ends: Timestamp(ends),
    };
    Ok(Some(FinalPart {
        season,
        ended_by,
        total,
        rows,
    }))
}

fn reached(row: &Row<'_>, column: usize) -> Result<Seq, StoreError> {
    Seq::new(row.get(column)?).ok_or(StoreError::Damaged("an entry numbered 0"))
}

/// Up to when tokens of users are void.
pub(super) fn revoked(connection: &Connection) -> Result<Vec<(UserId, u64)>, StoreError> {
    all(
        connection,
        "SELECT user, issued_until FROM revocations",
        [],
        |row| Ok((UserId(row.get(0)?), row.get(1)?)),
    )
}
