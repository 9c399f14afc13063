//! Which column means what, however its header is spelled.

use std::borrow::Cow;

use super::problem::{Problem, clip};

/// What a column may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    UserId,
    ExternalId,
    Username,
    Avatar,
    ActionId,
    ActionType,
    ScoreIncrease,
}

/// How many kinds of columns there are.
pub(super) const KINDS: usize = 7;

/// What a reader of the message can write in the first line.
const KNOWN: &str = "userId, externalId, username (or name), avatar, actionId, actionType and \
                     scoreIncrease (or points)";

/// The most columns of a table.
pub(super) const MOST: usize = 256;

impl Column {
    /// The column with this header or key, in any case, and with or without spaces, `_`
    /// and `-`.
    pub(super) fn named(name: &str) -> Option<Column> {
        Some(match plain(name).as_str() {
            "userid" | "uuid" => Column::UserId,
            "externalid" => Column::ExternalId,
            "username" | "name" | "player" | "playername" | "team" | "teamname" | "fullname" => {
                Column::Username
            }
            "avatar" | "picture" => Column::Avatar,
            "actionid" => Column::ActionId,
            "actiontype" | "type" => Column::ActionType,
            "scoreincrease" | "points" | "score" => Column::ScoreIncrease,
            _ => return None,
        })
    }

    /// Its name in the API.
    pub(super) fn name(self) -> &'static str {
        match self {
            Column::UserId => "userId",
            Column::ExternalId => "externalId",
            Column::Username => "username",
            Column::Avatar => "avatar",
            Column::ActionId => "actionId",
            Column::ActionType => "actionType",
            Column::ScoreIncrease => "scoreIncrease",
        }
    }
}

/// A header without what makes no difference.
pub(super) fn plain(name: &str) -> String {
    let letters = name
        .chars()
        .filter(|c| !c.is_whitespace() && !"_-".contains(*c));
    letters.flat_map(char::to_lowercase).collect()
}

