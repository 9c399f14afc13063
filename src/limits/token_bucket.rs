//! Token buckets by the generic cell rate algorithm (ATM Forum TM 4.1): of a bucket, only
//! the time is stored at which it will be full again. Pure: the time is an argument.
//!
//! A bucket can be given tokens back, and it can lend them: who takes more than there are
//! waits until the debt is paid.

use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// How many tokens a bucket holds, and how fast it is refilled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    /// After how long there is one token more.
    interval: Duration,
    /// In which an empty bucket becomes full.
    window: Duration,
}

impl Quota {
    /// Buckets of `size` tokens, which are refilled within `window`.
    pub(super) fn new(size: NonZeroU32, window: Duration) -> Quota {
        let interval = (window / size.get()).max(Duration::from_nanos(1));
        Quota {
            interval,
            window: interval * size.get(),
        }
    }

    /// Buckets into which `rate` tokens come each second, and which hold those of `burst`.
    pub(super) fn per_second(rate: NonZeroU32, burst: Duration) -> Quota {
        let interval = (Duration::from_secs(1) / rate.get()).max(Duration::from_nanos(1));
        Quota {
            interval,
            window: burst,
        }
    }
}

/// One bucket, whose quota is an argument of each call.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBucket {
    full_at: Instant,
}

impl TokenBucket {
    /// A bucket that is full.
    pub(super) fn full(now: Instant) -> TokenBucket {
        TokenBucket { full_at: now }
    }

    /// Takes so many tokens.
    ///
    /// # Errors
    /// If there are not so many; then none is taken, and this is how long it takes until
    /// there are.
    pub(super) fn take(&mut self, quota: Quota, tokens: u32, now: Instant) -> Result<(), Duration> {
        let missing = self.missing_after(quota, tokens, now);
        let wait = missing.saturating_sub(quota.window);
        if wait.is_zero() {
            self.full_at = now + missing;
            return Ok(());
        }
        Err(wait)
    }

    /// Takes so many tokens, whether there are so many or not, and answers how long it
    /// takes until the debt is paid. It is never more than the window twice.
    pub(super) fn borrow(&mut self, quota: Quota, tokens: u32, now: Instant) -> Duration {
        let missing = self.missing_after(quota, tokens, now);
        let missing = missing.min(quota.window.saturating_mul(3));
        self.full_at = now + missing;
        missing.saturating_sub(quota.window)
    }

    /// Gives back one token that was taken. A bucket never holds more than its size.
    pub(super) fn give_back(&mut self, quota: Quota, now: Instant) {
        let earlier = self.full_at.checked_sub(quota.interval);
        self.full_at = earlier.unwrap_or(now).max(now);
    }

    /// After which time so many tokens can be taken, if none is taken before.
    pub(super) fn wait(&self, quota: Quota, tokens: u32, now: Instant) -> Duration {
        let missing = self.missing_after(quota, tokens, now);
        missing.saturating_sub(quota.window)
    }

    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// How long it would take to fill the bucket once so many tokens were taken.
    fn missing_after(&self, quota: Quota, tokens: u32, now: Instant) -> Duration {
        let missing = self.full_at.saturating_duration_since(now);
        missing.saturating_add(quota.interval.saturating_mul(tokens))
    }
}

/// A bucket for each key. One that is full takes no memory.
#[derive(Debug)]
pub(super) struct KeyedBuckets<K> {
    quota: Quota,
    buckets: Mutex<HashMap<K, TokenBucket>>,
}

impl<K: Copy + Eq + Hash> KeyedBuckets<K> {
    /// Buckets that are full.
    pub(super) fn new(quota: Quota) -> KeyedBuckets<K> {
        KeyedBuckets {
            quota,
            buckets: Mutex::default(),
        }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// If there is none; then this is how long it takes until there is.
    pub(super) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock();
        let bucket = buckets.entry(key).or_insert(TokenBucket::full(now));
        bucket.take(self.quota, 1, now)
    }

    /// Gives back one token that was taken.
    pub(super) fn give_back(&self, key: K, now: Instant) {
        let mut buckets = self.buckets.lock();
        if let Some(bucket) = buckets.get_mut(&key) {
            bucket.give_back(self.quota, now);
            if bucket.is_full(now) {
                buckets.remove(&key);
            }
        }
    }

    /// After which time so many tokens can be taken, if none is taken before.
    pub(super) fn wait(&self, key: K, tokens: u32, now: Instant) -> Duration {
        let bucket = self.buckets.lock().get(&key).copied();
        let bucket = bucket.unwrap_or(TokenBucket::full(now));
        bucket.wait(self.quota, tokens, now)
    }

    /// Forgets the buckets that are full.
    pub(super) fn forget_full(&self, now: Instant) {
        let mut buckets = self.buckets.lock();
        buckets.retain(|_, bucket| !bucket.is_full(now));
        buckets.shrink_to_fit();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.buckets.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn buckets() -> KeyedBuckets<u8> {
        KeyedBuckets::new(Quota::new(NonZeroU32::new(3).unwrap(), 9 * SECOND))
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
