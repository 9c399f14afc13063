//! Exponential backoff with jitter: retries come later and later, and those of many pages
//! not at the same time (Marc Brooker, "Exponential Backoff And Jitter", 2015; its "equal
//! jitter").

/// The wait after the first failure, in milliseconds; it doubles with each one.
pub(super) const FIRST_WAIT: f64 = 1_000.0;
/// The longest wait before the next attempt, in milliseconds, where a viewer waits for it.
pub(super) const LONGEST_WAIT: f64 = 10_000.0;
/// No wait is doubled more often: 2^16 s is longer than any longest wait.
const MOST_DOUBLINGS: i32 = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: i32,
}

impl Backoff {
    /// How long to wait after another failure, in milliseconds: at most `longest`.
    /// `random`, from 0 to 1, decides one half of the wait.
    pub(super) fn next(&mut self, longest: f64, random: f64) -> f64 {
        let wait = (FIRST_WAIT * 2f64.powi(self.failures)).min(longest);
        self.failures = (self.failures + 1).min(MOST_DOUBLINGS);
        wait * (0.5 + random / 2.0)
    }

    /// Forgets the failures.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::default();
        let waits: Vec<f64> = (0..6).map(|_| backoff.next(10_000.0, 1.0)).collect();
        assert_eq!(
            waits,
            [1_000.0, 2_000.0, 4_000.0, 8_000.0, 10_000.0, 10_000.0]
        );
        for _ in 0..1_000 {
            assert_eq!(backoff.next(10_000.0, 0.0), 5_000.0);
        }
        backoff.reset();
        assert_eq!(backoff.next(10_000.0, 0.5), 750.0);
    }
}
