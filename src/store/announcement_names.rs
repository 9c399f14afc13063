//! The names by which stores write down what an announcement is, and for whom.

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

/// All but one user, whose name is [`USER`].
pub(super) const AUDIENCES: [(Audience, &str); 5] = [
    (Audience::All, "all"),
    (Audience::Role(Role::Viewer), "viewers"),
    (Audience::Role(Role::Player), "players"),
    (Audience::Role(Role::Publisher), "publishers"),
    (Audience::Role(Role::Admin), "admins"),
];

pub(super) const USER: &str = "user";

/// The name of a value, if it has one.
pub(super) fn name_of<T: PartialEq>(
    names: &[(T, &'static str)],
    value: &T,
) -> Option<&'static str> {
    let mut names = names.iter();
    names.find_map(|(known, name)| (known == value).then_some(*name))
}

/// The value with a name.
///
/// # Errors
/// If it is none of these.
pub(super) fn value_of<T: Copy>(names: &[(T, &'static str)], name: &str) -> Result<T, StoreError> {
    let mut names = names.iter();
    names
        .find_map(|(value, known)| (*known == name).then_some(*value))
        .ok_or(StoreError::Damaged("an announcement of an unknown kind"))
}
