//! Places: how many of something anybody may have at the same time. A place is
//! given back by being dropped, so there is no way to forget one.

use std::{collections::HashMap, hash::Hash, num::NonZeroU32, sync::Arc};

use parking_lot::Mutex;

/// How many places each key has taken; keys that have none are not there.
type Counts<K> = Arc<Mutex<HashMap<K, u32>>>;

/// The places of all keys.
#[derive(Debug)]
pub struct Places<K> {
    each: NonZeroU32,
    counts: Counts<K>,
}

impl<K: Copy + Eq + Hash> Places<K> {
    /// So many for each key.
    pub fn new(each: NonZeroU32) -> Places<K> {
        Places {
            each,
            counts: Arc::default(),
        }
    }

    /// Has this key no place left?
    pub fn is_full(&self, key: K) -> bool {
        let counts = self.counts.lock();
        counts
            .get(&key)
            .is_some_and(|count| *count >= self.each.get())
    }

    /// A place for this key, if it has one left.
    pub fn take(&self, key: K) -> Option<Place<K>> {
        let mut counts = self.counts.lock();
        let count = counts.entry(key).or_default();
        if *count >= self.each.get() {
            return None;
        }
        *count += 1;
        let taken = Taken {
            key,
            counts: self.counts.clone(),
        };
        Some(Place {
            _taken: Some(Arc::new(taken)),
        })
    }
}

/// A place. It is given back when its last clone is dropped.
#[derive(Clone, Debug)]
pub struct Place<K: Copy + Eq + Hash> {
    _taken: Option<Arc<Taken<K>>>,
}

impl<K: Copy + Eq + Hash> Place<K> {
    /// A place where nobody counts them.
    pub fn unlimited() -> Place<K> {
        Place { _taken: None }
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

    fn places(each: u32) -> Places<u8> {
        Places::new(NonZeroU32::new(each).unwrap())
    }

    #[test]
    fn each_key_has_so_many() {
        let places = places(2);
        let taken = [places.take(1), places.take(1)];
        assert!(taken.iter().all(Option::is_some));
        assert!(places.take(1).is_none());
        assert!(places.take(2).is_some());
    }

    #[test]
    fn a_place_is_given_back_once_with_its_last_clone() {
        let places = places(2);
        let (one, other) = (places.take(1), places.take(1));
        let clone = one.clone();
        drop(one);
        assert!(places.take(1).is_none(), "a clone still holds it");
        drop(clone);
        let again = places.take(1);
        assert!(again.is_some());
        assert!(places.take(1).is_none(), "one was given back, not two");
        drop((other, again));
        assert!(places.counts.lock().is_empty(), "nobody is remembered");
    }

    #[test]
    fn there_are_never_more_however_many_ask_at_once() {
        let places = places(3);
        let most = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let Some(place) = places.take(1) else {
                            continue;
                        };
                        let here = places.counts.lock()[&1];
                        most.fetch_max(here, std::sync::atomic::Ordering::Relaxed);
                        drop(place);
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.into_inner()));
        assert!(places.counts.lock().is_empty());
    }
}
