//! Validation of texts that people and programs send, for the API and `podium import`
//! alike.

mod unicode;

use app::{base_path::BasePath, pictures::is_own_page};
use unicode_normalization::UnicodeNormalization;

use crate::{
    board::{Profile, UserId},
    whole::NotWhole,
};
pub use unicode::Flaw;

/// The longest name, in characters.
pub const NAME_MAX_CHARS: usize = 64;
/// The longest type of an action, in characters.
pub const ACTION_TYPE_MAX_CHARS: usize = 64;
/// The longest message of a notification, in characters.
pub const MESSAGE_MAX_CHARS: usize = 500;
/// The longest reason for what an organiser does, in characters.
pub const REASON_MAX_CHARS: usize = 500;
/// The longest address of a picture, in bytes.
pub const AVATAR_MAX_BYTES: usize = 1024;

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// An id is no UUID.
    #[error("userId {0:?} is not a UUID")]
    UserId(String),
    /// A name is empty or too long, or would disturb the text around it.
    #[error("username {0}")]
    Username(Flaw),
    /// An address is of no known kind.
    #[error("avatar must begin with https://, http:// or /, and have at most 1024 bytes")]
    Avatar,
    /// An address leads to something of this board that is no picture.
    #[error(
        "avatar is an address of this board that is no picture: write the path of a file, \
         without a query"
    )]
    OwnAvatar,
    /// A message is empty or too long, or would disturb the text around it.
    #[error("message {0}")]
    Message(Flaw),
    /// A reason is empty or too long, or would disturb the text around it.
    #[error("reason {0}")]
    Reason(Flaw),
    /// An action id is empty or too long, or has control characters.
    #[error("actionId must have 1 to 128 bytes, and no control characters")]
    ActionId,
    /// A type is empty or too long, or would disturb the text around it.
    #[error("actionType {0}")]
    ActionType(Flaw),
    /// Points are no score.
    #[error("scoreIncrease {0}")]
    ScoreIncrease(#[from] NotWhole),
}

/// Reads a user of a board that is to be found under the origins `own`.
///
/// # Errors
/// If a text is not valid.
pub fn profile(
    username: &str,
    avatar: Option<&str>,
    own: &[impl AsRef<str>],
) -> Result<Profile, InvalidText> {
    let username = name(username)?;
    let avatar = avatar.map(str::trim).filter(|avatar| !avatar.is_empty());
    let known = |avatar: &str| {
        let local = avatar.starts_with('/') && !avatar.starts_with("//");
        (local || avatar.starts_with("https://") || avatar.starts_with("http://"))
            && avatar.len() <= AVATAR_MAX_BYTES
            && !avatar.contains(|c: char| c.is_control() || c.is_whitespace())
    };
    if avatar.is_some_and(|avatar| !known(avatar)) {
        return Err(InvalidText::Avatar);
    }
    if avatar.is_some_and(|avatar| is_own_page(avatar, own, &BasePath::default())) {
        return Err(InvalidText::OwnAvatar);
    }
    Ok(Profile {
        username,
        avatar: avatar.map(Into::into),
    })
}

/// Reads the name of a user: without space around it, and in the form of Unicode that
/// joins letters with their marks (NFC), so that the same name is the same text.
///
/// # Errors
/// If it is empty or too long, or would disturb the text around it.
pub fn name(text: &str) -> Result<Box<str>, InvalidText> {
    shown(text, NAME_MAX_CHARS).map_err(InvalidText::Username)
}

/// Reads the message of a notification.
///
/// # Errors
/// If it is not valid.
pub fn message(text: &str) -> Result<Box<str>, InvalidText> {
    shown(text, MESSAGE_MAX_CHARS).map_err(InvalidText::Message)
}

/// Reads why an organiser does something.
///
/// # Errors
/// If it is not valid.
pub fn reason(text: &str) -> Result<Box<str>, InvalidText> {
    shown(text, REASON_MAX_CHARS).map_err(InvalidText::Reason)
}

/// Reads a text of at most so many characters that others are shown: without space around it,
/// and in the form of Unicode that joins letters with their marks (NFC).
///
/// # Errors
/// If it is empty or too long, or would disturb the text around it.
pub fn shown(text: &str, max_chars: usize) -> Result<Box<str>, Flaw> {
    let text = text.trim();
    // No character of NFC comes of more than four; of what is far too long, no more is read.
    if text.chars().nth(4 * max_chars).is_some() {
        return Err(Flaw::TooLong(max_chars));
    }
    let text: String = text.nfc().collect();
    if text.chars().nth(max_chars).is_some() {
        return Err(Flaw::TooLong(max_chars));
    }
    unicode::check(&text)?;
    Ok(text.into())
}

