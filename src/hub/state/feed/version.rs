//! Which state of a board something shows.

use crate::board::{BoardView, Epoch, Timestamp};

/// A state of a board: the epoch of the log, how many facts the board holds, and when the
/// last of them was accepted.
/// Of another epoch, the same `seq` is another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BoardVersion {
    pub(super) epoch: Epoch,
    pub(super) seq: u64,
    pub(super) at: Timestamp,
}

impl BoardVersion {
    /// Of the board as it is.
    pub(super) fn of(epoch: Epoch, board: BoardView<'_>) -> BoardVersion {
        BoardVersion {
            epoch,
            seq: board.seq(),
            at: board.changed(),
        }
    }
    /// The newer of two. Of another epoch, the later is.
    pub(super) fn max(self, later: BoardVersion) -> BoardVersion {
        match self.epoch == later.epoch && later.seq < self.seq {
            true => self,
            false => later,
        }
    }

    /// Where there is no board.
    pub(super) fn of_nothing(epoch: Epoch) -> BoardVersion {
        BoardVersion {
            epoch,
            seq: 0,
            at: Timestamp::default(),
        }
    }
}
