//! The events of the server, and the events with which the page subscribes to them.

use std::{rc::Rc, time::Duration};

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

use super::{Client, Handler, LONGEST_TIMER};
use crate::{
    clock::Reading,
    connection::CloseReason,
    dates,
    decode::Decode,
    delta::Applied,
    js,
    state::Status,
    timers,
    wire::{
        HEARTBEAT, LEADERBOARD_REFRESH, LeaderboardData, PING, SCOREBOARD_DELTA, SESSION_EXPIRED,
        SUBSCRIBE_SCOREBOARD, SUBSCRIBE_USER_SCORE, SYSTEM_NOTIFICATION, ScoreboardDelta,
        Subscription, SystemNotification, USER_SCORE_UPDATE, UserScoreUpdate,
    },
};

/// The code with which the server rejects a subscription that it does not understand, as one
/// of an earlier version does that sends no heartbeats.
const INVALID_MESSAGE: &str = "invalid_message";

const HANDLERS: [(&str, Handler); 10] = [
    ("connect", |client, _| client.connected()),
    ("disconnect", |client, reason| {
        match reason.as_string().as_deref() {
            // The page did that itself.
            Some("io client disconnect") => {}
            Some("io server disconnect") => client.closed(CloseReason::ByServer),
            _ => client.closed(CloseReason::Lost),
        }
    }),
    ("connect_error", |client, error| {
        client.closed(if client.socket.active() {
            CloseReason::Lost
        } else {
            let error = error.dyn_ref::<js_sys::Error>();
            let message = error.map_or_else(String::new, |error| error.message().into());
            CloseReason::rejected(&message)
        });
    }),
    ("error", |client, _| {
        // If that was the subscription, it is sent again later.
        client.resync.borrow_mut().rejected();
        client.run();
    }),
    (SESSION_EXPIRED, |client, _| {
        client.session.borrow_mut().expired();
    }),
    (LEADERBOARD_REFRESH, |client, data| {
        if let Some(board) = client.decode_own::<LeaderboardData>(&data) {
            client.complete();
            if client.state.board.replace(board) {
                client.refresh();
                client.schedule_around_later();
            }
        }
    }),
    (SCOREBOARD_DELTA, |client, data| {
        if let Some(delta) = client.decode_own(&data) {
            client.apply(delta);
        }
    }),
    (USER_SCORE_UPDATE, |client, data| {
        if let Some(update) = client.decode_own::<UserScoreUpdate>(&data) {
            client.state.you.update(update);
            client.schedule_around_soon();
        }
    }),
    (HEARTBEAT, |client, data| {
        client.state.clock.not_before(time_of(&data));
        // A new epoch of which nothing was received.
        let epoch = js::text(&data, "epoch");
        if epoch.is_some_and(|epoch| epoch != client.state.board.newest().epoch) {
            client.resync.borrow_mut().gap(client.now());
            client.run();
        }
    }),
    (SYSTEM_NOTIFICATION, |client, data| {
        if let Some(notification) = SystemNotification::decode(&data) {
            client.notify(notification);
        }
    }),
];

impl Client {
    /// Handles the events of the server from now on.
    pub(super) fn handle_server_events(self: &Rc<Self>) {
        self.socket
            .on_any(&self.callback(|client, _| client.received()));
        for (event, handler) in HANDLERS {
            self.socket.on(event, &self.callback(handler));
        }
    }

    /// Decodes what the server has sent of this page's board; nothing of another one. What
    /// names no board is of `main`.
    fn decode_own<T: Decode>(&self, data: &JsValue) -> Option<T> {
        let is_own = js::text(data, "board") == self.state.settings.board();
        is_own.then(|| T::decode(data)).flatten()
    }

    /// The server has sent something.
    fn received(&self) {
        self.liveness.borrow_mut().received(self.now());
        self.session.borrow_mut().received();
        if self.resync.borrow().is_complete() {
            self.up_to_date();
        }
        if self.state.connection.status.get_untracked() != Status::Live {
            self.update_status();
        }
    }

