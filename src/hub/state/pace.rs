//! When a client is a slow consumer, when it may be resumed, and when it is closed: the
//! bounds of what may wait for it.

use tokio::time::{Duration, Instant};

use crate::hub::session::Backlog;

/// Packets that may wait for a client. The library drops what goes beyond 128 of them;
/// a flush that ends may be of half of what waits, and a tick comes with a few packets.
const MOST_PACKETS: usize = 56;

/// How long a packet may wait for a client that is within the other bounds: longer than
/// a poll takes to come back, or a browser to collect its garbage.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long a client may read nothing at all. A browser that has not read for that long
/// is asleep, and reconnects when it wakes up. Shorter than the ping timeout, because
/// something waits for this client.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The shortest and the longest pause of a client that is slow again.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// A client that has kept up for this long is slow for the first time again.
const CALM: Duration = Duration::from_secs(10);

/// Between two checks of slow consumers.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// How many bytes may wait for a client before it is a slow consumer. One packet of
/// any size may always be sent to a client that has read everything.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) struct SendQueue(pub(in crate::hub) usize);

impl SendQueue {
    /// Is there room for one more packet?
    pub(in crate::hub) fn has_room(self, backlog: Backlog, now: Instant) -> bool {
        let is_late = age(backlog, now).is_some_and(|age| age > LONGEST_WAIT);
        backlog.bytes < self.0 && backlog.packets < MOST_PACKETS && !is_late
    }
}

/// How well one client keeps up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// It is not resumed before then.
    not_before: Option<Instant>,
    pause: Duration,
    /// When it was resumed last.
    resumed: Option<Instant>,
}

/// What to do with a slow consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet: it has not read what it was sent, or its pause is not over.
    Wait,
    /// Resume it.
    Resume,
    /// Close it: it has read nothing for too long.
    Close,
}

impl Pace {
    /// The client is slow from now on. If it is slow again within a short time, its pauses
    /// grow, so that it costs the others little.
    pub(super) fn marked_slow(&mut self, now: Instant) {
        let is_again = self.resumed.is_some_and(|resumed| now < resumed + CALM);
        self.pause = if is_again {
            (self.pause * 2).clamp(PAUSE, LONGEST_PAUSE)
        } else {
            Duration::ZERO
        };
        self.not_before = Some(now + self.pause);
    }

    /// The client is resumed.
    pub(super) fn resumed(&mut self, now: Instant) {
        self.not_before = None;
        self.resumed = Some(now);
    }

    /// What to do with a slow consumer that has this backlog.
    pub(super) fn verdict(&self, backlog: Backlog, now: Instant) -> Verdict {
        match age(backlog, now) {
            Some(age) if age >= TIMEOUT => Verdict::Close,
            Some(_) => Verdict::Wait,
            None if self.not_before.is_some_and(|then| now < then) => Verdict::Wait,
            None => Verdict::Resume,
        }
    }
}

/// How long the first packet of a backlog has waited, if there is one.
fn age(backlog: Backlog, now: Instant) -> Option<Duration> {
    backlog.since.map(|since| now.duration_since(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn waits(bytes: usize, packets: usize, since: Instant) -> Backlog {
        Backlog {
            bytes,
            packets,
            since: Some(since),
        }
    }

    #[test]
    fn there_is_room_until_a_bound_is_reached() {
        let (queue, now) = (SendQueue(1000), Instant::now());
        let has_room = |bytes, packets| queue.has_room(waits(bytes, packets, now), now);
        assert!(queue.has_room(Backlog::default(), now));
        assert!(has_room(999, 55));
        assert!(!has_room(1000, 1));
        assert!(!has_room(1, 56));
        let one = waits(1, 1, now);
        assert!(queue.has_room(one, now + LONGEST_WAIT));
        assert!(!queue.has_room(one, now + LONGEST_WAIT + MS));
        // Of any size, if nothing waits.
        assert!(SendQueue(1).has_room(Backlog::default(), now));
    }

    #[test]
    fn pauses_grow_while_a_client_is_slow_again_and_again() {
        let mut now = Instant::now();
        let mut pace = Pace::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pace.marked_slow(now);
            assert_eq!(pace.verdict(waits(1, 1, now), now), Verdict::Wait);
            let marked_slow = now;
            while pace.verdict(Backlog::default(), now) == Verdict::Wait {
                now += MS;
            }
            pauses.push((now - marked_slow).as_millis());
            pace.resumed(now);
        }
        assert_eq!(pauses, [0, 250, 500, 1000, 2000, 4000, 4000]);
        now += CALM;
        pace.marked_slow(now);
        assert_eq!(pace.verdict(Backlog::default(), now), Verdict::Resume);
    }

    #[test]
    fn a_client_that_reads_nothing_is_closed() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.marked_slow(now);
        let one = waits(1, 1, now);
        assert_eq!(pace.verdict(one, now + TIMEOUT - MS), Verdict::Wait);
        assert_eq!(pace.verdict(one, now + TIMEOUT), Verdict::Close);
    }
}
