//! Ids of users who have none: by an organiser's own number for them, or by their name
//! alone. The same number or name gives the same id in every store and on every node, so
//! that a list can be sent again, and a store moved or replaced.
//!
//! Nothing is stored for it. Who guesses a number or name can check that an id was made of
//! it, as with any hash without a secret.

use unicode_normalization::UnicodeNormalization;
use uuid::{Uuid, uuid};

use crate::board::UserId;

/// Namespaces of RFC 9562, section 6.5, made once at random. With others, known users
/// would have other ids.
const EXTERNAL: Uuid = uuid!("6f2b8f0a-3d0e-4f5c-9f0b-1f3c7d5a9e21");
const NAMED: Uuid = uuid!("b1a4c7e2-58d3-4c6f-8a97-e0d2f4631b58");

/// The longest external id, in bytes.
pub const EXTERNAL_ID_MAX_BYTES: usize = 128;

/// An organiser's own name for a person, such as a number of a pupil or a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalId(String);

/// A text is no external id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("externalId must have 1 to 128 bytes, and no control characters")]
pub struct InvalidExternalId;

impl ExternalId {
    /// Reads an id. White space around it, and how an accent is encoded, make no
    /// difference; case does.
    ///
    /// # Errors
    /// If it is empty, too long, or has control characters.
    pub fn new(text: &str) -> Result<ExternalId, InvalidExternalId> {
        let text = text.trim();
        let fits = (1..=EXTERNAL_ID_MAX_BYTES).contains(&text.len());
        if !fits || text.contains(char::is_control) {
            return Err(InvalidExternalId);
        }
        Ok(ExternalId(text.nfc().collect()))
    }

    /// The id of the person.
    pub fn user(&self) -> UserId {
        derived(EXTERNAL, self.0.as_bytes())
    }
}

/// The id of a person of whom only the name is known. White space around and between
/// words, and how an accent is encoded, make no difference; case does.
pub fn by_name(name: &str) -> UserId {
    let mut words = String::with_capacity(name.len());
    for word in name.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.extend(word.nfc());
    }
    derived(NAMED, words.as_bytes())
}

/// A new random id.
pub fn random() -> UserId {
    UserId(Uuid::new_v4().into_bytes())
}

fn derived(namespace: Uuid, text: &[u8]) -> UserId {
    UserId(Uuid::new_v5(&namespace, text).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn external(text: &str) -> UserId {
        ExternalId::new(text).unwrap().user()
    }

    #[test]
    fn ids_never_change() {
        let ada = (external("7").to_string(), by_name("Ada").to_string());
        let expected = (EXTERNAL_7.to_owned(), NAMED_ADA.to_owned());
        assert_eq!(ada, expected);
    }

    // Computed by another program: uuid.uuid5 of Python.
    const EXTERNAL_7: &str = "44c5a406-8421-52ad-a0fe-43dcf8451a83";
    const NAMED_ADA: &str = "d85cfdfa-17b5-58ac-8118-3d1542c5c806";

    #[test]
    fn the_same_person_is_written_in_several_ways() {
        assert_eq!(external(" Zoe\u{308} "), external("Zoë"));
        assert_eq!(by_name("Zoe\u{308}\u{a0} Miller "), by_name("Zoë Miller"));
    }

    #[test]
    fn others_are_others() {
        assert_ne!(external("7"), external("07"));
        assert_ne!(external("Ada"), by_name("Ada"));
        assert_ne!(by_name("Ada"), by_name("ada"));
        assert_ne!(by_name("Ada B"), by_name("AdaB"));
        assert_ne!(random(), random());
    }

    #[test]
    fn what_is_no_text_is_no_external_id() {
        for text in ["", " ", "a\nb", "a\0", &"x".repeat(129)] {
            assert_eq!(ExternalId::new(text), Err(InvalidExternalId), "{text:?}");
        }
    }
}
