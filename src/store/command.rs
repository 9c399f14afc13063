//! What a store is asked for, and what becomes of it.

use std::sync::Arc;

use super::limit::{ActionLimits, LimitReached};
use crate::{
    board::{
        Announcement, BoardId, Contradiction, GroupId, Profile, Scores, Settings, TeamId, UserId,
    },
    calendar::CalendarError,
};

/// Something that a store is asked to put on the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Register a user, or change how one is shown.
    PutUser {
        /// Who it is.
        user: UserId,
        /// How the user is shown from now on.
        profile: Profile,
    },
    /// Change what a user belongs to.
    GroupUser {
        /// Who it is.
        user: UserId,
        /// The team from now on, or none; `None` leaves it as it is.
        team: Option<Option<TeamId>>,
        /// The groups from now on; `None` leaves them as they are.
        groups: Option<Box<[GroupId]>>,
    },
    /// Take a user off all boards, or put them back with all points.
    HideUser {
        /// Who it is.
        user: UserId,
        /// Off all boards?
        hidden: bool,
        /// Why: at most 500 characters of one line.
        reason: Option<Box<str>>,
    },
    /// Register a team, or change how one is shown.
    PutTeam {
        /// Which.
        team: TeamId,
        /// How it is shown from now on.
        profile: Profile,
    },
    /// Count an action.
    Act(Action),
    /// Delete a user with all that is theirs.
    DeleteUser(UserId),
    /// Create a board, or change its settings.
    PutBoard {
        /// Which.
        board: BoardId,
        /// Its settings from now on.
        settings: Arc<Settings>,
        /// A new one is refused if there are as many as this.
        most: usize,
    },
    /// Delete a board with all that is on it.
    DeleteBoard(BoardId),
    /// Make tokens of a user void, registered or not.
    RevokeTokens {
        /// Whose.
        user: UserId,
        /// All that were issued up to this second since 1970-01-01T00:00:00Z.
        issued_until: u64,
    },
    /// Publish an announcement. The same one is accepted once.
    Announce(Announcement),
}

/// A score action, as a publisher sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Names the action: the same id is counted once, whatever the board.
    pub id: ActionId,
    /// On which board, one that is not derived.
    pub board: BoardId,
    /// Who acted.
    pub user: UserId,
    /// The kind of action.
    pub action_type: Box<str>,
    /// The points it is worth.
    pub increase: i64,
    /// What it is worth for the second score: 0 on a board without.
    pub tiebreak_increase: i64,
    /// The limits of its type, if that is one whose points the server sets. Then
    /// the points do not identify the action: they may have been others
    /// when it was counted.
    pub declared: Option<ActionLimits>,
}

/// Names an action: 1 to 128 bytes of text without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ActionId(Box<str>);

impl ActionId {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The id with this text, or `None` if it is empty, too long or has control
    /// characters.
    pub fn new(text: &str) -> Option<ActionId> {
        let fits =
            (1..=ActionId::MAX_BYTES).contains(&text.len()) && !text.contains(char::is_control);
        fits.then(|| ActionId(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What became of a command.
pub type Outcome = Result<Receipt, Refusal>;

/// An accepted command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// How many facts the board holds with it: of an action the board that it names, else
    /// `main`. For a user who needed no change, as many as it held then.
    pub seq: u64,
    /// The user's scores on that board after an action.
    pub scores: Option<Scores>,
    /// The rank after an action.
    pub rank: Option<u64>,
    /// The rank before it.
    pub old_rank: Option<u64>,
    /// The command had been accepted before, and this is the answer of then. For
    /// a user: nothing had to be changed.
    pub duplicate: bool,
}

/// Why a command was refused. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody with this id is registered.
    #[error("no user with this id is registered")]
    UnknownUser,
    /// No team with this id is registered.
    #[error("no team with this id is registered: register it by PUT /api/v1/teams/{{id}} first")]
    UnknownTeam,
    /// There is no board with this id.
    #[error("there is no board {0}")]
    UnknownBoard(BoardId),
    /// A derived board takes no actions.
    #[error("{board} follows from the actions on {of}: send them to that one")]
    Derived {
        /// The board that was named.
        board: BoardId,
        /// The one that it is derived from.
        of: BoardId,
    },
    /// The board has not started.
    #[error("the board has not started: no action counts yet")]
    NotStarted,
    /// The board has ended.
    #[error("the board has ended: no action counts any more")]
    Ended,
    /// Something else was taken under this id.
    #[error("this id was used for something else")]
    Conflict,
    /// The score would not be one that every client can hold exactly.
    #[error("the score would leave the range of ±9007199254740991")]
    OutOfRange,
    /// As many actions of this type as count for the user have been counted.
    #[error("an action of this type {0}")]
    LimitReached(LimitReached),
    /// Settings make no board.
    #[error("{0}")]
    Settings(#[from] Contradiction),
    /// When its seasons end cannot be said.
    #[error("{0}")]
    Calendar(#[from] CalendarError),
    /// There are as many boards as may be.
    #[error("there are {0} boards, and limits.boards allows no more")]
    TooManyBoards(usize),
    /// Plain routes and events mean it.
    #[error("main cannot be deleted: plain routes and events mean it")]
    IsMain,
    /// Another board is derived from it.
    #[error("{0} is derived from it: delete that one first")]
    HasDerived(BoardId),
}
