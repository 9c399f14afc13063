//! Probes whether the server is reachable, by another way than the connection.

use std::rc::Rc;

use js_sys::Math;

use super::{
    Client,
    http::{self, Cache, Response},
};

/// What is requested: it costs the server nothing.
const PATH: &str = "/healthz";
/// The longest that the server may take to answer, in milliseconds. Requests that hang take
/// connections from others: a browser has six to a server.
const TIMEOUT: u32 = 3_000;

impl Client {
    /// Sends a probe.
    pub(super) fn probe(self: &Rc<Self>, sent_at: f64) {
        let client = self.clone();
        let then = Box::new(move |response: Response| {
            let is_doubtful = client.liveness.borrow().is_doubtful();
            let now = client.now();
            let mut session = client.session.borrow_mut();
            if response.is_ok() {
                session.reachable(sent_at, is_doubtful, now, Math::random());
            } else {
                session.unreachable();
            }
            drop(session);
            client.run();
        });
        let path = self.state.settings.link(PATH);
        http::get(&path, None, Cache::Bypass, TIMEOUT, then);
    }
}
