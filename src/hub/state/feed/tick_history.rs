//! The versions of the board at recent ticks. A client that has the rows of one of them
//! can be sent what has changed since; of versions between two ticks that is not known.

use std::collections::VecDeque;

use super::version::BoardVersion;

/// Ticks that are remembered: a minute of them, while something happens all the time.
const TICKS: usize = 600;

/// See the module. All ticks are of one epoch.
pub(super) struct TickHistory {
    latest: BoardVersion,
    /// The `seq` of each, in order.
    seqs: VecDeque<u64>,
}

impl TickHistory {
    /// The first tick.
    pub(super) fn new(first: BoardVersion) -> TickHistory {
        TickHistory {
            latest: first,
            seqs: VecDeque::from([first.seq]),
        }
    }

    /// The board at the latest tick.
    pub(super) fn latest(&self) -> BoardVersion {
        self.latest
    }

    /// Was there a tick with the board at `seq`?
    pub(super) fn contains(&self, seq: u64) -> bool {
        self.seqs.binary_search(&seq).is_ok()
    }

    /// Adds a tick.
    pub(super) fn push(&mut self, version: BoardVersion) {
        self.latest = version;
        if self.seqs.back() != Some(&version.seq) {
            self.seqs.push_back(version.seq);
        }
        if self.seqs.len() > TICKS {
            self.seqs.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Epoch, Timestamp};

    #[test]
    fn recent_ticks_are_known() {
        let tick = |seq| BoardVersion {
            epoch: Epoch(1),
            seq,
            at: Timestamp(0),
        };
        let mut history = TickHistory::new(tick(0));
        for seq in 1..=2000 {
            history.push(tick(2 * seq));
        }
        assert!(history.contains(4000) && history.contains(3000));
        assert!(!history.contains(3999) && !history.contains(2));
        // The last 600.
        assert!(history.contains(2802) && !history.contains(2800));
        assert_eq!(history.seqs.len(), 600);
    }
}
