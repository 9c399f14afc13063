//! Is the link to the server alive, whatever the transport believes? A server that is
//! stopped, or a network that drops packets, ends no connection; but the server sends a
//! heartbeat when nothing else comes, so a link that is silent is dead. Pure: times are
//! in milliseconds, of the page's [`Clock`](crate::clock::Clock).
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "the socket is the browser's alone")
)]

/// A link that is silent for so long is dead. The server sends a heartbeat after 5 s of
/// silence; the rest is for its way, and for the page to say so within 6 s.
pub(crate) const SILENCE: f64 = 5_750.0;
/// The longest that a question takes on a link that is alive.
const ANSWER_WITHIN: f64 = 2_000.0;
/// Between two requests that try whether the server can be reached, a quarter more or
/// less.
const PROBE_EVERY: f64 = 1_300.0;

/// See the module.
#[derive(Debug)]
pub(crate) struct Liveness {
    /// When the server was heard last.
    heard_at: f64,
    /// By when it must be heard again.
    until: f64,
    /// Does the server send heartbeats on this connection?
    has_heartbeats: bool,
    /// Is the link asked whether it is alive, without an answer yet?
    is_doubted: bool,
    is_silent: bool,
    probe_at: f64,
}

impl Liveness {
    /// There is no link yet.
    pub(crate) fn new(now: f64) -> Liveness {
        Liveness {
            heard_at: now,
            until: f64::INFINITY,
            has_heartbeats: false,
            is_doubted: false,
            is_silent: false,
            probe_at: now,
        }
    }

    /// There is a new link. Whether the server sends heartbeats on it, it will say: one of
    /// an earlier version does not. What is asked first must be answered at all events.
    pub(crate) fn connected(&mut self, now: f64) {
        self.has_heartbeats = false;
        self.heard(now);
        self.until = now + SILENCE;
    }

    /// There is no link any more.
    pub(crate) fn closed(&mut self) {
        self.has_heartbeats = false;
        self.is_doubted = false;
        self.is_silent = false;
        self.until = f64::INFINITY;
    }

    /// The server has said that it sends heartbeats.
    pub(crate) fn expect_heartbeats(&mut self) {
        self.has_heartbeats = true;
        self.until = self.heard_at + SILENCE;
    }

    /// Something came from the server.
    pub(crate) fn heard(&mut self, now: f64) {
        self.heard_at = now;
        self.is_doubted = false;
        self.is_silent = false;
        self.until = if self.has_heartbeats {
            now + SILENCE
        } else {
            f64::INFINITY
        };
    }

    /// Somebody looks at the page again. Without heartbeats, a link that was not heard of
    /// lately may have died unseen: is the server to be asked something? Until the time
    /// for its answer is over, the link is believed in.
    pub(crate) fn look_again(&mut self, now: f64) -> bool {
        let is_known = self.has_heartbeats || self.is_doubtful();
        if is_known || now - self.heard_at < SILENCE {
            return false;
        }
        self.is_doubted = true;
        self.until = now + ANSWER_WITHIN;
        true
    }

    /// Has the link become silent, at this moment?
    pub(crate) fn falls_silent(&mut self, now: f64) -> bool {
        let was_silent = self.is_silent;
        self.is_silent |= self.until <= now;
        self.is_silent && !was_silent
    }

    /// Is the link dead?
    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Is it dead, or perhaps?
    pub(crate) fn is_doubtful(&self) -> bool {
        self.is_silent || self.is_doubted
    }

    /// Is it time to try whether the server can be reached? If so, it counts as tried.
    /// `is_wanted` says whether anybody wants to know.
    pub(crate) fn probes(&mut self, is_wanted: bool, now: f64, random: f64) -> bool {
        let is_due = is_wanted && self.probe_at <= now;
        if is_due {
            self.probe_at = now + PROBE_EVERY * (0.75 + random / 2.0);
        }
        is_due
    }

    /// When to look again, if nothing happens before.
    pub(crate) fn wake_at(&self, is_probing: bool) -> f64 {
        let until = if self.is_silent {
            f64::INFINITY
        } else {
            self.until
        };
        until.min(if is_probing {
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
    fn a_link_is_silent_within_six_seconds_of_the_last_word() {
        let mut it = beating();
        for beat in 0..100 {
            let now = f64::from(beat) * 5_200.0;
            assert!(!it.falls_silent(now));
            it.heard(now);
        }
        let last = 99.0 * 5_200.0;
        let at = it.wake_at(false);
        assert!(at - last < 6_000.0);
        assert!(!it.falls_silent(at - 1.0));
        assert!(it.falls_silent(at));
        assert!(it.is_silent());
        assert!(!it.falls_silent(at + 1.0), "it is said once");
        it.heard(at + 2.0);
        assert!(!it.is_silent());
    }

    #[test]
    fn a_server_without_heartbeats_may_be_silent_when_it_has_answered() {
        let mut it = Liveness::new(0.0);
        it.connected(0.0);
        assert!(it.wake_at(false) < 6_000.0, "an answer is due");
        it.heard(10.0);
        assert!(!it.falls_silent(1e9));
        assert_eq!(it.wake_at(false), f64::INFINITY);
        // Whoever comes back to the page has it asked.
        assert!(it.look_again(1e9));
        assert!(!it.look_again(1e9), "once");
        assert!(!it.falls_silent(1e9));
        assert!(it.falls_silent(1e9 + ANSWER_WITHIN));
    }

    #[test]
    fn a_link_that_is_doubted_has_time_to_answer() {
        let mut it = Liveness::new(0.0);
        it.connected(0.0);
        it.heard(100.0);
        assert!(!it.look_again(1_000.0), "it was heard of lately");
        let hour = 3_600_000.0;
        assert!(it.look_again(hour));
        assert!(it.is_doubtful());
        assert!(!it.falls_silent(hour + 100.0));
        it.heard(hour + 200.0);
        assert!(!it.is_doubtful());
        assert!(it.look_again(2.0 * hour));
        assert!(
            !it.look_again(2.0 * hour + 1_900.0),
            "no doubt puts the end off"
        );
        assert!(it.falls_silent(2.0 * hour + ANSWER_WITHIN));
        assert!(!it.look_again(3.0 * hour));
        assert!(it.is_silent());
    }

    #[test]
    fn a_page_that_was_frozen_knows_at_once_that_nothing_came() {
        let mut it = beating();
        let now = 3_600_000.0;
        assert!(!it.look_again(now));
        assert!(it.falls_silent(now));
    }

    #[test]
    fn no_link_is_not_a_silent_one() {
        let mut it = beating();
        it.closed();
        assert!(!it.falls_silent(1e9));
        it.connected(1e9);
        assert!(!it.is_silent());
    }

    #[test]
    fn the_server_is_tried_often_enough_while_that_is_wanted() {
        for random in [0.0, 0.5, 1.0] {
            let mut it = beating();
            assert!(!it.probes(false, 10_000.0, random));
            let mut tried = Vec::new();
            let mut now = 10_000.0;
            while now < 70_000.0 {
                assert!(it.probes(true, now, random));
                assert!(!it.probes(true, now, random));
                tried.push(now);
                it.falls_silent(now);
                now = it.wake_at(true);
            }
            assert!((36..=62).contains(&tried.len()), "{}", tried.len());
            assert!(tried.windows(2).all(|pair| pair[1] - pair[0] < 2_000.0));
        }
    }
}
