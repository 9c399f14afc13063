//! The connection to the hub: the official Socket.IO client, whose events are
//! handed to the state.
//!
//! When to connect, to renew the token and to ask for rows is decided by
//! [`Session`] and [`Resync`], and [`Liveness`] says whether the link is to be believed
//! in; this does what they say, and wakes them in time. The client itself never
//! reconnects: it would do so soon again whatever the server has said, and never after a
//! refusal or where the server ended the connection. Every connection subscribes anew,
//! because the server forgets who is gone, from the entry of the log that is shown: so it
//! is sent only what it missed.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use js_sys::Math;
use leptos::{
    html,
    leptos_dom::helpers::{TimeoutHandle, set_interval_with_handle, set_timeout_with_handle},
    prelude::*,
    task::spawn_local,
};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Element, EventTarget, RequestInit, Response};

use crate::{
    clock::{self, Clock},
    delta::Applied,
    format::age,
    liveness::{Liveness, SILENCE},
    motion::Motion,
    reading::Read,
    resync::Resync,
    session::{Closed, Session, Step},
    state::{Connection, PageState, set_if_changed},
    texts::Text,
    wire::{
        HEARTBEAT, LEADERBOARD_REFRESH, LIVE_IN, LeaderboardData, PING, PageToken, REFRESH_TOKEN,
        SCOREBOARD_DELTA, SESSION_EXPIRED, SUBSCRIBE_SCOREBOARD, SUBSCRIBE_USER_SCORE,
        SYSTEM_NOTIFICATION, ScoreboardDelta, Subscription, SystemNotification, USER_SCORE_UPDATE,
        UserScoreUpdate, View,
    },
};

