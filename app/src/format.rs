//! How numbers and names are written. Pure, and the same on server and client,
//! because both render the first page.

use crate::{
    texts::{Locale, Text},
    wire::{ScoreFormat, ScoreStyle},
};

/// The most digits after the point: a unit of them fits any score.
const MOST_DECIMALS: u8 = 9;
/// What keeps a unit beside its number: a narrow no-break space.
const BESIDE: char = '\u{202f}';

/// Numbers in a language.
impl Locale {
    /// So many points.
    pub fn points(&self, points: i64) -> String {
        match points {
            1 => self.text(Text::OnePoint),
            _ => self.with(Text::SomePoints, &[("n", &self.number(points))]),
        }
    }

    /// So many players.
    pub fn players(&self, players: u64) -> String {
        self.count(players, false)
    }

    /// So many players, or teams.
    pub fn count(&self, number: u64, teams: bool) -> String {
        let (one, some) = if teams {
            (Text::OneTeam, Text::Teams)
        } else {
            (Text::OnePlayer, Text::Players)
        };
        match number {
            1 => self.text(one),
            _ => self.with(some, &[("n", &self.number(number.cast_signed()))]),
        }
    }

    /// A number with its digits in groups of three.
    pub fn number(&self, number: i64) -> String {
        written(self, &ScoreFormat::default(), number)
    }

    /// A score as its board writes scores, with its unit.
    pub fn score(&self, format: &ScoreFormat, score: i64) -> String {
        written(self, format, score)
    }

    /// A score in a sentence: so many points, where points are what is counted.
    pub fn result(&self, format: &ScoreFormat, score: i64) -> String {
        if format.is_plain() {
            self.points(score)
        } else {
            self.score(format, score)
        }
    }
}

/// A score as its board writes scores, in whole numbers alone: exact, and the same
/// everywhere. A duration is in hours, minutes and seconds: `1:02:03`, `1:23.456`.
fn written(locale: &Locale, format: &ScoreFormat, score: i64) -> String {
    let mut text = String::new();
    if score < 0 {
        text.push('−');
    }
    let decimals = decimals(format);
    let one = 10_u64.pow(decimals);
    let (whole, part) = (score.unsigned_abs() / one, score.unsigned_abs() % one);
    if format.style == ScoreStyle::Duration {
        let minutes = whole / 60;
        if minutes < 60 {
            text.push_str(&minutes.to_string());
        } else {
            text.push_str(&(minutes / 60).to_string());
            text.push(':');
            push_digits(&mut text, minutes % 60, 2);
        }
        text.push(':');
        push_digits(&mut text, whole % 60, 2);
    } else {
        push_grouped(&mut text, locale, whole);
    }
    if decimals > 0 {
        // Whoever groups by commas has a point before the decimals, and the other way round.
        text.push(if locale.separator == "," { '.' } else { ',' });
        push_digits(&mut text, part, decimals);
    }
    if let Some(unit) = &format.unit {
        text.push(BESIDE);
        text.push_str(unit);
    }
    text
}

fn decimals(format: &ScoreFormat) -> u32 {
    match format.style {
        ScoreStyle::Points => 0,
        ScoreStyle::Decimal | ScoreStyle::Duration => format.decimals.min(MOST_DECIMALS).into(),
    }
}

/// The digits in groups of three.
fn push_grouped(text: &mut String, locale: &Locale, number: u64) {
    let digits = number.to_string();
    let grouped = digits.len() >= 3 + locale.least_before as usize;
    for (i, digit) in digits.chars().enumerate() {
        if grouped && i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push_str(&locale.separator);
        }
        text.push(digit);
    }
}

/// So many of the last digits.
fn push_digits(text: &mut String, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        let digit = number / 10_u64.pow(place) % 10;
        text.push(char::from(b'0' + digit as u8));
    }
}

/// The score that was written like this, in any language.
#[cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "only the browser counts scores up")
)]
pub(crate) fn parse_score(format: &ScoreFormat, text: &str) -> Option<i64> {
    // Digits after a point follow those before it, as a score is in units of the last one.
    let (mut minutes, mut number) = (0_i64, 0_i64);
    let mut has_digits = false;
    for character in text.chars() {
        match character {
            '0'..='9' => {
                number = number * 10 + i64::from(character as u32 - '0' as u32);
                has_digits = true;
            }
            ':' => (minutes, number) = ((minutes + number) * 60, 0),
            BESIDE => break,
            _ => {}
        }
    }
    let score = minutes * 10_i64.pow(decimals(format)) + number;
    has_digits.then_some(if text.starts_with('−') {
        -score
    } else {
        score
    })
}

