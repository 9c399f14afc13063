//! The connection to the hub: the official Socket.IO client, whose events are
//! handed to the state.
//!
//! The client reconnects by itself when a transport is lost, but neither after
//! a refusal nor when the server says goodbye: then this does, later and later,
//! and never at the same moment as all others. Every connection subscribes
//! anew, because the server forgets who is gone, from the entry of the log that
//! is shown: so it is sent only what it missed.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use js_sys::{Date, JSON, Math};
use leptos::{
    html,
    leptos_dom::helpers::{
        IntervalHandle, TimeoutHandle, set_interval_with_handle, set_timeout_with_handle,
    },
    prelude::*,
    task::spawn_local,
};
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, RequestInit};

use crate::{
    delta::{Applied, apply},
    motion,
    state::{Connection, PageState},
    wire::{
        LEADERBOARD_REFRESH, LeaderboardData, PageToken, REFRESH_TOKEN, SCOREBOARD_DELTA,
        SUBSCRIBE_SCOREBOARD, SUBSCRIBE_USER_SCORE, SYSTEM_NOTIFICATION, ScoreboardDelta,
        Subscription, SystemNotification, USER_SCORE_UPDATE, UserScoreUpdate,
    },
};

#[wasm_bindgen(raw_module = "/vendor/socket.io-4.8.4.esm.min.js")]
extern "C" {
    type Socket;

    #[wasm_bindgen(js_name = io)]
    fn io(options: &JsValue) -> Socket;

    #[wasm_bindgen(method)]
    fn on(this: &Socket, event: &str, handler: &JsValue);

    #[wasm_bindgen(method)]
    fn emit(this: &Socket, event: &str, argument: &JsValue);

    #[wasm_bindgen(method)]
    fn connect(this: &Socket);

    #[wasm_bindgen(method)]
    fn disconnect(this: &Socket);

    #[wasm_bindgen(method, getter)]
    fn connected(this: &Socket) -> bool;

    /// Will the client reconnect by itself?
    #[wasm_bindgen(method, getter)]
    fn active(this: &Socket) -> bool;
}

/// The wait before the first attempt, in milliseconds; it doubles up to
/// [`LONGEST_WAIT`].
const FIRST_WAIT: f64 = 1_000.0;
/// See [`FIRST_WAIT`].
const LONGEST_WAIT: f64 = 30_000.0;
/// The longest that the server may take to hand out a token, in milliseconds.
const TOKEN_TIMEOUT: u32 = 10_000;
/// The shortest wait before a token is renewed, or is tried to be, in milliseconds.
const SHORTEST_RENEWAL: f64 = 5_000.0;
/// The part of a token's life after which a new one is asked for.
const RENEW_AT: f64 = 0.8;
/// The longest that a browser's timer waits, in milliseconds (2^31 − 1).
const LONGEST_TIMER: f64 = 2_147_483_647.0;
/// Between two looks at how old the board is.
const AGEING: Duration = Duration::from_secs(1);

/// What the handlers share.
struct Client {
    socket: Socket,
    state: PageState,
    board: NodeRef<html::Ol>,
    token: Rc<RefCell<String>>,
    /// Attempts of our own since the last success.
    attempts: Cell<u32>,
    /// Were the rows asked for, and have not come yet?
    asked: Cell<bool>,
    /// When the connection was lost, in milliseconds, and what counts since.
    lost: Cell<Option<(f64, IntervalHandle)>>,
    /// What will renew the token.
    renewal: Cell<Option<TimeoutHandle>>,
}

