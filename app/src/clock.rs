//! The browser's time and the server's, and what is done later. On the server nobody asks
//! for any of it.

use std::time::Duration;

/// The wall clock is that much further on than the other one when the machine has slept,
/// in milliseconds. Clocks that are adjusted little by little stay below.
#[cfg_attr(feature = "ssr", allow(dead_code, reason = "the browser's alone"))]
const SLEPT: f64 = 2_000.0;

/// An answer that took longer says too little of the server's time to replace a better one,
/// in milliseconds.
#[cfg_attr(feature = "ssr", allow(dead_code, reason = "the browser's alone"))]
const LONG_WAY: f64 = 500.0;

/// What both of the browser's clocks say, in milliseconds.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "ssr", allow(dead_code, reason = "the browser's alone"))]
pub(crate) struct Reading {
    /// Since the page was opened, of a clock that nobody sets, but that stands still in
    /// some browsers while the machine sleeps.
    pub(crate) monotonic: f64,
    /// Since 1970, of a clock that may be wrong by any time, and may be set at any time.
    pub(crate) wall: f64,
}

/// What time it is, for a page that trusts no clock of its machine: how much has passed
/// since it was opened, and what the server's clock says. Pure.
#[derive(Debug, Default)]
#[cfg_attr(feature = "ssr", allow(dead_code, reason = "the browser's alone"))]
pub(crate) struct Clock {
    last: Option<Reading>,
    slept: f64,
    has_woken: bool,
    /// How far the server's clock is ahead of the monotonic one, once that is known.
    ahead: Option<f64>,
    /// How long the answer took from which that is known; 0 for none.
    way: f64,
}

#[cfg_attr(feature = "ssr", allow(dead_code, reason = "the browser's alone"))]
impl Clock {
    /// How much time has passed since the page was opened, in milliseconds; it never goes
    /// back. What the wall clock gained on the other one counts as sleep: if somebody has
    /// set it, what is shown is younger than it seems, which is the lesser harm.
    pub(crate) fn now(&mut self, at: Reading) -> f64 {
        if let Some(last) = self.last.replace(at) {
            let gained = (at.wall - last.wall) - (at.monotonic - last.monotonic);
            if gained >= SLEPT {
                self.slept += gained;
                self.has_woken = true;
                // Any answer is better than what was known before.
                self.way = f64::INFINITY;
            }
        }
        at.monotonic + self.slept
    }

    /// Has the machine slept, as far as one can tell, since this was asked last?
    pub(crate) fn has_woken(&mut self) -> bool {
        std::mem::take(&mut self.has_woken)
    }

    /// Is the server's time known?
    pub(crate) fn knows_server(&self) -> bool {
        self.ahead.is_some()
    }

    /// The server's time, in milliseconds since 1970; until it is known, the wall clock's.
    pub(crate) fn server_time(&self, at: Reading) -> f64 {
        self.ahead.map_or(at.wall, |ahead| at.monotonic + ahead)
    }

    /// The server has answered what its time is, asked at that monotonic time: it wrote
    /// the answer in the middle, give or take half of the way (Cristian, 1989). An answer
    /// that was held up, as by a server that was stopped, is at least not from the future.
    pub(crate) fn answered(&mut self, time: f64, asked_at: f64, at: Reading) {
        let way = at.monotonic - asked_at;
        if self.ahead.is_some() && way > LONG_WAY.max(self.way) {
            self.told(time, at);
        } else if time.is_finite() {
            self.ahead = Some(time - (asked_at + at.monotonic) / 2.0);
            self.way = way;
        }
    }

    /// The server has said its time, some time ago: it is not earlier now.
    pub(crate) fn told(&mut self, time: f64, at: Reading) {
        let ahead = time - at.monotonic;
        if ahead.is_finite() && self.ahead.is_none_or(|known| known < ahead) {
            self.ahead = Some(ahead);
        }
    }
}

