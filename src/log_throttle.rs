//! A log line once a minute, however often its event happens.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

const MINUTE: Duration = Duration::from_secs(60);

/// Says when to log an event that may happen any number of times.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    logged_at: Option<Instant>,
    suppressed: u64,
}

impl LogThrottle {
    /// The event has happened. If it is to be logged, answers how many were not logged
    /// since the last line.
    pub fn allow(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock();
        let is_early = |at: Instant| now.saturating_duration_since(at) < MINUTE;
        if state.logged_at.is_some_and(is_early) {
            state.suppressed += 1;
            return None;
        }
        state.logged_at = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_logged_and_then_one_a_minute() {
        let log = LogThrottle::default();
        let start = Instant::now();
        let after = |seconds| log.allow(start + Duration::from_secs(seconds));
        assert_eq!(after(0), Some(0));
        assert_eq!((after(0), after(59)), (None, None));
        assert_eq!(after(60), Some(2));
        assert_eq!(after(61), None);
        assert_eq!(after(500), Some(1));
    }
}
