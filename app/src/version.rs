//! Which of two versions of the board is the newer one. Pure.

use crate::wire::{LeaderboardData, UserScore, UserScoreUpdate};

/// The last entry of the log that a value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version<'a> {
    pub(crate) epoch: &'a str,
    pub(crate) seq: u64,
}

impl Version<'_> {
    /// Is an event of the socket at least as new? Events come in order, so another epoch
    /// is a new one, and versions of the last one are void.
    pub(crate) fn admits(self, event: Version<'_>) -> bool {
        self.epoch != event.epoch || self.seq <= event.seq
    }

    /// Is a response to an HTTP request at least as new? Responses may come late, so one of
    /// another epoch may be of an old one: only the socket begins a new epoch.
    pub(crate) fn admits_response(self, response: Version<'_>) -> bool {
        self.epoch == response.epoch && self.seq <= response.seq
    }
}

/// The types that have a version.
macro_rules! versions {
    ($($type:ty)*) => {
        $(impl $type {
            /// The version of this value.
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
