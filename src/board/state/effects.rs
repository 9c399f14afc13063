//! What an entry of the log does: to what others see, and to what stores keep.

use std::sync::Arc;

use crate::board::{
    Applied, Board, BoardHead, BoardId, Competitor, FinalStandings, Seq, StoredMember,
    StoredStanding, TeamId, Timestamp, UserId,
};

/// What an entry of the log did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// What is seen of it.
    pub shown: Vec<Effect>,
    /// What stores keep of it, in order.
    pub stored: Vec<StoredChange>,
}

/// A change of what a store keeps of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredChange {
    /// All but who stands on it.
    Board(BoardHead),
    /// The board is gone, with all that was kept of it. Another one of this id counts on from
    /// this number.
    BoardDeleted(BoardId, u64),
    /// A season has ended.
    SeasonEnded {
        /// Of which board.
        board: BoardId,
        /// With which standings.
        standings: Arc<FinalStandings>,
        /// Has a new one begun, in which nobody has a result?
        goes_on: bool,
    },
    /// What a person has.
    Standing(BoardId, StoredStanding),
    /// What a person has in a team.
    Member(BoardId, StoredMember),
    /// A person has nothing there any more, nor in these teams.
    Removed(BoardId, UserId, Box<[TeamId]>),
}

impl StoredChange {
    /// The board that has changed.
    pub fn board(&self) -> &BoardId {
        match self {
            StoredChange::Board(head) => &head.id,
            StoredChange::BoardDeleted(board, _)
            | StoredChange::SeasonEnded { board, .. }
            | StoredChange::Standing(board, _)
            | StoredChange::Member(board, _)
            | StoredChange::Removed(board, _, _) => board,
        }
    }
}

/// What an entry of the log did that is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// On which board.
    pub board: BoardId,
    /// What.
    pub what: What,
}

/// What an entry of the log did on one board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody was placed, moved or removed.
    Placed(Applied),
    /// Somebody has acted who is hidden: they alone see it.
    ActedHidden,
    /// Somebody is shown in another way.
    Renamed(Competitor),
    /// A season has ended, and a new one has begun.
    Ended(Arc<FinalStandings>),
    /// The board has ended, and stays as it is.
    Final(Arc<FinalStandings>),
    /// The board was created, or has other settings.
    Changed,
    /// The board is gone.
    Deleted,
}

/// An entry that is being folded.
pub(super) struct Folding<'a> {
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    pub(super) effects: &'a mut Effects,
}

impl Folding<'_> {
    /// The entry is a fact of this board.
    pub(super) fn touch(&mut self, board: &mut Board) {
        board.touch(self.at);
        self.store(board);
    }

    pub(super) fn store(&mut self, board: &Board) {
        self.effects.stored.push(StoredChange::Board(board.head()));
    }

    pub(super) fn show(&mut self, board: &Board, what: What) {
        self.effects.shown.push(Effect {
            board: board.id().clone(),
            what,
        });
    }

    /// Somebody has acted on a board. What was applied, others see; what counts for somebody who
    /// is hidden, they alone.
    pub(super) fn acted(
        &mut self,
        board: &mut Board,
        applied: Option<Applied>,
        stored: Option<StoredChange>,
        counts_hidden: bool,
    ) {
        self.effects.stored.extend(stored);
        match applied {
            Some(applied) => {
                self.touch(board);
                self.show(board, What::Placed(applied));
            }
            None => {
                // That it is used is new, perhaps.
                self.store(board);
                if counts_hidden {
                    self.show(board, What::ActedHidden);
                }
            }
        }
    }
}