/// Connects with a token that is valid for so many seconds, for as long as the
/// page lives.
pub(crate) fn connect(
    state: PageState,
    board: NodeRef<html::Ol>,
    (token, expires_in): (String, u64),
) {
    let token = Rc::new(RefCell::new(token));
    let client = Rc::new(Client {
        socket: io(&options(token.clone())),
        state,
        board,
        token,
        attempts: Cell::new(0),
        asked: Cell::new(false),
        lost: Cell::new(None),
        renewal: Cell::new(None),
    });

    client.on("connect", |client, _| client.connected());
    client.on("disconnect", |client, _| client.lost());
    client.on("connect_error", |client, _| client.lost());
    client.on("error", |client, _| client.refused());
    client.on(LEADERBOARD_REFRESH, |client, data| {
        if let Some(board) = read(&data) {
            client.heard();
            client.show(board);
        }
    });
    client.on(SCOREBOARD_DELTA, |client, data| {
        if let Some(delta) = read(&data) {
            client.heard();
            client.advance(delta);
        }
    });
    client.on(USER_SCORE_UPDATE, |client, data| {
        if let Some(update) = read::<UserScoreUpdate>(&data) {
            client.state.update_you(update);
        }
    });
    client.on(SYSTEM_NOTIFICATION, |client, data| {
        if let Some(notification) = read(&data) {
            client.notify(notification);
        }
    });
    client.renew_in(expires_in);
}

/// `auth` is a function, so that every attempt brings the token of its moment.
fn options(token: Rc<RefCell<String>>) -> JsValue {
    let auth = Closure::<dyn FnMut(js_sys::Function)>::new(move |answer: js_sys::Function| {
        let auth = object(&[("token", JsValue::from_str(&token.borrow()))]);
        // What the client does with it is not ours to handle.
        _ = answer.call1(&JsValue::NULL, &auth);
    });
    let transports: js_sys::Array = ["websocket", "polling"]
        .map(JsValue::from_str)
        .iter()
        .collect();
    object(&[
        ("auth", auth.into_js_value()),
        ("transports", transports.into()),
        ("tryAllTransports", JsValue::TRUE),
    ])
}

impl Client {
    fn on(self: &Rc<Self>, event: &str, handler: impl Fn(&Rc<Client>, JsValue) + 'static) {
        let client = self.clone();
        let handler = Closure::<dyn FnMut(JsValue)>::new(move |data| handler(&client, data));
        self.socket.on(event, &handler.into_js_value());
    }

    fn connected(&self) {
        self.asked.set(false);
        self.subscribe();
        let you = self
            .state
            .you
            .with_untracked(|you| you.as_ref().map(|you| you.user_id.clone()));
        if let Some(id) = you {
            self.socket.emit(SUBSCRIBE_USER_SCORE, &id.into());
        }
    }

    /// Asks for what happened since the board that is shown.
    fn subscribe(&self) {
        if self.asked.replace(true) {
            return;
        }
        let LeaderboardData { epoch, seq, .. } = self.state.board();
        let wanted = object(&[
            ("mode", Subscription::DELTA.into()),
            ("epoch", epoch.into()),
            ("seq", (seq as f64).into()),
        ]);
        self.socket.emit(SUBSCRIBE_SCOREBOARD, &wanted);
    }

    /// The server refused what was sent last: somebody with many pages has sent too
    /// much in all. If it was the rows that were asked for, they are again, later.
    fn refused(self: &Rc<Self>) {
        if self.asked.get() {
            let client = self.clone();
            let again = move || {
                if client.asked.replace(false) && client.socket.connected() {
                    client.subscribe();
                }
            };
            set_timeout(again, self.next_wait());
        }
    }

    /// Later and later, and never at the moment of all others.
    fn next_wait(&self) -> Duration {
        let attempt = self.attempts.get();
        self.attempts.set(attempt.saturating_add(1));
        let wait = (FIRST_WAIT * 2f64.powi(attempt.min(16).cast_signed())).min(LONGEST_WAIT);
        Duration::from_millis((wait * (0.5 + Math::random() / 2.0)) as u64)
    }

    /// The server has said how the board is: what is shown is live.
    fn heard(&self) {
        self.attempts.set(0);
        self.asked.set(false);
        if let Some((_, ageing)) = self.lost.take() {
            ageing.clear();
        }
        self.state.connection.set(Connection::Live);
    }

    fn advance(&self, delta: ScoreboardDelta) {
        let mut board = self.state.board();
        match apply(&mut board, delta) {
            Applied::Newer => self.show(board),
            Applied::Known => {}
            Applied::Gap => self.subscribe(),
        }
    }

    fn notify(&self, notification: SystemNotification) {
        let banners = self.state.banners;
        let (id, goes_after) = (notification.id.clone(), notification.goes_after());
        let is_new = banners.try_update(|it| it.add(notification)) == Some(true);
        if let Some(goes_after) = goes_after.filter(|_| is_new) {
            let after = Duration::from_millis((goes_after as f64).min(LONGEST_TIMER) as u64);
            set_timeout(move || banners.update(|it| it.dismiss(&id)), after);
        }
    }

