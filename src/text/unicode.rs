//! Which characters a text may have that others are shown: by what Unicode says of each,
//! so that a letter of tomorrow needs no change here.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        BinaryProperty, CanonicalCombiningClass, DefaultIgnorableCodePoint, Emoji, EmojiModifier,
        GeneralCategory, JoiningType, NoncharacterCodePoint, RegionalIndicator, Script,
        UnifiedIdeograph, VariationSelector,
    },
};
use unicode_segmentation::UnicodeSegmentation;

/// The most nonspacing and enclosing marks in a row. No language needs more, and many
/// would climb over other rows (UTS #39, section 5.4).
const MAX_MARKS: usize = 4;

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const COMBINING_ENCLOSING_KEYCAP: char = '\u{20e3}';
const TEXT_PRESENTATION: char = '\u{fe0e}';
const EMOJI_PRESENTATION: char = '\u{fe0f}';
const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';

/// What is wrong with the characters of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There are more characters than there may be.
    #[error("must have 1 to {0} characters")]
    TooLong(usize),
    /// Nothing in it can be seen.
    #[error("must have at least one character that can be seen")]
    Blank,
    /// A character is not seen itself, or changes how others are seen.
    #[error("has U+{:04X}, which is not seen, or controls or turns the text around it", u32::from(*.0))]
    Unseen(char),
    /// Marks are stacked on one character.
    #[error("has more than {MAX_MARKS} marks on one character")]
    TooManyMarks,
}

/// Checks that each character of a text can be seen, alone or as a part of what is
/// written with it, and that at least one is.
///
/// Characters that are not seen (`Default_Ignorable_Code_Point`, `Cf`) are good for
/// smuggling and for names that look the same, so they are refused but for those that
/// writing needs: in an emoji, and where a language joins or parts letters by them.
///
/// # Errors
/// For the first character that is not as it should be.
pub(super) fn check(text: &str) -> Result<(), Flaw> {
    let mut is_seen = false;
    for (start, grapheme) in text.grapheme_indices(true) {
        if is_emoji(grapheme) {
            is_seen = true;
            continue;
        }
        let mut marks = 0;
        for (place, c) in grapheme.char_indices() {
            let place = start + place;
            let (before, after) = (&text[..place], &text[place + c.len_utf8()..]);
            if is_unseen(c) && !is_needed(c, before, after) {
                return Err(Flaw::Unseen(c));
            }
            match category(c) {
                GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark => {
                    marks += 1;
                    if marks > MAX_MARKS {
                        return Err(Flaw::TooManyMarks);
                    }
                }
                GeneralCategory::SpacingMark | GeneralCategory::SpaceSeparator => {}
                _ if is_unseen(c) => {}
                _ => {
                    // The parts of a conjunct have marks of their own.
                    marks = 0;
                    is_seen = true;
                }
            }
        }
    }
    if is_seen { Ok(()) } else { Err(Flaw::Blank) }
}

/// Has the character no look of its own?
fn is_unseen(c: char) -> bool {
    has::<DefaultIgnorableCodePoint>(c)
        || has::<NoncharacterCodePoint>(c)
        || matches!(
            category(c),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
        // Symbols and letters that are drawn as nothing, which no property says: the blank
        // of Braille, a place for an object, a note without a head, blank hieroglyphs.
        || matches!(c, '\u{2800}' | '\u{fffc}' | '\u{1d159}' | '\u{13441}' | '\u{13442}')
}

/// Does a language need a character there that is not seen itself?
fn is_needed(c: char, before: &str, after: &str) -> bool {
    match c {
        ZERO_WIDTH_NON_JOINER => follows_virama(before) || parts_joining_letters(before, after),
        // The second is how Bengali writes ra with ya-phalaa (Unicode Standard, section 12.2).
        ZERO_WIDTH_JOINER => follows_virama(before) || after.chars().next().is_some_and(is_virama),
        // They choose the shape of an ideograph or of a Mongolian letter.
        c if has::<VariationSelector>(c) => before.chars().next_back().is_some_and(|c| {
            has::<UnifiedIdeograph>(c)
                || CodePointMapData::<Script>::new().get(c) == Script::Mongolian
                    && category(c) == GeneralCategory::OtherLetter
        }),
        _ => false,
    }
}

fn is_virama(c: char) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new().get(c) == CanonicalCombiningClass::Virama
}

