//! What is wrong with a file, where, and what would be right.

use std::fmt;

/// How many are remembered to be shown; all are counted.
const SHOWN: usize = 50;
/// Characters of a value that are shown.
const LONGEST: usize = 60;

/// Something that is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// As an editor counts, from 1; of a workbook, the row.
    pub(super) line: u64,
    /// The column, as the file calls it.
    column: Option<String>,
    /// What stands there, if that is to be shown.
    value: Option<String>,
    /// What is wrong with it, and what would be right.
    what: String,
}

impl Problem {
    /// A problem of a line as a whole.
    pub(super) fn of_line(line: u64, what: impl Into<String>) -> Problem {
        Problem {
            line,
            column: None,
            value: None,
            what: what.into(),
        }
    }

    /// A problem of what stands in a column.
    pub(super) fn of_value(
        line: u64,
        column: &str,
        value: Option<&str>,
        what: impl Into<String>,
    ) -> Problem {
        Problem {
            line,
            column: Some(clip(column)),
            value: value.map(clip),
            what: what.into(),
        }
    }
}

/// The beginning of a text that may be long.
pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        // As in a source text, so that nothing in a file writes to a terminal.
        if let Some(column) = &self.column {
            write!(f, "column {column:?}: ")?;
        }
        if let Some(value) = &self.value {
            write!(f, "{value:?} ")?;
        }
        f.write_str(&self.what)
    }
}

/// All that is wrong with a file; the first of it to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Problems {
    shown: Vec<Problem>,
    total: u64,
}

impl Problems {
    pub(super) fn add(&mut self, problem: Problem) {
        self.total += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(problem);
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub(super) fn shown(&self) -> &[Problem] {
        &self.shown
    }

    /// How many are not shown.
    pub(super) fn others(&self) -> u64 {
        self.total - self.shown.len() as u64
    }
}
