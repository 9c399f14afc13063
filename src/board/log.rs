//! The log: the only thing that changes a board.

use std::{fmt, num::NonZeroU64, str::FromStr, sync::Arc};

use super::{
    Announcement, Profile, Score, Settings,
    uuid_text::{self, NotUuid},
};

/// Names a board. `main` is the one that plain routes and events mean.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoardId(Arc<str>);

impl BoardId {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 63;

    /// A board's id: a lower-case letter or digit, and up to 62 of those and `-`; `None`
    /// for anything else.
    pub fn new(name: &str) -> Option<BoardId> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut bytes = name.bytes();
        let fits = name.len() <= BoardId::MAX_BYTES
            && bytes.next().is_some_and(is_word)
            && bytes.all(|byte| is_word(byte) || byte == b'-');
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

/// A team's id: the 16 bytes of a UUID, in the order of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TeamId(pub [u8; 16]);

impl fmt::Display for TeamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid_text::write(&self.0, f)
    }
}

impl FromStr for TeamId {
    type Err = NotUuid;

    fn from_str(text: &str) -> Result<TeamId, NotUuid> {
        uuid_text::parse(text).map(TeamId)
    }
}

/// Names a group of people, such as a division: the same word is the same group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub Arc<str>);

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
    /// A person was registered, or changed name or picture.
    UserChanged {
        /// Whom it is about.
        user: UserId,
        /// How the person is shown from now on.
        profile: Profile,
    },
    /// A person is in this team and in these groups from now on, and in no other.
    UserGrouped {
        /// Whom it is about.
        user: UserId,
        /// The team.
        team: Option<TeamId>,
        /// The groups, each named once.
        groups: Box<[GroupId]>,
    },
    /// A person is taken off all boards, or is back with all points.
    UserHidden {
        /// Whom it is about.
        user: UserId,
        /// Off all boards?
        hidden: bool,
        /// Why, for the record of what organisers do.
        reason: Option<Box<str>>,
    },
    /// A person is gone with all that was theirs. Registered again, they begin anew.
    UserDeleted {
        /// Whom it is about.
        user: UserId,
    },
    /// A team was registered, or changed name or picture.
    TeamChanged {
        /// Which.
        team: TeamId,
        /// How it is shown from now on.
        profile: Profile,
    },
    /// A score action was accepted.
    Action(Action),
    /// A board was created, or its settings changed.
    BoardChanged {
        /// Which.
        board: BoardId,
        /// Its settings from now on.
        settings: Arc<Settings>,
        /// Of a board with a period: when its seasons end, in order, from the first that the
        /// log knows to the one that runs. Of one that was there before, the running one alone,
        /// if it ends at another time now.
        borders: Box<[Timestamp]>,
    },
    /// A board is gone. Boards that are derived from it went before.
    BoardDeleted {
        /// Which.
        board: BoardId,
    },
    /// The running season of a board has ended at the time of this entry. A board without a
    /// period has one.
    SeasonEnded {
        /// Of which board.
        board: BoardId,
        /// When the season ends that begins now; `None` if the board has ended with it, which
        /// stays as it is.
        next: Option<Timestamp>,
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

/// A score action that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Action {
    /// On which board, one that is not derived.
    pub board: BoardId,
    /// Who acted.
    pub user: UserId,
    /// The kind of action, as the publisher names it.
    pub action_type: Box<str>,
    /// The points of the action as it was sent.
    pub increase: i64,
    /// Its points for the second score.
    pub tiebreak_increase: i64,
    /// Both scores of the person on that board after it, as the store decided under its
    /// [`Rules`](super::Rules).
    pub scores: Scores,
}

/// A score and the second score that decides where the first is equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scores {
    /// The score.
    pub score: Score,
    /// The second score: 0 on a board without.
    pub tiebreak: Score,
}
