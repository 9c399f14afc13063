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

use js_sys::{Date, Math};
use leptos::{
    html,
    leptos_dom::helpers::{
        IntervalHandle, TimeoutHandle, set_interval_with_handle, set_timeout_with_handle,
    },
    prelude::*,
    task::spawn_local,
};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, RequestInit};

use crate::{
    delta::{Applied, apply},
    motion,
    reading::Read,
    state::{Connection, PageState},
    wire::{
        LEADERBOARD_REFRESH, LeaderboardData, PING, PageToken, REFRESH_TOKEN, SCOREBOARD_DELTA,
        SUBSCRIBE_SCOREBOARD, SUBSCRIBE_USER_SCORE, SYSTEM_NOTIFICATION, ScoreboardDelta,
        Subscription, SystemNotification, USER_SCORE_UPDATE, UserScoreUpdate, View,
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

    /// With a function for the acknowledgement.
    #[wasm_bindgen(method, js_name = emit)]
    fn ask(this: &Socket, event: &str, answered: &JsValue);

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
/// The longest that the server may take to answer a request, in milliseconds.
const FETCH_TIMEOUT: u32 = 10_000;
/// The shortest wait before a token is renewed, or is tried to be, in milliseconds.
const SHORTEST_RENEWAL: f64 = 5_000.0;
/// The part of a token's life after which a new one is asked for.
const RENEW_AT: f64 = 0.8;
/// The longest that a browser's timer waits, in milliseconds (2^31 − 1).
pub(crate) const LONGEST_TIMER: f64 = 2_147_483_647.0;
/// Between two summaries for whoever listens.
const SUMMARY: Duration = Duration::from_secs(10);
/// Before the rows about whoever is signed in are asked for, in milliseconds: soon
/// where their rank has changed, and later where only the top has, as it always does.
const ASK_SOON: f64 = 1_000.0;
/// See [`ASK_SOON`].
const ASK_LATER: f64 = 5_000.0;
/// Between two figures of the delay, in milliseconds: nobody reads ten a second.
const DELAY_SHOWN: f64 = 1_000.0;
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
    /// How far the server's clock is ahead, in milliseconds, once that is known.
    ahead: Cell<Option<f64>>,
    /// When the delay was shown last.
    delay_shown: Cell<f64>,
    /// Will the rows about whoever is signed in be asked for?
    around_due: Cell<bool>,
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
        ahead: Cell::new(None),
        delay_shown: Cell::new(0.0),
        around_due: Cell::new(false),
    });

    client.on("connect", |client, _| client.connected());
    client.on("disconnect", |client, _| client.lost());
    client.on("connect_error", |client, _| client.lost());
    client.on("error", |client, _| client.refused());
    client.on(LEADERBOARD_REFRESH, |client, data| {
        if let Some(board) = LeaderboardData::read(&data) {
            client.heard();
            client.show(board);
        }
    });
    client.on(SCOREBOARD_DELTA, |client, data| {
        if let Some(delta) = ScoreboardDelta::read(&data) {
            // What was missed did not take its time on the way.
            let was_live = client.state.connection.get_untracked() == Connection::Live;
            client.heard();
            client.advance(delta, was_live);
        }
    });
    client.on(USER_SCORE_UPDATE, |client, data| {
        if let Some(update) = UserScoreUpdate::read(&data) {
            client.state.update_you(update);
            client.ask_around(ASK_SOON);
        }
    });
    client.on(SYSTEM_NOTIFICATION, |client, data| {
        if let Some(notification) = SystemNotification::read(&data) {
            client.notify(notification);
        }
    });
    client.renew_in(expires_in);

    // A page that was held is shown as it is now.
    let held = Rc::downgrade(&client);
    Effect::new(move |was_paused: Option<bool>| {
        let paused = state.paused.get();
        if was_paused == Some(true)
            && !paused
            && let Some(client) = held.upgrade()
        {
            client.moving(|| state.present());
            client.ask_around(ASK_SOON);
        }
        paused
    });
    let summarise = move || state.summarise();
    // Without a timer nothing is read out, which breaks nothing else.
    _ = set_interval_with_handle(summarise, SUMMARY);
    client.on_window("offline", |client| {
        if client.state.connection.get_untracked().is_stale() {
            client.state.connection.set(Connection::Offline);
        } else {
            // The client would find out when a ping is missing, half a minute later.
            let was_connected = client.socket.connected();
            client.socket.disconnect();
            // That told us already, if there was something to lose.
            if !was_connected {
                client.lost();
            }
        }
    });
    client.on_window("online", |client| {
        if client.state.connection.get_untracked() == Connection::Offline {
            client.state.connection.set(Connection::Reconnecting);
        }
        client.socket.connect();
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

    fn on_window(self: &Rc<Self>, event: &str, handler: impl Fn(&Rc<Client>) + 'static) {
        let client = self.clone();
        let handler = Closure::<dyn FnMut()>::new(move || handler(&client));
        // It cannot fail for events that every browser knows.
        _ = window()
            .add_event_listener_with_callback(event, handler.into_js_value().unchecked_ref());
    }

    fn connected(self: &Rc<Self>) {
        self.asked.set(false);
        self.subscribe();
        self.compare_clocks();
        self.ask_around(ASK_LATER);
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
        let LeaderboardData {
            epoch, seq, page, ..
        } = self.state.board();
        let page = page.map_or(JsValue::UNDEFINED, |page| (page as f64).into());
        let wanted = object(&[
            ("mode", Subscription::DELTA.into()),
            ("epoch", epoch.into()),
            ("seq", (seq as f64).into()),
            ("page", page),
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

    /// Asks for the server's time, so that delays are not measured by two clocks. The
    /// answer was made half of the time ago that the question took (Cristian, 1989).
    fn compare_clocks(self: &Rc<Self>) {
        let (client, asked_at) = (self.clone(), Date::now());
        let answered = Closure::once_into_js(move |answer: JsValue| {
            let time = js_sys::Reflect::get(&answer, &"time".into()).ok();
            if let Some(time) = time.and_then(|time| time.as_string()) {
                let made_at = (asked_at + Date::now()) / 2.0;
                client.ahead.set(Some(Date::parse(&time) - made_at));
            }
        });
        self.socket.ask(PING, &answered);
    }

    /// Shows how long the latest action took to the screen, once it is there.
    fn measure_delay(self: &Rc<Self>) {
        let now = Date::now();
        // A hidden page draws no frames, so what waits for one would pile up.
        if document().hidden() || self.delay_shown.get() + DELAY_SHOWN > now {
            return;
        }
        let Some(ahead) = self.ahead.get() else {
            return;
        };
        self.delay_shown.set(now);
        let taken = Date::parse(&self.state.board().last_updated);
        let state = self.state;
        request_animation_frame(move || {
            let delay = Date::now() + ahead - taken;
            state.delay.set(delay.max(1.0) as u64);
        });
    }

    /// Asks for the rows about whoever is signed in, if the board does not have them;
    /// not at the moment of all others, and once at a time.
    fn ask_around(self: &Rc<Self>, wait: f64) {
        let is_shown = self.state.view == View::Whole && !self.state.paused.get_untracked();
        if !is_shown || !self.state.wants_around() || self.around_due.replace(true) {
            return;
        }
        let client = self.clone();
        let ask = move || {
            spawn_local(async move {
                let you = client.state.you.get_untracked();
                if let Some(you) = you.filter(|_| client.socket.connected()) {
                    let path = format!("/api/v1/leaderboard/around/{}?window=2", you.user_id);
                    if let Some(rows) = fetch::<LeaderboardData>(&path, None).await {
                        client.state.set_around(rows.top_scores);
                    }
                }
                client.around_due.set(false);
            });
        };
        let wait = wait * (0.5 + Math::random());
        set_timeout(ask, Duration::from_millis(wait as u64));
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

    fn advance(self: &Rc<Self>, delta: ScoreboardDelta, was_live: bool) {
        let mut board = self.state.board();
        match apply(&mut board, delta) {
            Applied::Newer => {
                self.show(board);
                if was_live {
                    self.measure_delay();
                }
                self.ask_around(ASK_LATER);
            }
            Applied::Known => {}
            Applied::Gap => self.subscribe(),
        }
    }

    fn notify(&self, notification: SystemNotification) {
        let banners = self.state.banners;
        let (id, goes_after) = (notification.id.clone(), notification.goes_after());
        let is_new = self.state.notify(notification);
        if let Some(goes_after) = goes_after.filter(|_| is_new) {
            let after = Duration::from_millis((goes_after as f64).min(LONGEST_TIMER) as u64);
            set_timeout(move || banners.update(|it| it.dismiss(&id)), after);
        }
    }

    fn show(&self, board: LeaderboardData) {
        if !self.state.admits(&board) {
            return;
        }
        if self.state.paused.get_untracked() {
            self.state.show(board);
        } else {
            self.moving(|| self.state.show(board));
        }
    }

    /// Rows glide from where they are before a change to where they are after it.
    fn moving(&self, change: impl FnOnce()) {
        let list = self.board.get_untracked();
        let before = list.and_then(|list| motion::look(&list));
        change();
        if let Some(before) = before {
            before.play(self.state);
        }
    }

    fn lost(self: &Rc<Self>) {
        let is_online = window().navigator().on_line();
        self.state.connection.set(if is_online {
            Connection::Reconnecting
        } else {
            Connection::Offline
        });
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
            state
                .lost_at
                .set(state.time(&String::from(Date::new_0().to_iso_string())));
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
        // In a frame nobody is signed in.
        let path = match self.state.view {
            View::Embed => "/page/token?view=embed",
            View::Whole | View::Kiosk => "/page/token",
        };
        let Some(page) = fetch::<PageToken>(path, Some(&old)).await else {
            return false;
        };
        self.token.replace(page.token);
        self.state.sign_in(page.you);
        self.renew_in(page.expires_in);
        true
    }
}

/// Fetches what `path` leads to, in the name of a token or of nobody.
async fn fetch<T: Read>(path: &str, token: Option<&str>) -> Option<T> {
    let headers = token.map(|token| ("authorization", format!("Bearer {token}").into()));
    let init = object(&[
        ("headers", object(headers.as_slice())),
        (
            "signal",
            AbortSignal::timeout_with_u32(FETCH_TIMEOUT).into(),
        ),
    ]);
    let response = window().fetch_with_str_and_init(path, init.unchecked_ref::<RequestInit>());
    let response: web_sys::Response = JsFuture::from(response).await.ok()?.dyn_into().ok()?;
    let body = JsFuture::from(response.json().ok()?).await.ok()?;
    T::read(&body)
}

fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in fields {
        // Setting a field of a plain object cannot fail.
        _ = js_sys::Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}
