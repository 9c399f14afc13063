//! Reading a whole number as people and spreadsheets write it.

use crate::{
    board::Score,
    whole::{Decimal, decimal},
};

/// Reads a whole number within the range of scores: also 5.0, 1E3 and 9.00E+15, as
/// spreadsheets write them.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub(super) fn whole(text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Some(joined) = without_dots(text) {
        let (small, large) = (shown(decimal(text)), shown(decimal(&joined)));
        return Err(format!(
            "may mean {small} or {large}: write it without the point"
        ));
    }
    match decimal(text) {
        Decimal::Whole(number) => Ok(number),
        Decimal::Fraction => Err(
            "is no whole number, and points are whole: round it, or count in smaller units".into(),
        ),
        Decimal::Beyond => Err(format!(
            "is beyond ±{}, the largest number of points",
            Score::MAX.points()
        )),
        Decimal::None => Err(cure(text)),
    }
}

/// The same of a number that a program has read already.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub(super) fn whole_f64(number: f64) -> Result<i64, String> {
    // An exponent would be the only other way to write it.
    whole(&format!("{number:e}"))
}

fn shown(decimal: Decimal) -> String {
    match decimal {
        Decimal::Whole(number) => number.to_string(),
        _ => "a fraction".into(),
    }
}

/// `1.000` without its points: one, or a thousand, as one counts.
fn without_dots(text: &str) -> Option<String> {
    let is_thousands = text.contains('.') && !text.trim_start_matches(['-', '+']).starts_with('0');
    (is_thousands && is_grouped(text, '.')).then(|| text.replace('.', ""))
}

/// Is it digits in groups of three with this sign between?
fn is_grouped(text: &str, separator: char) -> bool {
    let text = text.trim_start_matches(['-', '+']);
    let mut groups = text.split(separator);
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len())
        && is_digits(first)
        && groups.all(|group| group.len() == 3 && is_digits(group))
}

/// What would be right instead of a text that is no number.
fn cure(text: &str) -> String {
    let write = |number: i64, what: &str| format!("{what}: write {number}");
    let is_dash = |c: char| {
        matches!(
            c,
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
        )
    };
    if let Some(rest) = text.strip_prefix(is_dash)
        && let Decimal::Whole(number) = decimal(&format!("-{rest}"))
    {
        return write(
            number,
            "begins with a dash that is no minus sign of a number",
        );
    }
    let unsigned = text.trim_start_matches(['-', '+']);
    let hex = unsigned.strip_prefix("0x").or(unsigned.strip_prefix("0X"));
    if let Some(digits) = hex {
        return match i64::from_str_radix(digits, 16) {
            Ok(number) if Score::new(number).is_some() => {
                let number = if text.starts_with('-') {
                    -number
                } else {
                    number
                };
                write(number, "is hexadecimal, and points are decimal")
            }
            _ => "is hexadecimal, and points are decimal".into(),
        };
    }
    for separator in [',', '\'', '\u{2019}', ' ', '\u{a0}', '\u{202f}', '_'] {
        if text.contains(separator) && is_grouped(text, separator) {
            let joined = text.replace(separator, "");
            if let Decimal::Whole(number) = decimal(&joined) {
                return write(number, "has signs between its digits");
            }
        }
    }
    if let Decimal::Whole(number) = decimal(&text.replace(',', ".")) {
        return write(number, "has a decimal comma");
    }
    "is no whole number: write digits alone, as in 10 or -3".into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_as_spreadsheets_write_them() {
        for (text, number) in [
            ("5", 5),
            ("-5", -5),
            ("+5", 5),
            (" 007 ", 7),
            ("5.0", 5),
            ("5.", 5),
            ("-0.0", 0),
            ("1E3", 1000),
            ("1.5e3", 1500),
            ("1500E-2", 15),
            (".5e1", 5),
            ("9.00E+15", 9_000_000_000_000_000),
            ("9007199254740991", 9_007_199_254_740_991),
            ("-9.007199254740991E15", -9_007_199_254_740_991),
            ("0E999999999999", 0),
        ] {
            assert_eq!(whole(text), Ok(number), "{text}");
        }
    }

    #[test]
    fn what_is_no_whole_number_is_told_what_would_be_right() {
        for (text, said) in [
            ("1,000", "write 1000"),
            ("1'000", "write 1000"),
            ("12 345", "write 12345"),
            ("-1,234,567", "write -1234567"),
            ("\u{2212}5", "write -5"),
            ("\u{2013}5", "write -5"),
            ("0x10", "hexadecimal, and points are decimal: write 16"),
            ("-0x10", "write -16"),
            ("0xffffffffffffffffff", "hexadecimal"),
            ("5,0", "write 5"),
            ("1.000", "1 or 1000"),
            ("12.500", "a fraction or 12500"),
            ("5.5", "whole"),
            ("5,5", "digits alone"),
            ("1e-3", "whole"),
            ("1e-99999999999", "whole"),
            ("9007199254740992", "beyond"),
            ("1e999999999999", "beyond"),
            ("1e400", "beyond"),
            ("many", "digits alone"),
            ("NaN", "digits alone"),
            ("inf", "digits alone"),
            ("10%", "digits alone"),
            ("1e", "digits alone"),
            (".5", "whole"),
            ("--5", "digits alone"),
            ("+-5", "digits alone"),
            ("5 points", "digits alone"),
            ("\u{664}", "digits alone"),
        ] {
            let problem = whole(text).expect_err(text);
            assert!(problem.contains(said), "{text}: {problem}");
        }
    }

    #[test]
    fn numbers_of_programs_are_whole_or_not() {
        assert_eq!(whole_f64(5.0), Ok(5));
        assert_eq!(
            whole_f64(-9_007_199_254_740_991.0),
            Ok(-9_007_199_254_740_991)
        );
        assert_eq!(whole_f64(1000.0), Ok(1000));
        for number in [5.5, 9_007_199_254_740_992.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(whole_f64(number).is_err(), "{number}");
        }
    }

    proptest! {
        #[test]
        fn every_score_is_read_however_it_is_written(
            number in -9_007_199_254_740_991_i64..=9_007_199_254_740_991,
        ) {
            prop_assert_eq!(whole(&number.to_string()), Ok(number));
            prop_assert_eq!(whole(&format!("{number}.0")), Ok(number));
            prop_assert_eq!(whole(&format!("{:E}", number)), Ok(number));
            prop_assert_eq!(whole_f64(number as f64), Ok(number));
        }

        #[test]
        fn no_text_makes_it_fail_in_another_way(text in ".*") {
            _ = whole(&text);
        }
    }
}
