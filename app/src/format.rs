//! How numbers and names are written. Pure, and the same on server and client,
//! because both render the first page.

/// The style that lets a number shrink until it fits beside a name.
pub(crate) fn fitted(number: &str) -> String {
    format!("--characters: {}", number.chars().count())
}

/// One or two graphemes for a user without a picture, as they are in the name: the style
/// makes capitals of them.
pub(crate) fn initials(name: &str) -> String {
    let mut words = name
        .split(|c: char| c.is_whitespace() || c == '-')
        .filter_map(|word| Some(&word[word.find(char::is_alphanumeric)?..]));
    let first = words.next().unwrap_or(name);
    let letters = [Some(first), words.next_back()].into_iter().flatten();
    letters.map(first_grapheme).collect()
}

/// The first grapheme of a text: a flag is two characters of Unicode (UAX #29).
fn first_grapheme(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (None, _) => String::new(),
        // Most names need no segmentation.
        (Some(first), None) => first.into(),
        (Some(first), Some(next)) if first.is_ascii() && next.is_ascii() => first.into(),
        (Some(first), _) => graphemes::first(text).unwrap_or_else(|| first.into()),
    }
}

#[cfg(feature = "ssr")]
mod graphemes {
    use unicode_segmentation::UnicodeSegmentation;

    /// The first grapheme cluster of a text.
    pub(super) fn first(text: &str) -> Option<String> {
        text.graphemes(true).next().map(str::to_owned)
    }
}

/// Browsers have segmentation of their own; Firefox has it since 125 (2024).
#[cfg(feature = "hydrate")]
mod graphemes {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = Intl)]
        type Segmenter;
        #[wasm_bindgen(constructor, js_namespace = Intl, catch)]
        fn new() -> Result<Segmenter, JsValue>;
        type Segments;
        #[wasm_bindgen(method)]
        fn segment(this: &Segmenter, text: &str) -> Segments;
        type Segment;
        #[wasm_bindgen(method)]
        fn containing(this: &Segments, index: u32) -> Segment;
        #[wasm_bindgen(method, getter)]
        fn segment(this: &Segment) -> String;
    }

    /// The first grapheme cluster of a text that is not empty.
    pub(super) fn first(text: &str) -> Option<String> {
        let segments = Segmenter::new().ok()?.segment(text);
        Some(segments.containing(0).segment())
    }
}

/// The hue of a user without a picture, in degrees; always the same one.
pub(crate) fn hue(user_id: &str) -> u32 {
    // FNV-1a: all that matters is that neighbours differ.
    let hash = user_id.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash % 360
}

/// How long a bar is for `score`, of the leader's: a percentage with one decimal,
/// as CSS writes it.
pub(crate) fn share(score: i64, leader: i64) -> String {
    let permille = if leader <= 0 || score <= 0 {
        0
    } else {
        (score as f64 / leader as f64 * 1000.0).round().min(1000.0) as u32
    };
    format!("{}.{}%", permille / 10, permille % 10)
}

/// How old something is, in the largest unit that fits.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_the_largest_unit() {
        let ages = [0, 59, 60, 3599, 3600, 200_000].map(age);
        assert_eq!(ages, ["0 s", "59 s", "1 min", "59 min", "1 h", "55 h"]);
    }

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        assert_eq!(initials("Amara Okafor"), "AO");
        assert_eq!(initials("Anna Maria van der Berg"), "AB");
        assert_eq!(initials("Jean-Luc"), "JL");
        assert_eq!(initials("zoë"), "z");
        assert_eq!(initials("李小龍"), "李");
        assert_eq!(initials("👩‍🚀"), "👩‍🚀");
        assert_eq!(initials("🇩🇪"), "🇩🇪");
        assert_eq!(initials("🇩🇪🇫🇷 team"), "t");
        assert_eq!(initials("🏴󠁧󠁢󠁥󠁮󠁧󠁿"), "🏴󠁧󠁢󠁥󠁮󠁧󠁿");
        assert_eq!(initials("नमस्ते किरण"), "नकि");
        assert_eq!(initials("e\u{301}mile zola"), "e\u{301}z");
        assert_eq!(initials(""), "");
    }

    #[test]
    fn bars_are_measured_by_the_leader() {
        assert_eq!(share(50, 100), "50.0%");
        assert_eq!(share(1, 3), "33.3%");
        assert_eq!(share(100, 100), "100.0%");
        for (score, leader) in [(0, 100), (-5, 100), (-5, -1), (0, 0)] {
            assert_eq!(share(score, leader), "0.0%");
        }
        // Where less is better, the leader has the smallest score.
        assert_eq!(share(90, 60), "100.0%");
    }
}
