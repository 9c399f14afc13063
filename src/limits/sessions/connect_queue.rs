//! The queue of pages that wait until their address may have another session, in the order
//! in which they came, so that each gets its own connect time. Pure: the time is an
//! argument.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::board::UserId;

/// A page that has not asked for so long is gone; pages ask every few seconds.
const GONE_AFTER: Duration = Duration::from_secs(20);
/// A page that may connect for so long and does not goes to the end of the queue:
/// something else keeps it from connecting.
const OVERDUE_AFTER: Duration = Duration::from_secs(20);
/// Pages of one address in the queue: far more than connect before they are closed again.
/// 48 bytes each.
const MAX_PAGES: usize = 256;
/// Addresses that have a queue.
const MAX_ADDRESSES: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ConnectQueue(Mutex<HashMap<IpAddr, Queue>>);

type Queue = VecDeque<Page>;

#[derive(Debug)]
struct Page {
    user: UserId,
    asked_at: Instant,
    /// Since when it may connect.
    ready_since: Option<Instant>,
}

impl ConnectQueue {
    /// How many pages of its address come before the one of this user, which enters the
    /// queue if it is not in it.
    pub(super) fn position(&self, key: IpAddr, user: UserId, now: Instant) -> usize {
        let mut queues = self.0.lock();
        if queues.len() >= MAX_ADDRESSES && !queues.contains_key(&key) {
            return 0;
        }
        let queue = queues.entry(key).or_default();
        for page in queue.iter_mut().filter(|page| page.user == user) {
            page.asked_at = now;
        }
        queue.retain(|page| page.has_asked_lately(now));
        let (overdue, stay): (Queue, Queue) =
            queue.drain(..).partition(|page| page.is_overdue(now));
        queue.extend(stay);
        queue.extend(overdue.into_iter().map(|page| Page {
            ready_since: None,
            ..page
        }));
        let position = queue.iter().position(|page| page.user == user);
        position.unwrap_or_else(|| {
            if queue.len() < MAX_PAGES {
                queue.push_back(Page {
                    user,
                    asked_at: now,
                    ready_since: None,
                });
                queue.len() - 1
            } else {
                queue.len()
            }
        })
    }

    /// The page of this user was answered that it may connect, or may not.
    pub(super) fn answered(&self, key: IpAddr, user: UserId, is_ready: bool, now: Instant) {
        let mut queues = self.0.lock();
        let queue = queues.get_mut(&key).into_iter().flatten();
        for page in queue.filter(|page| page.user == user) {
            page.ready_since = is_ready.then(|| page.ready_since.unwrap_or(now));
        }
    }

    /// The page of this user leaves the queue.
    pub(super) fn remove(&self, key: IpAddr, user: UserId) {
        let mut queues = self.0.lock();
        if let Some(queue) = queues.get_mut(&key) {
            queue.retain(|page| page.user != user);
            if queue.is_empty() {
                queues.remove(&key);
            }
        }
    }

    /// Forgets the pages that are gone.
    pub(super) fn forget_gone(&self, now: Instant) {
        let mut queues = self.0.lock();
        queues.retain(|_, queue| {
            queue.retain(|page| page.has_asked_lately(now));
            !queue.is_empty()
        });
        queues.shrink_to_fit();
    }
}

impl Page {
    fn has_asked_lately(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.asked_at) < GONE_AFTER
    }

    fn is_overdue(&self, now: Instant) -> bool {
        self.ready_since
            .is_some_and(|since| now.saturating_duration_since(since) >= OVERDUE_AFTER)
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
        let (pages, now) = (ConnectQueue::default(), Instant::now());
        let (here, there) = (address("192.0.2.1"), address("192.0.2.2"));
        for n in 0..3 {
            assert_eq!(pages.position(here, user(n), now), n);
        }
        assert_eq!(pages.position(there, user(9), now), 0);
        assert_eq!(pages.position(here, user(1), now), 1);
        pages.remove(here, user(0));
        assert_eq!(pages.position(here, user(1), now), 0);
        assert_eq!(pages.position(here, user(2), now), 1);
    }

    #[test]
    fn a_page_that_is_gone_leaves_the_queue() {
        let (pages, now) = (ConnectQueue::default(), Instant::now());
        let here = address("192.0.2.1");
        for n in 0..3 {
            pages.position(here, user(n), now);
        }
        let later = now + GONE_AFTER / 2;
        assert_eq!(pages.position(here, user(2), later), 2);
        assert_eq!(pages.position(here, user(2), now + GONE_AFTER), 0);
        pages.forget_gone(later + 2 * GONE_AFTER);
        assert!(pages.0.lock().is_empty());
    }

    #[test]
    fn a_page_that_does_not_connect_goes_to_the_end() {
        let (pages, start) = (ConnectQueue::default(), Instant::now());
        let here = address("192.0.2.1");
        for n in 0..3 {
            pages.position(here, user(n), start);
        }
        for seconds in (0..20).step_by(5) {
            let now = start + Duration::from_secs(seconds);
            for n in 0..3 {
                assert_eq!(pages.position(here, user(n), now), n);
            }
            pages.answered(here, user(0), true, now);
        }
        let now = start + OVERDUE_AFTER;
        assert_eq!(pages.position(here, user(0), now), 2);
        assert_eq!(pages.position(here, user(1), now), 0);
        pages.remove(here, user(1));
        pages.remove(here, user(2));
        assert_eq!(pages.position(here, user(0), now), 0);
    }

    #[test]
    fn the_queues_are_bounded() {
        let (pages, now) = (ConnectQueue::default(), Instant::now());
        let here = address("192.0.2.1");
        for n in 0..MAX_PAGES + 10 {
            let position = pages.position(here, user(n), now);
            assert_eq!(position, n.min(MAX_PAGES));
        }
        assert_eq!(pages.0.lock()[&here].len(), MAX_PAGES);
        for n in 0..2 * MAX_ADDRESSES as u32 {
            let key = IpAddr::V4((0x0a00_0000 + n).into());
            assert_eq!(pages.position(key, user(0), now), 0);
        }
        assert_eq!(pages.0.lock().len(), MAX_ADDRESSES);
    }
}