/// What a score is called, above a number.
pub(crate) fn score_name(format: &ScoreFormat) -> Text {
    match format.style {
        _ if format.is_plain() => Text::Score,
        ScoreStyle::Duration => Text::Time,
        ScoreStyle::Points | ScoreStyle::Decimal => Text::Result,
    }
}

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

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn locales() -> [Locale; 3] {
        crate::texts::Language::ALL.map(crate::texts::Language::locale)
    }

    fn format(style: ScoreStyle, decimals: u8, unit: Option<&str>) -> ScoreFormat {
        let unit = unit.map(str::to_owned);
        ScoreFormat {
            style,
            decimals,
            unit,
        }
    }

    #[test]
    fn scores_are_written_as_their_board_says() {
        let [english, german, spanish] = locales();
        let (decimal, duration) = (ScoreStyle::Decimal, ScoreStyle::Duration);
        for (locale, style, decimals, unit, number, text) in [
            (
                &english,
                ScoreStyle::Points,
                0,
                None,
                -1_234_567,
                "−1,234,567",
            ),
            (
                &german,
                ScoreStyle::Points,
                0,
                Some("km"),
                1_234,
                "1.234\u{202f}km",
            ),
            (
                &english,
                decimal,
                2,
                Some("km"),
                123_456,
                "1,234.56\u{202f}km",
            ),
            (&german, decimal, 2, None, -7, "−0,07"),
            (&spanish, decimal, 1, None, 12_345, "1234,5"),
            (&english, duration, 3, None, 83_456, "1:23.456"),
            (&german, duration, 3, None, -83_456, "−1:23,456"),
            (&english, duration, 0, None, 3_723, "1:02:03"),
            (&english, duration, 0, None, 0, "0:00"),
            (&english, duration, 0, None, 59, "0:59"),
            (&english, duration, 1, None, 36_000_000, "1000:00:00.0"),
        ] {
            assert_eq!(
                written(locale, &format(style, decimals, unit), number),
                text
            );
        }
    }

    /// The same by taking the digits of the number apart, as one does by hand.
    fn by_hand(locale: &Locale, format: &ScoreFormat, number: i64) -> String {
        let decimals = usize::from(format.decimals);
        let mut digits: Vec<char> = number.to_string().replace('-', "").chars().collect();
        while digits.len() < decimals + 1 {
            digits.insert(0, '0');
        }
        let part: String = digits.split_off(digits.len() - decimals).iter().collect();
        let whole: String = if format.style == ScoreStyle::Duration {
            let seconds: u128 = digits
                .iter()
                .collect::<String>()
                .parse()
                .unwrap_or_default();
            let (mut hours, mut minutes, mut left) = (0, 0, seconds);
            if left > 100_000 {
                hours = left / 3_600;
                left -= hours * 3_600;
            }
            while left >= 3_600 {
                (hours, left) = (hours + 1, left - 3_600);
            }
            while left >= 60 {
                (minutes, left) = (minutes + 1, left - 60);
            }
            if hours > 0 {
                format!("{hours}:{minutes:02}:{left:02}")
            } else {
                format!("{minutes}:{left:02}")
            }
        } else {
            let mut groups: Vec<String> = digits
                .rchunks(3)
                .map(|group| group.iter().collect())
                .collect();
            groups.reverse();
            let is_short = groups.len() == 2 && groups[0].len() < locale.least_before as usize;
            groups.join(if is_short { "" } else { &locale.separator })
        };
        let sign = if number < 0 { "−" } else { "" };
        let point = match (decimals, &*locale.code) {
            (0, _) => "",
            (_, "en") => ".",
            _ => ",",
        };
        let unit = format.unit.iter();
        let unit: String = unit.map(|unit| format!("\u{202f}{unit}")).collect();
        format!("{sign}{whole}{point}{part}{unit}")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn scores_are_exact_and_can_be_read_back(
            number in prop_oneof![
                any::<i64>().prop_filter("i64::MIN has no absolute value", |it| *it != i64::MIN),
                -9_007_199_254_740_991..=9_007_199_254_740_991_i64,
                -100_000..100_000_i64,
            ],
            style in prop::sample::select(vec![
                ScoreStyle::Points, ScoreStyle::Decimal, ScoreStyle::Duration,
            ]),
            decimals in 0..=9_u8,
            unit in prop::option::of("[a-z0-9²]{1,4}"),
            language in 0..3_usize,
        ) {
            let decimals = if style == ScoreStyle::Points { 0 } else { decimals };
            let format = ScoreFormat { style, decimals, unit };
            let locale = &locales()[language];
            let text = written(locale, &format, number);
            prop_assert_eq!(&text, &by_hand(locale, &format, number));
            prop_assert_eq!(parse_score(&format, &text), Some(number));
        }
    }

    #[test]
    fn the_least_number_is_written_too() {
        for style in [
            ScoreStyle::Points,
            ScoreStyle::Decimal,
            ScoreStyle::Duration,
        ] {
            let text = written(&locales()[0], &format(style, 255, None), i64::MIN);
            assert!(text.starts_with('−'), "{text}");
        }
        assert_eq!(parse_score(&ScoreFormat::default(), "–"), None);
    }

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