/// A moment as both sides write it: `2030-01-01 12:00 UTC`.
pub(crate) fn utc(iso: &str) -> String {
    let minutes = iso.get(..16).unwrap_or(iso);
    format!("{} UTC", minutes.replace('T', " "))
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::{Duration, Reading};
    use js_sys::Date;
    use leptos::prelude::{document, set_timeout, window};
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::HtmlElement;

    /// The reader's own kind of the page's language, such as Austria's German.
    fn locale(language: &str) -> String {
        let own = window().navigator().language().unwrap_or_default();
        if own.starts_with(language) {
            own
        } else {
            language.to_owned()
        }
    }

    /// The time of day of a moment, where the reader is.
    pub(crate) fn time(iso: &str, language: &str) -> String {
        Date::new(&JsValue::from_str(iso))
            .to_locale_time_string(&locale(language))
            .into()
    }

    /// What both clocks say.
    pub(crate) fn read() -> Reading {
        let monotonic = window().performance();
        let wall = Date::now();
        Reading {
            monotonic: monotonic.map_or(wall, |clock| clock.now()),
            wall,
        }
    }

    /// A moment that is written as ISO 8601, in milliseconds since 1970.
    pub(crate) fn parse(iso: &str) -> f64 {
        Date::parse(iso)
    }

    /// A moment in milliseconds since 1970, as ISO 8601.
    pub(crate) fn iso(time: f64) -> String {
        Date::new(&time.into()).to_iso_string().into()
    }

    /// Day and time of a moment, where the reader is.
    pub(crate) fn day_and_time(iso: &str, language: &str) -> String {
        let style = js_sys::Object::new();
        for (name, value) in [("dateStyle", "full"), ("timeStyle", "long")] {
            // Setting a field of a plain object cannot fail.
            _ = js_sys::Reflect::set(&style, &name.into(), &value.into());
        }
        Date::new(&JsValue::from_str(iso))
            .to_locale_string(&locale(language), &style)
            .into()
    }

    /// Does something when this time has passed.
    pub(crate) fn later(wait: Duration, what: impl FnOnce() + 'static) {
        set_timeout(what, wait);
    }

    /// Puts the focus on the first element of the first selector that has one, when the
    /// document has changed.
    pub(crate) fn focus_after(selectors: &'static [&'static str]) {
        let focus = move || {
            let find = |selector: &&str| document().query_selector(selector).ok().flatten();
            let element = selectors.iter().find_map(find);
            if let Some(element) = element.and_then(|it| it.dyn_into::<HtmlElement>().ok()) {
                // Nothing to focus is nothing to mend.
                _ = element.focus();
            }
        };
        set_timeout(focus, Duration::ZERO);
    }
}

#[cfg(not(feature = "hydrate"))]
mod server {
    use super::{Duration, Reading};

    pub(crate) fn time(iso: &str, _language: &str) -> String {
        super::utc(iso)
    }

    pub(crate) fn read() -> Reading {
        Reading {
            monotonic: 0.0,
            wall: 0.0,
        }
    }

    pub(crate) fn iso(_time: f64) -> String {
        String::new()
    }

    pub(crate) fn later(_wait: Duration, _what: impl FnOnce() + 'static) {}

    pub(crate) fn focus_after(_selectors: &'static [&'static str]) {}
}

#[cfg(feature = "hydrate")]
pub(crate) use browser::*;
#[cfg(not(feature = "hydrate"))]
pub(crate) use server::*;

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
        assert!(!clock.has_woken(), "it is said once");
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
            clock.answered(server, 900.0, at(1_100.0, wall));
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
    fn an_answer_that_was_held_up_replaces_no_better_one() {
        let mut clock = Clock::default();
        clock.answered(HOUR, 0.0, at(20.0, 0.0));
        assert_eq!(clock.server_time(at(10.0, 0.0)), HOUR);
        // The server was stopped for nine seconds, and wrote then.
        clock.answered(HOUR + 10_000.0, 1_000.0, at(10_010.0, 0.0));
        assert_eq!(clock.server_time(at(10_010.0, 0.0)), HOUR + 10_000.0);
        // After a sleep, during which the clock stood still, it is better than nothing.
        clock.now(at(11_000.0, 0.0));
        clock.now(at(12_000.0, HOUR));
        clock.answered(3.0 * HOUR, 13_000.0, at(15_000.0, HOUR));
        assert_eq!(clock.server_time(at(14_000.0, HOUR)), 3.0 * HOUR);
    }

    #[test]
    fn what_the_server_says_later_corrects_a_clock_that_stood_still() {
        let mut clock = Clock::default();
        clock.told(HOUR, at(0.0, 0.0));
        assert_eq!(clock.server_time(at(10.0, 0.0)), HOUR + 10.0);
        // It was long on its way: nothing is learned of it.
        clock.told(HOUR + 5.0, at(20.0, 0.0));
        assert_eq!(clock.server_time(at(20.0, 0.0)), HOUR + 20.0);
        clock.told(2.0 * HOUR, at(30.0, 0.0));
        assert_eq!(clock.server_time(at(30.0, 0.0)), 2.0 * HOUR);
        // A server whose clock was set back, or another server.
        clock.answered(HOUR, 30.0, at(50.0, 0.0));
        assert_eq!(clock.server_time(at(40.0, 0.0)), HOUR);
        for time in [f64::NAN, f64::INFINITY] {
            clock.told(time, at(60.0, 0.0));
            clock.answered(time, 50.0, at(60.0, 0.0));
        }
        assert_eq!(clock.server_time(at(40.0, 0.0)), HOUR);
    }
}