// Beside the folder of the files that are built from this crate, wherever that is.
#[wasm_bindgen(raw_module = "../vendor/socket.io-4.8.4.esm.min.js")]
extern "C" {
    type Socket;

    #[wasm_bindgen(js_name = io)]
    fn io(options: &JsValue) -> Socket;

    #[wasm_bindgen(method)]
    fn on(this: &Socket, event: &str, handler: &JsValue);

    /// Before the handlers of any event of the server.
    #[wasm_bindgen(method, js_name = onAny)]
    fn on_any(this: &Socket, handler: &JsValue);

    #[wasm_bindgen(method)]
    fn emit(this: &Socket, event: &str, argument: &JsValue);

    /// With a function for the acknowledgement.
    #[wasm_bindgen(method, js_name = emit)]
    fn ask(this: &Socket, event: &str, answered: &JsValue);

    /// With an argument too.
    #[wasm_bindgen(method, js_name = emit)]
    fn ask_with(this: &Socket, event: &str, argument: &JsValue, answered: &JsValue);

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
/// The longest that the server may take to say that it can be reached, in milliseconds.
/// Those that hang take connections from others: a browser has six to a server.
const PROBE_TIMEOUT: u32 = 3_000;
/// What is asked then: it costs the server nothing.
const PROBE: &str = "/healthz";
/// With which code the server refuses a subscription that it does not understand, as one
/// of an earlier version does that sends no heartbeats.
const NOT_UNDERSTOOD: &str = "invalid_message";
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
/// Between two times that a page which is not live asks for the board, in milliseconds;
/// a part of it is left to chance.
const REFRESH: f64 = 5_000.0;
/// Between two looks at the clocks, and at how old the board is.
const WATCH: Duration = Duration::from_secs(1);

/// What the handlers share.
struct Client {
    socket: Socket,
    state: PageState,
    /// What is alive. Another is in its place where the page has panicked.
    app: Option<Element>,
    board: NodeRef<html::Ol>,
    /// The newest token.
    token: RefCell<String>,
    /// The one with which the socket connects.
    shown: Rc<RefCell<String>>,
    session: RefCell<Session>,
    resync: RefCell<Resync>,
    liveness: RefCell<Liveness>,
    motion: Rc<Motion>,
    /// When they are looked at next.
    wake: Cell<Option<TimeoutHandle>>,
    /// Are heartbeats asked for? Not where the server has not understood that.
    asks_heartbeats: Cell<bool>,
    /// When the board is to be asked for, while the page is not live.
    rows_at: Cell<Option<f64>>,
    /// When the board was last known to be the newest, by the page's clock and by the
    /// server's.
    newest_at: Cell<(f64, f64)>,
    /// When the delay was shown last, or began to be measured.
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
    let now = state.now();
    let session = Session::new(state.user_id(), expires_in, now, Math::random());
    let client = Rc::new(Client {
        socket: io(&options(shown.clone(), &state.link("/socket.io/"))),
        state,
        app: document().get_element_by_id("app"),
        board,
        token: RefCell::new(token),
        shown,
        session: RefCell::new(session),
        resync: RefCell::default(),
        liveness: RefCell::new(Liveness::new(now)),
        motion: Rc::default(),
        wake: Cell::new(None),
        asks_heartbeats: Cell::new(true),
        rows_at: Cell::new(None),
        // The board is as old as the page, whose clock began with it.
        newest_at: Cell::new((0.0, state.server_time() - now)),
        delay_shown: Cell::new(f64::NEG_INFINITY),
        around_at: Cell::new(None),
        is_asking_around: Cell::new(false),
    });
    // Whoever notices that the page has panicked ends the link by it, and replaces the element.
    if let Some(app) = &client.app {
        // Nobody has closed it to new properties.
        _ = js_sys::Reflect::set(app, &"socket".into(), &client.socket);
    }

    let any = client.clone();
    let any = Closure::<dyn FnMut()>::new(move || any.heard());
    client.socket.on_any(&any.into_js_value());
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
    client.on(HEARTBEAT, |client, data| {
        client.state.clock.update_value(|it| {
            it.told(time_of(&data), clock::read());
        });
        // The log is another, of which nothing came here.
        let epoch = text_of(&data, "epoch");
        if epoch.is_some_and(|epoch| epoch != client.state.board().epoch) {
            client.resync.borrow_mut().gap(client.now());
            client.drive();
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
    let watching = client.clone();
    _ = set_interval_with_handle(move || watching.watch(), WATCH);
    let (window, page) = (window(), document());
    // A page without a network, or that the browser freezes or keeps for the way back, hears
    // nothing. The server need not send to it, and browsers keep no page that is connected.
    client.on_page(&window, "offline", Client::leave);
    client.on_page(&window, "pagehide", Client::leave);
    client.on_page(&page, "freeze", Client::leave);
    client.on_page(&window, "online", Client::look_again);
    client.on_page(&window, "pageshow", Client::look_again);
    client.on_page(&page, "resume", Client::look_again);
    client.on_page(&page, "visibilitychange", |client| {
        if document().hidden() {
            client.settle();
        } else {
            client.show();
            // Where it is not live, somebody waits for rows. Those that are asked for come.
            if client.rows_at.get().is_some_and(f64::is_finite) {
                client.rows_at.set(Some(client.now()));
            }
            client.look_again();
        }
    });
    // Paper keeps what it says.
    client.on_page(&window, "beforeprint", |client| client.settle());
    client.drive();
}

/// `auth` is a function, so that every attempt brings the token of its moment.
fn options(token: Rc<RefCell<String>>, path: &str) -> JsValue {
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
        ("path", path.into()),
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

    fn on_page(self: &Rc<Self>, page: &EventTarget, event: &str, handler: fn(&Rc<Client>)) {
        let client = self.clone();
        let handler = Closure::<dyn FnMut()>::new(move || handler(&client));
        // It cannot fail; a browser that does not know the event never sends it.
        _ = page.add_event_listener_with_callback(event, handler.into_js_value().unchecked_ref());
    }

    fn now(&self) -> f64 {
        self.state.now()
    }

    /// Something came from the server.
    fn heard(&self) {
        let now = self.now();
        self.liveness.borrow_mut().heard(now);
        self.session.borrow_mut().heard();
        if self.resync.borrow().is_complete() {
            self.newest_at.set((now, self.state.server_time()));
        }
        if self.state.connection.get_untracked() != Connection::Live {
            self.show();
        }
    }

    /// Looks at the clocks, once a second.
    fn watch(self: &Rc<Self>) {
        let now = self.now();
        let has_woken = self.state.clock.try_update_value(|it| it.has_woken());
        if has_woken == Some(true) {
            // The official client takes the link for dead too, when it next sends.
            self.session.borrow_mut().replace(now);
        }
        self.state.watch_start();
        self.show();
        self.drive();
    }

    /// The browser has a network again, or somebody looks at the page again.
    fn look_again(self: &Rc<Self>) {
        let now = self.now();
        self.session.borrow_mut().look_again(now, Math::random());
        if self.socket.connected() && self.liveness.borrow_mut().look_again(now) {
            self.compare_clocks();
        }
        self.watch();
    }

    /// The page hears nothing from now on.
    fn leave(self: &Rc<Self>) {
        self.settle();
        self.socket.disconnect();
        self.closed(Closed::Lost);
    }

    /// Nothing moves any more, and all numbers are what is so.
    fn settle(&self) {
        if let Some(list) = self.board.get_untracked() {
            self.motion.settle(&list);
        }
    }

    /// Does what is to be done now, and comes back when there is more.
    fn drive(self: &Rc<Self>) {
        if self.app.as_ref().is_some_and(|app| !app.is_connected()) {
            return;
        }
        loop {
            // What is done may lead back here.
            let step = self.session.borrow_mut().next(self.now(), Math::random());
            match step {
                Some(Step::Fetch) => self.renew(),
                Some(Step::Connect) => {
                    self.shown.replace(self.token.borrow().clone());
                    self.socket.connect();
                    // It may hang for long where something drops what it sends.
                    self.ask_rows(REFRESH);
                }
                Some(Step::Refresh) => {
                    let token = self.token.borrow().as_str().into();
                    self.socket
                        .emit(REFRESH_TOKEN, &object(&[("token", token)]));
                }
                Some(Step::Close) => {
                    self.resync.borrow_mut().closed();
                    self.liveness.borrow_mut().closed();
                    self.socket.disconnect();
                    self.show();
                }
                None => break,
            }
        }
        let time = self.now();
        if self.liveness.borrow_mut().falls_silent(time) {
            // It may be late, and not dead.
            self.compare_clocks();
            self.show();
        }
        let is_probing = (self.session.borrow().wants_probes(time)
            || self.liveness.borrow().is_doubtful())
            && !document().hidden();
        let probes = self
            .liveness
            .borrow_mut()
            .probes(is_probing, time, Math::random());
        if probes {
            self.probe(time);
        }
        let is_to_subscribe = self.resync.borrow_mut().next(time, Math::random());
        if is_to_subscribe {
            self.subscribe();
        }
        self.fetch_around();
        self.fetch_rows();

        let around_at = self
            .around_at
            .get()
            .filter(|_| !self.is_asking_around.get());
        let at = self.session.borrow().wake_at(time);
        let at = at.min(self.resync.borrow().wake_at().unwrap_or(f64::INFINITY));
        let at = at.min(around_at.unwrap_or(f64::INFINITY));
        let at = at.min(self.liveness.borrow().wake_at(is_probing));
        let at = at.min(self.rows_at.get().unwrap_or(f64::INFINITY));
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
        let now = self.now();
        self.session.borrow_mut().connected(now);
        self.resync.borrow_mut().connected(now);
        self.liveness.borrow_mut().connected(now);
        self.asks_heartbeats.set(true);
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
        let now = self.now();
        self.session.borrow_mut().closed(why, now, Math::random());
        self.resync.borrow_mut().closed();
        self.liveness.borrow_mut().closed();
        // Whoever is sent away is told at once when to come again.
        let is_sent_away = self.session.borrow().is_sent_away();
        self.ask_rows(if is_sent_away { 0.0 } else { REFRESH });
        self.show();
        self.drive();
    }

    /// Has the board asked for after this time, unless it is on its way or will be sooner.
    fn ask_rows(&self, wait: f64) {
        let at = self.now() + wait * (0.75 + Math::random() / 2.0);
        let at = match self.rows_at.get() {
            // It is on its way.
            Some(f64::INFINITY) => f64::INFINITY,
            known => known.unwrap_or(at).min(at),
        };
        self.rows_at.set(Some(at));
    }

    /// Asks for the board when it is time, and when the page may connect.
    fn fetch_rows(self: &Rc<Self>) {
        if self.rows_at.get().is_none_or(|at| at > self.now()) {
            return;
        }
        if document().hidden() {
            self.rows_at.take();
            return self.ask_rows(REFRESH);
        }
        // Later than any answer: there is one question at a time.
        self.rows_at.set(Some(f64::INFINITY));
        let client = self.clone();
        spawn_local(async move {
            let mut path = client.state.link("/page/rows?");
            if client.state.view == View::Embed {
                path.push_str("view=embed&");
            }
            if let Some(page) = client.state.page() {
                path.push_str("page=");
                path.push_str(&(page + 1).to_string());
            }
            let token = client.token.borrow().clone();
            let answer = request(&path, &headers(Some(&token)), "no-cache", FETCH_TIMEOUT).await;
            if client.rows_at.take().is_none() {
                // It is live by now.
                return;
            }
            client.ask_rows(REFRESH);
            let live_in = answer.as_ref().and_then(live_in);
            match read::<LeaderboardData>(answer).await {
                Some(rows) => client.refreshed(rows, live_in),
                None => {
                    client.state.not_live.set(String::new());
                    client.show();
                }
            }
            client.drive();
        });
    }

    /// What is shown is some seconds old at most, and is not live.
    fn refreshed(self: &Rc<Self>, rows: LeaderboardData, live_in: Option<f64>) {
        let (now, state) = (self.now(), self.state);
        if let Some(live_in) = live_in {
            let random = Math::random();
            self.session.borrow_mut().told(live_in, now, random);
        }
        let mut why = String::new();
        if self.session.borrow().is_sent_away() {
            why.push_str(&state.text(Text::Crowded));
            if let Some(live_in) = live_in.filter(|seconds| *seconds > 0.0) {
                let time = age(live_in as u64);
                why.push(' ');
                why.push_str(&state.with(Text::LiveIn, &[("n", &time)]));
            }
        } else {
            why = state.text(Text::Refreshing);
        }
        state.not_live.set(why);
        self.newest_at.set((now, state.server_time()));
        self.show();
        if state.take(rows) {
            self.refresh();
        }
        self.ask_around(ASK_LATER);
    }

    /// Tries whether the server can be reached by another way than the connection.
    fn probe(self: &Rc<Self>, begun: f64) {
        let client = self.clone();
        spawn_local(async move {
            let response = request(
                &client.state.link(PROBE),
                &headers(None),
                "no-store",
                PROBE_TIMEOUT,
            )
            .await;
            let is_doubtful = client.liveness.borrow().is_doubtful();
            let now = client.now();
            let mut session = client.session.borrow_mut();
            if response.is_some_and(|response| response.ok()) {
                session.reachable(begun, is_doubtful, now, Math::random());
            } else {
                session.unreachable();
            }
            drop(session);
            client.drive();
        });
    }

    /// Asks for what happened since the board that is shown, and for heartbeats.
    fn subscribe(self: &Rc<Self>) {
        let board = self.state.board();
        let page = board
            .page
            .map_or(JsValue::UNDEFINED, |page| (page as f64).into());
        let heartbeat = match self.asks_heartbeats.get() {
            true => JsValue::TRUE,
            false => JsValue::UNDEFINED,
        };
        let wanted = object(&[
            ("heartbeat", heartbeat),
            ("mode", Subscription::DELTA.into()),
            ("epoch", board.epoch.as_str().into()),
            ("seq", (board.seq as f64).into()),
            ("page", page),
        ]);
        let client = self.clone();
        let answered = Closure::once_into_js(move |answer: JsValue| {
            client.heard();
            let error = get(&answer, "error");
            if error.is_undefined() && client.asks_heartbeats.get() {
                client.liveness.borrow_mut().expect_heartbeats();
                client.drive();
            } else if text_of(&error, "code").is_some_and(|code| code == NOT_UNDERSTOOD) {
                client.asks_heartbeats.set(false);
            }
        });
        self.socket
            .ask_with(SUBSCRIBE_SCOREBOARD, &wanted, &answered);
    }

    /// Asks for the server's time, by which all is measured.
    fn compare_clocks(self: &Rc<Self>) {
        let (client, asked_at) = (self.clone(), clock::read().monotonic);
        let answered = Closure::once_into_js(move |answer: JsValue| {
            client.state.clock.update_value(|it| {
                it.answered(time_of(&answer), asked_at, clock::read());
            });
            client.heard();
        });
        self.socket.ask(PING, &answered);
    }

    /// Shows how long the latest action took to the screen, once it is there.
    fn measure_delay(self: &Rc<Self>) {
        let now = self.now();
        // A hidden page draws no frames, so what waits for one would pile up.
        if document().hidden()
            || self.delay_shown.get() + DELAY_SHOWN > now
            || !self.state.clock.with_value(Clock::knows_server)
        {
            return;
        }
        self.delay_shown.set(f64::INFINITY);
        let taken = clock::parse(&self.state.board().last_updated);
        let client = self.clone();
        request_animation_frame(move || {
            client.delay_shown.set(client.now());
            // A page that was hidden meanwhile draws its frame when it is not any more.
            if client.now() < now + DELAY_SHOWN {
                let delay = client.state.server_time() - taken;
                client.state.delay.set(delay.max(1.0) as u64);
            }
        });
    }

    /// Has the rows about the signed-in user asked for, if the board does not have them;
    /// not at the moment of all others, and once at a time.
    fn ask_around(self: &Rc<Self>, wait: f64) {
        let at = self.now() + wait * (0.5 + Math::random());
        let is_sooner = self.around_at.get().is_none_or(|earlier| at < earlier);
        if is_sooner && self.state.wants_around() {
            self.around_at.set(Some(at));
            self.drive();
        }
    }

    /// Asks for them when it is time.
    fn fetch_around(self: &Rc<Self>) {
        let is_due = self.around_at.get().is_some_and(|at| at <= self.now());
        if !is_due || self.is_asking_around.get() {
            return;
        }
        self.around_at.set(None);
        let state = self.state;
        let is_shown = state.view == View::Whole && !state.paused.get_untracked();
        // What is wanted may be another's by now, or be on the board.
        let id = state.user_id().filter(|_| is_shown && state.wants_around());
        let can_ask = self.socket.connected()
            || self.state.connection.get_untracked() == Connection::Refreshing;
        let Some(id) = id.filter(|_| can_ask) else {
            return;
        };
        self.is_asking_around.set(true);
        let client = self.clone();
        spawn_local(async move {
            let path = state.link(&format!("/api/v1/leaderboard/around/{id}?window=2"));
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
        self.heard();
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
                self.resync.borrow_mut().gap(self.now());
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
        if let Some(list) = &list {
            self.motion.look(list);
        }
        self.state.refresh();
        self.motion.play(self.state);
    }

    /// Says whether what is shown is live; if not, how old it is.
    fn show(&self) {
        let (now, state) = (self.now(), self.state);
        let shown = state.connection.get_untracked();
        let is_live = self.socket.connected()
            && !self.liveness.borrow().is_silent()
            && !self.resync.borrow().is_behind(now);
        let (newest_at, server_time) = self.newest_at.get();
        let age = now - newest_at;
        let connection = if is_live {
            self.rows_at.set(None);
            set_if_changed(&state.not_live, &String::new());
            Connection::Live
        } else if shown == Connection::Connecting
            && age < SILENCE
            && state.not_live.with_untracked(String::is_empty)
        {
            Connection::Connecting
        } else {
            self.ask_rows(REFRESH);
            set_if_changed(&state.age, &((age / 1000.0) as u64));
            if !window().navigator().on_line() {
                Connection::Offline
            } else if state.not_live.with_untracked(String::is_empty) {
                Connection::Reconnecting
            } else {
                Connection::Refreshing
            }
        };
        if connection.is_lost() && !shown.is_lost() {
            state.lost_at.set(state.time(&clock::iso(server_time)));
        }
        set_if_changed(&state.connection, &connection);
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
            let page = fetch::<PageToken>(&client.state.link(path), Some(&old)).await;
            let token = page.map(|page| {
                client.token.replace(page.token);
                client.state.sign_in(page.you);
                (client.state.user_id(), page.expires_in)
            });
            client
                .session
                .borrow_mut()
                .renewed(token, client.now(), Math::random());
            client.drive();
        });
    }
}

/// Fetches what `path` leads to, in the name of a token or of nobody.
async fn fetch<T: Read>(path: &str, token: Option<&str>) -> Option<T> {
    read(request(path, &headers(token), "no-store", FETCH_TIMEOUT).await).await
}

/// The headers of a request in the name of a token or of nobody.
fn headers(token: Option<&str>) -> JsValue {
    let headers = token.map(|token| ("authorization", format!("Bearer {token}").into()));
    object(headers.as_slice())
}

/// The server's answer, if it comes within this time, in milliseconds; `cache` is how the
/// browser's is used.
async fn request(path: &str, headers: &JsValue, cache: &str, within: u32) -> Option<Response> {
    let init = object(&[
        ("cache", cache.into()),
        ("headers", headers.clone()),
        ("signal", AbortSignal::timeout_with_u32(within).into()),
    ]);
    let response = window().fetch_with_str_and_init(path, init.unchecked_ref::<RequestInit>());
    JsFuture::from(response).await.ok()?.dyn_into().ok()
}

/// What an answer says.
async fn read<T: Read>(answer: Option<Response>) -> Option<T> {
    let body = JsFuture::from(answer?.json().ok()?).await.ok()?;
    T::read(&body)
}

/// After how many seconds the page may connect, if an answer says so.
fn live_in(answer: &Response) -> Option<f64> {
    // Whole numbers: reading others takes 6 kB of program.
    let seconds: Option<u32> = answer.headers().get(LIVE_IN).ok()??.parse().ok();
    seconds.map(f64::from)
}

/// When the server wrote this, by its own clock; not a number if it does not say.
fn time_of(said: &JsValue) -> f64 {
    text_of(said, "time").map_or(f64::NAN, |time| clock::parse(&time))
}

fn text_of(said: &JsValue, name: &str) -> Option<String> {
    get(said, name).as_string()
}

/// A field; undefined where there is none.
fn get(value: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(value, &name.into()).unwrap_or_default()
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
