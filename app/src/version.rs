//! Which of two facts about the board is the newer one. Pure.

use crate::wire::{LeaderboardData, UserScore, UserScoreUpdate};

/// As of which entry of which epoch a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version<'a> {
    pub(crate) epoch: &'a str,
    pub(crate) seq: u64,
}

impl Version<'_> {
    /// Is an event of the socket at least as new? Events come in order, so another epoch
    /// is a new one, and what is known of the last one is void.
    pub(crate) fn admits(self, event: Version<'_>) -> bool {
        self.epoch != event.epoch || self.seq <= event.seq
    }

    /// Is an answer to a request of its own at least as new? Such answers come late, so
    /// one of another epoch may be of an old one: only the socket begins a new epoch.
    pub(crate) fn admits_answer(self, answer: Version<'_>) -> bool {
        self.epoch == answer.epoch && self.seq <= answer.seq
    }
}

/// What says as of which entry it is.
macro_rules! versions {
    ($($type:ty)*) => {
        $(impl $type {
            /// As of which entry this is.
            pub(crate) fn version(&self) -> Version<'_> {
                Version {
                    epoch: &self.epoch,
                    seq: self.seq,
                }
            }
        })*
    };
}

versions!(LeaderboardData UserScore UserScoreUpdate);
