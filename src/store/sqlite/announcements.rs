//! The rows of announcements.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    board::{Announcement, AnnouncementId, Audience, Seq, Timestamp, UserId},
    clock,
    store::{
        StoreError,
        announcement_names::{AUDIENCES, KINDS, SEVERITIES, USER, name_of, value_of},
    },
};

const COLUMNS: &str =
    "seq, id, kind, message, severity, audience, user, shown_from, until, duration";

/// Writes the announcement that is the entry `seq`.
pub(super) fn insert(
    connection: &Connection,
    seq: Seq,
    announcement: &Announcement,
) -> Result<(), StoreError> {
    let (audience, user) = match announcement.audience {
        Audience::User(user) => (Some(USER), Some(user.0)),
        group => (name_of(&AUDIENCES, &group), None),
    };
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO announcements ({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        ))?
        .execute(params![
            seq.get(),
            announcement.id.0,
            name_of(&KINDS, &announcement.kind),
            announcement.message,
            name_of(&SEVERITIES, &announcement.severity),
            audience,
            user,
            announcement.from.0,
            announcement.until.0,
            announcement.duration,
        ])?;
    Ok(())
}

/// The latest announcement with this id, and its entry.
pub(super) fn find(
    connection: &Connection,
    id: AnnouncementId,
) -> Result<Option<(u64, Announcement)>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM announcements WHERE id = ?1 ORDER BY seq DESC LIMIT 1"
    ))?;
    let mut rows = statement.query([id.0])?;
    rows.next()?
        .map(|row| Ok((row.get(0)?, read(row)?)))
        .transpose()
}

/// The announcement that is the entry `seq`.
pub(super) fn of_entry(connection: &Connection, seq: Seq) -> Result<Announcement, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM announcements WHERE seq = ?1"
    ))?;
    let found = statement
        .query_row([seq.get()], |row| Ok(read(row)))
        .optional()?;
    found.unwrap_or(Err(StoreError::Damaged("an announcement without words")))
}

/// Those that are or will be valid.
pub(super) fn valid(connection: &Connection) -> Result<Vec<Announcement>, StoreError> {
    let mut statement = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM announcements WHERE until > ?1 ORDER BY seq"
    ))?;
    let mut rows = statement.query([clock::now().0])?;
    let mut valid = Vec::new();
    while let Some(row) = rows.next()? {
        valid.push(read(row)?);
    }
    Ok(valid)
}

/// All, with their entries.
pub(super) fn all(connection: &Connection) -> Result<Vec<(u64, Announcement)>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM announcements");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push((row.get(0)?, read(row)?));
    }
    Ok(all)
}

fn read(row: &Row<'_>) -> Result<Announcement, StoreError> {
    let text = |column| row.get::<_, String>(column);
    let audience = text(5)?;
    Ok(Announcement {
        id: AnnouncementId(row.get(1)?),
        kind: value_of(&KINDS, &text(2)?)?,
        message: text(3)?.into(),
        severity: value_of(&SEVERITIES, &text(4)?)?,
        audience: if audience == USER {
            Audience::User(UserId(row.get(6)?))
        } else {
            value_of(&AUDIENCES, &audience)?
        },
        from: Timestamp(row.get(7)?),
        until: Timestamp(row.get(8)?),
        duration: row.get(9)?,
    })
}
