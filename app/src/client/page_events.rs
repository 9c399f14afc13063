//! The browser's events about the page: the network, visibility, sleep, printing.

use std::rc::Rc;

use js_sys::Math;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::EventTarget;

use super::{Client, Handler};
use crate::connection::CloseReason;

impl Client {
    /// Handles the browser's events from now on.
    pub(super) fn handle_page_events(self: &Rc<Self>) {
        let (window, page): (EventTarget, EventTarget) = (window().into(), document().into());
        // A page without a network, or that the browser freezes or stores for the way back,
        // receives nothing. The server need not send to it, and browsers store no page that
        // is connected.
        self.on(&window, "offline", |client, _| client.disconnect());
        self.on(&window, "pagehide", |client, _| client.disconnect());
        self.on(&page, "freeze", |client, _| client.disconnect());
        self.on(&window, "online", |client, _| client.wake());
        self.on(&window, "pageshow", |client, _| client.wake());
        self.on(&page, "resume", |client, _| client.wake());
        self.on(&page, "visibilitychange", |client, _| {
            if document().hidden() {
                client.finish_motion();
            } else {
                client.update_status();
                client.hurry_poll();
                client.wake();
            }
        });
        // Paper shows no motion.
        self.on(&window, "beforeprint", |client, _| client.finish_motion());
    }

    fn on(self: &Rc<Self>, target: &EventTarget, event: &str, handler: Handler) {
        let callback = self.callback(handler);
        // It cannot fail; a browser that does not know the event never sends it.
        _ = target.add_event_listener_with_callback(event, callback.unchecked_ref());
    }

    /// The browser has a network again, or the page is visible again.
    fn wake(self: &Rc<Self>) {
        let now = self.now();
        self.session.borrow_mut().retry_soon(now, Math::random());
        if self.socket.connected() && self.liveness.borrow_mut().check(now) {
            self.request_time();
        }
        self.tick();
    }

    /// The page receives nothing from now on.
    fn disconnect(self: &Rc<Self>) {
        self.finish_motion();
        self.socket.disconnect();
        self.closed(CloseReason::Lost);
    }
}
