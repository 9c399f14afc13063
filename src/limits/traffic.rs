//! What a client sends in a session: packets and bytes, by session, by address and in
//! all. It is counted before the library looks at it.
//!
//! Who sends too much by one session is disconnected. When all sessions of an address, or
//! all there are, send too much together, nobody is, because it may be anybody's fault:
//! each is read more slowly, by a pause after what it has sent.

use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;

use super::{Limits, Reason};
use crate::config::LimitsTable;

/// For how long a limit of so many a second may be used up at once, in seconds.
const BURST: u32 = 10;

/// The longest pause of one client. It has to answer a ping now and then.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

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
    /// It is not read for so long, because all sessions of its address, or all there are,
    /// send more than the server takes.
    Pause(Duration),
    /// It is beyond its own limits, and its session is to end.
    Close(Reason),
}

/// The limits of what is sent, for all sessions of a server.
pub(super) struct TrafficLimits {
    of_session: Rates<Quota>,
    each_address: Rates<Throttle>,
    addresses: Mutex<HashMap<IpAddr, Rates<Throttle>>>,
    all: Mutex<Rates<Throttle>>,
    started: Instant,
}

#[derive(Clone, Copy)]
struct Rates<T> {
    packets: T,
    bytes: T,
}

impl TrafficLimits {
    pub(super) fn new(table: &LimitsTable) -> TrafficLimits {
        let quota = |per_second: NonZeroU32| {
            let burst = per_second.saturating_mul(const { NonZeroU32::new(BURST).unwrap() });
            Quota::per_second(per_second).allow_burst(burst)
        };
        let all = Rates {
            packets: Throttle::new(table.packets_per_second_in_all),
            bytes: Throttle::new(table.bytes_per_second_in_all),
        };
        TrafficLimits {
            of_session: Rates {
                packets: quota(table.packets_per_second),
                bytes: quota(table.bytes_per_second),
            },
            each_address: Rates {
                packets: Throttle::new(table.packets_per_second_per_ip),
                bytes: Throttle::new(table.bytes_per_second_per_ip),
            },
            addresses: Mutex::default(),
            all: Mutex::new(all),
            started: Instant::now(),
        }
    }

    pub(super) fn forget_quiet(&self) {
        let now = self.started.elapsed();
        let mut addresses = self.addresses.lock();
        addresses.retain(|_, rates| !(rates.packets.is_full(now) && rates.bytes.is_full(now)));
        addresses.shrink_to_fit();
    }

    /// For how long somebody of this address is not to be read who has sent this.
    fn pause(&self, address: Option<IpAddr>, sent: Sent, now: Duration) -> Duration {
        let of_address = address.map_or(Duration::ZERO, |address| {
            let mut addresses = self.addresses.lock();
            let rates = addresses.entry(address).or_insert(self.each_address);
            rates.take(sent, now)
        });
        let of_all = self.all.lock().take(sent, now);
        of_address.max(of_all).min(LONGEST_PAUSE)
    }
}

impl Rates<Throttle> {
    fn take(&mut self, sent: Sent, now: Duration) -> Duration {
        let bytes = u32::try_from(sent.bytes).unwrap_or(u32::MAX);
        let packets = self.packets.take(sent.packets, now);
        packets.max(self.bytes.take(bytes, now))
    }
}

/// A token bucket that may be in debt: whoever takes more than there is waits until it is
/// paid back, and whoever comes next waits longer. GCRA as in ATM Forum TM 4.1, without
/// refusal.
#[derive(Clone, Copy)]
struct Throttle {
    /// What one costs, in nanoseconds.
    cost: u64,
    /// When the bucket will be full again, in nanoseconds since the start.
    full_at: u64,
}

impl Throttle {
    fn new(per_second: NonZeroU32) -> Throttle {
        Throttle {
            cost: 1_000_000_000 / u64::from(per_second.get()),
            full_at: 0,
        }
    }