    fn show(&self, board: LeaderboardData) {
        if !self.state.admits(&board) {
            return;
        }
        let list = self.board.get_untracked();
        let before = list.and_then(|list| motion::look(&list));
        self.state.show(board);
        if let Some(before) = before {
            before.play();
        }
    }

    fn lost(self: &Rc<Self>) {
        self.state.connection.set(Connection::Reconnecting);
        self.age();
        if self.socket.active() {
            return;
        }
        let client = self.clone();
        set_timeout(
            move || {
                spawn_local(async move {
                    // The server may have refused because the token has ended, and
                    // with it, perhaps, the sign-in.
                    client.renew().await;
                    client.socket.connect();
                });
            },
            self.next_wait(),
        );
    }

    /// Counts how old the board gets, from the first loss on.
    fn age(&self) {
        let lost = self.lost.take();
        let state = self.state;
        self.lost.set(lost.or_else(|| {
            let since = Date::now();
            state.age.set(0);
            let count = move || {
                let age = (Date::now() - since).max(0.0) / 1000.0;
                state.age.set(age as u64);
            };
            let ageing = set_interval_with_handle(count, AGEING).ok()?;
            Some((since, ageing))
        }));
    }

    /// Renews the token before it ends, in so many seconds, so that the
    /// connection need not.
    fn renew_in(self: &Rc<Self>, expires_in: u64) {
        let wait = expires_in as f64 * 1000.0 * RENEW_AT;
        let wait = wait.clamp(SHORTEST_RENEWAL, LONGEST_TIMER);
        let client = self.clone();
        let renewal = set_timeout_with_handle(
            move || {
                spawn_local(async move {
                    let before = client.state.you.with_untracked(|you| you.is_some());
                    let is_renewed = client.renew().await;
                    if !client.socket.connected() {
                        // The next connection brings the token of its moment.
                        return;
                    }
                    if !is_renewed {
                        // Soon again, as long as there is time.
                        client.renew_in(0);
                        return;
                    }
                    let now = client.state.you.with_untracked(|you| you.is_some());
                    if before == now {
                        let token = client.token.borrow().as_str().into();
                        let token = object(&[("token", token)]);
                        client.socket.emit(REFRESH_TOKEN, &token);
                    } else {
                        // The sign-in has ended: somebody else watches now.
                        client.socket.disconnect();
                        client.socket.connect();
                    }
                });
            },
            Duration::from_millis(wait as u64),
        );
        if let Some(earlier) = self.renewal.replace(renewal.ok()) {
            earlier.clear();
        }
    }

    /// Fetches another token; answers whether there is one.
    async fn renew(self: &Rc<Self>) -> bool {
        let old = self.token.borrow().clone();
        let Some(page) = fetch_token(&old).await else {
            return false;
        };
        self.token.replace(page.token);
        self.state.sign_in(page.you);
        self.renew_in(page.expires_in);
        true
    }
}

async fn fetch_token(old: &str) -> Option<PageToken> {
    let authorization = object(&[("authorization", format!("Bearer {old}").into())]);
    let init = object(&[
        ("headers", authorization),
        (
            "signal",
            AbortSignal::timeout_with_u32(TOKEN_TIMEOUT).into(),
        ),
    ]);
    let response = JsFuture::from(
        window().fetch_with_str_and_init("/page/token", init.unchecked_ref::<RequestInit>()),
    )
    .await
    .ok()?;
    let response: web_sys::Response = response.dyn_into().ok()?;
    let body = JsFuture::from(response.json().ok()?).await.ok()?;
    read(&body)
}

/// Reads a value that the server sent; `None` if it is not of this type, as
/// after an update of the server, which the page survives.
fn read<T: DeserializeOwned>(value: &JsValue) -> Option<T> {
    let text = JSON::stringify(value).ok()?.as_string()?;
    serde_json::from_str(&text).ok()
}

fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in fields {
        // Setting a field of a plain object cannot fail.
        _ = js_sys::Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}
