//! When the sessions of users end before their clients disconnect: their tokens expire or
//! are revoked, or the users are deleted.

use app::wire::SESSION_EXPIRED;
use socketioxide::socket::Sid;

use super::{HubState, Now};
use crate::{
    auth::{Identity, Role},
    board::UserId,
    hub::{answers::ErrorMessage, message::Message},
};

/// The messages of `session_expired`, which are a contract.
const EXPIRED: &str = "The token has expired";
const DELETED: &str = "User deleted";
const REVOKED: &str = "The token was revoked";

impl<A> HubState<A> {
    /// Disconnects sockets whose tokens have expired.
    pub(super) fn end_expired(&mut self, now: Now) {
        for sid in self.expiry.take_expired(now.token_seconds) {
            self.end_session(sid, EXPIRED, now);
        }
    }

    /// Disconnects the sockets of a user whose tokens do not hold any more.
    pub(super) fn end_sessions(&mut self, user: UserId, now: Now) {
        for sid in self.presence.sockets_of(user).to_vec() {
            let identity = self.delivery.consumers.get(sid).map(|it| it.identity);
            if let Some(reason) = identity.and_then(|identity| self.end_reason(identity)) {
                self.end_session(sid, reason, now);
            }
        }
    }

    /// Why a session must end though its token has not expired, if so.
    pub(super) fn end_reason(&self, identity: Identity) -> Option<&'static str> {
        if identity.role == Role::Player && !self.live.knows(identity.user) {
            Some(DELETED)
        } else if self.live.is_revoked(&identity) {
            Some(REVOKED)
        } else {
            None
        }
    }

    /// Disconnects a socket, whether or not its client reads why. Its transport ends a
    /// little later.
    pub(super) fn end_session(&mut self, sid: Sid, message: &'static str, now: Now) {
        let reason = ErrorMessage { message };
        self.delivery.send(sid, SESSION_EXPIRED, &reason, now);
        if let Some(consumer) = self.delivery.consumers.get(sid) {
            let session = consumer.session.clone();
            self.delivery.push(Message::Disconnect(sid, session));
        }
    }
}
