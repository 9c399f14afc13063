//! What clients send before their sockets are connected: the library lets them, and drops
//! what is sent to them until then. Official clients send a few events at that moment.

use std::collections::HashMap;

use socketioxide::socket::Sid;

use super::ClientMessage;

/// Events of one socket that are held. Later ones are dropped.
const MOST: usize = 64;

/// See the module.
pub(super) struct EarlyMessages<A>(HashMap<Sid, Vec<ClientMessage<A>>>);

impl<A> Default for EarlyMessages<A> {
    fn default() -> EarlyMessages<A> {
        EarlyMessages(HashMap::new())
    }
}

impl<A> EarlyMessages<A> {
    /// Holds an event until its socket is connected, if there is room.
    pub(super) fn hold(&mut self, message: ClientMessage<A>) {
        let held = self.0.entry(message.sid).or_default();
        if held.len() < MOST {
            held.push(message);
        }
    }

    /// Takes what a socket has sent, in order.
    pub(super) fn take(&mut self, sid: Sid) -> Vec<ClientMessage<A>> {
        self.0.remove(&sid).unwrap_or_default()
    }

    /// Forgets what was sent by sockets that do not exist.
    pub(super) fn retain(&mut self, exists: impl Fn(Sid) -> bool) {
        self.0.retain(|sid, _| exists(*sid));
    }
}
