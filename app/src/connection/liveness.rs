//! Is the link to the server alive? A server that is stopped, or a network that drops
//! packets, does not close a connection. But the server sends a heartbeat when it sends
//! nothing else, so a link that is silent is dead.

/// A link that is silent for so long is dead. The server sends a heartbeat after 5 s of
/// silence; the rest is for the network. The page shows it within 6 s.
pub(crate) const SILENCE: f64 = 5_750.0;
/// The longest round trip on a link that is alive.
const RESPONSE_TIMEOUT: f64 = 2_000.0;
/// Between two probes of whether the server is reachable, a quarter more or less.
const PROBE_EVERY: f64 = 1_300.0;

/// See the module.
#[derive(Debug)]
pub(crate) struct Liveness {
    /// When the server last sent something.
    received_at: f64,
    /// By when it must send something again.
    deadline: f64,
    /// Does the server send heartbeats on this connection?
    has_heartbeats: bool,
    /// Is the link being checked, without a response yet?
    is_checking: bool,
    is_silent: bool,
    probe_at: f64,
}

impl Liveness {
    /// There is no link yet.
    pub(crate) fn new(now: f64) -> Liveness {
        Liveness {
            received_at: now,
            deadline: f64::INFINITY,
            has_heartbeats: false,
            is_checking: false,
            is_silent: false,
            probe_at: now,
        }
    }

    /// There is a new link. The server will say whether it sends heartbeats; one of an
    /// earlier version does not. But it must respond to the first request.
    pub(crate) fn connected(&mut self, now: f64) {
        self.has_heartbeats = false;
        self.received(now);
        self.deadline = now + SILENCE;
    }

    /// The link is closed.
    pub(crate) fn closed(&mut self) {
        self.has_heartbeats = false;
        self.is_checking = false;
        self.is_silent = false;
        self.deadline = f64::INFINITY;
    }

    /// The server has said that it sends heartbeats.
    pub(crate) fn expect_heartbeats(&mut self) {
        self.has_heartbeats = true;
        self.deadline = self.received_at + SILENCE;
    }

    /// The server has sent something.
    pub(crate) fn received(&mut self, now: f64) {
        self.received_at = now;
        self.is_checking = false;
        self.is_silent = false;
        self.deadline = if self.has_heartbeats {
            now + SILENCE
        } else {
            f64::INFINITY
        };
    }

    /// The page is visible again. Without heartbeats, a link that was silent may be dead: is
    /// a request to be sent to check it? Until its deadline the link counts as alive.
    pub(crate) fn check(&mut self, now: f64) -> bool {
        let is_checked = self.has_heartbeats || self.is_doubtful();
        if is_checked || now - self.received_at < SILENCE {
            return false;
        }
        self.is_checking = true;
        self.deadline = now + RESPONSE_TIMEOUT;
        true
    }

    /// Has the link become silent just now?
    pub(crate) fn falls_silent(&mut self, now: f64) -> bool {
        let was_silent = self.is_silent;
        self.is_silent |= self.deadline <= now;
        self.is_silent && !was_silent
    }

    /// Is the link dead?
    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Is the link dead, or may it be?
    pub(crate) fn is_doubtful(&self) -> bool {
        self.is_silent || self.is_checking
    }

    /// Is it time to probe whether the server is reachable? If so, that counts as done.
    pub(crate) fn probes(&mut self, is_wanted: bool, now: f64, random: f64) -> bool {
        let is_due = is_wanted && self.probe_at <= now;
        if is_due {
            self.probe_at = now + PROBE_EVERY * (0.75 + random / 2.0);
        }
        is_due
    }

    /// When something is due, if nothing happens before.
    pub(crate) fn wake_at(&self, is_probing: bool) -> f64 {
        let deadline = if self.is_silent {
            f64::INFINITY
        } else {
            self.deadline
        };
        deadline.min(if is_probing {
            self.probe_at
        } else {
            f64::INFINITY
        })
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn beating() -> Liveness {
        let mut it = Liveness::new(0.0);
        it.connected(0.0);
        it.expect_heartbeats();
        it
    }

    #[test]
    fn a_link_is_silent_within_six_seconds_of_the_last_message() {
        let mut it = beating();
        for beat in 0..100 {
            let now = f64::from(beat) * 5_200.0;
            assert!(!it.falls_silent(now));
            it.received(now);
        }
        let last = 99.0 * 5_200.0;
        let at = it.wake_at(false);
        assert!(at - last < 6_000.0);
        assert!(!it.falls_silent(at - 1.0));
        assert!(it.falls_silent(at));
        assert!(it.is_silent());
        assert!(!it.falls_silent(at + 1.0), "it is reported once");
        it.received(at + 2.0);
        assert!(!it.is_silent());
    }

    #[test]
    fn a_server_without_heartbeats_may_be_silent_once_it_has_responded() {
        let mut it = Liveness::new(0.0);
        it.connected(0.0);
        assert!(it.wake_at(false) < 6_000.0, "a response is due");
        it.received(10.0);
        assert!(!it.falls_silent(1e9));
        assert_eq!(it.wake_at(false), f64::INFINITY);
        // The link is checked when the page is visible again.
        assert!(it.check(1e9));
        assert!(!it.check(1e9), "once");
        assert!(!it.falls_silent(1e9));
        assert!(it.falls_silent(1e9 + RESPONSE_TIMEOUT));
    }

    #[test]
    fn a_link_that_is_checked_has_time_to_respond() {
        let mut it = Liveness::new(0.0);
        it.connected(0.0);
        it.received(100.0);
        assert!(!it.check(1_000.0), "it is not silent");
        let hour = 3_600_000.0;
        assert!(it.check(hour));
        assert!(it.is_doubtful());
        assert!(!it.falls_silent(hour + 100.0));
        it.received(hour + 200.0);
        assert!(!it.is_doubtful());
        assert!(it.check(2.0 * hour));
        assert!(
            !it.check(2.0 * hour + 1_900.0),
            "another check does not move the deadline"
        );
        assert!(it.falls_silent(2.0 * hour + RESPONSE_TIMEOUT));
        assert!(!it.check(3.0 * hour));
        assert!(it.is_silent());
    }

    #[test]
    fn a_page_that_was_frozen_knows_at_once_that_the_link_was_silent() {
        let mut it = beating();
        let now = 3_600_000.0;
        assert!(!it.check(now));
        assert!(it.falls_silent(now));
    }

    #[test]
    fn a_closed_link_is_not_silent() {
        let mut it = beating();
        it.closed();
        assert!(!it.falls_silent(1e9));
        it.connected(1e9);
        assert!(!it.is_silent());
    }

    #[test]
    fn the_server_is_probed_often_enough() {
        for random in [0.0, 0.5, 1.0] {
            let mut it = beating();
            assert!(!it.probes(false, 10_000.0, random));
            let mut probes = Vec::new();
            let mut now = 10_000.0;
            while now < 70_000.0 {
                assert!(it.probes(true, now, random));
                assert!(!it.probes(true, now, random));
                probes.push(now);
                it.falls_silent(now);
                now = it.wake_at(true);
            }
            assert!((36..=62).contains(&probes.len()), "{}", probes.len());
            assert!(probes.windows(2).all(|pair| pair[1] - pair[0] < 2_000.0));
        }
    }
}
