//! Permits: a concurrency limit for each key. A permit is given back by being dropped, so
//! there is no way to forget one.

use std::{collections::HashMap, hash::Hash, num::NonZeroU32, sync::Arc};

use parking_lot::Mutex;

/// How many permits each key has taken; keys that have none are not stored.
type Counts<K> = Arc<Mutex<HashMap<K, u32>>>;

/// The permits of all keys.
#[derive(Debug)]
pub struct Permits<K> {
    limit: NonZeroU32,
    counts: Counts<K>,
}

impl<K: Copy + Eq + Hash> Permits<K> {
    /// So many permits for each key.
    pub fn new(limit: NonZeroU32) -> Permits<K> {
        Permits {
            limit,
            counts: Arc::default(),
        }
    }

    /// Are all permits of this key taken?
    pub fn is_exhausted(&self, key: K) -> bool {
        let counts = self.counts.lock();
        counts
            .get(&key)
            .is_some_and(|count| *count >= self.limit.get())
    }

    /// A permit of this key, if one is left.
    pub fn take(&self, key: K) -> Option<Permit<K>> {
        let mut counts = self.counts.lock();
        let count = counts.entry(key).or_default();
        if *count >= self.limit.get() {
            return None;
        }
        *count += 1;
        let taken = Taken {
            key,
            counts: self.counts.clone(),
        };
        Some(Permit {
            _taken: Some(Arc::new(taken)),
        })
    }
}

/// A permit. It is given back when its last clone is dropped.
#[derive(Clone, Debug)]
pub struct Permit<K: Copy + Eq + Hash> {
    _taken: Option<Arc<Taken<K>>>,
}

impl<K: Copy + Eq + Hash> Permit<K> {
    /// A permit where there is no limit.
    pub fn unlimited() -> Permit<K> {
        Permit { _taken: None }
    }
}

#[derive(Debug)]
struct Taken<K: Copy + Eq + Hash> {
    key: K,
    counts: Counts<K>,
}

impl<K: Copy + Eq + Hash> Drop for Taken<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
                if counts.len() < counts.capacity() / 4 {
                    counts.shrink_to_fit();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(limit: u32) -> Permits<u8> {
        Permits::new(NonZeroU32::new(limit).unwrap())
    }

    #[test]
    fn each_key_has_so_many() {
        let permits = permits(2);
        let taken = [permits.take(1), permits.take(1)];
        assert!(taken.iter().all(Option::is_some));
        assert!(permits.take(1).is_none());
        assert!(permits.take(2).is_some());
    }

    #[test]
    fn a_permit_is_given_back_once_with_its_last_clone() {
        let permits = permits(2);
        let (one, other) = (permits.take(1), permits.take(1));
        let clone = one.clone();
        drop(one);
        assert!(permits.take(1).is_none(), "a clone still holds it");
        drop(clone);
        let again = permits.take(1);
        assert!(again.is_some());
        assert!(permits.take(1).is_none(), "one was given back, not two");
        drop((other, again));
        assert!(permits.counts.lock().is_empty(), "no key is stored");
    }

    #[test]
    fn there_are_never_more_however_many_ask_at_once() {
        let permits = permits(3);
        let most = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let Some(permit) = permits.take(1) else {
                            continue;
                        };
                        let taken = permits.counts.lock()[&1];
                        most.fetch_max(taken, std::sync::atomic::Ordering::Relaxed);
                        drop(permit);
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.into_inner()));
        assert!(permits.counts.lock().is_empty());
    }
}