    fn connected(self: &Rc<Self>) {
        let now = self.now();
        self.session.borrow_mut().connected(now);
        self.resync.borrow_mut().connected(now);
        self.liveness.borrow_mut().connected(now);
        self.wants_heartbeats.set(true);
        self.run();
        if let Some(id) = self.state.you.id() {
            let id = JsValue::from(id);
            let whose = match self.board() {
                board if board.is_undefined() => id,
                board => js::object(&[("userId", id), ("board", board)]),
            };
            self.socket.emit(SUBSCRIBE_USER_SCORE, &whose);
        }
        self.request_time();
        // A user who has just signed in waits for the rows around them.
        let around = self.state.you.around;
        let is_known = around.with_untracked(|rows| !rows.is_empty());
        if is_known {
            self.schedule_around_later();
        } else {
            self.schedule_around_soon();
        }
    }

    /// The board as events name it; undefined where none is named.
    fn board(&self) -> JsValue {
        self.state.settings.board().into()
    }

    /// Subscribes to the changes since the newest board, and to heartbeats. Every connection
    /// subscribes again, because the server forgets those that are closed.
    pub(super) fn subscribe(self: &Rc<Self>) {
        let board = self.state.board.newest();
        let page = board
            .page
            .map_or(JsValue::UNDEFINED, |page| (page as f64).into());
        let heartbeat = match self.wants_heartbeats.get() {
            true => JsValue::TRUE,
            false => JsValue::UNDEFINED,
        };
        let subscription = js::object(&[
            ("heartbeat", heartbeat),
            ("mode", Subscription::DELTA.into()),
            ("epoch", board.epoch.as_str().into()),
            ("seq", (board.seq as f64).into()),
            ("page", page),
            ("board", self.board()),
        ]);
        let acknowledged = self.callback_once(|client, acknowledgement| {
            client.received();
            let error = js::get(&acknowledgement, "error");
            if error.is_undefined() && client.wants_heartbeats.get() {
                client.liveness.borrow_mut().expect_heartbeats();
                client.run();
            } else if js::text(&error, "code").is_some_and(|code| code == INVALID_MESSAGE) {
                client.wants_heartbeats.set(false);
            }
        });
        self.socket
            .emit_acknowledged(SUBSCRIBE_SCOREBOARD, &subscription, &acknowledged);
    }

    /// Requests the server's time.
    pub(super) fn request_time(self: &Rc<Self>) {
        let sent_at = Reading::take().monotonic;
        let acknowledged = self.callback_once(move |client, acknowledgement| {
            let time = time_of(&acknowledgement);
            client.state.clock.synchronise(time, sent_at);
            client.received();
        });
        self.socket.emit(PING, &acknowledged);
    }

    /// The board holds everything that the server has sent.
    fn complete(self: &Rc<Self>) {
        self.resync.borrow_mut().complete();
        self.received();
    }

    fn apply(self: &Rc<Self>, delta: ScoreboardDelta) {
        // A change that was missed before took longer than the way of its delta.
        let was_live = self.state.connection.status.get_untracked() == Status::Live;
        match self.state.board.apply(delta) {
            Applied::Newer => {
                self.complete();
                self.refresh();
                if was_live {
                    self.measure_delay();
                }
                self.schedule_around_later();
            }
            Applied::Known => self.complete(),
            Applied::Gap => {
                self.resync.borrow_mut().gap(self.now());
                self.run();
            }
        }
    }

    fn notify(&self, notification: SystemNotification) {
        let notifications = self.state.notifications;
        let (id, expires_after) = (notification.id.clone(), notification.expires_after());
        let is_new = notifications.add(notification);
        if let Some(expires_after) = expires_after.filter(|_| is_new) {
            let wait = (expires_after as f64).min(LONGEST_TIMER) as u64;
            timers::after(Duration::from_millis(wait), move || {
                notifications.banners.update(|banners| banners.dismiss(&id));
            });
        }
    }
}

/// When the server sent this, by its own clock; not a number if it does not say.
fn time_of(data: &JsValue) -> f64 {
    js::text(data, "time").map_or(f64::NAN, |time| dates::parse(&time))
}
