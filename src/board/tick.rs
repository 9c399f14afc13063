//! The tick: when changes are sent.

use std::time::Duration;

/// Says when to send: the first change after a quiet period at once, from then
/// on once a period. Moments are durations since any fixed instant.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    period: Duration,
    /// Before this nothing is sent.
    ready: Duration,
}

impl Tick {
    /// A tick that has been quiet.
    pub fn new(period: Duration) -> Tick {
        Tick {
            period,
            ready: Duration::ZERO,
        }
    }

    /// When a change that is known at `now` is due.
    pub fn due(&self, now: Duration) -> Duration {
        now.max(self.ready)
    }

    /// Notes that everything known at `now` was sent.
    pub fn sent(&mut self, now: Duration) {
        self.ready = now + self.period;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_change_goes_at_once_and_the_next_a_period_later() {
        let mut tick = Tick::new(100 * MS);
        assert_eq!(tick.due(5000 * MS), 5000 * MS);
        tick.sent(5000 * MS);
        assert_eq!(tick.due(5001 * MS), 5100 * MS);
        assert_eq!(tick.due(5099 * MS), 5100 * MS);
        tick.sent(5100 * MS);
        assert_eq!(tick.due(5150 * MS), 5200 * MS);
        // Quiet again: nothing was sent since 5100 ms.
        assert_eq!(tick.due(5300 * MS), 5300 * MS);
    }
}
