//! How much a client may do: connections, sessions and traffic of an address; events,
//! handshakes and sockets of a user. And how much costly work is done at once, and for
//! which client: see [`Work`]. Refusals are counted and logged here too.
//!
//! Rates are token buckets: the whole limit at once, then one more whenever its part of
//! the time has passed. What exists at the same time is counted by permits.

mod answers;
mod client;
mod fair;
mod permits;
mod refusal;
mod sessions;
mod token_bucket;
mod traffic;
mod unanswered;
mod unread;
mod work;

use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use parking_lot::Mutex;

pub use answers::{Answers, Refused};
pub use client::Client;
pub use fair::{FairLimit, FairPermit, NoPermit};
pub use permits::{Permit, Permits};
pub use refusal::{Reason, Refusals};
pub use sessions::{Admission, ConnectTime, SessionPermit};
pub use traffic::{Sent, Traffic, Verdict};
pub use unanswered::Unanswered;
pub use work::{Bounds, Work};

use crate::{board::UserId, config::LimitsTable, metrics::Metrics};
use client::subscriber;
use sessions::SessionLimits;
use token_bucket::{KeyedBuckets, Quota};
use traffic::TrafficLimits;

/// A TCP connection that was admitted, for as long as the last clone lives.
#[derive(Clone)]
pub struct ConnectionPermit {
    _of_address: Permit<IpAddr>,
    _of_all: Permit<()>,
}

/// The limits of one server.
pub struct Limits {
    allow: Vec<IpNet>,
    proxies: Vec<IpNet>,
    sessions: Arc<SessionLimits>,
    events: KeyedBuckets<UserId>,
    events_at_once: NonZeroU32,
    /// Users of whom an event was refused, until they may send the next one.
    exhausted: Mutex<HashMap<UserId, Instant>>,
    handshakes: KeyedBuckets<UserId>,
    sockets_of_user: Permits<UserId>,
    traffic: TrafficLimits,
    connections_of_address: Permits<IpAddr>,
    open_connections: Permits<()>,
    refusals: Refusals,
}

impl Limits {
    /// The limits that a configuration asks for, where this process can have so many
    /// connections at once. Half of them are always left for other addresses.
    pub fn new(table: &LimitsTable, most_connections: NonZeroU32, metrics: Metrics) -> Limits {
        let half = NonZeroU32::new(most_connections.get() / 2).unwrap_or(NonZeroU32::MIN);
        let of_address = table.connections_at_once_per_ip.min(half);
        let per_minute = Quota::new(table.events_per_minute, Duration::from_secs(60));
        Limits {
            allow: table.allow.clone(),
            proxies: table.trusted_proxies.clone(),
            sessions: Arc::new(SessionLimits::new(table)),
            events: KeyedBuckets::new(per_minute),
            events_at_once: table.events_per_minute,
            exhausted: Mutex::default(),
            handshakes: KeyedBuckets::new(per_minute),
            sockets_of_user: Permits::new(table.sockets_per_user),
            traffic: TrafficLimits::new(table),
            connections_of_address: Permits::new(of_address),
            open_connections: Permits::new(most_connections),
            refusals: Refusals::new(metrics),
        }
    }

    /// May this peer have one more TCP connection? Proxies have no limit of their own.
    ///
    /// # Errors
    /// Why it may not.
    pub fn open(&self, peer: IpAddr) -> Result<ConnectionPermit, Reason> {
        let address = peer.to_canonical();
        let is_proxy = self.proxies.iter().any(|net| net.contains(&address));
        let of_address = match self.limited(address).filter(|_| !is_proxy) {
            Some(key) => self
                .connections_of_address
                .take(key)
                .ok_or(Reason::ConnectionsOfAddress)?,
            None => Permit::unlimited(),
        };
        let of_all = self.open_connections.take(()).ok_or(Reason::Connections)?;
        Ok(ConnectionPermit {
            _of_address: of_address,
            _of_all: of_all,
        })
    }