fn follows_virama(before: &str) -> bool {
    before.chars().next_back().is_some_and(is_virama)
}

/// Stands it between two letters that would be joined without it, as in Persian? (RFC
/// 5892, appendix A.1.)
fn parts_joining_letters(before: &str, after: &str) -> bool {
    let joining = |c: char| CodePointMapData::<JoiningType>::new().get(c);
    let is_transparent = |c: &char| joining(*c) == JoiningType::Transparent;
    let left = before.chars().rev().find(|c| !is_transparent(c));
    let right = after.chars().find(|c| !is_transparent(c));
    let joins = |c: Option<char>, side| {
        c.is_some_and(|c| joining(c) == side || joining(c) == JoiningType::DualJoining)
    };
    joins(left, JoiningType::LeftJoining) && joins(right, JoiningType::RightJoining)
}

/// Is it one emoji, of the form that UTS #51 gives them (section 1.4.9)?
fn is_emoji(grapheme: &str) -> bool {
    let mut chars = grapheme.chars();
    let is_flag = matches!(
        (chars.next(), chars.next(), chars.next()),
        (Some(one), Some(other), None)
            if has::<RegionalIndicator>(one) && has::<RegionalIndicator>(other)
    );
    is_flag || grapheme.split(ZERO_WIDTH_JOINER).all(is_emoji_element)
}

/// Is it one of those that are joined: an emoji, with its colour or presentation, or a
/// flag of a part of a country?
fn is_emoji_element(element: &str) -> bool {
    let mut chars = element.chars();
    let Some(base) = chars.next().filter(|&c| has::<Emoji>(c)) else {
        return false;
    };
    let rest = chars.as_str();
    let mut chars = rest.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (None, ..) => true,
        (Some(one), None, _) => {
            has::<EmojiModifier>(one) || matches!(one, TEXT_PRESENTATION | EMOJI_PRESENTATION)
        }
        (Some(EMOJI_PRESENTATION), Some(COMBINING_ENCLOSING_KEYCAP), None) => true,
        _ => base == BLACK_FLAG && is_subdivision(rest),
    }
}

