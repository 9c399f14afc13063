//! The rule by which permits are granted fairly, as pure code.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

use super::NoPermit;

/// Which clients have permits and which wait for one. `T` wakes a waiter.
pub(super) struct Queue<K, T> {
    permits: usize,
    most_of_client: usize,
    most: usize,
    pub(super) free: usize,
    /// Permits of each client; one without permits is not stored.
    running: HashMap<K, usize>,
    /// The waiters of each client in order; a client without any is not stored.
    waiting: HashMap<K, VecDeque<(u64, T)>>,
    /// The clients that wait, the next one first.
    turns: VecDeque<K>,
    pub(super) waiters: usize,
    next_ticket: u64,
}

impl<K: Copy + Eq + Hash, T> Queue<K, T> {
    pub(super) fn new(permits: usize, most_of_client: usize, most: usize) -> Queue<K, T> {
        Queue {
            permits,
            most_of_client,
            most,
            free: permits,
            running: HashMap::new(),
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            waiters: 0,
            next_ticket: 0,
        }
    }

    /// Begins to wait, if there is room.
    pub(super) fn enter(&mut self, key: K, waiter: T) -> Result<u64, NoPermit> {
        let of_key = self.waiting.get(&key).map_or(0, VecDeque::len);
        if of_key >= self.most_of_client {
            return Err(NoPermit::QueueFull);
        }
        if self.waiters >= self.most {
            // Who waits for much makes room for who waits for less.
            let longest = self.waiting.iter().max_by_key(|(_, queue)| queue.len());
            let longest = longest.filter(|(_, queue)| queue.len() > of_key + 1);
            let (&longest, queue) = longest.ok_or(NoPermit::Busy)?;
            let &(latest, _) = queue.back().ok_or(NoPermit::Busy)?;
            drop(self.leave(longest, latest));
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let queue = self.waiting.entry(key).or_default();
        if queue.is_empty() {
            self.turns.push_back(key);
        }
        queue.push_back((ticket, waiter));
        self.waiters += 1;
        Ok(ticket)
    }

    /// Waits no longer; nothing changes if this ticket waits no more.
    pub(super) fn leave(&mut self, key: K, ticket: u64) -> Option<T> {
        let queue = self.waiting.get_mut(&key)?;
        // Tickets of a queue rise.
        let at = queue.binary_search_by_key(&ticket, |(ticket, _)| *ticket);
        let (_, waiter) = queue.remove(at.ok()?)?;
        self.waiters -= 1;
        if queue.is_empty() {
            self.waiting.remove(&key);
            self.turns.retain(|turn| *turn != key);
        }
        Some(waiter)
    }

    /// Gives a permit of this client back.
    pub(super) fn give_back(&mut self, key: K) {
        if let Some(running) = self.running.get_mut(&key) {
            *running -= 1;
            self.free += 1;
            if *running == 0 {
                self.running.remove(&key);
            }
        }
    }

    /// Grants a free permit to whose turn it is, if there is one.
    pub(super) fn grant(&mut self) -> Option<(K, T)> {
        if self.free == 0 {
            return None;
        }
        let at = self.turns.iter().position(|key| self.may_run(*key))?;
        let key = self.turns.remove(at)?;
        let queue = self.waiting.get_mut(&key)?;
        let (_, waiter) = queue.pop_front()?;
        if queue.is_empty() {
            self.waiting.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        self.waiters -= 1;
        self.free -= 1;
        *self.running.entry(key).or_default() += 1;
        Some((key, waiter))
    }

    /// May one more of this client run? The first always may. While others wait, half of
    /// the permits are the most for one client; and else all but one, so that the next
    /// who comes needs not wait at all.
    fn may_run(&self, key: K) -> bool {
        let running = self.running.get(&key).copied().unwrap_or_default();
        let others_wait = self.turns.iter().any(|turn| *turn != key);
        let most = if others_wait {
            self.permits / 2
        } else {
            self.permits.saturating_sub(1)
        };
        running < most.max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// The clients that are granted a permit, in order, as long as there are any.
    fn granted(queue: &mut Queue<u8, ()>) -> Vec<u8> {
        std::iter::from_fn(|| queue.grant())
            .map(|(key, ())| key)
            .collect()
    }

    fn queue(permits: usize) -> Queue<u8, ()> {
        Queue::new(permits, 100, 1000)
    }

    #[test]
    fn a_lone_client_leaves_one_permit_to_the_next() {
        let mut queue = queue(4);
        for _ in 0..10 {
            queue.enter(1, ()).expect("room");
        }
        assert_eq!(granted(&mut queue), [1, 1, 1]);
        queue.enter(2, ()).expect("room");
        assert_eq!(granted(&mut queue), [2]);
    }

    #[test]
    fn while_others_wait_a_client_has_half() {
        let mut queue = queue(4);
        for key in [1, 1, 1, 1, 2, 2, 2, 2] {
            queue.enter(key, ()).expect("room");
        }
        assert_eq!(granted(&mut queue), [1, 2, 1, 2]);
        queue.give_back(1);
        assert_eq!(granted(&mut queue), [1]);
    }

    #[test]
    fn of_one_permit_each_client_has_its_turn() {
        let mut queue = queue(1);
        for key in [1, 1, 1, 2, 3] {
            queue.enter(key, ()).expect("room");
        }
        let mut order = Vec::new();
        while let Some((key, ())) = queue.grant() {
            order.push(key);
            queue.give_back(key);
        }
        assert_eq!(order, [1, 2, 3, 1, 1]);
    }

    #[test]
    fn a_full_queue_refuses_its_client_and_nobody_else() {
        let mut queue: Queue<u8, ()> = Queue::new(1, 3, 5);
        queue.enter(9, ()).expect("room");
        assert_eq!(granted(&mut queue), [9]);
        for _ in 0..3 {
            assert!(queue.enter(1, ()).is_ok());
        }
        assert_eq!(queue.enter(1, ()), Err(NoPermit::QueueFull));
        assert!(queue.enter(2, ()).is_ok() && queue.enter(2, ()).is_ok());
        // In all there is no room, and who waits for most makes some.
        assert!(queue.enter(3, ()).is_ok());
        assert_eq!(queue.waiting[&1].len(), 2);
        // Nobody waits for more.
        assert_eq!(queue.enter(2, ()), Err(NoPermit::Busy));
        assert_eq!(queue.waiters, 5);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Enter(u8),
        /// One of those who wait leaves, by number.
        Leave(usize),
        GiveBack(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0..5_u8).prop_map(Step::Enter),
            1 => any::<usize>().prop_map(Step::Leave),
            2 => any::<usize>().prop_map(Step::GiveBack),
        ];
        vec(step, 0..400)
    }

    proptest! {
        /// Whatever happens in which order.
        #[test]
        fn permits_are_never_more_nor_lost_and_everybody_has_a_turn(
            permits in 1..6_usize,
            steps in steps(),
        ) {
            let mut queue: Queue<u8, u64> = Queue::new(permits, 8, 20);
            let mut waiting: Vec<(u8, u64)> = Vec::new();
            let mut running: Vec<u8> = Vec::new();
            let mut number = 0;
            for step in steps {
                match step {
                    Step::Enter(key) => {
                        number += 1;
                        if let Ok(ticket) = queue.enter(key, number) {
                            waiting.push((key, ticket));
                        }
                        // Another may have lost its slot.
                        waiting.retain(|(key, ticket)| {
                            queue.waiting.get(key).is_some_and(|queue| {
                                queue.iter().any(|(known, _)| known == ticket)
                            })
                        });
                    }
                    Step::Leave(at) if !waiting.is_empty() => {
                        let (key, ticket) = waiting.swap_remove(at % waiting.len());
                        prop_assert!(queue.leave(key, ticket).is_some());
                        prop_assert!(queue.leave(key, ticket).is_none());
                    }
                    Step::GiveBack(at) if !running.is_empty() => {
                        let key = running.swap_remove(at % running.len());
                        queue.give_back(key);
                    }
                    Step::Leave(_) | Step::GiveBack(_) => {}
                }
                while let Some((key, _)) = queue.grant() {
                    // The oldest of its client.
                    let at = waiting.iter().enumerate().filter(|(_, (k, _))| *k == key);
                    let (at, _) = at.min_by_key(|(_, (_, ticket))| *ticket).expect("waits");
                    waiting.swap_remove(at);
                    running.push(key);
                }
                prop_assert!(running.len() <= permits);
                prop_assert_eq!(queue.free, permits - running.len());
                prop_assert_eq!(queue.waiters, waiting.len());
                prop_assert!(queue.waiters <= 20);
                prop_assert_eq!(queue.turns.len(), queue.waiting.len());
                // With a free permit, nobody waits who has none.
                for (key, _) in &waiting {
                    prop_assert!(queue.free == 0 || running.contains(key));
                }
            }
            // All come to their end.
            while let Some(key) = running.pop() {
                queue.give_back(key);
                while let Some((key, _)) = queue.grant() {
                    running.push(key);
                }
            }
            prop_assert_eq!((queue.waiters, queue.free), (0, permits));
            prop_assert!(queue.running.is_empty() && queue.waiting.is_empty());
        }

        /// One who floods delays another by a turn of each client at most.
        #[test]
        fn nobody_waits_for_more_than_a_turn_of_each(
            permits in 1..4_usize,
            floods in vec(1..8_usize, 1..5),
        ) {
            let mut queue = queue(permits);
            for (key, flood) in (1..).zip(&floods) {
                for _ in 0..*flood {
                    queue.enter(key, ()).expect("room");
                }
            }
            let mut running = granted(&mut queue);
            queue.enter(0, ()).expect("room");
            let mut turns = 0;
            loop {
                running.extend(granted(&mut queue));
                if running.contains(&0) {
                    break;
                }
                turns += 1;
                let key = running.remove(0);
                queue.give_back(key);
            }
            // One of those that run ends first.
            prop_assert!(turns <= floods.len() + 1, "{turns} turns of {}", floods.len());
        }
    }
}
