//! How hard a secret is to guess, as a number of bits.
//!
//! Nobody can tell by its look how a secret was made. What can be told is the shortest
//! description that is found for it: so many characters of so large an alphabet, or less
//! where it repeats itself, runs along a keyboard or the alphabet, or where a part of it is
//! made of words. A description by repeats is that of Lempel and Ziv ("A Universal Algorithm for Sequential Data
//! Compression", 1977) with a text to begin with, as zlib has one (RFC 1950, section 2.2).

use std::collections::BTreeSet;

/// What is written by hand, or copied from examples, in lower case.
const BEGINNING: &str = "abcdefghijklmnopqrstuvwxyz zyxwvutsrqponmlkjihgfedcba 01234567890 \
    9876543210 qwertyuiop asdfghjkl zxcvbnm qwertzuiop 1qaz2wsx3edc password secret change \
    changeme example podium token admin test jwt key your this please must random string \
    prod production staging server scoreboard leaderboard school \
    the quick brown fox jumps over the lazy dog";

/// A random text is as regular as this by chance, once in 2^16.
const LUCK: f64 = 16.0;

/// The shortest part that is described by an earlier one: among random letters and digits
/// three are often found by chance where case is ignored.
const SHORTEST_REPEAT: usize = 4;

/// What a word is worth at most: one of Diceware is one of 7,776.
const BITS_OF_A_WORD: f64 = 12.925;

/// What a letter of a word is worth: a word of Diceware has 4.3 letters on average.
const BITS_OF_A_LETTER_IN_WORDS: f64 = 3.0;

/// The longest word, in letters: more are several without anything between.
const LONGEST_WORD: usize = 16;

/// The pairs of letters that are more than half of all in English text, and one in fourteen
/// among random letters (P. Norvig, "English Letter Frequency Counts", 2013).
const PAIRS: &str = "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha \
    as ou io le ve co me de hi ri ro ic ne ea ra ce li ch ll be ma si om ur";

/// By how many bits a usual pair of letters is likelier in words than among random letters,
/// and any other pair: half of those in words are usual, and 50 of 26^2 at random.
const USUAL: f64 = 2.757;
const UNUSUAL: f64 = -0.889;

/// About how many guesses a secret takes, as a power of two.
pub(super) fn bits(secret: &str) -> f64 {
    let characters: Vec<char> = secret.chars().collect();
    let of_a_character = alphabet(&characters).log2();
    let at_random = characters.len() as f64 * of_a_character;
    at_random
        .min(described(&characters, of_a_character) + LUCK)
        .min(in_words(&characters))
}

/// How many characters it was chosen from: the smallest usual alphabet, and what it has
/// beside.
fn alphabet(characters: &[char]) -> f64 {
    let others: BTreeSet<&char> = characters
        .iter()
        .filter(|c| !c.is_ascii_alphanumeric())
        .collect();
    let has = |belongs: fn(&char) -> bool| characters.iter().any(belongs);
    let (small, capital) = (has(char::is_ascii_lowercase), has(char::is_ascii_uppercase));
    let digits = has(char::is_ascii_digit);
    let is_hexadecimal = |c: &char| !c.is_ascii_alphabetic() || c.is_ascii_hexdigit();
    let usual = match (small, capital, digits) {
        (false, false, false) => 0,
        (false, false, true) => 10,
        // By chance one in forty of 22 characters is without digits.
        (true, true, _) => 62,
        _ if characters.iter().all(is_hexadecimal) => 16,
        (_, _, true) => 36,
        // By chance one in 200 of 26 characters of Base32 is without digits.
        (false, true, false) => 32,
        (_, _, false) => 26,
    };
    (usual + others.len()).max(1) as f64
}

/// The length of a description by repeats, in bits.
fn described(characters: &[char], of_a_character: f64) -> f64 {
    let mut text: Vec<char> = BEGINNING.chars().collect();
    let before = text.len();
    text.extend(characters.iter().map(char::to_ascii_lowercase));
    let (mut place, mut repeats, mut others) = (before, 0.0, Vec::new());
    while place < text.len() {
        let longest = (0..place)
            .map(|from| {
                let pairs = text[from..].iter().zip(&text[place..]);
                pairs.take_while(|(one, other)| one == other).count()
            })
            .max()
            .unwrap_or(0);
        let as_repeat = (place as f64).log2() + 2.0 * (longest.max(1) as f64).log2();
        let as_characters = longest as f64 * of_a_character;
        if longest >= SHORTEST_REPEAT && as_repeat < as_characters {
            repeats += as_repeat;
            place += longest;
        } else {
            others.push(characters[place - before]);
            place += 1;
        }
    }
    repeats + others.len() as f64 * alphabet(&others).log2()
}

