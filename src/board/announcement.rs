//! What organisers have to say to those who watch.

use std::{fmt, str::FromStr};

use super::{
    Timestamp, UserId,
    uuid_text::{self, NotUuid},
};
use crate::role::Role;

/// A banner that is shown from a moment on, to some or to all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Announcement {
    /// The same announcement always has the same id.
    pub id: AnnouncementId,
    /// What it is about.
    pub kind: AnnouncementKind,
    /// What to show.
    pub message: Box<str>,
    /// How serious it is.
    pub severity: Severity,
    /// Who is to see it.
    pub audience: Audience,
    /// When it is shown first.
    pub from: Timestamp,
    /// When whoever comes is not shown it any more; after `from`.
    pub until: Timestamp,
    /// How long a banner stays, in milliseconds, if it goes by itself.
    pub duration: Option<u64>,
}

impl Announcement {
    /// Do both say the same to the same people for as long, whenever that begins?
    pub fn says_the_same(&self, other: &Announcement) -> bool {
        let what = |it: &Announcement| (it.kind, it.severity, it.audience, it.duration);
        what(self) == what(other) && self.message == other.message
    }
}

/// Names an announcement: the 16 bytes of a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnnouncementId(pub [u8; 16]);

impl fmt::Display for AnnouncementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid_text::write(&self.0, f)
    }
}

impl FromStr for AnnouncementId {
    type Err = NotUuid;

    fn from_str(text: &str) -> Result<AnnouncementId, NotUuid> {
        uuid_text::parse(text).map(AnnouncementId)
    }
}

/// What an [`Announcement`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnnouncementKind {
    /// The server goes away, or comes back.
    Maintenance,
    /// Somebody achieved something.
    Achievement,
    /// Everything else that all should know.
    SystemAlert,
}

/// How serious an [`Announcement`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// Who is to see an [`Announcement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everybody.
    All,
    /// All users of one role.
    Role(Role),
    /// One user.
    User(UserId),
}
