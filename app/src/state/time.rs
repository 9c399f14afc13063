//! The time: how long the page is open, what the server's clock says, and whether the
//! competition has started.

use leptos::prelude::*;

use crate::{
    clock::{Clock, Reading},
    dates,
};

/// The page's clock. A handle: copies are the same clock.
#[derive(Clone, Copy)]
pub(crate) struct PageClock(StoredValue<Clock>);

impl PageClock {
    pub(super) fn new() -> PageClock {
        PageClock(StoredValue::new(Clock::default()))
    }

    /// Milliseconds since the page was opened; it never goes back.
    pub(crate) fn now(self) -> f64 {
        self.0.write_value().now(Reading::take())
    }

    /// The server's time, in milliseconds since 1970.
    pub(crate) fn server_time(self) -> f64 {
        self.0.read_value().server_time(Reading::take())
    }

    /// Is the server's time known?
    pub(crate) fn knows_server(self) -> bool {
        self.0.read_value().knows_server()
    }

    /// Has the machine slept since this was asked last?
    pub(crate) fn has_woken(self) -> bool {
        self.0.write_value().has_woken()
    }

    /// The server has answered what its time is; the request was sent at `sent_at`, by the
    /// monotonic clock.
    pub(crate) fn synchronise(self, time: f64, sent_at: f64) {
        self.0
            .write_value()
            .synchronise(time, sent_at, Reading::take());
    }

    /// The server has sent its time, some time ago.
    pub(crate) fn not_before(self, time: f64) {
        self.0.write_value().not_before(time, Reading::take());
    }
}

/// When the competition starts.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    /// As the page shows it; empty once it has started.
    pub(crate) shown: RwSignal<String>,
    /// ISO 8601, or empty.
    at: StoredValue<String>,
}

impl Start {
    pub(super) fn new(at: Option<String>) -> Start {
        // Server and browser render it in UTC, and then the browser in the user's time zone.
        let shown = at.as_deref().map(dates::utc).unwrap_or_default();
        Start {
            shown: RwSignal::new(shown),
            at: StoredValue::new(at.unwrap_or_default()),
        }
    }

    /// Is it still to come?
    pub(crate) fn is_ahead(self) -> bool {
        self.shown.with(|shown| !shown.is_empty())
    }

    /// Shows it in the user's time zone.
    #[cfg(feature = "hydrate")]
    pub(crate) fn localise(self, settings: super::settings::Settings) {
        let at = self.at.read_value();
        if !at.is_empty() {
            self.shown.set(settings.day_and_time(&at));
        }
    }

    /// Removes it once it has come, in milliseconds since 1970.
    #[cfg(feature = "hydrate")]
    pub(crate) fn update(self, now: f64) {
        let is_ahead = self.shown.with_untracked(|shown| !shown.is_empty());
        if is_ahead && dates::parse(&self.at.read_value()) <= now {
            self.shown.set(String::new());
        }
    }
}
