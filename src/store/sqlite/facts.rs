//! The table `log`: how facts become rows, and rows facts.

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::announcements;
use crate::{
    board::{
        Action, BoardId, Fact, GroupId, LogEntry, Profile, Score, Scores, Seq, TeamId, Timestamp,
        UserId,
    },
    board_settings::{self, SettingsJson},
    store::StoreError,
};

/// What a fact about a board has in the column `detail`.
#[derive(Serialize, Deserialize)]
struct BoardDetail {
    settings: SettingsJson,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    borders: Vec<u64>,
}

/// Writes an entry, with the action's id, if it is one and that is known.
pub(super) fn insert(
    connection: &Connection,
    entry: &LogEntry,
    action_id: Option<&str>,
) -> Result<(), StoreError> {
    let (seq, at) = (entry.seq.get(), entry.at.0);
    // Columns that most facts leave empty.
    let other = |kind: &str, board: Option<&str>, user: Option<&UserId>, detail: Option<String>| {
        connection
            .prepare_cached(
                "INSERT INTO log (seq, at, kind, board, user, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![seq, at, kind, board, user.map(|user| user.0), detail])?;
        Ok::<_, StoreError>(())
    };
    match &entry.fact {
        Fact::Action(action) => {
            connection
                .prepare_cached(
                    "INSERT INTO log (seq, at, kind, board, user, action_id, action_type, increase,
                                      tiebreak_increase, score, tiebreak)
                     VALUES (?1, ?2, 'action', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )?
                .execute(params![
                    seq,
                    at,
                    action.board.as_str(),
                    action.user.0,
                    action_id,
                    action.action_type,
                    action.increase,
                    some(action.tiebreak_increase),
                    action.scores.score.points(),
                    some(action.scores.tiebreak.points()),
                ])?;
        }
        Fact::UserChanged { user, profile } => {
            connection
                .prepare_cached(
                    "INSERT INTO log (seq, at, kind, user, username, avatar)
                     VALUES (?1, ?2, 'user', ?3, ?4, ?5)",
                )?
                .execute(params![seq, at, user.0, profile.username, profile.avatar])?;
        }
        Fact::UserGrouped { user, team, groups } => {
            connection
                .prepare_cached(
                    "INSERT INTO log (seq, at, kind, user, team, detail)
                     VALUES (?1, ?2, 'grouped', ?3, ?4, ?5)",
                )?
                .execute(params![
                    seq,
                    at,
                    user.0,
                    team.map(|it| it.0),
                    groups_text(groups)
                ])?;
        }
        Fact::UserHidden {
            user,
            hidden,
            reason,
        } => {
            let detail = match reason {
                Some(reason) => format!("{hidden} {reason}"),
                None => hidden.to_string(),
            };
            other("hidden", None, Some(user), Some(detail))?;
        }
        Fact::UserDeleted { user } => other("deleted", None, Some(user), None)?,
        Fact::TeamChanged { team, profile } => {
            connection
                .prepare_cached(
                    "INSERT INTO log (seq, at, kind, team, username, avatar)
                     VALUES (?1, ?2, 'team', ?3, ?4, ?5)",
                )?
                .execute(params![seq, at, team.0, profile.username, profile.avatar])?;
        }
        Fact::BoardChanged {
            board,
            settings,
            borders,
        } => {
            let detail = BoardDetail {
                settings: SettingsJson::from(&**settings),
                borders: borders.iter().map(|border| border.0).collect(),
            };
            let detail = serde_json::to_string(&detail).unwrap_or_default();
            other("board", Some(board.as_str()), None, Some(detail))?;
        }
        Fact::BoardDeleted { board } => other("board_deleted", Some(board.as_str()), None, None)?,
        Fact::SeasonEnded { board, next } => {
            let next = next.map(|next| next.0.to_string());
            other("season_ended", Some(board.as_str()), None, next)?;
        }
        Fact::TokensRevoked { user, issued_until } => {
            connection
                .prepare_cached(
                    "INSERT INTO log (seq, at, kind, user, issued_until)
                     VALUES (?1, ?2, 'revoked', ?3, ?4)",
                )?
                .execute(params![seq, at, user.0, issued_until])?;
            // A clock that was set back must not make tokens valid again.
            connection
                .prepare_cached(
                    "INSERT INTO revocations (user, issued_until) VALUES (?1, ?2)
                     ON CONFLICT DO UPDATE
                     SET issued_until = max(issued_until, excluded.issued_until)",
                )?
                .execute(params![user.0, issued_until])?;
        }
        Fact::Announced(announcement) => {
            announcements::insert(connection, entry.seq, announcement)?;
            other("announced", None, None, None)?;
        }
    }
    Ok(())
}

/// A number of the second score, which is left out where it is 0: on most boards it always is.
pub(super) fn some(number: i64) -> Option<i64> {
    (number != 0).then_some(number)
}

/// The columns of [`read`].
pub(super) const ENTRY: &str = "seq, at, kind, board, user, team, username, avatar, action_type, \
                                increase, tiebreak_increase, score, tiebreak, issued_until, detail";

/// An entry of the log, from the columns of [`ENTRY`].
pub(super) fn read(connection: &Connection, row: &Row<'_>) -> Result<LogEntry, StoreError> {
    let damaged = StoreError::Damaged;
    let seq = Seq::new(row.get(0)?).ok_or(damaged("an entry numbered 0"))?;
    let user = || Ok::<_, StoreError>(UserId(row.get(4)?));
    let detail = || Ok::<_, StoreError>(row.get_ref(14)?.as_str().unwrap_or_default());
    let fact = match row.get_ref(2)?.as_str().unwrap_or_default() {
        "action" => Fact::Action(Action {
            board: board(row, 3)?,
            user: user()?,
            action_type: row.get::<_, String>(8)?.into(),
            increase: row.get(9)?,
            tiebreak_increase: row.get::<_, Option<i64>>(10)?.unwrap_or(0),
            scores: scores(row, 11)?,
        }),
        "user" => Fact::UserChanged {
            user: user()?,
            profile: profile(row, 6)?,
        },
        "grouped" => Fact::UserGrouped {
            user: user()?,
            team: row.get::<_, Option<[u8; 16]>>(5)?.map(TeamId),
            groups: groups(Some(detail()?))?,
        },
        "hidden" => {
            let detail = detail()?;
            let (hidden, reason) = match detail.split_once(' ') {
                Some((hidden, reason)) => (hidden, Some(reason.into())),
                None => (detail, None),
            };
            Fact::UserHidden {
                user: user()?,
                hidden: hidden.parse().map_err(|_| damaged("who is hidden"))?,
                reason,
            }
        }
        "deleted" => Fact::UserDeleted { user: user()? },
        "team" => Fact::TeamChanged {
            team: TeamId(row.get(5)?),
            profile: profile(row, 6)?,
        },
        "board" => {
            let detail: Result<BoardDetail, _> = serde_json::from_str(detail()?);
            let detail = detail.map_err(|_| damaged("the settings of a board"))?;
            let settings = detail.settings.try_into();
            let settings: crate::board::Settings =
                settings.map_err(|_| damaged("the settings of a board"))?;
            Fact::BoardChanged {
                board: board(row, 3)?,
                settings: settings.into(),
                borders: detail.borders.into_iter().map(Timestamp).collect(),
            }
        }
        "board_deleted" => Fact::BoardDeleted {
            board: board(row, 3)?,
        },
        "season_ended" => Fact::SeasonEnded {
            board: board(row, 3)?,
            next: match detail()? {
                "" => None,
                next => Some(Timestamp(
                    next.parse().map_err(|_| damaged("the end of a season"))?,
                )),
            },
        },
        "revoked" => Fact::TokensRevoked {
            user: user()?,
            issued_until: row.get(13)?,
        },
        "announced" => Fact::Announced(announcements::of_entry(connection, seq)?),
        _ => return Err(damaged("an entry of an unknown kind")),
    };
    Ok(LogEntry {
        seq,
        at: Timestamp(row.get(1)?),
        fact,
    })
}

/// A board's id, in this column.
pub(super) fn board(row: &Row<'_>, column: usize) -> Result<BoardId, StoreError> {
    let name = row.get_ref(column)?.as_str().unwrap_or_default();
    BoardId::new(name).ok_or(StoreError::Damaged("the id of a board"))
}

/// A name and a picture, from this column on.
pub(super) fn profile(row: &Row<'_>, column: usize) -> Result<Profile, rusqlite::Error> {
    Ok(Profile {
        username: row.get::<_, String>(column)?.into(),
        avatar: row.get::<_, Option<String>>(column + 1)?.map(Into::into),
    })
}

/// Score and second score, from this column on.
pub(super) fn scores(row: &Row<'_>, column: usize) -> Result<Scores, StoreError> {
    let damaged = StoreError::Damaged("a score out of range");
    let score = Score::new(row.get(column)?);
    let tiebreak: Option<i64> = row.get(column + 1)?;
    let tiebreak = Score::new(tiebreak.unwrap_or(0));
    let scores = score.zip(tiebreak).ok_or(damaged)?;
    let (score, tiebreak) = scores;
    Ok(Scores { score, tiebreak })
}

/// Groups as they are written, or nothing for none.
pub(super) fn groups_text(groups: &[GroupId]) -> Option<String> {
    let names: Vec<&str> = groups.iter().map(|group| &*group.0).collect();
    (!names.is_empty()).then(|| serde_json::to_string(&names).unwrap_or_default())
}

/// The groups that were written.
pub(super) fn groups(text: Option<&str>) -> Result<Box<[GroupId]>, StoreError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(Box::default());
    };
    let names: Result<Vec<String>, _> = serde_json::from_str(text);
    let names = names.map_err(|_| StoreError::Damaged("the groups of a user"))?;
    Ok(names.into_iter().map(|name| GroupId(name.into())).collect())
}

/// The settings of a board, as they are written.
pub(super) fn settings(text: &str) -> Result<crate::board::Settings, StoreError> {
    board_settings::from_text(text).ok_or(StoreError::Damaged("the settings of a board"))
}