    /// Counts and logs that a client was refused.
    pub fn refused(&self, reason: Reason, address: Option<IpAddr>) {
        self.refusals.refused(reason, address);
    }

    /// What counts and logs refusals, for other parts.
    pub fn refusals(&self) -> Refusals {
        self.refusals.clone()
    }

    /// May this address begin one more session, in the name of a user if one is signed
    /// in? Asking counts.
    pub fn session(&self, address: IpAddr, signed_in: Option<UserId>) -> Admission {
        let key = self.limited(address);
        let admission = self.sessions.open(key, signed_in, Instant::now());
        match &admission {
            Admission::Opened(_) => {}
            Admission::Refused(_, reason) => self.refused(*reason, Some(address)),
            Admission::Flooded(_) => self.refused(Reason::Sessions, Some(address)),
        }
        admission
    }

    /// When the page of this user may connect, who is signed in or a viewer.
    pub fn connect_time(&self, address: IpAddr, user: UserId, is_signed_in: bool) -> ConnectTime {
        if let Some(wait) = self.handshake_wait(user) {
            return ConnectTime::After(wait);
        }
        if self.sockets_of_user.is_exhausted(user) {
            return ConnectTime::Unknown;
        }
        let (key, now) = (self.limited(address), Instant::now());
        if is_signed_in {
            self.sessions.connect_time_of_user(key, user, now)
        } else {
            self.sessions.connect_time(key, user, now)
        }
    }

    /// For how long this user gets no new socket, if they have none left now.
    fn handshake_wait(&self, user: UserId) -> Option<Duration> {
        let now = Instant::now();
        let until = self.exhausted.lock().get(&user).copied();
        let events = until.map(|until| until.saturating_duration_since(now));
        let wait = self.handshakes.wait(user, 1, now);
        Some(wait.max(events.unwrap_or_default())).filter(|wait| !wait.is_zero())
    }

    /// May this user have one more socket? Asking counts, and takes nothing from
    /// the user's events.
    ///
    /// # Errors
    /// Why it may not.
    pub fn handshake(&self, user: UserId) -> Result<Permit<UserId>, Reason> {
        let until = self.exhausted.lock().get(&user).copied();
        if until.is_some_and(|until| Instant::now() < until) {
            return Err(Reason::Events);
        }
        if self.handshakes.take(user, Instant::now()).is_err() {
            return Err(Reason::Handshakes);
        }
        self.sockets_of_user.take(user).ok_or(Reason::SocketsOfUser)
    }

    /// Events that a user may send at once.
    pub fn events_at_once(&self) -> NonZeroU32 {
        self.events_at_once
    }

    /// May this user send one more event? Asking counts.
    pub fn event(&self, user: UserId) -> bool {
        let now = Instant::now();
        let Err(wait) = self.events.take(user, now) else {
            return true;
        };
        self.exhausted.lock().insert(user, now + wait);
        false
    }

    /// Forgets those who have been quiet, whose buckets are full again.
    pub fn forget_quiet(&self) {
        let now = Instant::now();
        self.sessions.forget_quiet(now);
        self.handshakes.forget_full(now);
        self.events.forget_full(now);
        self.traffic.forget_quiet(now);
        let mut exhausted = self.exhausted.lock();
        exhausted.retain(|_, until| now < *until);
        exhausted.shrink_to_fit();
    }

