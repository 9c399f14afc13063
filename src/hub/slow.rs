//! Slow consumers: sockets whose clients take less than the hub sends. Such a socket is
//! taken out of its rooms, so that nothing is lost in the library's buffer and nobody
//! else is sent anything for its sake. When it has taken what it was sent, it gets one
//! step to the newest state. Pure: the time is an argument.

use tokio::time::{Duration, Instant};

use super::session::Backlog;

/// Packets that may wait for a client. The library drops what goes beyond 128 of them;
/// a flush that ends may be of half of what waits, and a tick comes with a few packets.
const MOST_PACKETS: usize = 56;

/// How long a packet may wait for a client that is within the other bounds: longer than
/// a poll takes to come back, or a browser to collect its garbage.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long a client may take nothing at all. A browser that has not read for that long
/// is asleep, and connects anew when it wakes up. Shorter than the ping timeout, because
/// there is something that waits for this client.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The shortest and the longest time for which a socket gets nothing that was slow again.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Who has kept up for this long is as good as new.
const CALM: Duration = Duration::from_secs(10);

/// Between two looks at slow sockets.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// The most that may wait for a client before it counts as slow, in bytes. One packet of
/// any size may always be sent to a client for whom nothing waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendQueue(pub(super) usize);

impl SendQueue {
    /// Is there room for one more packet?
    pub(super) fn has_room(self, backlog: Backlog, now: Instant) -> bool {
        let is_late = age(backlog, now).is_some_and(|age| age > LONGEST_WAIT);
        backlog.bytes < self.0 && backlog.packets < MOST_PACKETS && !is_late
    }
}

/// How well one client keeps up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// It gets nothing before then.
    not_before: Option<Instant>,
    pause: Duration,
    /// When it last was live again.
    resumed: Option<Instant>,
}

/// What is to become of a slow socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has not taken yet what it was sent, or it is too early for more.
    Wait,
    /// It can be given the newest state.
    Resume,
    /// It has taken nothing for too long.
    Close,
}

impl Pace {
    /// The client is slow from now on. Once more within a short time, it is given the
    /// newest state less often: it pays for that by itself.
    pub(super) fn fell_behind(&mut self, now: Instant) {
        let is_again = self.resumed.is_some_and(|resumed| now < resumed + CALM);
        self.pause = if is_again {
            (self.pause * 2).clamp(PAUSE, LONGEST_PAUSE)
        } else {
            Duration::ZERO
        };
        self.not_before = Some(now + self.pause);
    }

    /// The client is live again.
    pub(super) fn caught_up(&mut self, now: Instant) {
        self.not_before = None;
        self.resumed = Some(now);
    }

    /// What is to become of a slow client for whom this waits.
    pub(super) fn judge(&self, backlog: Backlog, now: Instant) -> Verdict {
        match age(backlog, now) {
            Some(age) if age >= TIMEOUT => Verdict::Close,
            Some(_) => Verdict::Wait,
            None if self.not_before.is_some_and(|then| now < then) => Verdict::Wait,
            None => Verdict::Resume,
        }
    }
}

/// For how long the first packet has waited, if one waits.
fn age(backlog: Backlog, now: Instant) -> Option<Duration> {
    backlog.since.map(|since| now.duration_since(since))
}

/// Says at most once in a minute that clients were closed, and then how many.
#[derive(Default)]
pub(super) struct Complaint {
    last: Option<Instant>,
    count: u64,
}

impl Complaint {
    /// Counts one. Says how many there were since the last time, if it is time.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        let is_due = self
            .last
            .is_none_or(|last| now >= last + Duration::from_secs(60));
        is_due.then(|| {
            self.last = Some(now);
            std::mem::take(&mut self.count)
        })
    }
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
    fn who_is_slow_again_and_again_gets_the_newest_less_often() {
        let mut now = Instant::now();
        let mut pace = Pace::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pace.fell_behind(now);
            assert_eq!(pace.judge(waits(1, 1, now), now), Verdict::Wait);
            let fell_behind = now;
            while pace.judge(Backlog::default(), now) == Verdict::Wait {
                now += MS;
            }
            pauses.push((now - fell_behind).as_millis());
            pace.caught_up(now);
        }
        assert_eq!(pauses, [0, 250, 500, 1000, 2000, 4000, 4000]);
        now += CALM;
        pace.fell_behind(now);
        assert_eq!(pace.judge(Backlog::default(), now), Verdict::Resume);
    }

    #[test]
    fn who_takes_nothing_is_closed_in_the_end() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.fell_behind(now);
        let one = waits(1, 1, now);
        assert_eq!(pace.judge(one, now + TIMEOUT - MS), Verdict::Wait);
        assert_eq!(pace.judge(one, now + TIMEOUT), Verdict::Close);
    }

    #[test]
    fn complaints_are_seldom_and_count() {
        let now = Instant::now();
        let mut complaint = Complaint::default();
        let counted = [0, 1, 59, 60, 61].map(|s| complaint.count(now + Duration::from_secs(s)));
        assert_eq!(counted, [Some(1), None, None, Some(3), None]);
    }
}
