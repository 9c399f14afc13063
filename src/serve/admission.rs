//! Counts connections to the hub where they begin, before anything is kept for
//! them, and gives each a place, which it holds while it lasts. The hub refuses
//! whoever has too many in the words of its contract; whoever goes on and on is
//! answered here.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{departure::Departure, polling::has_session};
use crate::{
    hub::{Peer, Session},
    limits::{Admission, Limits},
};

/// What those are asked who would begin a connection.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) limits: Arc<Limits>,
    pub(super) departure: Departure,
}

/// A request to the hub without a session id begins a connection.
pub(super) async fn count(
    State(Door { limits, departure }): State<Door>,
    mut request: Request,
    next: Next,
) -> Response {
    let uri = request.uri();
    if uri.path().starts_with("/socket.io")
        && !has_session(uri)
        && let Some(&peer) = request.extensions().get::<Peer>()
    {
        if departure.is_closed() {
            // By a connection that is kept alive; new ones are not accepted.
            return come_back_after(
                StatusCode::SERVICE_UNAVAILABLE,
                Duration::ZERO,
                "the server is about to stop\n",
            );
        }
        let place = match limits.connection(peer.0) {
            Admission::Admitted(place) => Some(place),
            Admission::Refused => None,
            Admission::Flooded(wait) => {
                return come_back_after(
                    StatusCode::TOO_MANY_REQUESTS,
                    wait,
                    "Too many connection attempts from this IP\n",
                );
            }
        };
        request.extensions_mut().insert(Session::new(place));
    }
    next.run(request).await
}

fn come_back_after(status: StatusCode, wait: Duration, why: &'static str) -> Response {
    let seconds = HeaderValue::from(wait.as_secs() + 1);
    (status, [(RETRY_AFTER, seconds)], why).into_response()
}
