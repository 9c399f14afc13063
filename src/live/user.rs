//! A user as others are shown them.

use std::mem::size_of;

use crate::board::{Board, Epoch, Profile, Row, Score, UserId};

/// A registered user with score and rank, as of an entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserState {
    /// Who it is.
    pub id: UserId,
    /// How the user is shown.
    pub profile: Profile,
    /// The score; `None` for a user not ranked yet.
    pub score: Option<Score>,
    /// The rank, 1 or more, with a score only.
    pub rank: Option<u64>,
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The last entry that the board held.
    pub seq: u64,
}

impl UserState {
    /// A user of this board, if the user is registered.
    pub fn of(epoch: Epoch, board: &Board, user: UserId) -> Option<UserState> {
        let Row {
            user: id,
            profile,
            score,
            rank,
        } = board.user(user)?;
        Some(UserState {
            id,
            profile: profile.clone(),
            score,
            rank,
            epoch,
            seq: board.seq(),
        })
    }

    /// How large it is in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let avatar = self.profile.avatar.as_ref();
        size_of::<UserState>() + self.profile.username.len() + avatar.map_or(0, |it| it.len())
    }
}
