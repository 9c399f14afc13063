//! The connection to the hub: the official Socket.IO client, whose events are
//! handed to the state.
//!
//! When to connect, to renew the token and to ask for rows is decided by
//! [`Session`] and [`Resync`]; this does what they say, and wakes them in time. The
//! client itself never reconnects: it would do so soon again whatever the server has
//! said, and never after a refusal or where the server ended the connection. Every
//! connection subscribes anew, because the server forgets who is gone, from the entry of
//! the log that is shown: so it is sent only what it missed.

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
    delta::Applied,
    motion,
    reading::Read,
    resync::Resync,
    session::{Closed, Session, Step},
    state::{Connection, PageState},
    wire::{
        LEADERBOARD_REFRESH, LeaderboardData, PING, PageToken, REFRESH_TOKEN, SCOREBOARD_DELTA,
        SESSION_EXPIRED, SUBSCRIBE_SCOREBOARD, SUBSCRIBE_USER_SCORE, SYSTEM_NOTIFICATION,
        ScoreboardDelta, Subscription, SystemNotification, USER_SCORE_UPDATE, UserScoreUpdate,
        View,
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

    /// Is it on a manager's transport? It is not where the server has refused it.
    #[wasm_bindgen(method, getter)]
    fn active(this: &Socket) -> bool;
}

/// The longest that the server may take to answer a request, in milliseconds.
const FETCH_TIMEOUT: u32 = 10_000;
/// The longest that a browser's timer waits, in milliseconds (2^31 − 1).
pub(crate) const LONGEST_TIMER: f64 = 2_147_483_647.0;
/// Between two summaries for a screen reader.
const SUMMARY: Duration = Duration::from_secs(10);
/// Before the rows about the signed-in user are asked for, in milliseconds: soon
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
    /// The newest token.
    token: RefCell<String>,
    /// The one with which the socket connects.
    shown: Rc<RefCell<String>>,
    session: RefCell<Session>,
    resync: RefCell<Resync>,
    /// When the three are looked at next.
    wake: Cell<Option<TimeoutHandle>>,
    /// When the connection was lost, in milliseconds, and what counts since.
    lost: Cell<Option<(f64, IntervalHandle)>>,
    /// How far the server's clock is ahead, in milliseconds, once that is known.
    ahead: Cell<Option<f64>>,
    /// When the delay was shown last.
    delay_shown: Cell<f64>,
    /// When the rows about the signed-in user are to be asked for.
    around_at: Cell<Option<f64>>,
    /// Are they asked for, and have not come yet?
    is_asking_around: Cell<bool>,
}

