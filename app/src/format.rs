//! How numbers and names are written. Pure, and the same on server and client,
//! because both render the first page.

/// The style that lets a number shrink until it fits beside a name.
pub(crate) fn fitted(number: &str) -> String {
    format!("--characters: {}", number.chars().count())
}

/// One or two letters for somebody without a picture, as they stand in the name: the
/// style makes capitals of them.
pub(crate) fn initials(name: &str) -> String {
    let mut words = name
        .split(|c: char| c.is_whitespace() || c == '-')
        .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = words.next().or_else(|| name.chars().next());
    first.into_iter().chain(words.next_back()).collect()
}

/// A hue for somebody without a picture, in degrees; always the same one.
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
        assert_eq!(initials("👩‍🚀"), "👩");
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
