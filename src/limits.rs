//! How much anybody may do: connections of an address, events of a user.
//!
//! Each is a token bucket (GCRA, as the `governor` crate has it).

use std::{net::IpAddr, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;

use crate::{board::UserId, config::LimitsTable};

/// The limits of one server.
pub struct Limits {
    allow: Vec<IpNet>,
    connections: DefaultKeyedRateLimiter<IpAddr>,
    events: DefaultKeyedRateLimiter<UserId>,
}

impl Limits {
    /// The limits that a configuration asks for.
    pub fn new(table: &LimitsTable) -> Limits {
        let burst = table.connections_per_ip;
        let every = table.connections_window / burst.get();
        // A bucket needs a period longer than 0; a window that short is no limit.
        let quota = Quota::with_period(every.max(Duration::from_nanos(1)))
            .map_or(Quota::per_second(burst), |quota| quota.allow_burst(burst));
        Limits {
            allow: table.allow.clone(),
            connections: RateLimiter::keyed(quota),
            events: RateLimiter::keyed(Quota::per_minute(table.events_per_minute)),
        }
    }

    /// May this address connect once more? Asking counts.
    pub fn connection(&self, address: IpAddr) -> bool {
        // A v4 client of a v6 listener is the same client.
        let address = address.to_canonical();
        self.allow.iter().any(|net| net.contains(&address))
            || self.connections.check_key(&address).is_ok()
    }

    /// May this user send one more event? Asking counts.
    pub fn event(&self, user: UserId) -> bool {
        self.events.check_key(&user).is_ok()
    }

    /// Forgets those who have been quiet, whose buckets are full again.
    pub fn forget_quiet(&self) {
        self.connections.retain_recent();
        self.events.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

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
        for _ in 0..3 {
            assert!(limits.connection(address("192.0.2.1")));
        }
        assert!(!limits.connection(address("192.0.2.1")));
        assert!(!limits.connection(address("::ffff:192.0.2.1")));
        assert!(limits.connection(address("192.0.2.2")));
        for _ in 0..10 {
            assert!(limits.connection(address("10.1.2.3")));
        }
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