    /// Takes so many, and says for how long whoever took them has to wait.
    fn take(&mut self, count: u32, now: Duration) -> Duration {
        let now = nanoseconds(now);
        // Twice the burst in debt is more than anybody waits for.
        let most = now + 3 * u64::from(BURST) * 1_000_000_000;
        let cost = self.cost.saturating_mul(u64::from(count));
        self.full_at = self.full_at.max(now).saturating_add(cost).min(most);
        let burst = u64::from(BURST) * 1_000_000_000;
        Duration::from_nanos(self.full_at.saturating_sub(now + burst))
    }

    fn is_full(&self, now: Duration) -> bool {
        self.full_at <= nanoseconds(now)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
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
        let pause = all.pause(self.address, sent, all.started.elapsed());
        if pause.is_zero() {
            return Verdict::Pass;
        }
        self.refused(Reason::Pauses);
        Verdict::Pause(pause)
    }

    /// Counts a poll, which a server brings about by answering the one before: for its
    /// session alone.
    pub fn count_poll(&self) -> Verdict {
        match self.packets.check() {
            Ok(()) => Verdict::Pass,
            Err(_) => Verdict::Close(Reason::Packets),
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
    use proptest::prelude::*;

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
    fn an_address_that_sends_too_much_is_read_more_slowly_and_nobody_closed() {
        let limits = limits(LimitsTable {
            allow: vec!["10.0.0.0/8".parse().unwrap()],
            packets_per_second_per_ip: number(1),
            ..LimitsTable::default()
        });
        let verdicts = |from: &str| -> Vec<_> {
            let sessions = (0..20).map(|_| session(&limits, from));
            sessions.map(|session| session.count(packet(1))).collect()
        };
        let is_pause = |verdict: &Verdict| matches!(verdict, Verdict::Pause(_));
        let loud = verdicts("192.0.2.1");
        assert_eq!(loud[0], Verdict::Pass);
        assert!(is_pause(&loud[19]), "{:?}", loud[19]);
        let is_free = |verdicts: Vec<Verdict>| verdicts.iter().all(|v| *v == Verdict::Pass);
        assert!(is_free(verdicts("10.1.2.3")), "addresses that are allowed");
        assert_eq!(verdicts("192.0.2.2")[0], Verdict::Pass, "another address");
        // A poll is no fault of the client's.
        assert_eq!(session(&limits, "192.0.2.1").count_poll(), Verdict::Pass);
    }

    #[test]
    fn quiet_addresses_are_forgotten() {
        let limits = limits(LimitsTable {
            packets_per_second_per_ip: number(1),
            bytes_per_second_per_ip: number(1),
            ..LimitsTable::default()
        });
        session(&limits, "192.0.2.1").count(packet(1));
        let traffic = &limits.traffic;
        traffic.forget_quiet();
        assert_eq!(traffic.addresses.lock().len(), 1, "the debt is not paid");
        let later = traffic.started.elapsed() + Duration::from_secs(60);
        let rates = traffic.addresses.lock()[&address("192.0.2.1")];
        assert!(rates.packets.is_full(later) && rates.bytes.is_full(later));
    }

    proptest! {
        /// However many send whatever they like, and wait as they are told: no more than
        /// the limit passes, beside what may come at once.
        #[test]
        fn a_throttle_lets_pass_what_it_says(
            chunks in prop::collection::vec(1u32..200, 1..30),
            per_second in 1u32..1000,
        ) {
            let mut throttle = Throttle::new(number(per_second));
            let mut ready = vec![Duration::ZERO; chunks.len()];
            let mut passed = 0u64;
            let end = Duration::from_secs(60);
            loop {
                let next = (0..ready.len()).min_by_key(|who| ready[*who]).unwrap_or(0);
                let now = ready[next];
                if now >= end {
                    break;
                }
                passed += u64::from(chunks[next]);
                let pause = throttle.take(chunks[next], now).min(LONGEST_PAUSE);
                ready[next] = now + pause.max(Duration::from_millis(1));
            }
            let limit = u64::from(per_second) * (60 + u64::from(BURST));
            // Nobody waits longer than the longest pause, so each passes one then.
            let at_least: u64 = chunks.iter().map(|chunk| u64::from(*chunk) * 13).sum();
            let largest = u64::from(*chunks.iter().max().unwrap_or(&0));
            prop_assert!(passed <= limit + largest + at_least, "{passed} of {limit}");
        }
    }
}
