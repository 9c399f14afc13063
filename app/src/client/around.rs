//! Requests the rows around the signed-in user where the board does not have them.

use std::rc::Rc;

use js_sys::Math;
use leptos::prelude::*;

use super::{
    Client,
    http::{self, Cache, Response},
};
use crate::{
    decode::Decode,
    state::Status,
    wire::{LeaderboardData, View},
};

/// The wait before a request where the user's rank has changed, in milliseconds, up to a
/// half more or less.
const SOON: f64 = 1_000.0;
/// The wait where only the board has changed, as it always does.
const LATER: f64 = 5_000.0;

impl Client {
    /// Schedules a request: the user's own rank may have changed.
    pub(super) fn schedule_around_soon(self: &Rc<Self>) {
        self.schedule_around(SOON);
    }

    /// Schedules a request: the board has changed.
    pub(super) fn schedule_around_later(self: &Rc<Self>) {
        self.schedule_around(LATER);
    }

    /// Schedules a request after this time if the rows are missing, unless one is due sooner.
    fn schedule_around(self: &Rc<Self>, wait: f64) {
        let at = self.now() + wait * (0.5 + Math::random());
        let is_sooner = self.around_at.get().is_none_or(|earlier| at < earlier);
        if is_sooner && self.state.you.needs_around() {
            self.around_at.set(Some(at));
            self.run();
        }
    }

    /// When a request is due. There is one at a time.
    pub(super) fn around_due(&self) -> f64 {
        let at = self.around_at.get();
        at.filter(|_| !self.is_around_pending.get())
            .unwrap_or(f64::INFINITY)
    }

    /// Requests the rows if that is due.
    pub(super) fn request_around(self: &Rc<Self>) {
        if self.around_due() > self.now() {
            return;
        }
        self.around_at.set(None);
        let state = self.state;
        let is_shown = state.settings.view == View::Whole && !state.pause.is_on_untracked();
        // The user may be another by now, or be on the board.
        let user = state.you.id();
        let user = user.filter(|_| is_shown && state.you.needs_around());
        let is_online = self.socket.connected()
            || state.connection.status.get_untracked() == Status::Refreshing;
        let Some(user) = user.filter(|_| is_online) else {
            return;
        };
        self.is_around_pending.set(true);
        let board = state.settings.board();
        let mut path = state.settings.link("/api/v1/");
        if let Some(board) = &board {
            path.push_str("boards/");
            path.push_str(board);
            path.push('/');
        }
        path.push_str("leaderboard/around/");
        path.push_str(&user);
        path.push_str("?window=2");
        let client = self.clone();
        let then = Box::new(move |response: Response| {
            client.is_around_pending.set(false);
            match LeaderboardData::decode(&response.body) {
                // The page shows something newer, or another user, by now.
                Some(rows) if !client.state.you.receive_around(&user, &rows) => {
                    client.schedule_around_soon();
                }
                _ => client.run(),
            }
        });
        // Another board than `main` may be one for people who have signed in.
        let token = self.token.borrow();
        let token = board.map(|_| &**token);
        http::get(&path, token, Cache::Bypass, http::TIMEOUT, then);
    }
}
