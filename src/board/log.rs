//! The log: the only thing that changes a board.

use std::{fmt, num::NonZeroU64, str::FromStr};

use super::{
    Announcement, Profile, Score,
    uuid_text::{self, NotUuid},
};

/// Names a board. `main` is the one that plain routes and events mean.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoardId(Box<str>);

impl BoardId {
    /// A board's id: 1 to 64 lower-case letters, digits, `-` or `_`; `None` for
    /// anything else.
    pub fn new(name: &str) -> Option<BoardId> {
        let fits = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
        fits.then(|| BoardId(name.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for BoardId {
    fn default() -> Self {
        BoardId("main".into())
    }
}

impl fmt::Display for BoardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user's id: the 16 bytes of a UUID, in the order of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub [u8; 16]);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid_text::write(&self.0, f)
    }
}

impl UserId {
    /// The id in the usual text of a UUID; `None` for any other text.
    pub fn parse(text: &str) -> Option<UserId> {
        text.parse().ok()
    }
}

impl FromStr for UserId {
    type Err = NotUuid;

    fn from_str(text: &str) -> Result<UserId, NotUuid> {
        uuid_text::parse(text).map(UserId)
    }
}

/// Names one life of a log. Sequence numbers can be compared only within one
/// epoch; a client that sees another epoch starts again from a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The place of an entry in the log: 1, 2, 3, … without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(NonZeroU64);

impl Seq {
    /// The first entry of a log.
    pub const FIRST: Seq = Seq(NonZeroU64::MIN);

    /// The sequence number with this value, or `None` for 0, which is the seq
    /// of an empty log.
    pub fn new(value: u64) -> Option<Seq> {
        NonZeroU64::new(value).map(Seq)
    }

    /// The number, 1 or more.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

/// When the log took an entry: milliseconds since 1970-01-01T00:00:00Z, by the
/// clock of whoever assigned the `seq`. For people to read; order is by `seq`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogEntry {
    /// Its place.
    pub seq: Seq,
    /// When it was taken.
    pub at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

/// What an entry of the log says. Facts are never edited: a mistake is mended by
/// another fact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// A user was registered, or changed name or picture.
    UserChanged {
        /// Whom it is about.
        user: UserId,
        /// How the user is shown from now on.
        profile: Profile,
    },
    /// A score action was accepted.
    Action {
        /// Who acted.
        user: UserId,
        /// The kind of action, as the publisher names it.
        action_type: Box<str>,
        /// The points of the action as it was sent.
        increase: i64,
        /// The user's score after it, as the store decided under the board's
        /// [`Rules`](super::Rules).
        score: Score,
    },
    /// A user was taken off the board. Registered again, they begin anew.
    UserDeleted {
        /// Whom it is about.
        user: UserId,
    },
    /// Tokens of a user, registered or not, are void from now on.
    TokensRevoked {
        /// Whose.
        user: UserId,
        /// All that were issued up to this second since 1970-01-01T00:00:00Z.
        issued_until: u64,
    },
    /// An organiser had something to say.
    Announced(Announcement),
}
