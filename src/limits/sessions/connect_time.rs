//! When a page may connect, so that it does not try before.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use super::SessionLimits;
use crate::board::UserId;

/// When a page may connect, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectTime {
    /// At once.
    Now,
    /// After this time, about.
    After(Duration),
    /// When others of its address have disconnected.
    Unknown,
}

impl ConnectTime {
    fn after(wait: Duration) -> ConnectTime {
        if wait.is_zero() {
            ConnectTime::Now
        } else {
            ConnectTime::After(wait)
        }
    }
}

impl SessionLimits {
    /// When the page of this viewer may connect from an address.
    pub(in crate::limits) fn connect_time(
        &self,
        key: Option<IpAddr>,
        viewer: UserId,
        now: Instant,
    ) -> ConnectTime {
        let Some(key) = key else {
            return ConnectTime::Now;
        };
        if self.concurrent.is_exhausted(key) {
            return ConnectTime::Unknown;
        }
        let (is_own, lost) = self.replaceable.count(key, viewer, now);
        if is_own {
            return ConnectTime::after(self.attempts.wait(key, 1, now));
        }
        let position = self.queue.position(key, viewer, now);
        let time = if position < lost {
            ConnectTime::Now
        } else {
            let count = u32::try_from(position - lost).unwrap_or(u32::MAX);
            let count = count.saturating_add(1);
            let started = self.started.wait(key, count, now);
            ConnectTime::after(started.max(self.attempts.wait(key, count, now)))
        };
        self.queue
            .answered(key, viewer, time == ConnectTime::Now, now);
        time
    }

    /// When the page of this user may connect from an address, who is signed in: within
    /// the user's own limit, or what is left of that of the address.
    pub(in crate::limits) fn connect_time_of_user(
        &self,
        key: Option<IpAddr>,
        user: UserId,
        now: Instant,
    ) -> ConnectTime {
        key.map_or(ConnectTime::Now, |key| {
            let own = self.users.wait(user, 1, now);
            ConnectTime::after(own.min(self.attempts.wait(key, 1, now)))
        })
    }
}
