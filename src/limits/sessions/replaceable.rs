//! The sessions of an address that have ended and that another one may replace without
//! counting: one of the same user, or of any user where the connection was lost. Each is
//! replaced once, within a minute. Pure: the time is an argument.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::board::UserId;

/// For how long a session that has ended can be replaced.
pub(super) const REPLACED_WITHIN: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub(super) struct Replaceable {
    sessions: Mutex<HashMap<IpAddr, Vec<Ended>>>,
    /// How many of one address are remembered. 40 bytes each.
    max_of_address: usize,
}

/// A session that a client of this user had joined.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) user: UserId,
    pub(super) at: Instant,
    pub(super) is_lost: bool,
}

impl Ended {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) >= REPLACED_WITHIN
    }
}

impl Replaceable {
    pub(super) fn new(max_of_address: usize) -> Replaceable {
        Replaceable {
            sessions: Mutex::default(),
            max_of_address,
        }
    }

    /// This one may be replaced from now on; or again, if the one that took it does not.
    pub(super) fn add(&self, key: IpAddr, session: Ended, now: Instant) {
        let mut sessions = self.sessions.lock();
        let of_address = sessions.entry(key).or_default();
        of_address.retain(|it| !it.is_over(now));
        if of_address.len() < self.max_of_address {
            of_address.push(session);
        }
    }

    /// Takes one whose connection was lost, for any client to replace it.
    pub(super) fn take_lost(&self, key: IpAddr, now: Instant) -> Option<Ended> {
        self.take(key, now, |it| it.is_lost)
    }

    /// Takes one of this user, for another of theirs to replace it.
    pub(super) fn take_own(&self, key: IpAddr, user: UserId, now: Instant) -> Option<Ended> {
        self.take(key, now, |it| it.user == user)
    }

    /// Is there one of this user, and how many are there whose connections were lost?
    pub(super) fn count(&self, key: IpAddr, user: UserId, now: Instant) -> (bool, usize) {
        let sessions = self.sessions.lock();
        let of_address = sessions.get(&key).map_or(&[][..], Vec::as_slice);
        let recent = || of_address.iter().filter(|it| !it.is_over(now));
        let is_own = recent().any(|it| it.user == user);
        (is_own, recent().filter(|it| it.is_lost).count())
    }

    pub(super) fn forget_old(&self, now: Instant) {
        let mut sessions = self.sessions.lock();
        sessions.retain(|_, of_address| {
            of_address.retain(|it| !it.is_over(now));
            !of_address.is_empty()
        });
        sessions.shrink_to_fit();
    }

    fn take(&self, key: IpAddr, now: Instant, is_it: impl Fn(&Ended) -> bool) -> Option<Ended> {
        let mut sessions = self.sessions.lock();
        let of_address = sessions.get_mut(&key)?;
        of_address.retain(|it| !it.is_over(now));
        let index = of_address.iter().position(is_it);
        let taken = index.map(|index| of_address.remove(index));
        if of_address.is_empty() {
            sessions.remove(&key);
        }
        taken
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.lock().is_empty()
    }
}
