//! A user as others are shown them.

use std::mem::size_of;

use crate::board::{BoardId, BoardView, Epoch, Profile, Score, Scores, UserId};

/// A registered user and where they stand on a board, as of a fact of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserState {
    /// Who it is.
    pub id: UserId,
    /// How the user is shown.
    pub profile: Profile,
    /// The scores and the rank, 1 or more; `None` for a user not ranked yet.
    pub ranked: Option<(Scores, u64)>,
    /// The epoch of the log.
    pub epoch: Epoch,
    /// How many facts the board held.
    pub seq: u64,
    /// Which board.
    pub board: BoardId,
}

impl UserState {
    /// A user on this board, if the user is registered.
    pub fn of(epoch: Epoch, board: BoardView<'_>, user: UserId) -> Option<UserState> {
        let row = board.user(user)?;
        Some(UserState {
            id: user,
            profile: row.profile.clone(),
            ranked: row.ranked,
            epoch,
            seq: board.seq(),
            board: board.board().id().clone(),
        })
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
