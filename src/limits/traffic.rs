//! What a client sends in a session: packets and bytes, by session, by address and in
//! all. It is counted before anything else looks at it.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock,
};

use super::{Limits, Reason};
use crate::config::LimitsTable;

/// For how long a limit of so many a second may be used up at once, in seconds.
const BURST: u32 = 10;

/// CONNECT packets of one session. A client whose token was refused may try another one
/// by the same session; nobody needs more attempts than this.
const CONNECTS: u32 = 4;

/// What a client sent, as far as it is looked at before the library has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Packets of Engine.IO, and frames that carry a part of one or none.
    pub packets: u32,
    /// Of these, CONNECT to a namespace of Socket.IO. The library starts a task for each.
    pub connects: u32,
    /// Bytes on the wire.
    pub bytes: usize,
}

/// What becomes of a client that has sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// All clients together send more than the server takes: this one is not read for
    /// so long.
    Pause(Duration),
    /// It is beyond its own limits, and its session is to end.
    Close(Reason),
}

/// The limits of what is sent, for all sessions of a server.
pub(super) struct TrafficLimits {
    of_session: Rates,
    packets_of_address: DefaultKeyedRateLimiter<IpAddr>,
    bytes_of_address: DefaultKeyedRateLimiter<IpAddr>,
    packets: DefaultDirectRateLimiter,
    bytes: DefaultDirectRateLimiter,
}

#[derive(Clone, Copy)]
struct Rates {
    packets: Quota,
    bytes: Quota,
}

impl TrafficLimits {
    pub(super) fn new(table: &LimitsTable) -> TrafficLimits {
        let rate = |per_second: NonZeroU32| {
            let burst = per_second.saturating_mul(const { NonZeroU32::new(BURST).unwrap() });
            Quota::per_second(per_second).allow_burst(burst)
        };
        TrafficLimits {
            of_session: Rates {
                packets: rate(table.packets_per_second),
                bytes: rate(table.bytes_per_second),
            },
            packets_of_address: RateLimiter::keyed(rate(table.packets_per_second_per_ip)),
            bytes_of_address: RateLimiter::keyed(rate(table.bytes_per_second_per_ip)),
            packets: RateLimiter::direct(rate(table.packets_per_second_in_all)),
            bytes: RateLimiter::direct(rate(table.bytes_per_second_in_all)),
        }
    }

    pub(super) fn forget_quiet(&self) {
        self.packets_of_address.retain_recent();
        self.bytes_of_address.retain_recent();
    }

    /// For how long nobody should be read, after this much of somebody.
    fn pause(&self, packets: Option<NonZeroU32>, bytes: Option<NonZeroU32>) -> Duration {
        let wait = |limiter: &DefaultDirectRateLimiter, n: Option<NonZeroU32>| {
            match n.map(|n| limiter.check_n(n)) {
                Some(Ok(Err(until))) => until.wait_time_from(limiter.clock().now()),
                // Of more than fits into the limit at once, nothing is taken.
                Some(Ok(Ok(())) | Err(_)) | None => Duration::ZERO,
            }
        };
        wait(&self.packets, packets).max(wait(&self.bytes, bytes))
    }
}

/// What one session has sent.
pub struct Traffic {
    limits: Arc<Limits>,
    /// Under which key the address is limited, if it is.
    address: Option<IpAddr>,
    packets: DefaultDirectRateLimiter,
    bytes: DefaultDirectRateLimiter,
    connects: AtomicU32,
}

impl Traffic {
    /// A new session of an address.
    pub fn new(limits: Arc<Limits>, address: IpAddr) -> Traffic {
        let Rates { packets, bytes } = limits.traffic.of_session;
        Traffic {
            address: limits.limited(address),
            packets: RateLimiter::direct(packets),
            bytes: RateLimiter::direct(bytes),
            connects: AtomicU32::new(0),
            limits,
        }
    }

    /// Counts what the client has sent.
    pub fn count(&self, sent: Sent) -> Verdict {
        let before = self.connects.fetch_add(sent.connects, Ordering::Relaxed);
        if before.saturating_add(sent.connects) > CONNECTS {
            return Verdict::Close(Reason::Connects);
        }
        let packets = NonZeroU32::new(sent.packets);
        let bytes = NonZeroU32::new(u32::try_from(sent.bytes).unwrap_or(u32::MAX));
        if !is_within(&self.packets, packets) {
            return Verdict::Close(Reason::Packets);
        }
        if !is_within(&self.bytes, bytes) {
            return Verdict::Close(Reason::Bytes);
        }
        let all = &self.limits.traffic;
        if let Some(address) = &self.address {
            let is_within = |limiter: &DefaultKeyedRateLimiter<IpAddr>, n: Option<NonZeroU32>| {
                n.is_none_or(|n| matches!(limiter.check_key_n(address, n), Ok(Ok(()))))
            };
            if !is_within(&all.packets_of_address, packets) {
                return Verdict::Close(Reason::PacketsOfAddress);
            }
            if !is_within(&all.bytes_of_address, bytes) {
                return Verdict::Close(Reason::BytesOfAddress);
            }
        }
        match all.pause(packets, bytes) {
            Duration::ZERO => Verdict::Pass,
            pause => Verdict::Pause(pause),
        }
    }

