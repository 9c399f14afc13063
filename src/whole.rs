//! Whole numbers, however a program writes them. Lua, R, numpy and spreadsheets write 5 as
//! `5.0` and 1000 as `1e3`, and mean the same. Texts are read digit by digit, because a
//! float would round what is none.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// What is farthest from 0: beyond it, programs that count in floats mix up neighbours
/// (RFC 8259, section 6).
pub const FARTHEST: u64 = (1 << 53) - 1;

/// As much of a text is shown as does not drown the message, in characters.
const SHOWN: usize = 40;

/// A text is no whole number, or one that is too large.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from -9007199254740991 to 9007199254740991, not {0}")]
pub struct NotWhole(Box<str>);

impl NotWhole {
    /// Says so of this text.
    pub fn new(text: &str) -> NotWhole {
        let mut shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        NotWhole(shown.into())
    }
}

/// Reads a decimal number, with a fraction and an exponent if it likes, that is whole and
/// within ±(2^53−1). White space is not part of it.
///
/// # Errors
/// If it is no such number.
pub fn read(text: &str) -> Result<i64, NotWhole> {
    match decimal(text) {
        Decimal::Whole(number) => Ok(number),
        _ => Err(NotWhole::new(text)),
    }
}

/// What a text is as a decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decimal {
    /// A whole number within ±[`FARTHEST`].
    Whole(i64),
    /// A number that is not whole.
    Fraction,
    /// A whole number that is farther from 0.
    Beyond,
    /// No decimal number.
    None,
}

/// Reads digits with a sign, a point and an exponent, exactly. White space is not part of
/// them.
pub fn decimal(text: &str) -> Decimal {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(&digits) || !is_number(power) {
        return Decimal::None;
    }
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return Decimal::Whole(0);
    }
    // An exponent that is no i32 is far beyond, or a very small fraction: no text is so long
    // that its digits make up for it.
    let Ok(exponent) = exponent.parse::<i32>() else {
        return match exponent.starts_with('-') {
            true => Decimal::Fraction,
            false => Decimal::Beyond,
        };
    };
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    // Fewer zeros than none are a fraction.
    let zeros = i64::from(exponent) + zeros as i64 - fraction.len() as i64;
    let Ok(zeros) = u32::try_from(zeros) else {
        return match zeros < 0 {
            true => Decimal::Fraction,
            false => Decimal::Beyond,
        };
    };
    let scale = 10_i64.checked_pow(zeros);
    let number = significant.parse::<i64>().ok().zip(scale);
    number
        .and_then(|(significant, scale)| significant.checked_mul(scale))
        .filter(|number| number.unsigned_abs() <= FARTHEST)
        .map_or(Decimal::Beyond, |number| {
            Decimal::Whole(if is_negative { -number } else { number })
        })
}

/// A value of JSON that should be a number, as it was written.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Written(Box<RawValue>);

impl Written {
    /// See [`read`].
    ///
    /// # Errors
    /// If it is no whole number within the range.
    pub fn whole(&self) -> Result<i64, NotWhole> {
        read(self.0.get())
    }
}

/// A number of 0 or more in a value that was read already.
pub fn natural(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else {
        return None;
    };
    let written = || read(&number.to_string()).ok();
    number.as_u64().or_else(|| u64::try_from(written()?).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_taken_however_they_are_written() {
        for (text, number) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0", 0),
            ("0e999999999999999999999", 0),
            ("5", 5),
            ("+5", 5),
            ("-5.000", -5),
            ("5.", 5),
            ("1e3", 1000),
            ("1E3", 1000),
            ("1.5e1", 15),
            (".5e1", 5),
            ("120e-1", 12),
            ("9.00E+15", 9_000_000_000_000_000),
            ("0005", 5),
            ("9007199254740991", 9_007_199_254_740_991),
            ("9007199254740991.0", 9_007_199_254_740_991),
            ("-9007199254740991", -9_007_199_254_740_991),
            ("900719925474099100000e-5", 9_007_199_254_740_991),
        ] {
            assert_eq!(read(text), Ok(number), "{text}");
        }
    }

    #[test]
    fn others_are_refused() {
        for text in [
            "",
            " ",
            "-",
            ".",
            "e3",
            "1e",
            "1e+",
            "1e1.5",
            "5.5",
            "0.1",
            "1e-1",
            "1e-99999999999999999999",
            "5.00000000000000000000001",
            "9007199254740992",
            "9007199254740993.0",
            "-9007199254740992",
            "9007199254740991.4",
            "18446744073709551616",
            "1e400",
            "1e99999999999999999999",
            "NaN",
            "Infinity",
            "\"5\"",
            "0x10",
            "1_000",
            "1,000",
            "1 000",
            "--5",
            "+-5",
            "٥",
            "null",
            "true",
        ] {
            assert_eq!(read(text), Err(NotWhole::new(text)), "{text}");
        }
    }

    #[test]
    fn it_is_told_why_a_number_is_none_of_these() {
        for (text, what) in [
            (".5e1", Decimal::Whole(5)),
            (".5", Decimal::Fraction),
            ("5e-1", Decimal::Fraction),
            ("-1e-99999999999999999999", Decimal::Fraction),
            ("99999999999999999999.5", Decimal::Fraction),
            ("9007199254740992", Decimal::Beyond),
            ("-1e400", Decimal::Beyond),
            ("1e99999999999999999999", Decimal::Beyond),
            (".e1", Decimal::None),
            ("", Decimal::None),
            ("٥", Decimal::None),
        ] {
            assert_eq!(decimal(text), what, "{text}");
        }
    }

    #[test]
    fn what_is_refused_is_said_and_not_at_length() {
        let refused = read("5.5").unwrap_err().to_string();
        assert!(refused.ends_with("9007199254740991, not 5.5"), "{refused}");
        let long = "9".repeat(100_000);
        assert!(read(&long).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn numbers_of_json_are_read_as_they_stand() {
        let read = |text| {
            serde_json::from_str::<Written>(text)
                .map(|it| it.whole().ok())
                .ok()
        };
        assert_eq!(read("9007199254740991.4"), Some(None));
        assert_eq!(read(" 5.0 "), Some(Some(5)));
        assert_eq!(read("NaN"), None);
        assert_eq!(natural(&json!(3.0)), Some(3));
        assert_eq!(natural(&json!(1e3)), Some(1000));
        for value in [
            json!(-1),
            json!(-1.0),
            json!(0.5),
            json!("3"),
            json!(1e300),
            json!(null),
        ] {
            assert_eq!(natural(&value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_it_was_written(number in -9_007_199_254_740_991_i64..=9_007_199_254_740_991) {
            prop_assert_eq!(read(&number.to_string()), Ok(number));
            prop_assert_eq!(read(&format!("{number}.00")), Ok(number));
            // Rust writes a float with as many digits as tell it from its neighbours.
            prop_assert_eq!(read(&format!("{:e}", number as f64)), Ok(number));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+]{0,2}[0-9]{0,30}[.]?[0-9]{0,30}([eE][-+]?[0-9]{0,30})?") {
            if let Ok(number) = read(&text) {
                prop_assert!(number.unsigned_abs() <= FARTHEST);
                let float: f64 = text.parse().unwrap();
                prop_assert_eq!(number as f64, float);
            }
        }
    }
}
