//! Tables as text: CSV, and its kin with semicolons or tabs.
//!
//! The separator is found in the first line, which names the columns. A row is read with
//! bounds on its length and its fields, so that no file takes more memory than that.

use std::{io::Read, ops::ControlFlow};

use csv_core::{ReadRecordResult, ReaderBuilder};

use super::{
    Each, Fault,
    columns::{Column, Header, Item, MOST, Value},
    decode::{Decoder, Lines},
    problem::Problem,
};
use crate::formula::unguarded;

/// The longest row, in bytes of UTF-8.
const LONGEST: usize = 1024 * 1024;

/// What may stand between fields.
const SEPARATORS: [u8; 4] = *b",;\t|";

/// Text that waits to be parsed.
struct Input<R> {
    decoder: Decoder<R>,
    text: Vec<u8>,
    at: usize,
    lines: Lines,
    is_over: bool,
}

impl<R: Read> Input<R> {
    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }

    /// Adds a piece to what is left; `false` if there is none. A line break that may be
    /// missing at the end is added there.
    fn fill(&mut self) -> Result<bool, Fault> {
        if self.is_over {
            return Ok(false);
        }
        self.text.drain(..self.at);
        self.at = 0;
        if !self.decoder.next(&mut self.text)? {
            self.is_over = true;
            self.text.push(b'\n');
        }
        Ok(true)
    }

    /// Goes past some bytes. The line in which the first of them is that is no line break.
    fn pass(&mut self, bytes: usize) -> Option<u64> {
        let mut first = None;
        for byte in &self.text[self.at..self.at + bytes] {
            if first.is_none() && !is_break(byte) {
                first = Some(self.lines.line());
            }
            self.lines.pass(*byte);
        }
        self.at += bytes;
        first
    }

    /// The length of the first line that is not blank, from where it begins.
    fn line(&mut self) -> Result<Option<usize>, Fault> {
        loop {
            let blank = self.rest().iter().take_while(|byte| is_break(byte)).count();
            self.pass(blank);
            if let Some(length) = self.rest().iter().position(is_break) {
                return Ok(Some(length));
            }
            if self.rest().len() > LONGEST {
                return Err(self.too_long(self.lines.line()));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn too_long(&self, line: u64) -> Fault {
        Fault::Problem(Problem::of_line(
            line,
            "begins a row of more than 1 MiB: is there a double quote that is not closed, or is \
             this no table?",
        ))
    }
}

/// Double quotes in a row, as RFC 4180 has them: within quotes one is written twice, and
/// after the one that closes a field comes the next field. `csv_core` takes anything there.
#[derive(Default)]
struct Quotes {
    place: Place,
    field: usize,
    /// The first field of the row that has one elsewhere.
    stray: Option<usize>,
}

/// Where in a field the next byte is.
#[derive(Clone, Copy, Default)]
enum Place {
    #[default]
    Begin,
    Plain,
    Quoted,
    /// After a double quote that closes the field, or is the first of two.
    Quote,
    /// After one that closes the field, and a blank.
    Blank,
}

impl Quotes {
    fn pass(&mut self, bytes: &[u8], separator: u8) {
        for &byte in bytes {
            self.place = match (self.place, byte) {
                (Place::Quoted, b'"') => Place::Quote,
                (Place::Quoted, _) | (Place::Quote, b'"') => Place::Quoted,
                (_, byte) if byte == separator => {
                    self.field += 1;
                    Place::Begin
                }
                (_, byte) if is_break(&byte) => {
                    self.field = 0;
                    Place::Begin
                }
                (Place::Begin, b'"') => Place::Quoted,
                (Place::Begin | Place::Plain, _) => Place::Plain,
                (Place::Quote | Place::Blank, b' ' | b'\t') => Place::Blank,
                (Place::Quote | Place::Blank, _) => {
                    self.stray.get_or_insert(self.field);
                    Place::Plain
                }
            };
        }
    }
}

/// What is said of a value with such a quote.
const STRAY: &str = "has a double quote in its quotes that does not end it: write it twice, as \
                     in \"Ada \"\"the\"\" x\"";

fn is_break(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Reads a table to its end, or until `each` breaks.
pub(super) fn read(source: impl Read, ignored: &[String], each: Each<'_>) -> Result<(), Fault> {
    let mut input = Input {
        decoder: Decoder::new(source)?,
        text: Vec::new(),
        at: 0,
        lines: Lines::new(),
        is_over: false,
    };
    let mut separator = None;
    let Some(mut length) = input.line()? else {
        return Err(Fault::Nothing);
    };
    // Excel writes and reads such a line; it is no row.
    if let Some(said) = said_separator(&input.rest()[..length]) {
        separator = Some(said);
        input.pass(length);
        length = input.line()?.ok_or(Fault::Nothing)?;
    }
    let separator = separator.unwrap_or_else(|| find_separator(&input.rest()[..length]));

    let mut reader = ReaderBuilder::new().delimiter(separator).build();
    let mut fields = vec![0; LONGEST];
    let mut ends = [0; MOST];
    let mut header: Option<Header> = None;
    let mut quotes = Quotes::default();
    let (mut written, mut ended, mut line) = (0, 0, None);
    loop {
        // To hand over nothing would say that there is no more.
        if input.rest().is_empty() && !input.fill()? {
            match line {
                None => break,
                // The last line break is part of a field.
                Some(line) => {
                    return Err(Fault::Problem(Problem::of_line(
                        line,
                        "begins a row with a double quote that is never closed",
                    )));
                }
            }
        }
        let (result, read, more_written, more_ended) =
            reader.read_record(input.rest(), &mut fields[written..], &mut ends[ended..]);
        quotes.pass(&input.rest()[..read], separator);
        line = line.or(input.pass(read));
        written += more_written;
        ended += more_ended;
        let at = line.unwrap_or(input.lines.line());
        match result {
            ReadRecordResult::InputEmpty => continue,
            ReadRecordResult::End => break,
            ReadRecordResult::OutputFull => return Err(input.too_long(at)),
            ReadRecordResult::OutputEndsFull => {
                return Err(Fault::Problem(Problem::of_line(
                    at,
                    format!("has more than {MOST} columns"),
                )));
            }
            ReadRecordResult::Record => {}
        }
        let text = std::str::from_utf8(&fields[..written]);
        let text = text.map_err(|_| Fault::Form("the text is damaged"))?;
        let starts = [0].into_iter().chain(ends.iter().copied());
        let columns = starts.zip(&ends[..ended]);
        let columns = columns.map(|(start, end)| &text[start..*end]);
        let stray = quotes.stray.take();
        let stray = stray.and_then(|field| Some((field, columns.clone().nth(field)?)));
        match &header {
            None => {
                if let Some((field, name)) = stray {
                    let column = (field + 1).to_string();
                    let problem = Problem::of_value(at, &column, Some(name), STRAY);
                    return Err(Fault::Problem(problem));
                }
                header = Some(Header::read(at, columns, ignored).map_err(Fault::Problems)?);
            }
            Some(header) => {
                let is_last = input.is_over && input.rest().is_empty();
                let mut texts = columns.clone();
                let is_cut =
                    is_last && ended < header.len() && texts.any(|text| !text.trim().is_empty());
                let item = if let Some((field, value)) = stray {
                    let column = header.name(field);
                    Item::Problem(Problem::of_value(at, &column, Some(value), STRAY))
                } else if is_cut {
                    Item::Problem(Problem::of_line(
                        at,
                        "is the last one, and ends early: is this the whole file? If it is, end it \
                         with a line break",
                    ))
                } else {
                    let values = columns.enumerate().map(|(place, text)| {
                        // Where a name was written so that it is no formula.
                        Value::text(match header.is_name(place) {
                            true => unguarded(text.trim()),
                            false => text,
                        })
                    });
                    header.row(at, values)
                };
                if let ControlFlow::Break(()) = each(item) {
                    return Ok(());
                }
            }
        }
        (written, ended, line) = (0, 0, None);
    }
    header.map(|_| ()).ok_or(Fault::Nothing)
}

/// The separator of a line such as `sep=;`.
fn said_separator(line: &[u8]) -> Option<u8> {
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let line = line.strip_suffix(b"\"").unwrap_or(line);
    let (name, rest) = line.split_at_checked(4)?;
    match rest {
        [separator] if name.eq_ignore_ascii_case(b"sep=") => Some(*separator),
        _ => None,
    }
}

/// The separator that makes the most known columns of a header, and of those the one
/// that stands there most often.
fn find_separator(header: &[u8]) -> u8 {
    let text = String::from_utf8_lossy(header);
    let quality = |separator: u8| {
        let fields = text.split(char::from(separator));
        let fields = fields.map(|field| field.trim().trim_matches('"'));
        let known = fields
            .filter(|field| Column::named(field).is_some())
            .count();
        let count = header.iter().filter(|byte| **byte == separator).count();
        (known, count)
    };
    // The first of equals.
    let best = SEPARATORS.into_iter().rev().max_by_key(|it| quality(*it));
    best.unwrap_or(b',')
}
