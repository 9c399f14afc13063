//! The connection to the hub: the official Socket.IO client, whose events are
//! handed to the state.
//!
//! The client reconnects by itself when a transport is lost, but neither after
//! a refusal nor when the server says goodbye: then this does, later and later,
//! and never at the same moment as all others. Every connection subscribes
//! anew, because the server forgets who is gone.

use std::{cell::RefCell, rc::Rc, time::Duration};

use js_sys::{JSON, Math};
use leptos::{html, prelude::*, task::spawn_local};
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;

use crate::{
    motion,
    state::{Connection, PageState},
    wire::{
        LEADERBOARD_REFRESH, LeaderboardData, PageToken, SUBSCRIBE_SCOREBOARD,
        SUBSCRIBE_USER_SCORE, SYSTEM_NOTIFICATION, USER_SCORE_UPDATE, UserScoreUpdate,
    },
};

#[wasm_bindgen(raw_module = "/vendor/socket.io.esm.min.js")]
extern "C" {
    type Socket;

    #[wasm_bindgen(js_name = io)]
    fn io(options: &JsValue) -> Socket;

    #[wasm_bindgen(method)]
    fn on(this: &Socket, event: &str, handler: &JsValue);

    #[wasm_bindgen(method)]
    fn emit(this: &Socket, event: &str);

    #[wasm_bindgen(method, js_name = emit)]
    fn emit_with(this: &Socket, event: &str, argument: &str);

    #[wasm_bindgen(method)]
    fn connect(this: &Socket);

    /// Will the client reconnect by itself?
    #[wasm_bindgen(method, getter)]
    fn active(this: &Socket) -> bool;
}

/// The wait before the first attempt, in milliseconds; it doubles up to
/// [`LONGEST_WAIT`].
const FIRST_WAIT: f64 = 1_000.0;
/// See [`FIRST_WAIT`].
const LONGEST_WAIT: f64 = 30_000.0;

/// What the handlers share.
struct Client {
    socket: Socket,
    state: PageState,
    board: NodeRef<html::Ol>,
    token: Rc<RefCell<String>>,
    /// Attempts of our own since the last success.
    attempts: RefCell<u32>,
}

/// Connects, for as long as the page lives.
pub(crate) fn connect(state: PageState, board: NodeRef<html::Ol>, token: String) {
    let token = Rc::new(RefCell::new(token));
    let client = Rc::new(Client {
        socket: io(&options(token.clone())),
        state,
        board,
        token,
        attempts: RefCell::new(0),
    });

    client.on("connect", |client, _| client.connected());
    client.on("disconnect", |client, _| client.lost());
    client.on("connect_error", |client, _| client.lost());
    client.on(LEADERBOARD_REFRESH, |client, data| {
        if let Some(board) = read(&data) {
            client.show(board);
        }
    });
    client.on(USER_SCORE_UPDATE, |client, data| {
        if let Some(update) = read::<UserScoreUpdate>(&data) {
            client.state.update_you(update);
        }
    });
    client.on(SYSTEM_NOTIFICATION, |client, data| {
        client.state.notification.set(read(&data));
    });
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
        *self.attempts.borrow_mut() = 0;
        self.state.connection.set(Connection::Live);
        self.socket.emit(SUBSCRIBE_SCOREBOARD);
        let you = self
            .state
            .you
            .with_untracked(|you| you.as_ref().map(|you| you.user_id.clone()));
        if let Some(id) = you {
            self.socket.emit_with(SUBSCRIBE_USER_SCORE, &id);
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
        if self.socket.active() {
            return;
        }
        let attempt = self
            .attempts
            .replace_with(|attempts| attempts.saturating_add(1));
        let wait = (FIRST_WAIT * 2f64.powi(attempt.min(16).cast_signed())).min(LONGEST_WAIT);
        let wait = wait * (0.5 + Math::random() / 2.0);
        let client = self.clone();
        set_timeout(
            move || {
                spawn_local(async move {
                    // The server may have refused because the token has ended, and
                    // with it, perhaps, the sign-in.
                    if let Some(PageToken { token, you }) = fetch_token().await {
                        client.token.replace(token);
                        client.state.sign_in(you);
                    }
                    client.socket.connect();
                });
            },
            Duration::from_millis(wait as u64),
        );
    }
}

async fn fetch_token() -> Option<PageToken> {
    let response = JsFuture::from(window().fetch_with_str("/page/token"))
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
