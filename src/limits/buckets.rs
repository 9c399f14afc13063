//! Token buckets by key from which something can be given back, which those of the crate
//! `governor` do not know. The generic cell rate algorithm as ATM Forum TM 4.1 has it:
//! for each key the moment at which its bucket will be full again. Pure: the time is an
//! argument.

use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// See the module. A bucket that is full takes no memory.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    /// After how long there is one more.
    every: Duration,
    /// In which an empty bucket becomes full.
    window: Duration,
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// Of which each holds so many, and is filled within `window`.
    pub(super) fn new(size: NonZeroU32, window: Duration) -> Buckets<K> {
        let every = (window / size.get()).max(Duration::from_nanos(1));
        Buckets {
            every,
            window: every * size.get(),
            full_at: Mutex::default(),
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// There is none; then this is how long it takes until there is.
    pub(super) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.full_at.lock();
        let full_at = buckets.get(&key).copied().unwrap_or(now).max(now) + self.every;
        let wait = full_at.saturating_duration_since(now + self.window);
        if wait.is_zero() {
            buckets.insert(key, full_at);
            return Ok(());
        }
        Err(wait)
    }

    /// Gives back one that was taken. A bucket never holds more than its size.
    pub(super) fn give_back(&self, key: K, now: Instant) {
        let mut buckets = self.full_at.lock();
        if let Some(full_at) = buckets.get_mut(&key) {
            match full_at.checked_sub(self.every).filter(|at| *at > now) {
                Some(earlier) => *full_at = earlier,
                None => _ = buckets.remove(&key),
            }
        }
    }

    /// After which time so many can be taken, if nobody takes any before.
    pub(super) fn wait(&self, key: K, count: u32, now: Instant) -> Duration {
        let full_at = self.full_at.lock().get(&key).copied();
        let full_at = full_at.unwrap_or(now).max(now) + self.every.saturating_mul(count);
        full_at.saturating_duration_since(now + self.window)
    }

    /// Forgets the buckets that are full.
    pub(super) fn forget_full(&self, now: Instant) {
        let mut buckets = self.full_at.lock();
        buckets.retain(|_, full_at| *full_at > now);
        buckets.shrink_to_fit();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.full_at.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn buckets() -> Buckets<u8> {
        Buckets::new(NonZeroU32::new(3).unwrap(), 9 * SECOND)
    }

    #[test]
    fn all_at_once_and_then_one_after_the_other() {
        let (buckets, now) = (buckets(), Instant::now());
        for _ in 0..3 {
            assert_eq!(buckets.take(1, now), Ok(()));
        }
        assert_eq!(buckets.take(1, now), Err(3 * SECOND));
        assert_eq!(buckets.take(2, now), Ok(()), "each key has its own");
        assert_eq!(buckets.take(1, now + 2 * SECOND), Err(SECOND));
        assert_eq!(buckets.take(1, now + 3 * SECOND), Ok(()));
        assert_eq!(buckets.take(1, now + 3 * SECOND), Err(3 * SECOND));
        for _ in 0..3 {
            assert_eq!(buckets.take(1, now + 100 * SECOND), Ok(()));
        }
        assert!(buckets.take(1, now + 100 * SECOND).is_err());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more() {
        let (buckets, now) = (buckets(), Instant::now());
        for _ in 0..3 {
            assert_eq!(buckets.take(1, now), Ok(()));
        }
        buckets.give_back(1, now);
        assert_eq!(buckets.take(1, now), Ok(()));
        assert!(buckets.take(1, now).is_err());
        for _ in 0..10 {
            buckets.give_back(1, now);
            buckets.give_back(2, now);
        }
        assert_eq!(buckets.len(), 0, "a full bucket takes no memory");
        for _ in 0..3 {
            assert_eq!(buckets.take(1, now), Ok(()));
        }
        assert!(buckets.take(1, now).is_err());
    }

    #[test]
    fn it_says_when_there_will_be_so_many() {
        let (buckets, now) = (buckets(), Instant::now());
        assert_eq!(buckets.wait(1, 3, now), Duration::ZERO);
        assert_eq!(buckets.take(1, now), Ok(()));
        assert_eq!(buckets.wait(1, 2, now), Duration::ZERO);
        assert_eq!(buckets.wait(1, 3, now), 3 * SECOND);
        assert_eq!(buckets.wait(1, 5, now + SECOND), 8 * SECOND);
        assert_eq!(buckets.len(), 1, "asking takes nothing");
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let (buckets, now) = (buckets(), Instant::now());
        assert_eq!(buckets.take(1, now), Ok(()));
        buckets.forget_full(now + 2 * SECOND);
        assert_eq!(buckets.len(), 1);
        buckets.forget_full(now + 3 * SECOND);
        assert_eq!(buckets.len(), 0);
    }
}
