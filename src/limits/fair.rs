//! A concurrency limit that is fair by client: so many permits in all, and a queue for
//! each client from which they are granted in turn (round-robin). So a client who asks
//! for a thousand things delays its own, and nobody else's by more than one turn.
//!
//! [`Queue`] is the rule, as pure code; [`FairLimit`] waits for it.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    net::IpAddr,
    num::NonZeroUsize,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::subscriber;

/// The most that wait of one client, so that each of a classroom of 100 behind one
/// address may ask for two things at once.
const WAITING_OF_CLIENT: usize = 256;

/// The most that wait in all. Beyond it, the client with the longest queue loses its
/// latest.
const WAITING: usize = 4096;

/// For whom something is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// An address of IPv4, or a network of 64 bits of IPv6, as one subscriber has it.
    Address(IpAddr),
    /// This server, for all its clients.
    Server,
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Client {
        Client::Address(subscriber(address.to_canonical()))
    }
}

impl Client {
    /// Its address, if it has one.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Client::Address(address) => Some(address),
            Client::Server => None,
        }
    }
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPermit {
    /// Too many of this client wait already.
    QueueFull,
    /// Too many wait in all, or the deadline has passed.
    Busy,
}

/// A concurrency limit that is fair by client. Clones are the same limit.
#[derive(Clone)]
pub struct FairLimit(Arc<Mutex<Queue<Client, oneshot::Sender<Permit>>>>);

impl FairLimit {
    /// So many permits in all.
    pub fn new(permits: NonZeroUsize) -> FairLimit {
        FairLimit::with_queues(permits, WAITING_OF_CLIENT, WAITING)
    }

    /// So many permits in all, for which so many wait of one client, and in all.
    pub fn with_queues(permits: NonZeroUsize, of_client: usize, in_all: usize) -> FairLimit {
        let queue = Queue::new(permits.get(), of_client, in_all);
        FairLimit(Arc::new(Mutex::new(queue)))
    }

    /// A permit, in turn. Who drops the future leaves the queue.
    ///
    /// # Errors
    /// If a queue is full, or the deadline passes.
    pub async fn acquire(&self, client: Client, deadline: Instant) -> Result<Permit, NoPermit> {
        let (grant, granted) = oneshot::channel();
        let ticket = self.change(|queue| queue.enter(client, grant));
        let _waiting = Waiting {
            limit: self,
            client,
            ticket: ticket?,
        };
        let granted = timeout_at(deadline, granted).await;
        // An error of the inner kind: others needed the place in the queue.
        match granted {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(NoPermit::Busy),
        }
    }

    /// Changes the queue, and grants what has become free by it.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Queue<Client, oneshot::Sender<Permit>>) -> T,
    ) -> T {
        let mut queue = self.0.lock();
        let result = change(&mut queue);
        let granted: Vec<_> = std::iter::from_fn(|| queue.grant()).collect();
        drop(queue);
        for (client, grant) in granted {
            let limit = self.clone();
            // If nobody waits for it any more, it is dropped and so given back. That takes
            // the lock, which is why it is not held here.
            _ = grant.send(Permit { limit, client });
        }
        result
    }
}

/// A place in the queue, which is left when this is dropped.
struct Waiting<'a> {
    limit: &'a FairLimit,
    client: Client,
    ticket: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let left = self
            .limit
            .change(|queue| queue.leave(self.client, self.ticket));
        drop(left);
    }
}

/// Leave to compute something. It is given back when it is dropped.
pub struct Permit {
    limit: FairLimit,
    client: Client,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limit.change(|queue| queue.give_back(self.client));
    }
}

/// Who has a permit and who waits for one. `T` is what a waiter is told by.
struct Queue<K, T> {
    permits: usize,
    most_of_client: usize,
    most: usize,
    free: usize,
    /// Permits of each client; who has none is not there.
    running: HashMap<K, usize>,
    /// Who waits, of each client in order; who does not is not there.
    waiting: HashMap<K, VecDeque<(u64, T)>>,
    /// The clients that wait: whose turn is next stands first.
    turns: VecDeque<K>,
    waiters: usize,
    next_ticket: u64,
}

impl<K: Copy + Eq + Hash, T> Queue<K, T> {
    fn new(permits: usize, most_of_client: usize, most: usize) -> Queue<K, T> {
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
    fn enter(&mut self, key: K, waiter: T) -> Result<u64, NoPermit> {
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
    fn leave(&mut self, key: K, ticket: u64) -> Option<T> {
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
    fn give_back(&mut self, key: K) {
        if let Some(running) = self.running.get_mut(&key) {
            *running -= 1;
            self.free += 1;
            if *running == 0 {
                self.running.remove(&key);
            }
        }
    }

    /// Grants a free permit to whose turn it is, if there is one.
    fn grant(&mut self) -> Option<(K, T)> {
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
    use std::time::Duration;

    use futures_util::{FutureExt, future::join_all};
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
        /// Somebody who waits goes: one of these, by number.
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
                        // Somebody else may have lost the place.
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

    fn client(n: u8) -> Client {
        Client::from(IpAddr::from([192, 0, 2, n]))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(2)
    }

    #[test]
    fn a_network_of_v6_is_one_client() {
        let client = |text: &str| Client::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(client("2001:db8::1"), client("2001:db8::2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_so_and_leaves() {
        let limit = FairLimit::new(NonZeroUsize::MIN);
        let held = limit.acquire(client(1), soon()).await.expect("free");
        let late = limit.acquire(client(2), soon()).await.err();
        assert_eq!(late, Some(NoPermit::Busy));
        assert_eq!(limit.0.lock().waiters, 0);
        drop(held);
        assert!(limit.acquire(client(2), soon()).await.is_ok());
    }

    #[tokio::test]
    async fn who_goes_leaves_the_queue_and_what_was_granted() {
        let limit = FairLimit::new(NonZeroUsize::MIN);
        let held = limit.acquire(client(1), soon()).await.expect("free");
        let mut gone = Box::pin(limit.acquire(client(2), soon()));
        let mut granted = Box::pin(limit.acquire(client(3), soon()));
        assert!((&mut gone).now_or_never().is_none());
        assert!((&mut granted).now_or_never().is_none());
        drop(gone);
        drop(held);
        // It has the permit and was never asked for it.
        assert_eq!(limit.0.lock().free, 0);
        drop(granted);
        assert_eq!(limit.0.lock().free, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_client_fills_its_own_queue_alone() {
        let limit = FairLimit::new(NonZeroUsize::MIN);
        let held = limit.acquire(client(1), soon()).await.expect("free");
        let flood: Vec<_> = (0..WAITING_OF_CLIENT + 1)
            .map(|_| limit.acquire(client(1), soon()))
            .collect();
        let flood = join_all(flood.into_iter().map(|permit| permit.map(|it| it.err())));
        let honest = limit.acquire(client(2), soon()).map(|it| it.is_ok());
        let release = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        let (flood, honest, ()) = tokio::join!(flood, honest, release);
        assert!(honest);
        let refused: Vec<_> = flood.into_iter().flatten().collect();
        assert_eq!(refused, [NoPermit::QueueFull]);
    }
}
