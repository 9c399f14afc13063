//! Shows whether the board is live, how old it is, and how long actions take to the screen.

use std::rc::Rc;

use leptos::prelude::*;

use super::Client;
use crate::{
    connection::SILENCE,
    dates,
    state::{Status, set_if_changed},
};

/// Between two values of the delay, in milliseconds: more cannot be read.
const DELAY_INTERVAL: f64 = 1_000.0;

impl Client {
    /// The board is the newest one now.
    pub(super) fn up_to_date(&self) {
        let clock = self.state.clock;
        self.current_at.set((clock.now(), clock.server_time()));
    }

    /// Shows whether the board is live, and else how old it is.
    pub(super) fn update_status(&self) {
        let (now, state) = (self.now(), self.state.connection);
        let shown = state.status.get_untracked();
        let is_live = self.socket.connected()
            && !self.liveness.borrow().is_silent()
            && !self.resync.borrow().is_behind(now);
        let (current_at, server_time) = self.current_at.get();
        let age = now - current_at;
        let refreshes = state.reason.with_untracked(|reason| !reason.is_empty());
        let status = if is_live {
            self.poll_at.set(None);
            set_if_changed(&state.reason, &String::new());
            Status::Live
        } else if shown == Status::Connecting && age < SILENCE && !refreshes {
            Status::Connecting
        } else {
            self.schedule_poll();
            set_if_changed(&state.age, &((age / 1000.0) as u64));
            if !window().navigator().on_line() {
                Status::Offline
            } else if refreshes {
                Status::Refreshing
            } else {
                Status::Reconnecting
            }
        };
        if status.is_lost() && !shown.is_lost() {
            let lost_at = self.state.settings.time(&dates::iso(server_time));
            state.lost_at.set(lost_at);
        }
        set_if_changed(&state.status, &status);
    }

    /// Shows how long the latest action took to the screen, once it is there.
    pub(super) fn measure_delay(self: &Rc<Self>) {
        let now = self.now();
        // A hidden page draws no frames, so callbacks that wait for one would pile up.
        if document().hidden()
            || self.delay_at.get() + DELAY_INTERVAL > now
            || !self.state.clock.knows_server()
        {
            return;
        }
        self.delay_at.set(f64::INFINITY);
        let written = dates::parse(&self.state.board.newest().last_updated);
        let client = self.clone();
        request_animation_frame(move || {
            client.delay_at.set(client.now());
            // A page that was hidden meanwhile draws its frame when it is visible again.
            if client.now() < now + DELAY_INTERVAL {
                let delay = client.state.clock.server_time() - written;
                client.state.connection.delay.set(delay.max(1.0) as u64);
            }
        });
    }
}
