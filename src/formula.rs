//! Texts in tables that spreadsheets open: what begins like a formula is made a text by an
//! apostrophe before it, which is taken away again when such a table is read. Numbers stay as
//! they are.

use std::borrow::Cow;

/// What a formula may begin with, also as it is written in East Asia.
const BEGINNINGS: [char; 10] = [
    '=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// A text that no spreadsheet takes for a formula. One that looks as if it had been written so
/// gets an apostrophe more.
pub fn guarded(text: &str) -> Cow<'_, str> {
    if needs_guard(text) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// The text that was guarded.
pub fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if needs_guard(rest) => rest,
        _ => text,
    }
}

fn needs_guard(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(BEGINNINGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_a_text_and_comes_back() {
        for (text, written) in [
            ("Ada", "Ada"),
            ("=1+1", "'=1+1"),
            ("+49 30 1", "'+49 30 1"),
            ("-Max-", "'-Max-"),
            ("@all", "'@all"),
            ("'=x", "''=x"),
            ("''=x", "'''=x"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("O'Neill", "O'Neill"),
            ("'t Hooft", "'t Hooft"),
            ("''", "''"),
            ("", ""),
        ] {
            assert_eq!(guarded(text), written);
            assert_eq!(unguarded(written), text);
        }
    }
}
