//! What a client sends in a session: packets and bytes, by session, by address and in
//! all. It is counted before the library looks at it.
//!
//! Who sends too much by one session is disconnected. When all sessions of an address, or
//! all there are, send too much together, nobody is, because it may be anybody's fault:
//! each is read more slowly, by a pause after what it has sent.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    Limits, Reason,
    token_bucket::{Quota, TokenBucket},
};
use crate::config::LimitsTable;

/// For how long a limit of so many a second may be used up at once.
const BURST: Duration = Duration::from_secs(10);

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

impl Sent {
    fn byte_count(&self) -> u32 {
        u32::try_from(self.bytes).unwrap_or(u32::MAX)
    }
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
    session_quota: Rates<Quota>,
    address_quota: Rates<Quota>,
    total_quota: Rates<Quota>,
    addresses: Mutex<HashMap<IpAddr, Rates<TokenBucket>>>,
    total: Mutex<Rates<TokenBucket>>,
}

/// The same for packets and for bytes.
#[derive(Clone, Copy)]
struct Rates<T> {
    packets: T,
    bytes: T,
}

impl TrafficLimits {
    pub(super) fn new(table: &LimitsTable) -> TrafficLimits {
        let quota = |packets, bytes| Rates {
            packets: Quota::per_second(packets, BURST),
            bytes: Quota::per_second(bytes, BURST),
        };
        TrafficLimits {
            session_quota: quota(table.packets_per_second, table.bytes_per_second),
            address_quota: quota(
                table.packets_per_second_per_ip,
                table.bytes_per_second_per_ip,
            ),
            total_quota: quota(
                table.packets_per_second_in_all,
                table.bytes_per_second_in_all,
            ),
            addresses: Mutex::default(),
            total: Mutex::new(Rates::full(Instant::now())),
        }
    }

    pub(super) fn forget_quiet(&self, now: Instant) {
        let mut addresses = self.addresses.lock();
        addresses.retain(|_, rates| !rates.is_full(now));
        addresses.shrink_to_fit();
    }

    /// How long a client of this address is not read after it has sent this.
    fn pause(&self, address: Option<IpAddr>, sent: Sent, now: Instant) -> Duration {
        let of_address = address.map_or(Duration::ZERO, |address| {
            let mut addresses = self.addresses.lock();
            let rates = addresses.entry(address).or_insert(Rates::full(now));
            rates.borrow(self.address_quota, sent, now)
        });
        let in_all = self.total.lock().borrow(self.total_quota, sent, now);
        of_address.max(in_all).min(LONGEST_PAUSE)
    }
}

impl Rates<TokenBucket> {
    fn full(now: Instant) -> Rates<TokenBucket> {
        Rates {
            packets: TokenBucket::full(now),
            bytes: TokenBucket::full(now),
        }
    }

    fn is_full(&self, now: Instant) -> bool {
        self.packets.is_full(now) && self.bytes.is_full(now)
    }

    /// Takes what was sent.
    ///
    /// # Errors
    /// Of which there was too much.
    fn take(&mut self, quota: Rates<Quota>, sent: Sent, now: Instant) -> Result<(), Reason> {
        let packets = self.packets.take(quota.packets, sent.packets, now);
        packets.map_err(|_| Reason::Packets)?;
        let bytes = self.bytes.take(quota.bytes, sent.byte_count(), now);
        bytes.map_err(|_| Reason::Bytes)
    }

    /// Takes what was sent, and answers how long its sender is to pause.
    fn borrow(&mut self, quota: Rates<Quota>, sent: Sent, now: Instant) -> Duration {
        let packets = self.packets.borrow(quota.packets, sent.packets, now);
        let bytes = self.bytes.borrow(quota.bytes, sent.byte_count(), now);
        packets.max(bytes)
    }
}

/// What one session has sent.
pub struct Traffic {
    limits: Arc<Limits>,
    /// Under which key the address is limited, if it is.
    address: Option<IpAddr>,
    buckets: Mutex<Rates<TokenBucket>>,
    connects: AtomicU32,
}

impl Traffic {
    /// A new session of an address.
    pub fn new(limits: Arc<Limits>, address: IpAddr) -> Traffic {
        Traffic {
            address: limits.limited(address),
            buckets: Mutex::new(Rates::full(Instant::now())),
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
        let (limits, now) = (&self.limits.traffic, Instant::now());
        let taken = self.buckets.lock().take(limits.session_quota, sent, now);
        if let Err(reason) = taken {
            return Verdict::Close(reason);
        }
        let pause = limits.pause(self.address, sent, now);
        if pause.is_zero() {
            return Verdict::Pass;
        }
        self.refused(Reason::Pauses);
        Verdict::Pause(pause)
    }

    /// Counts a poll, which a server brings about by answering the one before: for its
    /// session alone.
    pub fn count_poll(&self) -> Verdict {
        let quota = self.limits.traffic.session_quota;
        let poll = Sent {
            packets: 1,
            ..Sent::default()
        };
        match self.buckets.lock().take(quota, poll, Instant::now()) {
            Ok(()) => Verdict::Pass,
            Err(reason) => Verdict::Close(reason),
        }
    }

    /// Notes that its session ended for a reason, for operators.
    pub fn refused(&self, reason: Reason) {
        self.limits.refused(reason, self.address);
    }
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
        traffic.forget_quiet(Instant::now());
        assert_eq!(traffic.addresses.lock().len(), 1, "the debt is not paid");
        traffic.forget_quiet(Instant::now() + Duration::from_secs(60));
        assert!(traffic.addresses.lock().is_empty());
    }

    proptest! {
        /// However many send whatever they like, and wait as they are told: no more than
        /// the limit passes, beside what may come at once.
        #[test]
        fn a_bucket_that_lends_lets_pass_what_its_quota_says(
            chunks in prop::collection::vec(1u32..200, 1..30),
            per_second in 1u32..1000,
        ) {
            let start = Instant::now();
            let quota = Quota::per_second(number(per_second), BURST);
            let mut bucket = TokenBucket::full(start);
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
                let pause = bucket.borrow(quota, chunks[next], start + now).min(LONGEST_PAUSE);
                ready[next] = now + pause.max(Duration::from_millis(1));
            }
            let limit = u64::from(per_second) * (60 + BURST.as_secs());
            // Nobody waits longer than the longest pause, so each passes one then.
            let at_least: u64 = chunks.iter().map(|chunk| u64::from(*chunk) * 13).sum();
            let largest = u64::from(*chunks.iter().max().unwrap_or(&0));
            prop_assert!(passed <= limit + largest + at_least, "{passed} of {limit}");
        }
    }
}