    /// Notes that its session ended for a reason, for operators.
    pub fn refused(&self, reason: Reason) {
        self.limits.refused(reason, self.address);
    }
}

fn is_within(limiter: &DefaultDirectRateLimiter, n: Option<NonZeroU32>) -> bool {
    n.is_none_or(|n| matches!(limiter.check_n(n), Ok(Ok(()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::tests::{self, address, number};

    fn limits(table: LimitsTable) -> Arc<Limits> {
        Arc::new(tests::limits(table))
    }

    const CONNECT: Sent = Sent {
        packets: 1,
        connects: 1,
        bytes: 8,
    };

    fn packet(bytes: usize) -> Sent {
        Sent {
            packets: 1,
            connects: 0,
            bytes,
        }
    }

    fn session(limits: &Arc<Limits>, from: &str) -> Traffic {
        Traffic::new(limits.clone(), address(from))
    }

    #[test]
    fn a_session_connects_a_few_times() {
        let limits = limits(LimitsTable::default());
        let one = session(&limits, "192.0.2.1");
        for _ in 0..CONNECTS {
            assert_eq!(one.count(CONNECT), Verdict::Pass);
        }
        for _ in 0..300 {
            let verdict = one.count(CONNECT);
            assert_eq!(verdict, Verdict::Close(Reason::Connects));
        }
        let other = session(&limits, "192.0.2.1");
        assert_eq!(other.count(CONNECT), Verdict::Pass);
    }

    #[test]
    fn a_session_sends_so_many_packets_and_bytes() {
        let limits = limits(LimitsTable {
            packets_per_second: number(3),
            bytes_per_second: number(100),
            ..LimitsTable::default()
        });
        let loud = session(&limits, "192.0.2.1");
        let passed = (0..100).take_while(|_| loud.count(packet(3)) == Verdict::Pass);
        assert!((30..40).contains(&passed.count()));
        let verdict = loud.count(packet(3));
        assert_eq!(verdict, Verdict::Close(Reason::Packets));
        let large = session(&limits, "192.0.2.1");
        assert_eq!(large.count(packet(900)), Verdict::Pass);
        let verdict = large.count(packet(900));
        assert_eq!(verdict, Verdict::Close(Reason::Bytes));
        let huge = session(&limits, "192.0.2.1");
        let verdict = huge.count(packet(usize::MAX));
        assert_eq!(verdict, Verdict::Close(Reason::Bytes));
    }

    #[test]
    fn an_address_sends_so_many_packets_by_however_many_sessions() {
        let limits = limits(LimitsTable {
            allow: vec!["10.0.0.0/8".parse().unwrap()],
            packets_per_second_per_ip: number(1),
            ..LimitsTable::default()
        });
        let count = |from: &str| {
            let sessions = (0..20).map(|_| session(&limits, from));
            let verdicts = sessions.map(|session| session.count(packet(1)));
            verdicts.filter(|verdict| *verdict == Verdict::Pass).count()
        };
        assert!((10..20).contains(&count("192.0.2.1")));
        assert_eq!(
            count("10.1.2.3"),
            20,
            "addresses that are allowed are not limited"
        );
        assert!(count("192.0.2.2") >= 10, "another address is not affected");
    }

    #[test]
    fn when_all_send_too_much_each_is_paused_and_nobody_closed() {
        let limits = limits(LimitsTable {
            packets_per_second_in_all: number(1),
            ..LimitsTable::default()
        });
        let verdicts: Vec<_> = (0..20u8)
            .map(|n| session(&limits, &format!("192.0.2.{n}")).count(packet(1)))
            .collect();
        assert_eq!(verdicts[0], Verdict::Pass);
        assert!(matches!(verdicts[19], Verdict::Pause(pause) if pause <= Duration::from_secs(1)));
        let is_closed = |verdict: &Verdict| matches!(verdict, Verdict::Close(_));
        assert!(!verdicts.iter().any(is_closed));
    }
}