/// The same by words, if a part of it is made of words: the rest counts for what it is.
fn in_words(characters: &[char]) -> f64 {
    let parts: Vec<&[char]> = characters
        .chunk_by(|one, other| !is_border(*one, *other))
        .collect();
    let mut are_words = if is_phrase(characters) {
        vec![true; parts.len()]
    } else {
        words(&parts)
    };
    for (part, is_word) in parts.iter().zip(&mut are_words) {
        *is_word &= part[0].is_alphabetic();
    }
    if !are_words.contains(&true) {
        return f64::INFINITY;
    }
    let is_word = |place: Option<usize>| {
        let is_word = place.and_then(|place| are_words.get(place));
        is_word.copied().unwrap_or_default()
    };
    let (mut bits, mut others) = (0.0, Vec::new());
    for (place, part) in parts.iter().enumerate() {
        // What is between words is the same everywhere, or nearly.
        let is_between = !part[0].is_alphanumeric()
            && (is_word(place.checked_sub(1)) || is_word(Some(place + 1)));
        if are_words[place] {
            let letters = part.len() as f64 * BITS_OF_A_LETTER_IN_WORDS;
            let is_one = part.len() <= LONGEST_WORD;
            bits += if is_one {
                letters.min(BITS_OF_A_WORD)
            } else {
                letters
            };
        } else if !is_between {
            others.extend_from_slice(part);
        }
    }
    bits + others.len() as f64 * alphabet(&others).log2()
}

/// Is it letters with spaces, in any language?
fn is_phrase(characters: &[char]) -> bool {
    let of_words = |c: &&char| c.is_alphabetic() || **c == ' ';
    let count = characters.iter().filter(of_words).count();
    characters.contains(&' ') && 10 * count >= 9 * characters.len()
}

/// Does a word, a number, or what is between, end between these two?
fn is_border(one: char, other: char) -> bool {
    let kind = |c: char| (c.is_alphabetic(), c.is_numeric());
    kind(one) != kind(other) || (one.is_lowercase() && other.is_uppercase())
}

/// Which parts belong to runs of words: the likeliest ones, where a run has to be as much
/// likelier as chance could make it (A. Viterbi, "Error Bounds for Convolutional Codes and an
/// Asymptotically Optimum Decoding Algorithm", 1967).
fn words(parts: &[&[char]]) -> Vec<bool> {
    let usual: BTreeSet<&str> = PAIRS.split_whitespace().collect();
    // The best that leads to this part at random, and to this part in words, in bits.
    let (mut random, mut word) = (0.0, f64::NEG_INFINITY);
    // Whether the part before was in words, for both.
    let mut before = Vec::new();
    for part in parts {
        let came = (word > random, word > random - LUCK);
        before.push(came);
        let (in_random, in_word) = (f64::max(random, word), f64::max(word, random - LUCK));
        (random, word) = (in_random, in_word + likelihood(part, &usual));
    }
    let mut is_word = word > random;
    let mut are_words: Vec<bool> = before
        .into_iter()
        .rev()
        .map(|(after_word, goes_on)| {
            let this = is_word;
            is_word = if this { goes_on } else { after_word };
            this
        })
        .collect();
    are_words.reverse();
    are_words
}

