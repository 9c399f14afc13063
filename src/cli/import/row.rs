//! What a row says: who it is about, how they are shown, and what they did.

use std::borrow::Cow;

use super::{
    columns::{Column, Record, Value},
    problem::Problem,
    whole::{whole, whole_f64},
};
use crate::{
    board::{Profile, UserId},
    people::{self, ExternalId},
    store::ActionId,
    text::{self, InvalidText},
};

/// The type of an action whose row names none.
const DEFAULT_TYPE: &str = "result";

/// A row that can be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) who: Who,
    /// How the user is to be shown, if the row says it.
    pub(super) profile: Option<Profile>,
    pub(super) action: Option<RowAction>,
}

/// How a row says who it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// By `userId` or `externalId`.
    Id(UserId),
    /// By nothing but the name of the profile: the id that is made of it.
    Name(UserId),
}

/// An action of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowAction {
    /// If the row names it.
    pub(super) id: Option<ActionId>,
    pub(super) action_type: Box<str>,
    pub(super) increase: i64,
}

/// Reads a row of a board that is known under the origins `own`.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn read(record: &Record<'_>, own: &[&str]) -> Result<Row, Vec<Problem>> {
    let mut problems = Vec::new();
    let user = keep(&mut problems, user_id(record));
    let external = keep(&mut problems, external_id(record));
    let profile = keep(&mut problems, profile(record, own));
    let points = keep(&mut problems, points(record));
    let id = keep(&mut problems, action_id(record));
    let action_type = keep(&mut problems, action_type(record));
    let missing = missing(record);
    problems.extend(missing.map(|what| Problem::of_line(record.line, what)));
    if !problems.is_empty() {
        return Err(problems);
    }
    let named = profile
        .as_ref()
        .map(|it| Who::Name(people::by_name(&it.username)));
    let Some(who) = user.or(external).map(Who::Id).or(named) else {
        return Err(vec![Problem::of_line(
            record.line,
            "does not say who it is",
        )]);
    };
    let action_type = action_type.unwrap_or_else(|| DEFAULT_TYPE.into());
    Ok(Row {
        line: record.line,
        who,
        profile,
        action: points.map(|increase| RowAction {
            id,
            action_type,
            increase,
        }),
    })
}

/// What is read of a field, `None` if it is empty.
type Field<T> = Result<Option<T>, Problem>;

fn keep<T>(problems: &mut Vec<Problem>, field: Field<T>) -> Option<T> {
    field.unwrap_or_else(|problem| {
        problems.push(problem);
        None
    })
}

/// What a row lacks, or has too much of.
fn missing(record: &Record<'_>) -> Option<String> {
    let is_given = |column| !record.get(column).is_empty();
    let label = |column| record.header.label(column);
    let has_id = is_given(Column::UserId) || is_given(Column::ExternalId);
    let has_name = is_given(Column::Username);
    let has_points = is_given(Column::ScoreIncrease);
    if is_given(Column::UserId) && is_given(Column::ExternalId) {
        return Some("has a userId and an externalId: keep one of them".into());
    }
    // Else a name could be meant for somebody who has an id on another line.
    let ids = [Column::UserId, Column::ExternalId];
    let id_column = ids.into_iter().find(|column| record.header.has(*column));
    if let (Some(column), false) = (id_column, has_id) {
        return Some(format!(
            "does not say who it is: fill {}, or leave that column out of the whole file",
            label(column)
        ));
    }
    if !has_id && !has_name {
        return Some("does not say who it is: fill the name".into());
    }
    if !has_points && (is_given(Column::ActionId) || is_given(Column::ActionType)) {
        return Some(format!(
            "has an action without points: fill {}, with a whole number",
            label(Column::ScoreIncrease)
        ));
    }
    if !has_name && is_given(Column::Avatar) {
        return Some("has an avatar and no name: fill the name too".into());
    }
    (!has_points && !has_name)
        .then(|| "says nothing about this person: fill the name, or the points".into())
}

/// A field that is a text, or a number that stands for its digits.
fn text_of<'a>(record: &'a Record<'_>, column: Column) -> Field<Cow<'a, str>> {
    match record.get(column) {
        Value::Empty => Ok(None),
        Value::Text(text) => Ok(Some(text.as_ref().into())),
        Value::Number(number) => Ok(Some(number.to_string().into())),
        Value::Other(_, what) => {
            let what = format!("is {what}, and should be text: write it as text");
            Err(record.problem(column, what))
        }
    }
}

fn user_id(record: &Record<'_>) -> Field<UserId> {
    let text = text_of(record, Column::UserId)?;
    let id = text.map(|text| {
        text::user_id(&text).map_err(|_| {
            record.problem(
                Column::UserId,
                "is not a UUID: if it is your own number for this person, call the column externalId",
            )
        })
    });
    id.transpose()
}

fn external_id(record: &Record<'_>) -> Field<UserId> {
    let Some(text) = text_of(record, Column::ExternalId)? else {
        return Ok(None);
    };
    if is_shortened(&text) {
        let what = "is a number that a spreadsheet has shortened, so that others look the same: \
                    format the column as text, and fill it anew";
        return Err(record.problem(Column::ExternalId, what));
    }
    let id = ExternalId::new(&text);
    let id = id.map_err(|_| {
        let what = "must have 1 to 128 bytes, and no line breaks or other control characters";
        record.problem(Column::ExternalId, what)
    });
    Ok(Some(id?.user()))
}

/// Is it a long number of which only the first digits are left, as in `1.23457E+12`?
fn is_shortened(text: &str) -> bool {
    let parts = text.split_once("E+").or(text.split_once("e+"));
    parts.is_some_and(|(digits, power)| {
        digits.contains('.')
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
            && power.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn profile(record: &Record<'_>, own: &[&str]) -> Field<Profile> {
    let Some(name) = text_of(record, Column::Username)? else {
        return Ok(None);
    };
    let avatar = text_of(record, Column::Avatar)?;
    let profile = text::profile(&name, avatar.as_deref(), own);
    let profile = profile.map_err(|error| {
        let column = match error {
            InvalidText::Avatar | InvalidText::OwnAvatar => Column::Avatar,
            _ => Column::Username,
        };
        record.problem(column, format!("cannot be taken: {error}"))
    });
    profile.map(Some)
}

fn points(record: &Record<'_>) -> Field<i64> {
    let column = Column::ScoreIncrease;
    let points = match record.get(column) {
        Value::Empty => return Ok(None),
        Value::Text(text) => whole(text),
        Value::Number(number) => whole_f64(*number),
        Value::Other(_, what) => Err(format!("is {what}: write a whole number")),
    };
    points
        .map(Some)
        .map_err(|what| record.problem(column, what))
}

fn action_id(record: &Record<'_>) -> Field<ActionId> {
    let Some(text) = text_of(record, Column::ActionId)? else {
        return Ok(None);
    };
    let what = "must have 1 to 128 bytes, and no control characters";
    let id = ActionId::new(&text);
    id.map(Some)
        .ok_or_else(|| record.problem(Column::ActionId, what))
}

fn action_type(record: &Record<'_>) -> Field<Box<str>> {
    let Some(text) = text_of(record, Column::ActionType)? else {
        return Ok(None);
    };
    let action_type = text::action_type(&text).map(|it| Some(it.into()));
    action_type
        .map_err(|error| record.problem(Column::ActionType, format!("cannot be taken: {error}")))
}