/// What stands in a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Value<'a> {
    #[default]
    Empty,
    Text(Cow<'a, str>),
    Number(f64),
    /// Something that is neither, as it is shown, and what it is.
    Other(String, &'static str),
}

impl<'a> Value<'a> {
    /// A text, without the white space around it.
    pub(super) fn text(text: &'a str) -> Value<'a> {
        match text.trim() {
            "" => Value::Empty,
            text => Value::Text(text.into()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Value::Empty
    }

    /// As it is shown in a message.
    pub(super) fn shown(&self) -> Cow<'_, str> {
        match self {
            Value::Empty => "".into(),
            Value::Text(text) => (&**text).into(),
            Value::Number(number) => number.to_string().into(),
            Value::Other(shown, _) => shown.into(),
        }
    }
}

/// A row, with what each of its columns is called there.
pub(super) struct Record<'a> {
    /// As an editor counts, from 1.
    pub(super) line: u64,
    pub(super) header: &'a Header,
    values: [Value<'a>; KINDS],
}

impl<'a> Record<'a> {
    pub(super) fn new(line: u64, header: &'a Header) -> Record<'a> {
        Record {
            line,
            header,
            values: Default::default(),
        }
    }

    pub(super) fn set(&mut self, column: Column, value: Value<'a>) {
        self.values[column as usize] = value;
    }

    pub(super) fn get(&self, column: Column) -> &Value<'a> {
        &self.values[column as usize]
    }

    /// A problem of what stands in a column.
    pub(super) fn problem(&self, column: Column, what: impl Into<String>) -> Problem {
        let value = self.get(column);
        let shown = (!value.is_empty()).then(|| value.shown());
        Problem::of_value(self.line, self.header.label(column), shown.as_deref(), what)
    }
}

/// What a reader met.
pub(super) enum Item<'a> {
    Record(Box<Record<'a>>),
    /// A row without any value.
    Empty,
    /// A row that cannot be read.
    Problem(Problem),
}

/// The first line of a table.
pub(super) struct Header {
    fields: Vec<Field>,
    labels: [Option<String>; KINDS],
}

enum Field {
    Of(Column),
    Ignored,
    Nameless,
}

impl Header {
    /// The header of a form in which every row says itself what it holds.
    pub(super) fn none() -> Header {
        Header {
            fields: Vec::new(),
            labels: Default::default(),
        }
    }

    /// Reads the first line. Columns of `ignored` are left out.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn read<'a>(
        line: u64,
        names: impl IntoIterator<Item = &'a str>,
        ignored: &[String],
    ) -> Result<Header, Vec<Problem>> {
        let mut header = Header::none();
        let mut problems = Vec::new();
        for name in names {
            let name = name.trim();
            let field = if name.is_empty() {
                Field::Nameless
            } else if ignored.iter().any(|it| plain(it) == plain(name)) {
                Field::Ignored
            } else if let Some(column) = Column::named(name) {
                if let Some(first) = header.labels[column as usize].replace(clip(name)) {
                    problems.push(Problem::of_value(
                        line,
                        name,
                        None,
                        format!(
                            "means the same as the column {first:?}: keep one of the two, or leave \
                             one out with --ignore"
                        ),
                    ));
                }
                Field::Of(column)
            } else {
                problems.push(Problem::of_value(line, name, None, unknown(name)));
                Field::Ignored
            };
            header.fields.push(field);
        }
        let names_people = [Column::UserId, Column::ExternalId, Column::Username];
        if header.labels.iter().all(Option::is_none) {
            problems = vec![Problem::of_line(
                line,
                format!(
                    "no column has a name that is known. The first line must name the columns, with \
                     a comma, a semicolon or a tab between, as in name,points. Known are {KNOWN}"
                ),
            )];
        } else if !names_people.iter().any(|column| header.has(*column)) {
            problems.push(Problem::of_line(
                line,
                "no column says who it is: add one that is called name, externalId or userId",
            ));
        }
        if problems.is_empty() {
            Ok(header)
        } else {
            Err(problems)
        }
    }

    /// Is there such a column?
    pub(super) fn has(&self, column: Column) -> bool {
        self.labels[column as usize].is_some()
    }

    /// What the file calls a column.
    pub(super) fn label(&self, column: Column) -> &str {
        let label = self.labels[column as usize].as_deref();
        label.unwrap_or(column.name())
    }

    /// Reads a row. Fields that are missing at its end are empty: spreadsheets leave out
    /// the separators there.
    pub(super) fn row<'a>(
        &'a self,
        line: u64,
        values: impl IntoIterator<Item = Value<'a>>,
    ) -> Item<'a> {
        let mut record = Record::new(line, self);
        let mut is_empty = true;
        for (place, value) in values.into_iter().enumerate() {
            if value.is_empty() {
                continue;
            }
            is_empty = false;
            let field = self.fields.get(place);
            match field {
                Some(Field::Of(column)) => record.set(*column, value),
                Some(Field::Ignored) => {}
                Some(Field::Nameless) | None => {
                    let what = match field {
                        Some(_) => "has no name in the first line: give it one, or empty it",
                        None => {
                            "is one more than the first line has: if a value has a separator in \
                             it, put it in double quotes"
                        }
                    };
                    let column = format!("{}", place + 1);
                    let shown = value.shown();
                    let problem = Problem::of_value(line, &column, Some(&shown), what);
                    return Item::Problem(problem);
                }
            }
        }
        if is_empty {
            Item::Empty
        } else {
            Item::Record(Box::new(record))
        }
    }

    /// Does this field hold a name?
    pub(super) fn is_name(&self, place: usize) -> bool {
        matches!(self.fields.get(place), Some(Field::Of(Column::Username)))
    }

    /// What the file calls a field, by its place in a row; the number of the column, from
    /// 1, if that has no name that is known.
    pub(super) fn name(&self, place: usize) -> Cow<'_, str> {
        match self.fields.get(place) {
            Some(Field::Of(column)) => self.label(*column).into(),
            _ => (place + 1).to_string().into(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }
}

/// What is said of a column or key that is not known.
pub(super) fn unknown(name: &str) -> String {
    if ["id", "number", "no", "nr"].contains(&plain(name).as_str()) {
        return "may mean two things: call it userId if these are ids of Podium (UUIDs), and \
                externalId if they are your own numbers"
            .into();
    }
    format!(
        "is not known: known are {KNOWN}. Leave it out with --ignore {:?}",
        clip(name)
    )
}
