//! The pages that wait until their address may have another session, in the order in
//! which they came, so that each can be told when its turn is and none tries before.
//! Pure: the time is an argument.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::board::UserId;

/// A page that has not asked for so long waits no more; pages ask every few seconds.
const GONE_AFTER: Duration = Duration::from_secs(20);
/// A page whose turn it was for so long, and that has not come, lets the others pass:
/// something else keeps it from connecting.
const PASSED_AFTER: Duration = Duration::from_secs(20);
/// Pages of one address that are kept in order: far more than become live before they
/// are closed again. 48 bytes each.
const MOST_OF_ADDRESS: usize = 256;
/// Addresses whose pages are kept in order.
const MOST_ADDRESSES: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<HashMap<IpAddr, Queue>>);

type Queue = VecDeque<Page>;

#[derive(Debug)]
struct Page {
    user: UserId,
    asked_at: Instant,
    /// Since when it is its turn.
    turn_since: Option<Instant>,
}

impl Waiting {
    /// How many pages of its address come before the one of this user, which waits from
    /// now on, if it did not before.
    pub(super) fn position(&self, key: IpAddr, user: UserId, now: Instant) -> usize {
        let mut queues = self.0.lock();
        if queues.len() >= MOST_ADDRESSES && !queues.contains_key(&key) {
            return 0;
        }
        let queue = queues.entry(key).or_default();
        for page in queue.iter_mut().filter(|page| page.user == user) {
            page.asked_at = now;
        }
        queue.retain(|page| page.is_there(now));
        let (passed, stay): (Queue, Queue) = queue.drain(..).partition(|page| page.is_passed(now));
        queue.extend(stay);
        queue.extend(passed.into_iter().map(|page| Page {
            turn_since: None,
            ..page
        }));
        let place = queue.iter().position(|page| page.user == user);
        place.unwrap_or_else(|| {
            if queue.len() < MOST_OF_ADDRESS {
                queue.push_back(Page {
                    user,
                    asked_at: now,
                    turn_since: None,
                });
                queue.len() - 1
            } else {
                queue.len()
            }
        })
    }

    /// The page of this user was told that it is its turn, or is not.
    pub(super) fn told(&self, key: IpAddr, user: UserId, is_its_turn: bool, now: Instant) {
        let mut queues = self.0.lock();
        let queue = queues.get_mut(&key).into_iter().flatten();
        for page in queue.filter(|page| page.user == user) {
            page.turn_since = is_its_turn.then(|| page.turn_since.unwrap_or(now));
        }
    }

    /// The page of this user does not wait any more.
    pub(super) fn remove(&self, key: IpAddr, user: UserId) {
        let mut queues = self.0.lock();
        if let Some(queue) = queues.get_mut(&key) {
            queue.retain(|page| page.user != user);
            if queue.is_empty() {
                queues.remove(&key);
            }
        }
    }

    /// Forgets those who have not asked for long.
    pub(super) fn forget_gone(&self, now: Instant) {
        let mut queues = self.0.lock();
        queues.retain(|_, queue| {
            queue.retain(|page| page.is_there(now));
            !queue.is_empty()
        });
        queues.shrink_to_fit();
    }
}

impl Page {
    fn is_there(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.asked_at) < GONE_AFTER
    }

    fn is_passed(&self, now: Instant) -> bool {
        self.turn_since
            .is_some_and(|since| now.saturating_duration_since(since) >= PASSED_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::tests::address;

    fn user(n: usize) -> UserId {
        UserId((n as u128).to_be_bytes())
    }

    #[test]
    fn pages_wait_in_the_order_in_which_they_came() {
        let (waiting, now) = (Waiting::default(), Instant::now());
        let (here, there) = (address("192.0.2.1"), address("192.0.2.2"));
        for n in 0..3 {
            assert_eq!(waiting.position(here, user(n), now), n);
        }
        assert_eq!(waiting.position(there, user(9), now), 0);
        assert_eq!(waiting.position(here, user(1), now), 1);
        waiting.remove(here, user(0));
        assert_eq!(waiting.position(here, user(1), now), 0);
        assert_eq!(waiting.position(here, user(2), now), 1);
    }

    #[test]
    fn who_asks_no_more_is_passed() {
        let (waiting, now) = (Waiting::default(), Instant::now());
        let here = address("192.0.2.1");
        for n in 0..3 {
            waiting.position(here, user(n), now);
        }
        let later = now + GONE_AFTER / 2;
        assert_eq!(waiting.position(here, user(2), later), 2);
        assert_eq!(waiting.position(here, user(2), now + GONE_AFTER), 0);
        waiting.forget_gone(later + 2 * GONE_AFTER);
        assert!(waiting.0.lock().is_empty());
    }

    #[test]
    fn who_does_not_come_when_it_is_their_turn_is_passed() {
        let (waiting, start) = (Waiting::default(), Instant::now());
        let here = address("192.0.2.1");
        for n in 0..3 {
            waiting.position(here, user(n), start);
        }
        for seconds in (0..20).step_by(5) {
            let now = start + Duration::from_secs(seconds);
            for n in 0..3 {
                assert_eq!(waiting.position(here, user(n), now), n);
            }
            waiting.told(here, user(0), true, now);
        }
        let now = start + PASSED_AFTER;
        assert_eq!(waiting.position(here, user(0), now), 2);
        assert_eq!(waiting.position(here, user(1), now), 0);
        // It has another turn.
        waiting.remove(here, user(1));
        waiting.remove(here, user(2));
        assert_eq!(waiting.position(here, user(0), now), 0);
    }

    #[test]
    fn there_is_a_bound_to_those_who_wait() {
        let (waiting, now) = (Waiting::default(), Instant::now());
        let here = address("192.0.2.1");
        for n in 0..MOST_OF_ADDRESS + 10 {
            let place = waiting.position(here, user(n), now);
            assert_eq!(place, n.min(MOST_OF_ADDRESS));
        }
        assert_eq!(waiting.0.lock()[&here].len(), MOST_OF_ADDRESS);
        for n in 0..2 * MOST_ADDRESSES as u32 {
            let key = IpAddr::V4((0x0a00_0000 + n).into());
            assert_eq!(waiting.position(key, user(0), now), 0);
        }
        assert_eq!(waiting.0.lock().len(), MOST_ADDRESSES);
    }
}