/// Are these tags the code of a part of a country, such as `gbeng`? (UTS #51, ED-14a, and
/// UTS #35, section 3.2: a region, and one to four letters and digits.)
fn is_subdivision(tags: &str) -> bool {
    let Some(code) = tags.strip_suffix(CANCEL_TAG) else {
        return false;
    };
    let is_tag = |c| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    (3..=7).contains(&code.chars().count()) && code.chars().all(is_tag)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn has<P: BinaryProperty>(c: char) -> bool {
    CodePointSetData::new::<P>().contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_languages_write_is_taken() {
        for text in [
            "Zoë",
            "Nguyễn Văn An",
            "Дарья",
            "李小龍",
            "김연아",
            "محمد",
            // Persian parts letters that would be joined.
            "علی\u{200c}رضا",
            "שָׁלוֹם",
            "สมชาย ที่รัก",
            "नमस्ते",
            "क्\u{200d}ष",
            "ശ്രീകുമാര്\u{200d}",
            "র\u{200d}্যাচেল",
            "ශ්\u{200d}රී",
            "ཧཱུྃ",
            "བསྒྲུབས",
            "မြွှေ့",
            "ជ្រោយ",
            // A variant of an ideograph, and a Mongolian letter in another shape.
            "渡邉\u{e0101}",
            "ᠮᠣᠩᠭᠣᠯ\u{180b}",
            "O'Neill-García",
            "x_X_42_X_x",
            "ﷺ",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn emoji_are_taken_with_all_that_belongs_to_them() {
        for text in [
            "🔥",
            "👩‍🚀",
            "👩🏽‍🚀",
            "👨‍👩‍👧‍👦",
            "❤️",
            "☺\u{fe0e}",
            "1️⃣",
            "#️⃣ Max",
            "🇩🇪",
            "🏳️‍🌈",
            "🏴‍☠️",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "🏴󠁧󠁢󠁳󠁣󠁴󠁿🏴󠁧󠁢󠁷󠁬󠁳󠁿",
            "🧑🏿‍🤝‍🧑🏻",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_not_seen_is_refused() {
        for c in [
            '\0',
            '\n',
            '\t',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{206f}',
            '\u{2800}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fffc}',
            '\u{ffff}',
            '\u{1bca0}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
            '\u{e0100}',
            '\u{e01ef}',
            '\u{e0fff}',
        ] {
            for text in [
                format!("{c}"),
                format!("a{c}"),
                format!("a{c}b"),
                format!("{c}{c}b"),
            ] {
                assert_eq!(check(&text), Err(Flaw::Unseen(c)), "{text:?}");
            }
        }
        for text in ["", " ", "\u{a0}\u{3000}", "\u{301}", " \u{301}", "\u{93f}"] {
            assert_eq!(check(text), Err(Flaw::Blank), "{text:?}");
        }
    }

    /// In an emoji, more could be hidden than a name has characters.
    #[test]
    fn nothing_is_hidden_in_an_emoji() {
        for text in [
            // Tags on what is no flag, without an end, or that say more than a code.
            "🔥\u{e0067}\u{e0062}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}",
            "🏴\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e007f}",
            "🏴\u{e0048}\u{e0065}\u{e006c}\u{e006c}\u{e006f}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e0067}\u{e0067}\u{e0067}\u{e007f}",
            "🔥\u{fe0f}\u{fe0f}",
            "🔥\u{200d}",
            "🔥\u{200d}a",
            "\u{200d}🔥",
            "🔥\u{200d}\u{200d}🔥",
            "1\u{200d}2",
            "🔥\u{e0101}",
            "a\u{fe0f}",
        ] {
            assert!(matches!(check(text), Err(Flaw::Unseen(_))), "{text:?}");
        }
    }

    #[test]
    fn marks_are_few() {
        for (base, mark) in [
            ('a', '\u{301}'),
            ('a', '\u{489}'),
            ('\u{e0f}', '\u{e4e}'),
            ('\u{5d0}', '\u{5b8}'),
            ('ا', '\u{64e}'),
            ('क', '\u{901}'),
            ('ཧ', '\u{f71}'),
            ('○', '\u{20dd}'),
            ('🔥', '\u{301}'),
        ] {
            let text = |marks| base.to_string() + &mark.to_string().repeat(marks);
            assert_eq!(check(&text(MAX_MARKS)), Ok(()), "{mark:?}");
            assert_eq!(
                check(&text(MAX_MARKS + 1)),
                Err(Flaw::TooManyMarks),
                "{mark:?}"
            );
            assert_eq!(check(&text(63)), Err(Flaw::TooManyMarks), "{mark:?}");
        }
        // A mark that takes room of its own does not make room for more.
        let text = format!("क{}\u{903}{}", "\u{901}".repeat(4), "\u{901}".repeat(4));
        assert_eq!(check(&text), Err(Flaw::TooManyMarks));
        let text = format!("क{}", "\u{94d}\u{200d}".repeat(5));
        assert_eq!(check(&text), Err(Flaw::TooManyMarks));
    }

    proptest! {
        /// Whatever is taken, each part of it that people take for one character has few
        /// marks, and nothing that is not seen but what emoji and languages need.
        #[test]
        fn what_is_taken_can_be_seen(text in "[\\p{Any}]{1,12}") {
            if check(&text).is_ok() {
                let needed = |c: char| {
                    c == ZERO_WIDTH_JOINER
                        || c == ZERO_WIDTH_NON_JOINER
                        || has::<VariationSelector>(c)
                        || matches!(c, '\u{e0020}'..='\u{e007f}')
                };
                prop_assert!(text.chars().all(|c| !is_unseen(c) || needed(c)), "{text:?}");
                prop_assert!(text.chars().any(|c| !c.is_whitespace() && !is_unseen(c)));
            }
        }
    }
}
