//! The words with which stores write down what an announcement is, and for whom.

use crate::{
    board::{AnnouncementKind, Audience, Severity},
    role::Role,
    store::StoreError,
};

pub(super) const KINDS: [(AnnouncementKind, &str); 3] = [
    (AnnouncementKind::Maintenance, "maintenance"),
    (AnnouncementKind::Achievement, "achievement"),
    (AnnouncementKind::SystemAlert, "system_alert"),
];

pub(super) const SEVERITIES: [(Severity, &str); 3] = [
    (Severity::Info, "info"),
    (Severity::Warning, "warning"),
    (Severity::Error, "error"),
];

/// All but one user, whose word is [`USER`].
pub(super) const AUDIENCES: [(Audience, &str); 5] = [
    (Audience::All, "all"),
    (Audience::Role(Role::Viewer), "viewers"),
    (Audience::Role(Role::Player), "players"),
    (Audience::Role(Role::Publisher), "publishers"),
    (Audience::Role(Role::Admin), "admins"),
];

pub(super) const USER: &str = "user";

/// The word for a value, if it has one.
pub(super) fn word<T: PartialEq>(words: &[(T, &'static str)], value: &T) -> Option<&'static str> {
    let mut words = words.iter();
    words.find_map(|(known, word)| (known == value).then_some(*word))
}

/// What a word means.
///
/// # Errors
/// If it is none of these.
pub(super) fn value<T: Copy>(words: &[(T, &'static str)], word: &str) -> Result<T, StoreError> {
    let mut words = words.iter();
    words
        .find_map(|(value, known)| (*known == word).then_some(*value))
        .ok_or(StoreError::Damaged("an announcement of an unknown kind"))
}
