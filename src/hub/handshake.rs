//! The handshake: who may connect. The texts of the refusals are a contract.

use axum::http::header::AUTHORIZATION;
use serde_json::Value;
use socketioxide::extract::{MaybeHttpExtension, SocketRef, State, TryData};

use super::{Excess, Handlers, Session, actor::Request, received, rooms};
use crate::auth::{Role, bearer};

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
    let auth = auth.ok();
    let Some(session) = session else {
        return admit(&socket, auth.as_ref(), &handlers);
    };
    if !session.is_permitted() {
        return Err(Refused::TooManyConnections);
    }
    if !session.join() {
        return Err(Refused::TooManyConnections);
    }
    let admitted = admit(&socket, auth.as_ref(), &handlers);
    if admitted.is_err() {
        session.leave();
    }
    admitted
}

/// Sets the handler of a client that may connect, and joins its rooms: all of that
/// before the client is told that it is connected, so no event is too early for them.
fn admit(socket: &SocketRef, auth: Option<&Value>, handlers: &Handlers) -> Result<(), Refused> {
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
    let place = handlers.limits.handshake(identity.user);
    // The socket holds it until it is dropped itself, in whatever way it ended.
    socket
        .extensions
        .insert(place.ok_or(Refused::TooMuchOfUser)?);
    socket.extensions.insert(identity);
    socket.extensions.insert(Excess::default());
    socket.on_fallback(received);
    let (sid, gone) = (socket.id, handlers.requests.clone());
    socket.on_disconnect(async move || {
        // Waits for a place: who left must not count as present for ever.
        _ = gone.send(Request::Disconnected(sid, identity.user)).await;
    });
    socket.join([
        rooms::user(identity.user),
        rooms::role(identity.role).to_owned(),
    ]);
    Ok(())
}
