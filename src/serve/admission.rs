//! Counts connections to the hub where they begin, before anything is kept for
//! them. The hub then refuses whoever has too many in the words of its contract;
//! whoever goes on and on is answered here.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    hub::{Arrival, Peer},
    limits::{Admission, Limits},
};

/// A request to the hub without a session id begins a connection.
pub(super) async fn count(
    State(limits): State<Arc<Limits>>,
    mut request: Request,
    next: Next,
) -> Response {
    let uri = request.uri();
    let has_session = || {
        let query = uri.query().unwrap_or_default();
        query.split('&').any(|pair| pair.starts_with("sid="))
    };
    if uri.path().starts_with("/socket.io")
        && !has_session()
        && let Some(&peer) = request.extensions().get::<Peer>()
    {
        let admission = limits.connection(peer.0);
        if admission == Admission::Flooded {
            let mut response = (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many connection attempts from this IP\n",
            )
                .into_response();
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from_static("60"));
            return response;
        }
        request
            .extensions_mut()
            .insert(Arrival::new(peer, admission));
    }
    next.run(request).await
}