    /// Under which key an address is limited, if it is.
    pub fn limited(&self, address: IpAddr) -> Option<IpAddr> {
        // A v4 client of a v6 listener is the same client.
        let address = address.to_canonical();
        let is_free = self.allow.iter().any(|net| net.contains(&address));
        (!is_free).then(|| subscriber(address))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const ONE: UserId = UserId([1; 16]);
    const OTHER: UserId = UserId([2; 16]);

    pub(super) fn number(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    pub(super) fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The limits of a table.
    pub(crate) fn limits(table: LimitsTable) -> Limits {
        Limits::new(&table, NonZeroU32::MAX, Metrics::default())
    }

    /// What becomes of a connection that is closed at once.
    fn connect(limits: &Limits, from: &str) -> &'static str {
        match limits.session(address(from), None) {
            Admission::Opened(_) => "admitted",
            Admission::Refused(..) => "refused",
            Admission::Flooded(_) => "flooded",
        }
    }

    #[test]
    fn an_address_has_so_many_connections() {
        let limits = limits(LimitsTable {
            allow: vec!["10.0.0.0/8".parse().unwrap()],
            connections_per_ip: number(3),
            ..LimitsTable::default()
        });
        for _ in 0..3 {
            assert_eq!(connect(&limits, "192.0.2.1"), "admitted");
        }
        assert_eq!(connect(&limits, "192.0.2.1"), "refused");
        assert_eq!(connect(&limits, "::ffff:192.0.2.1"), "refused");
        assert_eq!(connect(&limits, "192.0.2.1"), "refused");
        assert_eq!(connect(&limits, "192.0.2.1"), "flooded");
        assert_eq!(connect(&limits, "192.0.2.2"), "admitted");
        for _ in 0..10 {
            assert_eq!(connect(&limits, "10.1.2.3"), "admitted");
        }
        // All addresses of a network of v6 are one subscriber's.
        for n in 1..=3 {
            assert_eq!(connect(&limits, &format!("2001:db8::{n}")), "admitted");
        }
        assert_eq!(connect(&limits, "2001:db8::4"), "refused");
        assert_eq!(connect(&limits, "2001:db8:0:1::4"), "admitted");
    }

    #[test]
    fn whoever_floods_is_told_when_there_is_an_answer_again() {
        let limits = limits(LimitsTable {
            connections_per_ip: number(3),
            connections_window: Duration::from_secs(900),
            ..LimitsTable::default()
        });
        for _ in 0..6 {
            limits.session(address("192.0.2.1"), None);
        }
        let Admission::Flooded(wait) = limits.session(address("192.0.2.1"), None) else {
            panic!("the seventh of six attempts");
        };
        // Six in 900 s are one each 150 s.
        assert!((100..=150).contains(&wait.as_secs()), "{wait:?}");
    }

    #[test]
    fn an_address_has_so_many_sockets_at_once() {
        let limits = limits(LimitsTable {
            allow: vec!["10.0.0.0/8".parse().unwrap()],
            sockets_per_ip: number(2),
            ..LimitsTable::default()
        });
        for network in [
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"],
            ["2001:db8::1", "2001:db8::2", "2001:db8::3"],
        ] {
            let [one, other, third] = network;
            let held = [one, other].map(|text| limits.session(address(text), None));
            assert!(held.iter().all(|a| matches!(a, Admission::Opened(_))));
            assert_eq!(connect(&limits, third), "refused");
            drop(held);
            assert_eq!(connect(&limits, third), "admitted");
        }
        let free: Vec<_> = (0..10)
            .map(|_| limits.session(address("10.1.2.3"), None))
            .collect();
        assert!(free.iter().all(|a| matches!(a, Admission::Opened(_))));
    }

    #[test]
    fn an_address_has_so_many_tcp_connections_and_half_are_for_others() {
        let table = LimitsTable {
            allow: vec!["10.0.0.0/8".parse().unwrap()],
            trusted_proxies: vec!["192.0.2.9/32".parse().unwrap()],
            connections_at_once_per_ip: number(5),
            ..LimitsTable::default()
        };
        let open = |limits: &Limits, from: &str| {
            let permits: Vec<_> = (0..100)
                .map_while(|_| limits.open(address(from)).ok())
                .collect();
            permits.len()
        };
        let roomy = limits(table.clone());
        assert_eq!(open(&roomy, "192.0.2.1"), 5);
        assert_eq!(open(&roomy, "192.0.2.1"), 5, "they were given back");
        assert_eq!(open(&roomy, "10.1.2.3"), 100);
        assert_eq!(open(&roomy, "192.0.2.9"), 100);
        let narrow = Limits::new(&table, number(8), Metrics::default());
        let held: Vec<_> = (0..4).map(|_| narrow.open(address("192.0.2.1"))).collect();
        let refused = narrow.open(address("192.0.2.1")).err();
        assert_eq!(refused, Some(Reason::ConnectionsOfAddress));
        assert_eq!(open(&narrow, "192.0.2.2"), 4);
        assert_eq!(open(&narrow, "192.0.2.9"), 4);
        drop(held);
        assert_eq!(open(&narrow, "192.0.2.9"), 8);
    }

    #[test]
    fn a_user_has_so_many_events() {
        let limits = limits(LimitsTable {
            events_per_minute: number(2),
            ..LimitsTable::default()
        });
        assert!(limits.event(ONE) && limits.event(ONE) && !limits.event(ONE));
        assert!(limits.event(OTHER));
        limits.forget_quiet();
        assert!(!limits.event(ONE));
    }

    #[test]
    fn whoever_has_used_up_the_events_gets_no_socket() {
        let limits = limits(LimitsTable {
            events_per_minute: number(2),
            ..LimitsTable::default()
        });
        assert!(limits.event(ONE) && limits.event(ONE));
        assert!(limits.handshake(ONE).is_ok(), "nothing was refused yet");
        assert!(!limits.event(ONE));
        limits.forget_quiet();
        assert_eq!(limits.handshake(ONE).err(), Some(Reason::Events));
        assert!(limits.handshake(OTHER).is_ok());
    }

    #[test]
    fn a_bucket_that_has_refilled_is_not_exhausted() {
        let limits = limits(LimitsTable {
            // One more each 60 ms.
            events_per_minute: number(1000),
            ..LimitsTable::default()
        });
        while limits.event(ONE) {}
        let until = limits.exhausted.lock()[&ONE];
        assert!(until <= Instant::now() + Duration::from_millis(60));
        while Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(limits.handshake(ONE).is_ok());
        limits.forget_quiet();
        assert!(limits.exhausted.lock().is_empty());
        assert!(limits.event(ONE));
    }

    #[test]
    fn a_user_has_so_many_handshakes_and_all_events_besides() {
        let limits = limits(LimitsTable {
            events_per_minute: number(3),
            ..LimitsTable::default()
        });
        for _ in 0..3 {
            assert!(limits.handshake(ONE).is_ok());
        }
        assert_eq!(limits.handshake(ONE).err(), Some(Reason::Handshakes));
        assert!((0..3).all(|_| limits.event(ONE)));
        assert!(!limits.event(ONE));
    }

    #[test]
    fn a_user_has_so_many_sockets_at_once() {
        let limits = limits(LimitsTable {
            sockets_per_user: number(2),
            ..LimitsTable::default()
        });
        let held = [limits.handshake(ONE), limits.handshake(ONE)];
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(limits.handshake(ONE).err(), Some(Reason::SocketsOfUser));
        assert!(limits.handshake(OTHER).is_ok());
        drop(held);
        assert!(limits.handshake(ONE).is_ok());
    }

    #[test]
    fn a_page_of_a_user_who_has_all_their_sockets_is_not_told_to_come() {
        let limits = limits(LimitsTable {
            sockets_per_user: number(1),
            ..LimitsTable::default()
        });
        let connect_time = || limits.connect_time(address("192.0.2.1"), ONE, true);
        assert_eq!(connect_time(), ConnectTime::Now);
        let held = limits.handshake(ONE);
        assert_eq!(connect_time(), ConnectTime::Unknown);
        drop(held);
        assert_eq!(connect_time(), ConnectTime::Now);
    }
}
