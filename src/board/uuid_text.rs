//! The usual text of a UUID (RFC 9562, section 4), for the ids of the board.

use std::fmt;

/// The length of the text.
const LENGTH: usize = 36;

/// Where the text has hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// A text is not the usual text of a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUuid;

impl fmt::Display for NotUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be a UUID, as in 0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11")
    }
}

impl std::error::Error for NotUuid {}

/// Reads the usual text, in upper or lower case. Other spellings of a UUID are refused:
/// two texts for one id invite mistakes.
pub(super) fn parse(text: &str) -> Result<[u8; 16], NotUuid> {
    let has_hyphens = HYPHENS
        .iter()
        .all(|&at| text.as_bytes().get(at) == Some(&b'-'));
    if text.len() != LENGTH || !has_hyphens {
        return Err(NotUuid);
    }
    let mut digits = text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16));
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        let mut digit = || digits.next().flatten().ok_or(NotUuid);
        // Two digits of 4 bits each.
        *byte = (digit()? << 4 | digit()?) as u8;
    }
    // More digits stand where no hyphens are missing only if there are more hyphens too.
    digits.next().is_none().then_some(bytes).ok_or(NotUuid)
}

/// Writes the usual text, in lower case.
pub(super) fn write(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            f.write_str("-")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::board::{NotUuid, UserId};

    #[test]
    fn only_the_usual_text_of_a_uuid_is_an_id() {
        let text = "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11";
        let user: UserId = text.parse().unwrap();
        assert_eq!(user.to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(user));
        for other in [
            "",
            "0d9f5c3e8f5a4f0e9d570f2f3a1f6b11",
            "{0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11}",
            "urn:uuid:0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11",
            "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b1x",
            "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b1-",
            "-d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11",
            "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b1é",
            "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6bé",
            "0d9f5c3e 8f5a-4f0e-9d57-0f2f3a1f6b11",
            "+d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11",
            "test-user-123",
        ] {
            assert_eq!(other.parse::<UserId>(), Err(NotUuid), "{other:?}");
        }
    }
}
