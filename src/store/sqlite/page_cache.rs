//! When SQLite's page cache gives its memory back: in a quiet time after a busy one. What is
//! needed again is read again, from the memory of the system as a rule.

use std::time::{Duration, Instant};

/// How long a time is that is quiet or busy.
const LOOK: Duration = Duration::from_secs(5);

/// Commands in that time from which on it is busy. What each of fewer reads takes
/// microseconds from the system.
const BUSY: usize = 250;

/// See the module. Pure.
pub(super) struct PageCache {
    looked: Instant,
    /// Commands since then.
    commands: usize,
    /// Was there a busy time since the memory was given back?
    is_filled: bool,
}

impl PageCache {
    /// Of a database that was just read.
    pub(super) fn new(now: Instant) -> PageCache {
        PageCache {
            looked: now,
            commands: 0,
            is_filled: true,
        }
    }

    /// So many commands were decided about.
    pub(super) fn used(&mut self, commands: usize) {
        self.commands += commands;
    }

    /// Is its memory to be given back now? Asked at least once a second.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.looked) < LOOK {
            return false;
        }
        self.looked = now;
        let commands = std::mem::take(&mut self.commands);
        let was_filled = self.is_filled;
        self.is_filled = commands >= BUSY;
        was_filled && !self.is_filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_after_a_busy_time() {
        let mut now = Instant::now();
        let mut cache = PageCache::new(now);
        let mut is_due = |commands| {
            cache.used(commands);
            now += LOOK;
            assert!(!cache.is_due(now - LOOK / 2), "too early");
            cache.is_due(now)
        };
        assert!(is_due(0), "what the start has read");
        assert!(!is_due(0));
        assert!(!is_due(BUSY - 1) && !is_due(0), "it was never busy");
        assert!(!is_due(BUSY) && !is_due(10 * BUSY));
        assert!(is_due(BUSY - 1));
        assert!(!is_due(0));
    }
}
