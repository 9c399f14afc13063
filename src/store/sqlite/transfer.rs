//! A board of a file, record by record: read from it, or written to it.

use std::path::Path;

use rand::RngExt;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    announcements,
    database::{BoardRow, Database, opening},
    file::{beside, length, resolve, writable},
    inspect,
    load::{self, ENTRY, MEMBER, entry, member},
    marker::Marker,
    reader::{ACTIONS, DELETED, acted},
};
use crate::{
    board::{BoardId, Epoch, Fact, Rules, Score, Seq, Timestamp, UserId},
    store::{
        ActionId, Opened, RecentAction, StoreError,
        transfer::{Counted, Head, Limited, Record},
    },
};

/// Records in one transaction.
const BATCH: usize = 20_000;

/// A board that is read from a file.
pub(in crate::store) struct Source {
    database: Database,
    row: BoardRow,
}

impl Source {
    /// Opens a board and loads it; `None` if it is not there.
    pub(in crate::store) fn open(
        path: &Path,
        board: &BoardId,
        rules: Rules,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        Source::find(path, board, rules, false)
    }

    /// As [`Source::open`], of a board that is only looked at: what a crash has left in the
    /// write-ahead log stays there.
    pub(in crate::store) fn peek(
        path: &Path,
        board: &BoardId,
        rules: Rules,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        let path = &resolve(path).map_err(|source| writable(path, source))?;
        let has_log = length(&beside(path, "-wal")).is_ok_and(|bytes| bytes > 0);
        Source::find(path, board, rules, has_log)
    }

    fn find(
        path: &Path,
        board: &BoardId,
        rules: Rules,
        leaves: bool,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        let path = &resolve(path).map_err(|source| writable(path, source))?;
        if inspect::is_nothing(path)? {
            return Ok(None);
        }
        // To open what was never there would make it.
        if !path.exists() {
            let marker = Marker::lock(path)?;
            let found = inspect::outside(path, &marker.note)?;
            found.map_err(|problem| problem.in_file(path))?;
            return Ok(None);
        }
        let mut database = Database::open(path)?;
        if leaves {
            database.leave();
        }
        let found = Source::load(&mut database, path, board, rules);
        let found = found.inspect_err(|_| database.leave());
        let found = found.map_err(|error| opening(path, error))?;
        Ok(found.map(|(opened, row)| (opened, Source { database, row })))
    }

    fn load(
        database: &mut Database,
        path: &Path,
        board: &BoardId,
        rules: Rules,
    ) -> Result<Option<(Opened, BoardRow)>, StoreError> {
        let connection = &mut database.connection;
        if find(connection, board)?.is_none() {
            return Ok(None);
        }
        let row = load::board_row(connection, path, board, rules)?;
        load::load(connection, row, rules).map(Some)
    }

    pub(in crate::store) async fn read(
        &self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        read(&self.database.connection, self.row.id, each).await
    }

    /// What was counted under each of these ids.
    pub(in crate::store) fn counted(
        &self,
        ids: &[ActionId],
    ) -> Result<Vec<Option<Counted>>, StoreError> {
        let mut statement = self.database.connection.prepare_cached(
            "SELECT action_id, seq, at, user, action_type, increase, score, rank, old_rank
             FROM log WHERE board = ?1 AND action_id = ?2
             UNION ALL
             SELECT action_id, seq, at, user, action_type, increase, score, rank, old_rank
             FROM counted_actions WHERE board = ?1 AND action_id = ?2",
        )?;
        let mut find = |id: &ActionId| {
            let mut rows = statement.query(params![self.row.id, id.as_str()])?;
            rows.next()?.map(counted).transpose()
        };
        ids.iter().map(&mut find).collect()
    }
}

