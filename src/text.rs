//! Texts that people and programs send us, and what is taken of them. The API
//! and `podium import` ask the same questions, so they are asked here.

use app::{base_path::BasePath, pictures::is_own_page};

use crate::{
    board::{Profile, Score, UserId},
    store::{Action, ActionId},
    wire,
};

/// The longest name, in characters.
pub const NAME_MAX_CHARS: usize = 64;
/// The longest type of an action, in characters.
pub const ACTION_TYPE_MAX_CHARS: usize = 64;
/// The longest message of a notification, in characters.
pub const MESSAGE_MAX_CHARS: usize = 500;
/// The longest address of a picture, in bytes.
pub const AVATAR_MAX_BYTES: usize = 1024;

/// Why a text is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// An id is no UUID.
    #[error("userId {0:?} is not a UUID")]
    UserId(String),
    /// A name is empty or too long, or would disturb the text around it.
    #[error(
        "username must have 1 to 64 characters that can be seen, and none that control or turn text"
    )]
    Username,
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
    #[error(
        "message must have 1 to 500 characters that can be seen, and none that control or turn text"
    )]
    Message,
    /// An action id is empty or too long, or has control characters.
    #[error("actionId must have 1 to 128 bytes, and no control characters")]
    ActionId,
    /// A type is empty or too long, or has control characters.
    #[error("actionType must have 1 to 64 characters, and no control characters")]
    ActionType,
    /// Points are no score.
    #[error("scoreIncrease must be within ±9007199254740991")]
    ScoreIncrease,
}

/// Reads a user of a board that is to be found under the origins `own`.
///
/// # Errors
/// If a text cannot be taken.
pub fn profile(
    username: &str,
    avatar: Option<&str>,
    own: &[impl AsRef<str>],
) -> Result<Profile, InvalidText> {
    let username = username.trim();
    let length = username.chars().count();
    let seen = username.chars().filter(|&c| !is_combining(c)).count();
    // A letter has few marks in any language; many would climb over other rows.
    if !(1..=NAME_MAX_CHARS).contains(&length)
        || seen == 0
        || length - seen > 3 * seen
        || username.contains(disturbs)
    {
        return Err(InvalidText::Username);
    }
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
        username: username.into(),
        avatar: avatar.map(Into::into),
    })
}

/// Reads the message of a notification.
///
/// # Errors
/// If it cannot be taken.
pub fn message(text: &str) -> Result<Box<str>, InvalidText> {
    let text = text.trim();
    let length = text.chars().count();
    let seen = text.chars().filter(|&c| !is_combining(c)).count();
    if !(1..=MESSAGE_MAX_CHARS).contains(&length)
        || seen == 0
        || length - seen > 3 * seen
        || text.contains(disturbs)
    {
        return Err(InvalidText::Message);
    }
    Ok(text.into())
}

/// Would a character turn the text around it, break the line, or not be seen at
/// all? Joiners stay: emoji and several scripts need them.
fn disturbs(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{ffa0}'
                | '\u{feff}'
        )
}

/// The blocks of combining marks that go with any letter, and what joins or
/// chooses the shape of a character.
fn is_combining(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36f}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{200c}'
            | '\u{200d}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Reads the id of a user.
///
/// # Errors
/// If it is no UUID.
pub fn user_id(text: &str) -> Result<UserId, InvalidText> {
    wire::user_id(text).ok_or_else(|| InvalidText::UserId(text.chars().take(64).collect()))
}

/// Reads the type of an action.
///
/// # Errors
/// If it cannot be one.
pub fn action_type(text: &str) -> Result<&str, InvalidText> {
    let characters = text.chars().count();
    if !(1..=ACTION_TYPE_MAX_CHARS).contains(&characters) || text.contains(char::is_control) {
        return Err(InvalidText::ActionType);
    }
    Ok(text)
}

/// Reads an action that is worth the points that were sent.
///
/// # Errors
/// If a text cannot be taken, or the points are no score.
pub fn action(
    id: &str,
    user: UserId,
    action_type: &str,
    increase: i64,
) -> Result<Action, InvalidText> {
    Score::new(increase).ok_or(InvalidText::ScoreIncrease)?;
    Ok(Action {
        id: ActionId::new(id).ok_or(InvalidText::ActionId)?,
        user,
        action_type: self::action_type(action_type)?.into(),
        increase,
        declared: None,
    })
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
        for name in [
            "",
            "   ",
            "a\nb",
            "a\0",
            "\u{202e}kcah",
            "\u{200b}\u{2060}",
            "\u{200d}",
            "\u{3164}",
            "a\u{2028}b",
            &zalgo,
            &long,
        ] {
            assert_eq!(
                profile(name, None, NOWHERE),
                Err(InvalidText::Username),
                "{name:?}"
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
    fn actions_name_themselves_their_user_and_their_type() {
        let user = user_id("0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11").unwrap();
        assert!(action("a", user, "goal", -3).is_ok());
        assert_eq!(action("", user, "goal", 1), Err(InvalidText::ActionId));
        assert_eq!(
            action(&"a".repeat(129), user, "goal", 1),
            Err(InvalidText::ActionId)
        );
        assert_eq!(action("a", user, "", 1), Err(InvalidText::ActionType));
        assert_eq!(
            action("a", user, "goal", i64::MAX),
            Err(InvalidText::ScoreIncrease)
        );
        assert_eq!(user_id("me"), Err(InvalidText::UserId("me".into())));
    }
}
