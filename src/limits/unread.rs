//! What is held of answers that clients have not read yet, in bytes: so much of each
//! client and in all.
//!
//! A client may hold at most as much as is free for all (a dynamic threshold, as in
//! Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
//! switches", 1998): so a few who read nothing never take all, and whoever comes next
//! finds as much room as each of them has.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;

use super::Client;

/// What may be held, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct UnreadBounds {
    /// Of one client that is limited.
    pub of_client: usize,
    /// Of all together.
    pub in_all: usize,
}

/// How many bytes are held for clients. Clones count the same.
#[derive(Clone)]
pub struct UnreadBytes(Arc<Mutex<Held<Client>>>);

impl UnreadBytes {
    /// Nothing is held yet.
    pub fn new(bounds: UnreadBounds) -> UnreadBytes {
        UnreadBytes(Arc::new(Mutex::new(Held::new(bounds))))
    }

    /// May one more answer be made for this client? What it holds then may be beyond the
    /// bound by this one answer, whose length nobody knows before it is made.
    pub fn has_room(&self, client: Client, is_limited: bool) -> bool {
        self.0.lock().has_room(client, is_limited)
    }

    /// Counts so many bytes more, until the result is dropped.
    pub fn hold(&self, client: Client, bytes: usize) -> HeldBytes {
        self.0.lock().add(client, bytes);
        HeldBytes {
            unread: self.clone(),
            client,
            bytes,
        }
    }
}

/// Bytes that are held for a client, until this is dropped.
pub struct HeldBytes {
    unread: UnreadBytes,
    client: Client,
    bytes: usize,
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.unread.0.lock().remove(self.client, self.bytes);
    }
}

struct Held<K> {
    bounds: UnreadBounds,
    in_all: usize,
    /// Clients of which nothing is held are not there.
    of_client: HashMap<K, usize>,
}

impl<K: Copy + Eq + Hash> Held<K> {
    fn new(bounds: UnreadBounds) -> Held<K> {
        Held {
            bounds,
            in_all: 0,
            of_client: HashMap::new(),
        }
    }

    fn has_room(&self, key: K, is_limited: bool) -> bool {
        let free = self.bounds.in_all.saturating_sub(self.in_all);
        let most = if is_limited {
            free.min(self.bounds.of_client)
        } else {
            free
        };
        self.of_client.get(&key).copied().unwrap_or_default() < most
    }

    fn add(&mut self, key: K, bytes: usize) {
        if bytes > 0 {
            self.in_all += bytes;
            *self.of_client.entry(key).or_default() += bytes;
        }
    }

    fn remove(&mut self, key: K, bytes: usize) {
        if let Some(held) = self.of_client.get_mut(&key) {
            *held -= bytes;
            self.in_all -= bytes;
            if *held == 0 {
                self.of_client.remove(&key);
                if self.of_client.len() < self.of_client.capacity() / 4 {
                    self.of_client.shrink_to_fit();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const BOUNDS: UnreadBounds = UnreadBounds {
        of_client: 40,
        in_all: 100,
    };

    /// Has this client answers of so many bytes made, until it is refused.
    fn fill(held: &mut Held<u8>, key: u8, bytes: usize, is_limited: bool) -> usize {
        while held.has_room(key, is_limited) {
            held.add(key, bytes);
        }
        held.of_client.get(&key).copied().unwrap_or_default()
    }

    #[test]
    fn a_client_has_its_bound_and_others_have_room() {
        let mut held = Held::new(BOUNDS);
        assert_eq!(fill(&mut held, 1, 10, true), 40);
        // As much as is left to the next.
        assert_eq!(fill(&mut held, 2, 10, true), 30);
        assert_eq!(fill(&mut held, 3, 5, true), 15);
        assert!(held.has_room(4, true));
        held.remove(1, 40);
        assert!(held.has_room(1, true) && held.has_room(2, true));
    }

    #[test]
    fn who_is_not_limited_leaves_half_to_others() {
        let mut held = Held::new(BOUNDS);
        assert_eq!(fill(&mut held, 1, 10, false), 50);
        assert!(held.has_room(2, true));
    }

    #[test]
    fn what_is_given_back_leaves_nothing_behind() {
        let unread = UnreadBytes::new(BOUNDS);
        let client = Client::Server;
        let held = [unread.hold(client, 30), unread.hold(client, 30)];
        assert!(!unread.has_room(client, true));
        drop(held);
        drop(unread.hold(client, 0));
        assert!(unread.has_room(client, true));
        let held = unread.0.lock();
        assert!(held.in_all == 0 && held.of_client.is_empty());
    }

    proptest! {
        /// Whatever clients do: in all no more is held than the bound and one answer, and
        /// whoever holds nothing is never refused while anything is free.
        #[test]
        fn nobody_takes_all(answers in vec((0..20_u8, 1..10_usize, any::<bool>()), 0..200)) {
            let mut held = Held::new(BOUNDS);
            for (key, bytes, is_limited) in answers {
                if held.has_room(key, is_limited) {
                    held.add(key, bytes);
                }
                prop_assert!(held.in_all < BOUNDS.in_all + 10);
                prop_assert_eq!(held.has_room(200, true), held.in_all < BOUNDS.in_all);
            }
        }
    }
}