/// The row of a board, and whether it is being written by a migration.
fn find(connection: &Connection, board: &BoardId) -> Result<Option<(i64, bool)>, StoreError> {
    let sql = "SELECT id, migrating FROM boards WHERE name = ?1";
    Ok(connection
        .query_row(sql, [board.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

async fn read(
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

    let mut statement = connection.prepare(
        "SELECT action_id, seq, at, user, action_type, increase, score, rank, old_rank
         FROM counted_actions WHERE board = ?1",
    )?;
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

fn counted(row: &Row<'_>) -> Result<Counted, StoreError> {
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

/// A board that is written to a file, and that nobody can open meanwhile.
pub(in crate::store) struct Target {
    database: Database,
    name: BoardId,
    board: i64,
    head: Head,
    /// Records of the transaction.
    written: usize,
}

impl Target {
    /// Claims a board in a file, which is made if it is not there; `None` if a board is
    /// there already that may not be replaced.
    pub(in crate::store) fn claim(
        path: &Path,
        board: &BoardId,
        rules: Rules,
        mut head: Head,
        replace: bool,
    ) -> Result<Option<Target>, StoreError> {
        let path = &resolve(path).map_err(|source| writable(path, source))?;
        let mut database = Database::open(path)?;
        let transaction = database.connection.transaction()?;
        if let Some((id, is_unfinished)) = find(&transaction, board)? {
            let is_empty: bool = transaction.query_row(
                "SELECT NOT EXISTS (SELECT 1 FROM log WHERE board = ?1)",
                [id],
                |row| row.get(0),
            )?;
            if !is_unfinished && !is_empty {
                if !replace {
                    return Ok(None);
                }
                head.epoch = Epoch(rand::rng().random());
            }
            for table in [
                "log",
                "users",
                "announcements",
                "revocations",
                "limited_actions",
                "counted_actions",
            ] {
                transaction.execute(&format!("DELETE FROM {table} WHERE board = ?1"), [id])?;
            }
            transaction.execute("DELETE FROM boards WHERE id = ?1", [id])?;
        }
        transaction.execute(
            "INSERT INTO boards (name, epoch, deciding, migrating) VALUES (?1, ?2, ?3, 1)",
            params![board.as_str(), head.epoch.0.cast_signed(), rules.deciding()],
        )?;
        let id = transaction.last_insert_rowid();
        // Whatever was there, it may be gone from now on.
        database.marker.note.forget(board);
        let noted = database.marker.sync();
        noted.map_err(|source| writable(path, source))?;
        transaction.commit()?;
        database.connection.execute_batch("BEGIN")?;
        Ok(Some(Target {
            database,
            name: board.clone(),
            board: id,
            head,
            written: 0,
        }))
    }

    pub(in crate::store) fn epoch(&self) -> Epoch {
        self.head.epoch
    }

    pub(in crate::store) fn write(&mut self, record: Record) -> Result<(), StoreError> {
        match record {
            Record::Member(member) => self.write_member(&member)?,
            Record::Entry(entry, id) => self.write_entry(&entry, id.as_deref())?,
            Record::History(user, points) => {
                self.written += points.len();
                for (_, action) in points {
                    self.write_point(user, &action)?;
                }
            }
            Record::Counted(counted) => self.write_counted(&counted)?,
            Record::Announced(seq, announcement) => {
                let seq = Seq::new(seq).ok_or(StoreError::Damaged("an entry numbered 0"))?;
                announcements::insert(&self.database.connection, self.board, seq, &announcement)?;
            }
            Record::Revoked(user, until) => {
                self.database
                    .connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO revocations (board, user, issued_until)
                         VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![self.board, user.0, until])?;
            }
            Record::Limited(limited) => {
                self.database
                    .connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO limited_actions (board, user, action_type, at, seq)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![
                        self.board,
                        limited.user.0,
                        limited.action_type,
                        limited.at.0,
                        limited.seq
                    ])?;
            }
        }
        self.written += 1;
        if self.written >= BATCH {
            self.database.connection.execute_batch("COMMIT; BEGIN")?;
            self.written = 0;
        }
        Ok(())
    }

    fn write_member(&self, member: &crate::board::Member) -> Result<(), StoreError> {
        self.database
            .connection
            .prepare_cached(
                "INSERT OR REPLACE INTO users
                     (board, id, username, avatar, score, reached, best_rank)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.board,
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
        &self,
        entry: &crate::board::LogEntry,
        id: Option<&str>,
    ) -> Result<(), StoreError> {
        let board = self.board;
        let (seq, at) = (entry.seq.get(), entry.at.0);
        match &entry.fact {
            Fact::UserChanged { user, profile } => {
                self.database
                    .connection
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
                self.database
                    .connection
                    .prepare_cached(
                        "UPDATE log SET action_id = NULL WHERE board = ?1 AND action_id = ?2",
                    )?
                    .execute(params![board, id])?;
                self.database
                    .connection
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
                self.database
                    .connection
                    .prepare_cached(
                        "INSERT INTO log (board, seq, at, kind, user)
                         VALUES (?1, ?2, ?3, 'deleted', ?4)",
                    )?
                    .execute(params![board, seq, at, user.0])?;
            }
            Fact::TokensRevoked { user, issued_until } => {
                self.database
                    .connection
                    .prepare_cached(
                        "INSERT INTO log (board, seq, at, kind, user, issued_until)
                         VALUES (?1, ?2, ?3, 'revoked', ?4, ?5)",
                    )?
                    .execute(params![board, seq, at, user.0, issued_until])?;
            }
            Fact::Announced(announcement) => {
                announcements::insert(&self.database.connection, board, entry.seq, announcement)?;
                self.database
                    .connection
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
    fn write_point(&self, user: UserId, action: &RecentAction) -> Result<(), StoreError> {
        self.database
            .connection
            .prepare_cached(
                "INSERT INTO log (board, seq, at, kind, user, action_type, increase, score, rank)
                 VALUES (?1, ?2, ?3, 'action', ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (board, seq) DO UPDATE SET rank = excluded.rank",
            )?
            .execute(params![
                self.board,
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

    fn write_counted(&self, counted: &Counted) -> Result<(), StoreError> {
        let found = self
            .database
            .connection
            .prepare_cached(
                "UPDATE log SET action_id = ?3, rank = ?4, old_rank = ?5
                 WHERE board = ?1 AND seq = ?2",
            )?
            .execute(params![
                self.board,
                counted.seq,
                counted.id,
                counted.rank,
                counted.old_rank
            ])?;
        if found > 0 {
            return Ok(());
        }
        self.database
            .connection
            .prepare_cached(
                "INSERT OR REPLACE INTO counted_actions
                     (board, action_id, seq, at, user, action_type, increase, score, rank,
                      old_rank)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                self.board,
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

    pub(in crate::store) fn complete(&mut self, rules: Rules) -> Result<Opened, StoreError> {
        self.database.connection.execute_batch("COMMIT")?;
        self.database.connection.execute(
            "UPDATE boards SET ranked_through = ?2 WHERE id = ?1",
            params![self.board, self.head.seq],
        )?;
        let row = BoardRow {
            id: self.board,
            epoch: self.head.epoch.0.cast_signed(),
            ranked_through: self.head.seq,
        };
        Ok(load::load(&mut self.database.connection, row, rules)?.0)
    }

    pub(in crate::store) async fn read(
        &self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        read(&self.database.connection, self.board, each).await
    }

    pub(in crate::store) fn set_free(self) -> Result<(), StoreError> {
        let sql = "UPDATE boards SET migrating = 0 WHERE id = ?1";
        let Target {
            mut database,
            name,
            board,
            head,
            ..
        } = self;
        database.connection.execute(sql, [board])?;
        database.marker.note.board(&name, head.epoch, head.seq);
        let noted = database.marker.sync();
        noted.map_err(|source| StoreError::File {
            path: "the lock of the file".into(),
            source,
        })
    }
}
