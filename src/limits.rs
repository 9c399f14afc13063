//! How much anybody may do: connections of an address, events of a user.
//!
//! Each is a token bucket (GCRA, as the `governor` crate has it).

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;

use crate::{board::UserId, config::LimitsTable};

/// What becomes of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is within the limit.
    Admitted,
    /// It is beyond, and to be told so.
    Refused,
    /// It is so far beyond that an answer is too much.
    Flooded,
}

/// The limits of one server.
pub struct Limits {
    allow: Vec<IpNet>,
    connections: DefaultKeyedRateLimiter<IpAddr>,
    /// Twice as many: beyond these an address is not even told why.
    attempts: DefaultKeyedRateLimiter<IpAddr>,
    events: DefaultKeyedRateLimiter<UserId>,
}

impl Limits {
    /// The limits that a configuration asks for.
    pub fn new(table: &LimitsTable) -> Limits {
        let connections = table.connections_per_ip;
        let attempts = connections.saturating_mul(const { NonZeroU32::new(2).unwrap() });
        let per_window = |burst: NonZeroU32| {
            // A bucket needs a period longer than 0; a window that short is no limit.
            let every = (table.connections_window / burst.get()).max(Duration::from_nanos(1));
            Quota::with_period(every)
                .map_or(Quota::per_second(burst), |quota| quota.allow_burst(burst))
        };
        Limits {
            allow: table.allow.clone(),
            connections: RateLimiter::keyed(per_window(connections)),
            attempts: RateLimiter::keyed(per_window(attempts)),
            events: RateLimiter::keyed(Quota::per_minute(table.events_per_minute)),
        }
    }

    /// May this address connect once more? Asking counts.
    pub fn connection(&self, address: IpAddr) -> Admission {
        // A v4 client of a v6 listener is the same client.
        let address = address.to_canonical();
        if self.allow.iter().any(|net| net.contains(&address)) {
            return Admission::Admitted;
        }
        let key = subscriber(address);
        if self.attempts.check_key(&key).is_err() {
            Admission::Flooded
        } else if self.connections.check_key(&key).is_err() {
            Admission::Refused
        } else {
            Admission::Admitted
        }
    }

    /// May this user send one more event? Asking counts.
    pub fn event(&self, user: UserId) -> bool {
        self.events.check_key(&user).is_ok()
    }

    /// Forgets those who have been quiet, whose buckets are full again.
    pub fn forget_quiet(&self) {
        self.connections.retain_recent();
        self.attempts.retain_recent();
        self.events.retain_recent();
    }
}

/// What one subscriber has: an address of v4, a network of 64 bits of v6
/// (RFC 6177).
fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: u32, events: u32, allow: &[&str]) -> Limits {
        Limits::new(&LimitsTable {
            allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
            connections_per_ip: NonZeroU32::new(connections).unwrap(),
            events_per_minute: NonZeroU32::new(events).unwrap(),
            ..LimitsTable::default()
        })
    }

    #[test]
    fn an_address_has_so_many_connections() {
        let limits = limits(3, 60, &["10.0.0.0/8"]);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let ask = |text: &str| limits.connection(address(text));
        for _ in 0..3 {
            assert_eq!(ask("192.0.2.1"), Admission::Admitted);
        }
        assert_eq!(ask("192.0.2.1"), Admission::Refused);
        assert_eq!(ask("::ffff:192.0.2.1"), Admission::Refused);
        assert_eq!(ask("192.0.2.1"), Admission::Refused);
        assert_eq!(ask("192.0.2.1"), Admission::Flooded);
        assert_eq!(ask("192.0.2.2"), Admission::Admitted);
        for _ in 0..10 {
            assert_eq!(ask("10.1.2.3"), Admission::Admitted);
        }
        // All addresses of a network of v6 are one subscriber's.
        for n in 1..=3 {
            assert_eq!(ask(&format!("2001:db8::{n}")), Admission::Admitted);
        }
        assert_eq!(ask("2001:db8::4"), Admission::Refused);
        assert_eq!(ask("2001:db8:0:1::4"), Admission::Admitted);
    }

    #[test]
    fn a_user_has_so_many_events() {
        let limits = limits(100, 2, &[]);
        let (one, other) = (UserId([1; 16]), UserId([2; 16]));
        assert!(limits.event(one) && limits.event(one) && !limits.event(one));
        assert!(limits.event(other));
        limits.forget_quiet();
        assert!(!limits.event(one));
    }
}
