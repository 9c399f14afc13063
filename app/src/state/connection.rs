//! The connection to the server, as the page shows it.

use leptos::prelude::*;

/// See the module. A handle: copies are the same state.
#[derive(Clone, Copy)]
pub(crate) struct ConnectionState {
    /// Whether the board that is shown is live.
    pub(crate) status: RwSignal<Status>,
    /// Why the page refreshes itself and when it will be live; empty while it does not.
    pub(crate) reason: RwSignal<String>,
    /// How old the board is, in seconds, while it is not live.
    pub(crate) age: RwSignal<u64>,
    /// Since when it is not live, in the user's time zone.
    pub(crate) lost_at: RwSignal<String>,
    /// From an action to the screen, in milliseconds; 0 if unknown.
    pub(crate) delay: RwSignal<u64>,
}

impl ConnectionState {
    pub(super) fn new() -> ConnectionState {
        ConnectionState {
            status: RwSignal::new(Status::Connecting),
            reason: RwSignal::new(String::new()),
            age: RwSignal::new(0),
            lost_at: RwSignal::new(String::new()),
            delay: RwSignal::new(0),
        }
    }
}

/// Whether the board that is shown is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Not connected yet.
    Connecting,
    /// Every change is shown at once.
    Live,
    /// Not connected: the page asks for the board every few seconds.
    Refreshing,
    /// Disconnected, and trying again: the board gets old.
    Reconnecting,
    /// Disconnected, and the browser knows that there is no network.
    Offline,
}

impl Status {
    /// Does the board get old?
    pub(crate) fn is_stale(self) -> bool {
        matches!(self, Status::Reconnecting | Status::Offline)
    }

    /// May the board be some seconds old, or older?
    pub(crate) fn is_lost(self) -> bool {
        self.is_stale() || self == Status::Refreshing
    }
}
