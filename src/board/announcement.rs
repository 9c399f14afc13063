//! What organisers have to say to those who watch.

use super::{Timestamp, UserId};

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
    /// Those who only watch.
    Viewers,
    /// Those who play.
    Players,
    /// Those who send actions.
    Publishers,
    /// Those who may do everything.
    Admins,
    /// One user.
    User(UserId),
}
