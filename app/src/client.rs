//! The page's client of the server: a Socket.IO socket and HTTP requests, whose data is
//! handed to the state.
//!
//! [`Session`] decides when to connect and to renew the token, [`Resync`] when to request
//! changes again, and [`Liveness`] whether the link is alive. The client does what is due,
//! and sets a timer for what is due next ([`Client::run`]).

mod around;
mod http;
mod page_events;
mod polling;
mod probe;
mod server_events;
mod socket_io;
mod status;
mod token;

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
};
use wasm_bindgen::{JsValue, closure::Closure};
use web_sys::Element;

use crate::{
    connection::{CloseReason, Liveness, Resync, Session, Step},
    js,
    motion::Motion,
    state::PageState,
    wire::REFRESH_TOKEN,
};

/// The longest that a browser's timer waits, in milliseconds (2^31 − 1).
const LONGEST_TIMER: f64 = 2_147_483_647.0;
/// Between two summaries for a screen reader.
const SUMMARY: Duration = Duration::from_secs(10);
/// Between two updates of the clocks and of the board's age.
const TICK: Duration = Duration::from_secs(1);

/// What handles an event, with its data.
type Handler = fn(&Rc<Client>, JsValue);

/// See the module.
pub(crate) struct Client {
    socket: socket_io::Socket,
    state: PageState,
    /// The element of the live page. After a panic another replaces it.
    app: Option<Element>,
    /// The list of rows.
    list: NodeRef<html::Ol>,
    /// The newest token.
    token: RefCell<String>,
    /// The one with which the socket connects.
    socket_token: Rc<RefCell<String>>,
    session: RefCell<Session>,
    resync: RefCell<Resync>,
    liveness: RefCell<Liveness>,
    motion: Rc<Motion>,
    /// The timer for what is due next.
    timer: Cell<Option<TimeoutHandle>>,
    /// Are heartbeats to be requested? Not where the server has not understood that.
    wants_heartbeats: Cell<bool>,
    /// When the board is to be requested, while the page is not live.
    poll_at: Cell<Option<f64>>,
    /// When the board was last known to be the newest, by the page's clock and by the
    /// server's.
    current_at: Cell<(f64, f64)>,
    /// When the delay was shown last, or infinity while it is measured.
    delay_at: Cell<f64>,
    /// When the rows around the signed-in user are to be requested.
    around_at: Cell<Option<f64>>,
    /// Is a request for them pending?
    is_around_pending: Cell<bool>,
}

/// Starts the client, with a token that is valid for so many seconds, for as long as the
/// page is open.
pub(crate) fn start(state: PageState, list: NodeRef<html::Ol>, (token, expires_in): (String, u64)) {
    let socket_token = Rc::new(RefCell::new(token.clone()));
    let now = state.clock.now();
    let session = Session::new(state.you.id(), expires_in, now, Math::random());
    let path = state.settings.link("/socket.io/");
    let client = Rc::new(Client {
        socket: socket_io::socket(socket_token.clone(), &path),
        state,
        app: document().get_element_by_id("app"),
        list,
        token: RefCell::new(token),
        socket_token,
        session: RefCell::new(session),
        resync: RefCell::default(),
        liveness: RefCell::new(Liveness::new(now)),
        motion: Rc::default(),
        timer: Cell::new(None),
        wants_heartbeats: Cell::new(true),
        poll_at: Cell::new(None),
        // The board is as old as the page, whose clock began with it.
        current_at: Cell::new((0.0, state.clock.server_time() - now)),
        delay_at: Cell::new(f64::NEG_INFINITY),
        around_at: Cell::new(None),
        is_around_pending: Cell::new(false),
    });
    // After a panic, `boot.js` disconnects this socket and replaces the element.
    if let Some(app) = &client.app {
        js::set(app, "socket", &client.socket);
    }
    client.handle_server_events();
    client.handle_page_events();
    client.follow_pause();
    // Without a timer nothing is read out, which breaks nothing else.
    _ = set_interval_with_handle(move || state.summary.update(), SUMMARY);
    let ticking = client.clone();
    _ = set_interval_with_handle(move || ticking.tick(), TICK);
    client.run();
}

impl Client {
    /// A function for JavaScript that calls this one.
    fn callback(self: &Rc<Self>, handler: Handler) -> JsValue {
        let client = self.clone();
        let callback = Closure::<dyn FnMut(JsValue)>::new(move |data| handler(&client, data));
        callback.into_js_value()
    }

    /// A function for JavaScript that calls this one, and is called once.
    fn callback_once(
        self: &Rc<Self>,
        handler: impl FnOnce(&Rc<Client>, JsValue) + 'static,
    ) -> JsValue {
        let client = self.clone();
        let callback: Box<dyn FnOnce(JsValue)> = Box::new(move |data| handler(&client, data));
        Closure::once_into_js(callback)
    }

