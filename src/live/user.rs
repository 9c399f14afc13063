//! A user, or a team where teams stand, as others are shown them.

use std::mem::size_of;

use crate::board::{BoardId, BoardView, Epoch, Profile, Score, Scores, Who};

/// A registered user or team and where they stand on a board, as of a fact of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserState {
    /// Who it is.
    pub who: Who,
    /// How the user is shown.
    pub profile: Profile,
    /// The scores and the rank, 1 or more; `None` for a user not ranked yet.
    pub ranked: Option<(Scores, u64)>,
    /// Has the board a second score?
    pub has_tiebreak: bool,
    /// The epoch of the log.
    pub epoch: Epoch,
    /// How many facts the board held.
    pub seq: u64,
    /// Which board.
    pub board: BoardId,
}

impl UserState {
    /// A user on this board, or a team on a board of teams, if they are registered.
    pub fn of(epoch: Epoch, board: BoardView<'_>, who: impl Into<Who>) -> Option<UserState> {
        let row = board.user(who)?;
        Some(UserState {
            who: row.who,
            profile: row.profile.clone(),
            ranked: row.ranked,
            has_tiebreak: board.rules().order.tiebreak.is_some(),
            epoch,
            seq: board.seq(),
            board: board.board().id().clone(),
        })
    }

    /// The scores, if there are any.
    pub fn scores(&self) -> Option<Scores> {
        self.ranked.map(|(scores, _)| scores)
    }

    /// The score, if there is one.
    pub fn score(&self) -> Option<Score> {
        self.ranked.map(|(scores, _)| scores.score)
    }

    /// The rank, if there is one.
    pub fn rank(&self) -> Option<u64> {
        self.ranked.map(|(_, rank)| rank)
    }

    /// How large it is in memory, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<UserState>() + bytes(&self.profile)
    }
}

/// How much a profile takes beside itself.
pub(super) fn bytes(profile: &Profile) -> usize {
    profile.username.len() + profile.avatar.as_ref().map_or(0, |it| it.len())
}
