//! The handshake: who may connect. The texts of the refusals are a contract.

use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use serde_json::Value;
use socketioxide::{
    extract::{MaybeHttpExtension, SocketRef, State, TryData},
    socket::DisconnectReason,
};

use super::{Excess, Handlers, Joined, Peer, Session, actor::Request, received};
use crate::auth::{Identity, Role, bearer};

/// How long a transport outlives the socket that has left it: what was said last may
/// still arrive, and official clients end it by themselves.
const GOODBYE: Duration = Duration::from_secs(2);

/// Why a client was not let in; each is shown as the message of `connect_error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("Authentication token required")]
    NoToken,
    #[error("Authentication failed")]
    InvalidToken,
    #[error("User not found")]
    UnknownUser,
    #[error("Too many connection attempts from this IP")]
    TooManyConnections,
    #[error("Rate limit exceeded")]
    TooMuchOfUser,
}

/// Lets a client in, or refuses it. A session has one client at a time.
pub(super) async fn authenticate(
    socket: SocketRef,
    TryData(auth): TryData<Value>,
    MaybeHttpExtension(session): MaybeHttpExtension<Session>,
    State(handlers): State<Handlers>,
) -> Result<(), Refused> {
    let session = session.ok_or(Refused::TooManyConnections)?;
    if !session.join() {
        return Err(Refused::TooManyConnections);
    }
    let admitted = admit(&socket, auth.ok().as_ref(), &session, &handlers);
    if admitted.is_err() {
        session.leave();
    }
    admitted
}

/// Sets the handler of a client that may connect, before the client is told that it is
/// connected: no event is too early for that.
fn admit(
    socket: &SocketRef,
    auth: Option<&Value>,
    session: &Session,
    handlers: &Handlers,
) -> Result<(), Refused> {
    let identity = identify(socket, auth, handlers);
    let is_signed_in = identity.is_ok_and(|identity| identity.role != Role::Viewer);
    // Whoever is refused for their address learns nothing of their token.
    if !session.admits(identity.ok().map(|it| it.user), is_signed_in) {
        return Err(Refused::TooManyConnections);
    }
    let identity = identity?;
    let peer = socket.req_parts().extensions.get::<Peer>();
    let address = peer.map(|Peer(address)| *address);
    let place = handlers.limits.handshake(identity.user);
    let place = place.map_err(|reason| {
        handlers.limits.refused(reason, address);
        Refused::TooMuchOfUser
    })?;
    session.joined(identity.user, is_signed_in);
    // The socket holds it until it is dropped itself, in whatever way it ended.
    socket.extensions.insert(place);
    socket.extensions.insert(Excess::default());
    socket.on_fallback(received);
    let (sid, gone) = (socket.id, handlers.requests.clone());
    let left = session.clone();
    socket.extensions.insert(Joined {
        identity,
        session: session.clone(),
        address,
    });
    socket.on_disconnect(async move |reason: DisconnectReason| {
        use DisconnectReason::{ClientNSDisconnect, ServerNSDisconnect};
        if matches!(reason, ClientNSDisconnect | ServerNSDisconnect) {
            left.close_after(GOODBYE);
        }
        drop(left);
        // Waits for a place: who left must not count as present for ever.
        _ = gone.send(Request::Disconnected(sid, identity.user)).await;
    });
    Ok(())
}

/// Whose token a client has shown, if it is one of somebody who may connect.
fn identify(
    socket: &SocketRef,
    auth: Option<&Value>,
    handlers: &Handlers,
) -> Result<Identity, Refused> {
    let header = socket.req_parts().headers.get(AUTHORIZATION);
    let token = auth
        .and_then(|auth| auth.get("token")?.as_str())
        .filter(|token| !token.is_empty())
        .or_else(|| bearer(header?.to_str().ok()?))
        .ok_or(Refused::NoToken)?;
    let identity = handlers
        .tokens
        .verify(token)
        .map_err(|_| Refused::InvalidToken)?;
    if identity.role == Role::Player && !handlers.live.knows(identity.user) {
        return Err(Refused::UnknownUser);
    }
    if handlers.live.is_revoked(&identity) {
        return Err(Refused::InvalidToken);
    }
    Ok(identity)
}
