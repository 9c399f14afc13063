//! How many sessions an address may start, and how many it may have at the same time.
//!
//! Three kinds of sessions do not count for their address, because a crowd behind one
//! address is no attack:
//! - those of signed-in users, who have limits of their own. A user who is known only when
//!   the client joins is counted first, and what was taken is then given back;
//! - one for each that replaces another: when a network fails for a moment, all of its
//!   clients come back at once. See [`Replaceable`];
//! - those of addresses in `limits.allow`.
//!
//! The second kind cannot be abused: only a session that a client had joined can be
//! replaced, once, and only one that was itself counted, or was connected for as long as a
//! good connection is. So who ends sessions on purpose starts at most twice as many, and
//! never has more of them at the same time.

mod connect_queue;
mod connect_time;
mod permit;
mod replaceable;
#[cfg(test)]
mod tests;

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Permits, Reason,
    token_bucket::{KeyedBuckets, Quota},
};
use crate::{board::UserId, config::LimitsTable};
use connect_queue::ConnectQueue;
pub use connect_time::ConnectTime;
use permit::CountedFor;
pub use permit::SessionPermit;
use replaceable::Replaceable;

/// The limits of all addresses.
#[derive(Debug)]
pub(super) struct SessionLimits {
    started: KeyedBuckets<IpAddr>,
    /// Twice as many: beyond these an address does not even get the reason.
    attempts: KeyedBuckets<IpAddr>,
    concurrent: Permits<IpAddr>,
    users: KeyedBuckets<UserId>,
    replaceable: Replaceable,
    queue: ConnectQueue,
}

/// What becomes of a request to open a session.
#[derive(Debug)]
pub enum Admission {
    /// There is one; whether a client may join it, the permit says.
    Opened(SessionPermit),
    /// There is one, by which its client gets the reason that its address is over its
    /// limits, unless a signed-in user joins it.
    Refused(SessionPermit, Reason),
    /// The address is so far over its limits that it gets no session for this long.
    Flooded(Duration),
}

impl SessionLimits {
    pub(super) fn new(table: &LimitsTable) -> SessionLimits {
        let size = table.connections_per_ip;
        let twice = size.saturating_mul(const { NonZeroU32::new(2).unwrap() });
        let window = table.connections_window;
        let per_minute = Quota::new(table.events_per_minute, Duration::from_secs(60));
        SessionLimits {
            started: KeyedBuckets::new(Quota::new(size, window)),
            attempts: KeyedBuckets::new(Quota::new(twice, window)),
            concurrent: Permits::new(table.sockets_per_ip),
            users: KeyedBuckets::new(per_minute),
            replaceable: Replaceable::new(size.get() as usize),
            queue: ConnectQueue::default(),
        }
    }

    /// Opens a session of an address, in the name of a user if one is signed in.
    pub(super) fn open(
        self: &Arc<Self>,
        key: Option<IpAddr>,
        signed_in: Option<UserId>,
        now: Instant,
    ) -> Admission {
        let opened = |counted_for| Admission::Opened(SessionPermit::new(self, counted_for));
        let Some(key) = key else {
            return opened(CountedFor::Nobody);
        };
        if let Some(user) = signed_in
            && self.users.take(user, now).is_ok()
        {
            return opened(CountedFor::User { key });
        }
        let permit = self.concurrent.take(key);
        if let Some(permit) = &permit
            && let Some(lost) = self.replaceable.take_lost(key, now)
        {
            return opened(CountedFor::address(key, permit.clone(), Some(lost)));
        }
        if let Err(wait) = self.attempts.take(key, now) {
            return Admission::Flooded(wait);
        }
        let refused = |reason| {
            Admission::Refused(
                SessionPermit::new(self, CountedFor::Refused { key }),
                reason,
            )
        };
        match permit {
            None => refused(Reason::SessionsAtOnce),
            Some(_) if self.started.take(key, now).is_err() => refused(Reason::Sessions),
            Some(permit) => opened(CountedFor::address(key, permit, None)),
        }
    }

    pub(super) fn forget_quiet(&self, now: Instant) {
        self.started.forget_full(now);
        self.attempts.forget_full(now);
        self.users.forget_full(now);
        self.queue.forget_gone(now);
        self.replaceable.forget_old(now);
    }
}
