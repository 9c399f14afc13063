//! JSON objects, one on each line, with the names of the API.

use std::{io::Read, ops::ControlFlow};

use serde_json::{Map, Value as Json};

use super::{
    Each, Fault,
    columns::{Column, Header, Item, Record, Value, plain, unknown},
    decode::{Decoder, Lines},
    problem::{Problem, clip},
};

/// The longest line, in bytes of UTF-8.
const LONGEST: usize = 1024 * 1024;

/// Reads all lines, or until `each` breaks.
pub(super) fn read(source: impl Read, ignored: &[String], each: Each<'_>) -> Result<(), Fault> {
    let mut decoder = Decoder::new(source)?;
    let header = Header::none();
    let mut lines = Lines::new();
    let (mut text, mut start, mut any) = (Vec::new(), 0, false);
    loop {
        let is_more = decoder.next(&mut text)?;
        if !is_more {
            text.push(b'\n');
        }
        while let Some(length) = text[start..].iter().position(|it| b"\r\n".contains(it)) {
            let (number, line) = (lines.line(), &text[start..start + length]);
            line.iter().for_each(|byte| lines.pass(*byte));
            lines.pass(text[start + length]);
            // After CR, the LF that belongs to it is a line of its own here, and blank.
            if !line.trim_ascii().is_empty() {
                any = true;
                if let ControlFlow::Break(()) = each(item(number, line, &header, ignored)) {
                    return Ok(());
                }
            }
            start += length + 1;
        }
        text.drain(..start);
        start = 0;
        if !is_more {
            return if any { Ok(()) } else { Err(Fault::Nothing) };
        }
        if text.len() > LONGEST {
            return Err(Fault::Problem(Problem::of_line(
                lines.line(),
                "has more than 1 MiB: write one JSON object on each line",
            )));
        }
    }
}

fn item<'a>(line: u64, text: &[u8], header: &'a Header, ignored: &[String]) -> Item<'a> {
    let problem = |what: String| Item::Problem(Problem::of_line(line, what));
    let object = match serde_json::from_slice::<Map<String, Json>>(text) {
        Ok(object) => object,
        Err(error) if error.is_data() => return problem("must be a JSON object".into()),
        Err(error) => {
            // It says the line, of one.
            return problem(format!("is no JSON, at column {}", error.column()));
        }
    };
    let mut record = Record::new(line, header);
    for (key, value) in object {
        if ignored.iter().any(|it| plain(it) == plain(&key)) {
            continue;
        }
        let Some(column) = Column::named(&key) else {
            return Item::Problem(Problem::of_value(line, &key, None, unknown(&key)));
        };
        if !record.get(column).is_empty() {
            let what = "is there twice, under two names: keep one";
            return Item::Problem(Problem::of_value(line, &key, None, what));
        }
        record.set(column, read_value(value));
    }
    Item::Record(Box::new(record))
}

fn read_value(json: Json) -> Value<'static> {
    match json {
        Json::Null => Value::Empty,
        Json::String(text) => match text.trim() {
            "" => Value::Empty,
            trimmed => Value::Text(trimmed.to_owned().into()),
        },
        // Exactly, where it is written without point and exponent.
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Text(number.to_string().into()),
            None => Value::Number(number.as_f64().unwrap_or(f64::INFINITY)),
        },
        Json::Bool(value) => Value::Other(value.to_string(), "true or false"),
        other => Value::Other(clip(&other.to_string()), "a list or an object"),
    }
}
