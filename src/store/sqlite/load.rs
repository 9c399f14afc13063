//! What is read when a store is opened.

use std::{collections::HashMap, path::Path};

use rand::RngExt;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{announcements, database::BoardRow, ranks::write_ranks};
use crate::{
    board::{
        Board, BoardId, Epoch, Fact, LogEntry, Member, Profile, Rules, Score, Seq, Timestamp,
        UserId, ranking::Standing,
    },
    store::{Opened, StoreError},
};

/// The row of a board, and whether it is being written by a migration.
pub(super) fn find(
    connection: &Connection,
    board: &BoardId,
) -> Result<Option<(i64, bool)>, StoreError> {
    let sql = "SELECT id, migrating FROM boards WHERE name = ?1";
    Ok(connection
        .query_row(sql, [board.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// The row of a board, which is made if there is none.
pub(super) fn board_row(
    connection: &mut Connection,
    path: &Path,
    board: &BoardId,
    rules: Rules,
) -> Result<BoardRow, StoreError> {
    let wanted = rules.deciding();
    let transaction = connection.transaction()?;
    let found = transaction
        .query_row(
            "SELECT id, epoch, ranked_through, deciding, migrating FROM boards WHERE name = ?1",
            [board.as_str()],
            |row| {
                let board = BoardRow {
                    id: row.get(0)?,
                    epoch: row.get(1)?,
                    ranked_through: row.get(2)?,
                };
                Ok((board, row.get::<_, String>(3)?, row.get(4)?))
            },
        )
        .optional()?;
    if let Some((row, found, is_migrating)) = found {
        if is_migrating {
            return Err(StoreError::Migrating(path.display().to_string()));
        }
        if found.is_empty() {
            // An early file does not have it; from now on it does.
            let sql = "UPDATE boards SET deciding = ?2 WHERE id = ?1";
            transaction.execute(sql, params![row.id, wanted])?;
            transaction.commit()?;
        } else if found != wanted {
            return Err(StoreError::OtherRules { found, wanted });
        }
        return Ok(row);
    }
    let epoch: i64 = rand::rng().random();
    transaction.execute(
        "INSERT INTO boards (name, epoch, deciding) VALUES (?1, ?2, ?3)",
        params![board.as_str(), epoch, wanted],
    )?;
    let id = transaction.last_insert_rowid();
    transaction.commit()?;
    Ok(BoardRow {
        id,
        epoch,
        ranked_through: 0,
    })
}

/// Loads the board as it was at `ranked_through`, folds the rest of the log, and
/// writes the ranks that were missing.
pub(super) fn load(
    connection: &mut Connection,
    row: BoardRow,
    rules: Rules,
) -> Result<(Opened, BoardRow), StoreError> {
    let rest = entries_after(connection, row, row.ranked_through)?;
    let members = members_before(connection, row, &rest)?;
    let changed = connection
        .query_row(
            "SELECT at FROM log WHERE board = ?1 AND seq = ?2",
            params![row.id, row.ranked_through],
            |row| row.get(0),
        )
        .optional()?;
    let changed = Timestamp(changed.unwrap_or(0));
    let mut board = Board::load(rules, row.ranked_through, changed, members);

    let mut ranks = Vec::with_capacity(rest.len());
    for (entry, _) in &rest {
        if let Some(applied) = board.apply(entry) {
            ranks.push((entry.seq, applied));
        }
    }
    let transaction = connection.transaction()?;
    write_ranks(&transaction, row.id, &ranks)?;
    transaction.commit()?;

    let row = BoardRow {
        ranked_through: board.seq(),
        ..row
    };
    let opened = Opened {
        epoch: Epoch(row.epoch.cast_unsigned()),
        board,
        announcements: announcements::valid(connection, row.id)?,
        revoked: revoked(connection, row.id)?,
    };
    Ok((opened, row))
}

/// The standing that a user had when an entry was written.
type Before = Option<Standing>;

fn entries_after(
    connection: &Connection,
    board: BoardRow,
    seq: u64,
) -> Result<Vec<(LogEntry, Before)>, StoreError> {
    let sql = format!(
        "SELECT {ENTRY}, score_before, reached_before
         FROM log WHERE board = ?1 AND seq > ?2 ORDER BY seq"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params![board.id, seq])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push((entry(connection, board.id, row)?, standing(row, 10)?));
    }
    Ok(entries)
}

/// The columns of [`entry`].
pub(super) const ENTRY: &str =
    "seq, at, kind, user, username, avatar, action_type, increase, score, issued_until";

/// An entry of the log, from the columns of [`ENTRY`].
pub(super) fn entry(
    connection: &Connection,
    board: i64,
    row: &Row<'_>,
) -> Result<LogEntry, StoreError> {
    let seq = Seq::new(row.get(0)?).ok_or(StoreError::Damaged("an entry numbered 0"))?;
    let user = || Ok::<_, StoreError>(UserId(row.get(3)?));
    let fact = match row.get_ref(2)?.as_str().unwrap_or_default() {
        "user" => Fact::UserChanged {
            user: user()?,
            profile: profile(row, 4)?,
        },
        "action" => Fact::Action {
            user: user()?,
            action_type: row.get::<_, String>(6)?.into(),
            increase: row.get(7)?,
            score: Score::new(row.get(8)?).ok_or(StoreError::Damaged("a score out of range"))?,
        },
        "deleted" => Fact::UserDeleted { user: user()? },
        "revoked" => Fact::TokensRevoked {
            user: user()?,
            issued_until: row.get(9)?,
        },
        "announced" => Fact::Announced(announcements::of_entry(connection, board, seq)?),
        _ => return Err(StoreError::Damaged("an entry of an unknown kind")),
    };
    Ok(LogEntry {
        seq,
        at: Timestamp(row.get(1)?),
        fact,
    })
}

/// All users as they were before `rest` was written.
fn members_before(
    connection: &Connection,
    board: BoardRow,
    rest: &[(LogEntry, Before)],
) -> Result<Vec<Member>, StoreError> {
    // The first entry about a user knows how they stood; `None` is somebody whom
    // that entry registers. A user who was deleted since has no row any more, and
    // would be deleted again at once: a nameless user stands in for them.
    let mut before: HashMap<UserId, Option<Before>> = HashMap::new();
    let mut deleted: Vec<UserId> = Vec::new();
    for (entry, standing) in rest {
        let (user, known) = match &entry.fact {
            Fact::UserChanged { user, .. } => (*user, standing.is_some().then_some(*standing)),
            Fact::Action { user, .. } => (*user, Some(*standing)),
            Fact::UserDeleted { user } => {
                deleted.push(*user);
                (*user, Some(*standing))
            }
            Fact::TokensRevoked { .. } | Fact::Announced(_) => continue,
        };
        before.entry(user).or_insert(known);
    }

    let sql = format!("SELECT {MEMBER} FROM users WHERE board = ?1");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([board.id])?;
    let mut members = Vec::new();
    while let Some(row) = rows.next()? {
        let mut member = member(row)?;
        match before.remove(&member.id) {
            Some(None) => continue,
            Some(Some(standing)) => member.standing = standing,
            None => {}
        }
        members.push(member);
    }
    for id in deleted {
        if let Some(Some(standing)) = before.remove(&id) {
            members.push(Member {
                id,
                profile: Profile {
                    username: "".into(),
                    avatar: None,
                },
                standing,
                best: None,
            });
        }
    }
    Ok(members)
}

/// The columns of [`member`].
pub(super) const MEMBER: &str = "id, username, avatar, score, reached, best_rank";

/// A user, from the columns of [`MEMBER`].
pub(super) fn member(row: &Row<'_>) -> Result<Member, StoreError> {
    Ok(Member {
        id: UserId(row.get(0)?),
        profile: profile(row, 1)?,
        standing: standing(row, 3)?,
        best: row.get(5)?,
    })
}

/// Up to when tokens of users are void.
pub(super) fn revoked(
    connection: &Connection,
    board: i64,
) -> Result<Vec<(UserId, u64)>, StoreError> {
    let mut statement =
        connection.prepare("SELECT user, issued_until FROM revocations WHERE board = ?1")?;
    let rows = statement.query_map([board], |row| Ok((UserId(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A name and a picture, from this column on.
pub(super) fn profile(row: &Row<'_>, column: usize) -> Result<Profile, rusqlite::Error> {
    Ok(Profile {
        username: row.get::<_, String>(column)?.into(),
        avatar: row.get::<_, Option<String>>(column + 1)?.map(Into::into),
    })
}

/// A score and when it was reached, from this column on.
pub(super) fn standing(row: &Row<'_>, column: usize) -> Result<Option<Standing>, StoreError> {
    let score: Option<i64> = row.get(column)?;
    let reached: Option<u64> = row.get(column + 1)?;
    let (Some(score), Some(reached)) = (score, reached) else {
        return Ok(None);
    };
    Score::new(score)
        .and_then(|score| Standing::new(score, reached))
        .map(Some)
        .ok_or(StoreError::Damaged("a standing out of range"))
}