/// Reads the id of a user.
///
/// # Errors
/// If it is no UUID.
pub fn user_id(text: &str) -> Result<UserId, InvalidText> {
    text.parse()
        .map_err(|_| InvalidText::UserId(text.chars().take(64).collect()))
}

/// Reads the type of an action.
///
/// # Errors
/// If it cannot be one.
pub fn action_type(text: &str) -> Result<&str, InvalidText> {
    if text.chars().nth(ACTION_TYPE_MAX_CHARS).is_some() {
        return Err(InvalidText::ActionType(Flaw::TooLong(
            ACTION_TYPE_MAX_CHARS,
        )));
    }
    unicode::check(text).map_err(InvalidText::ActionType)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: &[&str] = &[];

    #[test]
    fn names_of_all_peoples_are_taken() {
        for name in [
            "Zoë",
            "李小龍",
            "محمد",
            "O'Neill",
            "👩‍🚀",
            "  trimmed  ",
            &"x".repeat(64),
        ] {
            assert!(profile(name, None, NOWHERE).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_disturb_are_not() {
        let zalgo = format!("a{}", "\u{301}".repeat(40));
        let long = "x".repeat(65);
        let far_too_long = "x".repeat(1_000_000);
        for (text, flaw) in [
            ("", Flaw::Blank),
            ("   ", Flaw::Blank),
            ("a\nb", Flaw::Unseen('\n')),
            ("\u{202e}kcah", Flaw::Unseen('\u{202e}')),
            ("\u{3164}", Flaw::Unseen('\u{3164}')),
            (&zalgo, Flaw::TooManyMarks),
            (&long, Flaw::TooLong(64)),
            (&far_too_long, Flaw::TooLong(64)),
        ] {
            assert_eq!(name(text), Err(InvalidText::Username(flaw)), "{text:?}");
        }
        let refused = name("a\u{202e}b").unwrap_err().to_string();
        assert!(
            refused.starts_with("username has U+202E, which"),
            "{refused}"
        );
    }

    #[test]
    fn the_same_name_is_the_same_text() {
        let taken = |text| name(text).unwrap();
        assert_eq!(taken(" zoe\u{308} "), taken("zoë"));
        // As many letters as there may be, which are sent with two marks each.
        assert_eq!(*taken(&"e\u{302}\u{323}".repeat(64)), *"ệ".repeat(64));
    }

    #[test]
    fn types_of_actions_can_be_seen() {
        for text in ["quiz_solved", "Quiz solved", "🏆"] {
            assert_eq!(action_type(text), Ok(text));
        }
        for text in ["", " ", "a\u{202e}b", "a\0"] {
            assert!(
                matches!(action_type(text), Err(InvalidText::ActionType(_))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn avatars_are_pictures_and_not_scripts() {
        for avatar in ["https://example.org/a.png", "/avatars/a.png"] {
            assert!(profile("a", Some(avatar), NOWHERE).is_ok(), "{avatar}");
        }
        assert_eq!(profile("a", Some(""), NOWHERE).unwrap().avatar, None);
        for avatar in [
            "javascript:alert(1)",
            "data:text/html,x",
            "//evil.example",
            "a.png",
            "https://a b",
        ] {
            assert_eq!(
                profile("a", Some(avatar), NOWHERE),
                Err(InvalidText::Avatar),
                "{avatar}"
            );
        }
    }

    #[test]
    fn avatars_are_no_pages_of_the_board() {
        let own = ["", "https://board.example", "http://10.0.0.7:3000"];
        let taken = |avatar| profile("a", Some(avatar), &own).map(|it| it.avatar);
        for avatar in [
            "/avatars/a.png",
            "https://board.example/avatars/a.png",
            "https://example.org/?token=a",
        ] {
            assert_eq!(taken(avatar), Ok(Some(avatar.into())), "{avatar}");
        }
        for avatar in [
            "/?token=a",
            "/players/7",
            "/a.png?size=80",
            "https://board.example/?token=a",
            "http://board.example/?token=a",
            "http://10.0.0.7:3000?token=a",
        ] {
            assert_eq!(taken(avatar), Err(InvalidText::OwnAvatar), "{avatar}");
        }
    }

    #[test]
    fn an_id_is_a_uuid() {
        assert!(user_id("0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11").is_ok());
        assert_eq!(user_id("me"), Err(InvalidText::UserId("me".into())));
    }
}
