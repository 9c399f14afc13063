//! How hard a secret is to guess, as a number of bits.
//!
//! Nobody can tell by its look how a secret was made. What can be told is the shortest
//! description that is found for it: so many characters of so large an alphabet, or less
//! where it repeats itself, runs along a keyboard or the alphabet, or is made of words. A
//! description is that of Lempel and Ziv ("A Universal Algorithm for Sequential Data
//! Compression", 1977) with a text to begin with, as zlib has one (RFC 1950, section 2.2).

use std::collections::BTreeSet;

/// What is written by hand, or copied from examples, in lower case.
const BEGINNING: &str = "abcdefghijklmnopqrstuvwxyz zyxwvutsrqponmlkjihgfedcba 01234567890 \
    9876543210 qwertyuiop asdfghjkl zxcvbnm qwertzuiop 1qaz2wsx3edc password secret change \
    changeme example podium token admin test jwt key your this please must random string \
    the quick brown fox jumps over the lazy dog";

/// A random text is as regular as this by chance, once in 2^16.
const LUCK: f64 = 16.0;

/// The shortest part that is described by an earlier one.
const SHORTEST_REPEAT: usize = 3;

/// What a letter of a word is worth: a word of Diceware is one of 7,776 and has 4.3
/// letters on average.
const BITS_OF_A_LETTER_IN_WORDS: f64 = 3.0;

/// The pairs of letters that are more than half of all in English text, and one in fourteen
/// among random letters (P. Norvig, "English Letter Frequency Counts", 2013). Where two in
/// five are of these, there are words.
const PAIRS: &str = "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha \
    as ou io le ve co me de hi ri ro ic ne ea ra ce li ch ll be ma si om ur";

/// The fewest pairs of letters by which words are told from chance.
const FEWEST_PAIRS: usize = 8;

/// About how many guesses a secret takes, as a power of two.
pub(super) fn bits(secret: &str) -> f64 {
    let characters: Vec<char> = secret.chars().collect();
    let of_a_character = alphabet(&characters).log2();
    let at_random = characters.len() as f64 * of_a_character;
    at_random
        .min(described(&characters, of_a_character) + LUCK)
        .min(in_words(&characters, of_a_character))
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
        (_, _, false) => 26,
    };
    (usual + others.len()).max(1) as f64
}

/// The length of a description by repeats, in bits.
fn described(characters: &[char], of_a_character: f64) -> f64 {
    let mut text: Vec<char> = BEGINNING.chars().collect();
    let before = text.len();
    text.extend(characters.iter().map(char::to_ascii_lowercase));
    let (mut place, mut length) = (before, 0.0);
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
            length += as_repeat;
            place += longest;
        } else {
            length += of_a_character;
            place += 1;
        }
    }
    length
}

/// The same by words, if it is made of words.
fn in_words(characters: &[char], of_a_character: f64) -> f64 {
    let pairs: Vec<String> = characters
        .windows(2)
        .filter(|pair| pair.iter().all(char::is_ascii_alphabetic))
        .map(|pair| pair.iter().map(char::to_ascii_lowercase).collect())
        .collect();
    let usual: BTreeSet<&str> = PAIRS.split_whitespace().collect();
    let found = pairs
        .iter()
        .filter(|pair| usual.contains(pair.as_str()))
        .count();
    // There are no words of hexadecimal digits alone.
    let is_hexadecimal = of_a_character <= 4.0;
    if is_hexadecimal || pairs.len() < FEWEST_PAIRS || 5 * found < 2 * pairs.len() {
        return f64::INFINITY;
    }
    let letters = characters
        .iter()
        .filter(|c| c.is_ascii_alphabetic())
        .count();
    let of_a_letter = of_a_character.min(BITS_OF_A_LETTER_IN_WORDS);
    letters as f64 * of_a_letter + (characters.len() - letters) as f64 * of_a_character
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
            "thisisaverysecretsecretforourboard",
            "The quick brown fox jumps over the lazy dog",
            "your-256-bit-secret-goes-in-here",
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

    /// Ten words of a list, rolled with dice.
    #[test]
    fn many_words_are_not() {
        let secret = "cramp ozone balsa thirty quilt vowel hubcap dwarf mural flint jockey sprig";
        assert!(bits(secret) >= 128.0, "{}", bits(secret));
    }

    /// Secrets as programs make them, always the same ones.
    fn random(alphabet: &str, length: usize) -> impl Iterator<Item = String> {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let mut random = StdRng::seed_from_u64(length as u64);
        iter::repeat_with(move || {
            let mut character = || alphabet[random.random_range(0..alphabet.len())];
            iter::repeat_with(&mut character).take(length).collect()
        })
        .take(300)
    }

    #[test]
    fn random_secrets_of_128_bits_are_taken() {
        let letters = ('a'..='z').chain('A'..='Z').collect::<String>();
        let base64 = format!("{letters}0123456789+/");
        let printable: String = ('!'..='~').collect();
        for (alphabet, length) in [
            ("0123456789abcdef", 32),
            ("0123456789ABCDEF", 32),
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 26),
            (&base64, 22),
            (&base64, 43),
            (&printable, 24),
        ] {
            let weak: Vec<_> = random(alphabet, length)
                .filter(|secret| bits(secret) < 128.0)
                .collect();
            // A few are without digits, or look like words.
            assert!(weak.len() <= 2, "{weak:?}");
        }
    }
}
