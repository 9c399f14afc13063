//! Requests the board every few seconds while the page is not live.

use std::rc::Rc;

use js_sys::Math;
use leptos::prelude::*;

use super::{
    Client,
    http::{self, Cache, Response},
};
use crate::{
    decode::Decode,
    format::age,
    texts::Text,
    wire::{LIVE_IN, LeaderboardData, View},
};

/// Between two requests of a page that is not live, in milliseconds, a quarter more or less.
const INTERVAL: f64 = 5_000.0;

impl Client {
    /// Schedules a request, unless one is pending or due sooner.
    pub(super) fn schedule_poll(&self) {
        self.schedule_poll_at(self.now() + INTERVAL * (0.75 + Math::random() / 2.0));
    }

    /// Schedules a request at once, unless one is pending.
    pub(super) fn schedule_poll_now(&self) {
        self.schedule_poll_at(self.now());
    }

    fn schedule_poll_at(&self, at: f64) {
        let at = match self.poll_at.get() {
            // It is pending.
            Some(f64::INFINITY) => f64::INFINITY,
            scheduled => scheduled.unwrap_or(at).min(at),
        };
        self.poll_at.set(Some(at));
    }

    /// Brings a scheduled request forward: a user looks at the page, and it is not live.
    pub(super) fn hurry_poll(&self) {
        if self.poll_at.get().is_some() {
            self.schedule_poll_now();
        }
    }

    /// Requests the board, and when the page may connect, if that is due.
    pub(super) fn poll(self: &Rc<Self>) {
        if self.poll_at.get().is_none_or(|at| at > self.now()) {
            return;
        }
        if document().hidden() {
            self.poll_at.take();
            return self.schedule_poll();
        }
        // Pending: there is one request at a time.
        self.poll_at.set(Some(f64::INFINITY));
        let state = self.state;
        let mut path = state.settings.board_link("/page/rows?");
        if state.settings.view == View::Embed {
            path.push_str("view=embed&");
        }
        if let Some(page) = state.board.page() {
            path.push_str("page=");
            path.push_str(&(page + 1).to_string());
        }
        let client = self.clone();
        let then = Box::new(move |response| client.polled(&response));
        let token = self.token.borrow();
        http::get(&path, Some(&token), Cache::Revalidate, http::TIMEOUT, then);
    }

    fn polled(self: &Rc<Self>, response: &Response) {
        if self.poll_at.take().is_none() {
            // The page is live by now.
            return;
        }
        self.schedule_poll();
        match LeaderboardData::decode(&response.body) {
            Some(board) => self.refreshed(board, response.number(LIVE_IN)),
            None => {
                self.state.connection.reason.set(String::new());
                self.update_status();
            }
        }
        self.run();
    }

    /// Shows a board that is some seconds old at most, and not live.
    fn refreshed(self: &Rc<Self>, board: LeaderboardData, live_in: Option<i64>) {
        let (now, state) = (self.now(), self.state);
        if let Some(seconds) = live_in {
            let mut session = self.session.borrow_mut();
            session.connect_in(seconds as f64, now, Math::random());
        }
        let mut reason = String::new();
        if self.session.borrow().is_rejected() {
            reason.push_str(&state.settings.text(Text::Crowded));
            if let Some(seconds) = live_in.filter(|seconds| *seconds > 0) {
                let time = age(seconds.cast_unsigned());
                reason.push(' ');
                reason.push_str(&state.settings.with(Text::LiveIn, &[("n", &time)]));
            }
        } else {
            reason = state.settings.text(Text::Refreshing);
        }
        state.connection.reason.set(reason);
        self.up_to_date();
        self.update_status();
        if state.board.replace(board) {
            self.refresh();
        }
        self.schedule_around_later();
    }
}