/// By how many bits these letters are likelier in words than at random.
fn likelihood(part: &[char], usual: &BTreeSet<&str>) -> f64 {
    // Pairs of hexadecimal digits are more often usual ones by chance.
    let is_hexadecimal = part.iter().all(char::is_ascii_hexdigit);
    let pairs = part
        .windows(2)
        .filter(|pair| pair.iter().all(char::is_ascii_alphabetic));
    pairs
        .map(|pair| {
            let pair: String = pair.iter().map(char::to_ascii_lowercase).collect();
            if usual.contains(pair.as_str()) && !is_hexadecimal {
                USUAL
            } else {
                UNUSUAL
            }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use std::iter;

    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn what_repeats_or_runs_on_is_weak() {
        for secret in [
            "abcdefghabcdefghabcdefghabcdefgh",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "zyxwvutsrqponmlkjihgfedcba9876543210",
            "qwertyuiopasdfghjklzxcvbnm1234567890",
            "QWERTYUIOPasdfghjklZXCVBNM1234567890",
            "01234567890123456789012345678901234567890123456789",
            "0123456789abcdef0123456789abcdef",
            "passwordpasswordpasswordpasswordpassword",
            "changeme-changeme-changeme-changeme",
            "hunter2hunter2hunter2hunter2hunter2hunter2",
            "xK9xK9xK9xK9xK9xK9xK9xK9xK9xK9xK9xK9",
            "1111111111111111222222222222222233333333333333334444444444444444",
            "",
            "secret",
        ] {
            assert!(bits(secret) < 100.0, "{secret}: {}", bits(secret));
        }
    }

    #[test]
    fn a_few_words_are_weak() {
        for secret in [
            "please-change-this-secret-before-use",
            "correct horse battery staple",
            "correct horse battery staple correct horse battery staple",
            "correct horse battery staple purple monkey dishwasher castle",
            "correct-horse-battery-staple-purple-monkey-dishwasher-castle",
            "CorrectHorseBatteryStaplePurpleMonkeyDishwasherCastle",
            "thisisaverysecretsecretforourboard",
            "The quick brown fox jumps over the lazy dog",
            "your-256-bit-secret-goes-in-here",
            "to be or not to be that is the question whether tis nobler",
            "mathematics classroom breakfast chocolate adventure keyboard umbrella orchestra",
            "Mathematics! Classroom? Breakfast. Chocolate, Adventure; Keyboard: Umbrella/ Orchestra",
            "we hold these truths to be self-evident that all men",
            "Dies ist unser geheimer Satz fuer die Anzeigetafel",
        ] {
            assert!(bits(secret) < 128.0, "{secret}: {}", bits(secret));
        }
    }

    #[test]
    fn what_is_too_short_is_weak() {
        for secret in [
            "deadbeefcafe4711",
            "X7#kQ9!vB2$mZ5",
            "93481720562938471650293847165",
        ] {
            assert!(bits(secret) < 128.0, "{secret}: {}", bits(secret));
        }
    }

    /// Words of a list, rolled with dice.
    #[test]
    fn many_words_are_not() {
        for secret in [
            "cramp ozone balsa thirty quilt vowel hubcap dwarf mural flint jockey sprig",
            "cramped ozone balsam thirty quilted vowels hubcap dwarf mural jockey",
            "crampozonebalsathirtyquiltvowelhubcapdwarfmuralflintjockeysprig",
        ] {
            assert!(bits(secret) >= 128.0, "{secret}: {}", bits(secret));
        }
    }

    /// What can be read at the beginning, or at the end, takes nothing from what is random.
    #[test]
    fn a_random_part_counts_for_what_it_is() {
        for name in [
            "podium-prod-",
            "podium-",
            "PODIUM_SECRET_",
            "the-scoreboard-of-our-school-2026-",
            "my-secret-key-for-the-production-environment-of-the-tournament:",
        ] {
            for (alphabet, length) in [("0123456789abcdef", 32), (&*base64(), 32), (&base64(), 43)]
            {
                let weak: Vec<_> = random(alphabet, length)
                    .take(20)
                    .flat_map(|secret| [format!("{name}{secret}"), format!("{secret}-{name}")])
                    .filter(|secret| bits(secret) < 128.0)
                    .collect();
                assert_eq!(weak, [""; 0]);
            }
        }
    }

    /// A name in front makes nothing of what is too short.
    #[test]
    fn a_name_does_not_help() {
        for name in ["podium-prod-", "podium-", "PODIUM_SECRET_"] {
            let strong: Vec<_> = random("0123456789abcdef", 16)
                .map(|secret| format!("{name}{secret}"))
                .filter(|secret| bits(secret) >= 128.0)
                .collect();
            assert_eq!(strong, [""; 0]);
        }
    }

    fn base64() -> String {
        let letters = ('a'..='z').chain('A'..='Z').collect::<String>();
        format!("{letters}0123456789+/")
    }

    /// Secrets as programs make them, always the same ones.
    fn random(alphabet: &str, length: usize) -> impl Iterator<Item = String> {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let mut random = StdRng::seed_from_u64(length as u64);
        iter::repeat_with(move || {
            let mut character = || alphabet[random.random_range(0..alphabet.len())];
            iter::repeat_with(&mut character).take(length).collect()
        })
        .take(100)
    }

    #[test]
    fn random_secrets_of_128_bits_are_taken() {
        let base64url = base64().replace('+', "-").replace('/', "_");
        let printable: String = ('!'..='~').collect();
        for (alphabet, length, end) in [
            ("0123456789abcdef", 32, ""),
            ("0123456789ABCDEF", 32, ""),
            ("0123456789abcdef", 64, ""),
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 26, ""),
            ("abcdefghijklmnopqrstuvwxyz", 28, ""),
            (&base64(), 22, ""),
            (&base64url, 22, ""),
            // As of `openssl rand -base64 16` and of 32.
            (&base64(), 22, "=="),
            (&base64(), 43, "="),
            (&printable, 24, ""),
        ] {
            let weak: Vec<_> = random(alphabet, length)
                .map(|secret| secret + end)
                .filter(|secret| bits(secret) < 128.0)
                .collect();
            assert_eq!(weak, [""; 0]);
        }
        // As of `uuidgen`, twice.
        for bytes in random("0123456789abcdef", 60).take(20) {
            let uuid = |hex: &str| {
                format!(
                    "{}-{}-4{}-8{}-{}",
                    &hex[..8],
                    &hex[8..12],
                    &hex[12..15],
                    &hex[15..18],
                    &hex[18..30]
                )
            };
            let secret = uuid(&bytes[..30]) + &uuid(&bytes[30..]);
            assert!(bits(&secret) >= 128.0, "{secret}");
        }
    }
}
