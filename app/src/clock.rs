//! What time it is, for a page that trusts no clock of its machine: how much has passed since
//! the page was opened, and what the server's clock says. Pure, but for [`Reading::take`].
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "only the browser measures time")
)]

/// The wall clock is this much further on than the monotonic one when the machine has slept,
/// in milliseconds. Clocks that are adjusted little by little stay below.
const SLEPT: f64 = 2_000.0;

/// A response that took longer says too little of the server's time to replace a better one,
/// in milliseconds.
const LONG_ROUND_TRIP: f64 = 500.0;

/// What both of the browser's clocks say, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Since the page was opened. Nobody sets this clock, but in some browsers it stands
    /// still while the machine sleeps.
    pub(crate) monotonic: f64,
    /// Since 1970. This clock may be wrong by any time, and may be set at any time.
    pub(crate) wall: f64,
}

impl Reading {
    /// Reads both clocks.
    #[cfg(feature = "hydrate")]
    pub(crate) fn take() -> Reading {
        let monotonic = leptos::prelude::window().performance();
        let wall = js_sys::Date::now();
        Reading {
            monotonic: monotonic.map_or(wall, |clock| clock.now()),
            wall,
        }
    }

    /// The server measures nothing on a page.
    #[cfg(not(feature = "hydrate"))]
    pub(crate) fn take() -> Reading {
        Reading {
            monotonic: 0.0,
            wall: 0.0,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: Option<Reading>,
    slept: f64,
    has_woken: bool,
    /// How far the server's clock is ahead of the monotonic one, once that is known.
    offset: Option<f64>,
    /// The round-trip time of the response from which the offset is known; 0 for none.
    round_trip: f64,
}

impl Clock {
    /// How much time has passed since the page was opened, in milliseconds; it never goes
    /// back. What the wall clock gained on the monotonic one counts as sleep. If somebody
    /// has set the wall clock, data seems older than it is, which is the lesser harm.
    pub(crate) fn now(&mut self, at: Reading) -> f64 {
        if let Some(last) = self.last.replace(at) {
            let gained = (at.wall - last.wall) - (at.monotonic - last.monotonic);
            if gained >= SLEPT {
                self.slept += gained;
                self.has_woken = true;
                // Any response is better than what was known before.
                self.round_trip = f64::INFINITY;
            }
        }
        at.monotonic + self.slept
    }

    /// Has the machine slept since this was asked last, as far as a page can tell?
    pub(crate) fn has_woken(&mut self) -> bool {
        std::mem::take(&mut self.has_woken)
    }

    /// Is the server's time known?
    pub(crate) fn knows_server(&self) -> bool {
        self.offset.is_some()
    }

    /// The server's time, in milliseconds since 1970; until it is known, the wall clock's.
    pub(crate) fn server_time(&self, at: Reading) -> f64 {
        self.offset.map_or(at.wall, |offset| at.monotonic + offset)
    }

    /// The server has answered a request for its time, which was sent at `sent_at` by the
    /// monotonic clock. It wrote the response in the middle of the round trip, give or take
    /// half of it (Cristian, 1989). A response that was delayed, as by a server that was
    /// stopped, is at least not from the future.
    pub(crate) fn synchronise(&mut self, time: f64, sent_at: f64, at: Reading) {
        let round_trip = at.monotonic - sent_at;
        if self.offset.is_some() && round_trip > LONG_ROUND_TRIP.max(self.round_trip) {
            self.not_before(time, at);
        } else if time.is_finite() {
            self.offset = Some(time - (sent_at + at.monotonic) / 2.0);
            self.round_trip = round_trip;
        }
    }

    /// The server has sent its time, some time ago: it is not earlier now.
    pub(crate) fn not_before(&mut self, time: f64, at: Reading) {
        let offset = time - at.monotonic;
        if offset.is_finite() && self.offset.is_none_or(|known| known < offset) {
            self.offset = Some(offset);
        }
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    const HOUR: f64 = 3_600_000.0;

    fn at(monotonic: f64, wall: f64) -> Reading {
        Reading { monotonic, wall }
    }

    #[test]
    fn the_time_that_a_machine_slept_has_passed() {
        let mut clock = Clock::default();
        assert_eq!(clock.now(at(100.0, HOUR)), 100.0);
        assert_eq!(clock.now(at(1_100.0, HOUR + 1_010.0)), 1_100.0);
        assert!(!clock.has_woken());
        // The monotonic clock stood still meanwhile.
        assert_eq!(clock.now(at(2_100.0, 2.0 * HOUR + 2_010.0)), HOUR + 2_100.0);
        assert!(clock.has_woken());
        assert!(!clock.has_woken(), "it is reported once");
        // Where it went on, nothing is added to it.
        assert_eq!(clock.now(at(HOUR, 3.0 * HOUR)), 2.0 * HOUR);
        assert!(!clock.has_woken());
    }

    #[test]
    fn time_never_goes_back() {
        let mut clock = Clock::default();
        let walls = [HOUR, 0.0, 5.0 * HOUR, -HOUR, f64::MIN_POSITIVE];
        let mut last = 0.0;
        for (monotonic, wall) in (0..).zip(walls) {
            let now = clock.now(at(f64::from(monotonic), wall));
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn the_servers_time_depends_on_no_wall_clock() {
        let server = 100.0 * HOUR;
        for shift in [-HOUR, 0.0, HOUR] {
            let mut clock = Clock::default();
            let wall = server + shift;
            assert_eq!(
                clock.server_time(at(1_000.0, wall)),
                wall,
                "none is better yet"
            );
            assert!(!clock.knows_server());
            clock.synchronise(server, 900.0, at(1_100.0, wall));
            assert_eq!(clock.server_time(at(1_000.0, wall)), server);
            // It is set while the page is open.
            for set in [-2.0 * HOUR, 2.0 * HOUR] {
                clock.now(at(1_500.0, wall));
                clock.now(at(1_600.0, wall + set));
                assert_eq!(clock.server_time(at(2_000.0, wall + set)), server + 1_000.0);
            }
        }
    }

    #[test]
    fn a_delayed_response_replaces_no_better_one() {
        let mut clock = Clock::default();
        clock.synchronise(HOUR, 0.0, at(20.0, 0.0));
        assert_eq!(clock.server_time(at(10.0, 0.0)), HOUR);
        // The server was stopped for nine seconds, and wrote then.
        clock.synchronise(HOUR + 10_000.0, 1_000.0, at(10_010.0, 0.0));
        assert_eq!(clock.server_time(at(10_010.0, 0.0)), HOUR + 10_000.0);
        // After a sleep, during which the clock stood still, it is better than nothing.
        clock.now(at(11_000.0, 0.0));
        clock.now(at(12_000.0, HOUR));
        clock.synchronise(3.0 * HOUR, 13_000.0, at(15_000.0, HOUR));
        assert_eq!(clock.server_time(at(14_000.0, HOUR)), 3.0 * HOUR);
    }

    #[test]
    fn a_later_time_of_the_server_corrects_a_clock_that_stood_still() {
        let mut clock = Clock::default();
        clock.not_before(HOUR, at(0.0, 0.0));
        assert_eq!(clock.server_time(at(10.0, 0.0)), HOUR + 10.0);
        // It was delayed: nothing is learned of it.
        clock.not_before(HOUR + 5.0, at(20.0, 0.0));
        assert_eq!(clock.server_time(at(20.0, 0.0)), HOUR + 20.0);
        clock.not_before(2.0 * HOUR, at(30.0, 0.0));
        assert_eq!(clock.server_time(at(30.0, 0.0)), 2.0 * HOUR);
        // A server whose clock was set back, or another server.
        clock.synchronise(HOUR, 30.0, at(50.0, 0.0));
        assert_eq!(clock.server_time(at(40.0, 0.0)), HOUR);
        for time in [f64::NAN, f64::INFINITY] {
            clock.not_before(time, at(60.0, 0.0));
            clock.synchronise(time, 50.0, at(60.0, 0.0));
        }
        assert_eq!(clock.server_time(at(40.0, 0.0)), HOUR);
    }
}
