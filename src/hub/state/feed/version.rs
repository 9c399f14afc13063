//! Which state of a board something shows.

use crate::board::{Board, Epoch, Timestamp};

/// A state of a board: the epoch of its log, the last entry, and when that was accepted.
/// Of another epoch, the same `seq` is another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BoardVersion {
    pub(super) epoch: Epoch,
    pub(super) seq: u64,
    pub(super) at: Timestamp,
}

impl BoardVersion {
    /// Of the board as it is.
    pub(super) fn of(epoch: Epoch, board: &Board) -> BoardVersion {
        BoardVersion {
            epoch,
            seq: board.seq(),
            at: board.changed(),
        }
    }
}