/// Connects with a token that is valid for so many seconds, for as long as the
/// page lives.
pub(crate) fn connect(
    state: PageState,
    board: NodeRef<html::Ol>,
    (token, expires_in): (String, u64),
) {
    let shown = Rc::new(RefCell::new(token.clone()));
    let session = Session::new(state.user_id(), expires_in, now(), Math::random());
    let client = Rc::new(Client {
        socket: io(&options(shown.clone())),
        state,
        board,
        token: RefCell::new(token),
        shown,
        session: RefCell::new(session),
        resync: RefCell::default(),
        wake: Cell::new(None),
        lost: Cell::new(None),
        ahead: Cell::new(None),
        delay_shown: Cell::new(0.0),
        around_at: Cell::new(None),
        is_asking_around: Cell::new(false),
    });

    client.on("connect", |client, _| client.connected());
    client.on("disconnect", |client, reason| {
        match reason.as_string().as_deref() {
            // We did that, and know.
            Some("io client disconnect") => {}
            Some("io server disconnect") => client.closed(Closed::ByServer),
            _ => client.closed(Closed::Lost),
        }
    });
    client.on("connect_error", |client, error| {
        client.closed(if client.socket.active() {
            Closed::Lost
        } else {
            Closed::refused(&message_of(&error))
        });
    });
    client.on("error", |client, _| {
        // If it was the rows that were asked for, they are again, later.
        client.resync.borrow_mut().refused();
        client.drive();
    });
    client.on(SESSION_EXPIRED, |client, _| {
        client.session.borrow_mut().expired()
    });
    client.on(LEADERBOARD_REFRESH, |client, data| {
        if let Some(board) = LeaderboardData::read(&data) {
            client.complete();
            if client.state.take(board) {
                client.refresh();
                client.ask_around(ASK_LATER);
            }
        }
    });
    client.on(SCOREBOARD_DELTA, |client, data| {
        if let Some(delta) = ScoreboardDelta::read(&data) {
            client.advance(delta);
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
    // A page that was held is shown as it is now.
    let held = Rc::downgrade(&client);
    Effect::new(move |was_paused: Option<bool>| {
        let paused = state.paused.get();
        if was_paused == Some(true)
            && !paused
            && let Some(client) = held.upgrade()
        {
            client.refresh();
            client.ask_around(ASK_SOON);
        }
        paused
    });
    let summarise = move || state.summarise();
    // Without a timer nothing is read out, which breaks nothing else.
    _ = set_interval_with_handle(summarise, SUMMARY);
    client.on_window("offline", |client| {
        // The client would find out when a ping is missing, half a minute later.
        client.socket.disconnect();
        client.closed(Closed::Lost);
    });
    client.on_window("online", |client| {
        if client.state.connection.get_untracked() == Connection::Offline {
            client.state.connection.set(Connection::Reconnecting);
        }
        client.session.borrow_mut().online(now(), Math::random());
        client.drive();
    });
    client.drive();
}

/// The time in milliseconds, of a clock that never goes back: after the browser has slept
/// it may be late, and the server then says that a token has ended.
fn now() -> f64 {
    let clock = window().performance();
    clock.map_or_else(Date::now, |clock| clock.now())
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
        ("autoConnect", JsValue::FALSE),
        ("reconnection", JsValue::FALSE),
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

    /// Does what is to be done now, and comes back when there is more.
    fn drive(self: &Rc<Self>) {
        loop {
            // What is done may lead back here.
            let step = self.session.borrow_mut().next(now(), Math::random());
            match step {
                Some(Step::Fetch) => self.renew(),
                Some(Step::Connect) => {
                    self.shown.replace(self.token.borrow().clone());
                    self.socket.connect();
                }
                Some(Step::Refresh) => {
                    let token = self.token.borrow().as_str().into();
                    self.socket
                        .emit(REFRESH_TOKEN, &object(&[("token", token)]));
                }
                Some(Step::Close) => {
                    self.resync.borrow_mut().closed();
                    self.socket.disconnect();
                    self.show_loss();
                }
                None => break,
            }
        }
        let is_to_subscribe = self.resync.borrow_mut().next(now(), Math::random());
        if is_to_subscribe {
            self.subscribe();
        }
        self.fetch_around();

        let time = now();
        let around_at = self
            .around_at
            .get()
            .filter(|_| !self.is_asking_around.get());
        let at = self.session.borrow().wake_at(time);
        let at = at.min(self.resync.borrow().wake_at().unwrap_or(f64::INFINITY));
        let at = at.min(around_at.unwrap_or(f64::INFINITY));
        // A timer may be early by a part of a millisecond.
        let wait = (at - time).clamp(0.0, LONGEST_TIMER - 1.0) + 1.0;
        let client = self.clone();
        let wake =
            set_timeout_with_handle(move || client.drive(), Duration::from_millis(wait as u64));
        if let Some(earlier) = self.wake.replace(wake.ok()) {
            earlier.clear();
        }
    }

    fn connected(self: &Rc<Self>) {
        self.session.borrow_mut().connected(now());
        self.resync.borrow_mut().connected(now());
        self.drive();
        if let Some(id) = self.state.user_id() {
            self.socket.emit(SUBSCRIBE_USER_SCORE, &id.into());
        }
        self.compare_clocks();
        // Of somebody who has just signed in nothing is known.
        let is_known = self
            .state
            .you
            .around
            .with_untracked(|rows| !rows.is_empty());
        self.ask_around(if is_known { ASK_LATER } else { ASK_SOON });
    }

    /// There is no connection any more, or none came about.
    fn closed(self: &Rc<Self>, why: Closed) {
        self.session.borrow_mut().closed(why, now(), Math::random());
        self.resync.borrow_mut().closed();
        self.show_loss();
        self.drive();
    }

    /// Asks for what happened since the board that is shown.
    fn subscribe(&self) {
        let board = self.state.board();
        let page = board
            .page
            .map_or(JsValue::UNDEFINED, |page| (page as f64).into());
        let wanted = object(&[
            ("mode", Subscription::DELTA.into()),
            ("epoch", board.epoch.as_str().into()),
            ("seq", (board.seq as f64).into()),
            ("page", page),
        ]);
        self.socket.emit(SUBSCRIBE_SCOREBOARD, &wanted);
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

    /// Has the rows about the signed-in user asked for, if the board does not have them;
    /// not at the moment of all others, and once at a time.
    fn ask_around(self: &Rc<Self>, wait: f64) {
        let at = now() + wait * (0.5 + Math::random());
        let is_sooner = self.around_at.get().is_none_or(|earlier| at < earlier);
        if is_sooner && self.state.wants_around() {
            self.around_at.set(Some(at));
            self.drive();
        }
    }

    /// Asks for them when it is time.
    fn fetch_around(self: &Rc<Self>) {
        let is_due = self.around_at.get().is_some_and(|at| at <= now());
        if !is_due || self.is_asking_around.get() {
            return;
        }
        self.around_at.set(None);
        let state = self.state;
        let is_shown = state.view == View::Whole && !state.paused.get_untracked();
        // What is wanted may be another's by now, or be on the board.
        let id = state.user_id().filter(|_| is_shown && state.wants_around());
        let Some(id) = id.filter(|_| self.socket.connected()) else {
            return;
        };
        self.is_asking_around.set(true);
        let client = self.clone();
        spawn_local(async move {
            let path = format!("/api/v1/leaderboard/around/{id}?window=2");
            let rows = fetch::<LeaderboardData>(&path, None).await;
            client.is_asking_around.set(false);
            match rows {
                // Something newer, or somebody else, is shown by now.
                Some(rows) if !client.state.take_around(&id, &rows) => client.ask_around(ASK_SOON),
                _ => client.drive(),
            }
        });
    }

    /// The server has said how the board is: what is shown is live.
    fn complete(self: &Rc<Self>) {
        self.resync.borrow_mut().complete();
        if let Some((_, ageing)) = self.lost.take() {
            ageing.clear();
        }
        self.state.connection.set(Connection::Live);
    }

    fn advance(self: &Rc<Self>, delta: ScoreboardDelta) {
        // What was missed did not take its time on the way.
        let was_live = self.state.connection.get_untracked() == Connection::Live;
        match self.state.advance(delta) {
            Applied::Newer => {
                self.complete();
                self.refresh();
                if was_live {
                    self.measure_delay();
                }
                self.ask_around(ASK_LATER);
            }
            Applied::Known => self.complete(),
            Applied::Gap => {
                self.resync.borrow_mut().gap();
                self.drive();
            }
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

    /// Shows the newest board. Rows glide from where they are before it to where they
    /// are after it.
    fn refresh(&self) {
        let is_still = self.state.paused.get_untracked();
        let list = self.board.get_untracked().filter(|_| !is_still);
        let before = list.and_then(|list| motion::look(&list));
        self.state.refresh();
        if let Some(before) = before {
            before.play(self.state);
        }
    }

    /// What is shown gets old.
    fn show_loss(&self) {
        let is_online = window().navigator().on_line();
        self.state.connection.set(if is_online {
            Connection::Reconnecting
        } else {
            Connection::Offline
        });
        self.age();
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

    /// Fetches another token.
    fn renew(self: &Rc<Self>) {
        let client = self.clone();
        spawn_local(async move {
            let old = client.token.borrow().clone();
            // In a frame nobody is signed in.
            let path = match client.state.view {
                View::Embed => "/page/token?view=embed",
                View::Whole | View::Kiosk => "/page/token",
            };
            let page = fetch::<PageToken>(path, Some(&old)).await;
            let token = page.map(|page| {
                client.token.replace(page.token);
                client.state.sign_in(page.you);
                (client.state.user_id(), page.expires_in)
            });
            client
                .session
                .borrow_mut()
                .renewed(token, now(), Math::random());
            client.drive();
        });
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

/// What an `Error` says.
fn message_of(error: &JsValue) -> String {
    let error = error.dyn_ref::<js_sys::Error>();
    error.map_or_else(String::new, |error| error.message().into())
}

fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in fields {
        // Setting a field of a plain object cannot fail.
        _ = js_sys::Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}
