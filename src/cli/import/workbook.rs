//! Workbooks of Excel and its kin (.xlsx), read cell by cell. Of a formula, the value is
//! taken that it had when the file was saved.
//!
//! A workbook is a zip archive, whose parts may be a thousand times as large as they are
//! in it: they are measured before they are read.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek},
    ops::ControlFlow,
};

use calamine::{DataRef, Reader, Xlsx, XlsxError};
use zip::ZipArchive;

use super::{
    Each, Fault,
    columns::{Header, MOST, Value},
    problem::Problem,
};

/// How large a workbook may be when it is unpacked, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// One part: one that is not a sheet is in memory as a whole.
    pub(super) part: u64,
    /// All parts together.
    pub(super) all: u64,
}

/// A sheet of a million rows and five columns has half of it.
pub(super) const BOUNDS: Bounds = Bounds {
    part: 256 * 1024 * 1024,
    all: 512 * 1024 * 1024,
};
/// How many parts there may be.
const PARTS: usize = 10_000;
/// The longest row, in bytes.
const LONGEST_ROW: usize = 1024 * 1024;

const TOO_LARGE: &str = "this workbook is too large when it is unpacked (more than 512 MiB, or \
                         256 MiB in one part): save it as CSV UTF-8, which has no limit";

/// Reads a sheet, the first if none is named, to its end or until `each` breaks.
pub(super) fn read(
    mut file: File,
    sheet: Option<&str>,
    bounds: Bounds,
    ignored: &[String],
    each: Each<'_>,
) -> Result<(), Fault> {
    measure(&mut file, bounds)?;
    file.rewind()?;
    let mut workbook: Xlsx<_> = Xlsx::new(BufReader::new(file)).map_err(broken)?;
    let sheets = workbook.sheet_names();
    let name = match sheet {
        None => sheets.first().ok_or(Fault::Nothing)?.clone(),
        Some(wanted) => {
            let is_it = |name: &&String| name.to_lowercase() == wanted.to_lowercase();
            let found = sheets.iter().find(is_it);
            found.cloned().ok_or(Fault::NoSheet(sheets))?
        }
    };
    let mut cells = workbook.worksheet_cells_reader(&name).map_err(broken)?;
    let mut header: Option<Header> = None;
    let mut row = Row::default();
    loop {
        let cell = cells.next_cell().map_err(broken)?;
        let place = cell.as_ref().map(|cell| cell.get_position());
        if place.is_none_or(|(at, _)| at != row.at) {
            match &header {
                None if row.is_empty() => {}
                None => header = Some(row.header(ignored)?),
                Some(header) => {
                    if let ControlFlow::Break(()) = each(header.row(row.line(), row.take())) {
                        return Ok(());
                    }
                }
            }
        }
        let (Some(cell), Some((at, column))) = (cell, place) else {
            break;
        };
        if at != row.at {
            row = Row {
                at,
                ..Row::default()
            };
        }
        row.put(column as usize, cell.get_value())?;
    }
    header.map(|_| ()).ok_or(Fault::Nothing)
}

fn broken(error: XlsxError) -> Fault {
    match error {
        XlsxError::Io(error) => Fault::Io(error),
        other => unreadable(other),
    }
}

fn unreadable(error: impl ToString) -> Fault {
    Fault::Workbook(error.to_string())
}

/// Unpacks all parts, and keeps nothing of them: an archive may lie about their sizes.
fn measure(file: &mut File, bounds: Bounds) -> Result<(), Fault> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(unreadable)?;
    if archive.len() > PARTS {
        return Err(Fault::Form(TOO_LARGE));
    }
    let mut all = 0;
    for part in 0..archive.len() {
        let part = archive.by_index(part).map_err(unreadable)?;
        let size = io::copy(&mut part.take(bounds.part + 1), &mut io::sink());
        let size = size.map_err(unreadable)?;
        all += size;
        if size > bounds.part || all > bounds.all {
            return Err(Fault::Form(TOO_LARGE));
        }
    }
    Ok(())
}

/// The cells of a row, as far as they have been read.
#[derive(Default)]
struct Row {
    /// Counted from 0.
    at: u32,
    values: Vec<Value<'static>>,
    bytes: usize,
}

impl Row {
    fn line(&self) -> u64 {
        u64::from(self.at) + 1
    }

    fn is_empty(&self) -> bool {
        self.values.iter().all(Value::is_empty)
    }

    fn take(&mut self) -> Vec<Value<'static>> {
        std::mem::take(&mut self.values)
    }

    fn put(&mut self, column: usize, value: &DataRef<'_>) -> Result<(), Fault> {
        let value = read_value(value);
        if value.is_empty() {
            return Ok(());
        }
        self.bytes += value.shown().len();
        let what = if column >= MOST {
            format!("has more than {MOST} columns")
        } else if self.bytes > LONGEST_ROW {
            "has more than 1 MiB".into()
        } else {
            if self.values.len() <= column {
                self.values.resize(column + 1, Value::Empty);
            }
            self.values[column] = value;
            return Ok(());
        };
        Err(Fault::Problem(Problem::of_line(self.line(), what)))
    }

    fn header(&mut self, ignored: &[String]) -> Result<Header, Fault> {
        let names: Vec<_> = self
            .values
            .iter()
            .map(|it| it.shown().into_owned())
            .collect();
        let names = names.iter().map(String::as_str);
        Header::read(self.line(), names, ignored).map_err(Fault::Problems)
    }
}

fn read_value(value: &DataRef<'_>) -> Value<'static> {
    let text = |text: &str| match text.trim() {
        "" => Value::Empty,
        text => Value::Text(text.to_owned().into()),
    };
    match value {
        DataRef::Empty => Value::Empty,
        DataRef::String(string) => text(string),
        DataRef::SharedString(string) => text(string),
        DataRef::Int(number) => Value::Text(number.to_string().into()),
        DataRef::Float(number) => Value::Number(*number),
        DataRef::Bool(value) => Value::Other(value.to_string().to_uppercase(), "true or false"),
        DataRef::DateTime(time) => {
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            let shown = if time.is_datetime() {
                format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
            } else {
                time.as_f64().to_string()
            };
            Value::Other(shown, "a date or a time")
        }
        DataRef::DateTimeIso(time) | DataRef::DurationIso(time) => {
            Value::Other(time.clone(), "a date or a time")
        }
        DataRef::Error(error) => Value::Other(error.to_string(), "an error of a formula"),
    }
}
