//! The handshake: who may connect. The messages of the refusals are a contract.

use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use serde_json::Value;
use socketioxide::{
    extract::{MaybeHttpExtension, SocketRef, State, TryData},
    socket::DisconnectReason,
};

use super::{
    connection::Connection,
    excess::Excess,
    handlers::{Handlers, received},
    session::Session,
    state::Event,
};
use crate::{
    auth::{Identity, Role, bearer},
    listener::ClientAddress,
};

/// How long a transport outlives the socket that was disconnected: the last packets may
/// still arrive, and official clients end it by themselves.
const LINGER: Duration = Duration::from_secs(2);

/// Why a client may not connect; each is the message of its `connect_error`.
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

/// Admits a client, or refuses it. A session has one client at a time.
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

/// Sets the handlers of a client that may connect, before it is told that it is connected:
/// so none of its events is too early for them.
fn admit(
    socket: &SocketRef,
    auth: Option<&Value>,
    session: &Session,
    handlers: &Handlers,
) -> Result<(), Refused> {
    let identity = identify(socket, auth, handlers);
    let is_signed_in = identity.is_ok_and(|identity| identity.role != Role::Viewer);
    // A client that is refused for its address learns nothing of its token.
    if !session.admits(identity.ok().map(|it| it.user), is_signed_in) {
        return Err(Refused::TooManyConnections);
    }
    let identity = identity?;
    let address = socket.req_parts().extensions.get::<ClientAddress>();
    let address = address.map(|ClientAddress(address)| *address);
    let permit = handlers.limits.handshake(identity.user);
    let permit = permit.map_err(|reason| {
        handlers.limits.refused(reason, address);
        Refused::TooMuchOfUser
    })?;
    session.joined(identity.user, is_signed_in);
    // The socket holds it until it is dropped itself, in whatever way it ended.
    socket.extensions.insert(permit);
    socket.extensions.insert(Excess::default());
    socket.extensions.insert(Connection {
        identity,
        session: session.clone(),
        address,
        limited_as: address.and_then(|address| handlers.limits.limited(address)),
    });
    socket.on_fallback(received);
    let (sid, requests) = (socket.id, handlers.requests.clone());
    let session = session.clone();
    socket.on_disconnect(async move |reason: DisconnectReason| {
        use DisconnectReason::{ClientNSDisconnect, ServerNSDisconnect};
        if matches!(reason, ClientNSDisconnect | ServerNSDisconnect) {
            session.close_after(LINGER);
        }
        drop(session);
        // Waits for a slot: a socket that has disconnected must not be online for ever.
        let event = Event::Disconnected(sid, identity.user);
        _ = requests.send(event.into()).await;
    });
    Ok(())
}

/// What the token of a client says, if its user may connect.
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