    /// The time by the page's clock.
    fn now(&self) -> f64 {
        self.state.clock.now()
    }

    /// Shows the newest board when the user resumes.
    fn follow_pause(self: &Rc<Self>) {
        let client = self.clone();
        Effect::new(move |was_paused: Option<bool>| {
            let is_paused = client.state.pause.is_on.get();
            if was_paused == Some(true) && !is_paused {
                client.refresh();
                client.schedule_around_soon();
            }
            is_paused
        });
    }

    /// Shows the newest board. Rows glide from where they were to where they are.
    fn refresh(&self) {
        let list = self.list.get_untracked();
        let list = list.filter(|_| !self.state.pause.is_on_untracked());
        if let Some(list) = &list {
            self.motion.measure(list);
        }
        self.state.refresh();
        self.motion.play(self.state);
    }

    /// Ends all motion, and shows every number as it is.
    fn finish_motion(&self) {
        if let Some(list) = self.list.get_untracked() {
            self.motion.finish(&list);
        }
    }

    /// Updates what depends on time alone.
    fn tick(self: &Rc<Self>) {
        let clock = self.state.clock;
        let now = clock.now();
        if clock.has_woken() {
            // The library takes the link for dead too, when it next sends.
            self.session.borrow_mut().replace(now);
        }
        // The browser's clock decides only where the server's time stays unknown.
        let status = self.state.connection.status.get_untracked();
        if clock.knows_server() || status.is_stale() {
            self.state.start.update(clock.server_time());
        }
        self.update_status();
        self.run();
    }

    /// Does what is due, and sets a timer for what is due next.
    fn run(self: &Rc<Self>) {
        if self.app.as_ref().is_some_and(|app| !app.is_connected()) {
            return;
        }
        loop {
            // A step may call this again, so nothing is borrowed meanwhile.
            let step = self.session.borrow_mut().next(self.now(), Math::random());
            match step {
                Some(step) => self.take(step),
                None => break,
            }
        }
        let now = self.now();
        if self.liveness.borrow_mut().falls_silent(now) {
            // The response may be late, and the link alive.
            self.request_time();
            self.update_status();
        }
        let wants_probes =
            self.session.borrow().wants_probes(now) || self.liveness.borrow().is_doubtful();
        let wants_probes = wants_probes && !document().hidden();
        let mut liveness = self.liveness.borrow_mut();
        let is_probing = liveness.probes(wants_probes, now, Math::random());
        drop(liveness);
        if is_probing {
            self.probe(now);
        }
        let is_behind = self.resync.borrow_mut().next(now, Math::random());
        if is_behind {
            self.subscribe();
        }
        self.request_around();
        self.poll();

        let due = [
            self.session.borrow().wake_at(now),
            self.resync.borrow().wake_at().unwrap_or(f64::INFINITY),
            self.liveness.borrow().wake_at(wants_probes),
            self.around_due(),
            self.poll_at.get().unwrap_or(f64::INFINITY),
        ];
        let due = due.into_iter().fold(f64::INFINITY, f64::min);
        // A timer may be early by a part of a millisecond.
        let wait = (due - now).clamp(0.0, LONGEST_TIMER - 1.0) + 1.0;
        let wait = Duration::from_millis(wait as u64);
        let client = self.clone();
        let timer = set_timeout_with_handle(move || client.run(), wait);
        if let Some(earlier) = self.timer.replace(timer.ok()) {
            earlier.clear();
        }
    }

    /// Does what the session wants done.
    fn take(self: &Rc<Self>, step: Step) {
        match step {
            Step::RenewToken => self.renew_token(),
            Step::Connect => {
                self.socket_token.replace(self.token.borrow().clone());
                self.socket.connect();
                // It may hang for long where something drops what it sends.
                self.schedule_poll();
            }
            Step::SendToken => {
                let token = self.token.borrow().as_str().into();
                let token = js::object(&[("token", token)]);
                self.socket.emit(REFRESH_TOKEN, &token);
            }
            Step::Close => {
                self.resync.borrow_mut().closed();
                self.liveness.borrow_mut().closed();
                self.socket.disconnect();
                self.update_status();
            }
        }
    }

    /// The connection is closed, or could not be opened.
    fn closed(self: &Rc<Self>, reason: CloseReason) {
        let now = self.now();
        self.session
            .borrow_mut()
            .closed(reason, now, Math::random());
        self.resync.borrow_mut().closed();
        self.liveness.borrow_mut().closed();
        // The response says when a rejected page may connect.
        let is_rejected = self.session.borrow().is_rejected();
        if is_rejected {
            self.schedule_poll_now();
        } else {
            self.schedule_poll();
        }
        self.update_status();
        self.run();
    }
}
