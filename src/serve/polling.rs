//! Mends from outside where engineioxide's long-polling departs from the Engine.IO
//! protocol: a session is pinged as soon as it is open, and outlives a poll that
//! its client has given up.

use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, Uri},
    middleware::Next,
    response::Response,
};
use serde::Deserialize;
use tokio::{runtime::Handle, time::timeout};

use super::{departure::Departure, first_ping};

/// An opening is shorter than this.
const MAX_OPENING: u64 = 1024;

/// Passes requests on; those that open a session, and those that poll one, with
/// what the library leaves out.
pub(super) async fn mend(
    State(departure): State<Departure>,
    request: Request,
    next: Next,
) -> Response {
    let polls = request.method() == Method::GET
        && asks(request.uri(), |pair| pair.starts_with("EIO="))
        && asks(request.uri(), |pair| pair == "transport=polling");
    if !polls {
        next.run(request).await
    } else if has_session(request.uri()) {
        poll(&departure, request, next).await
    } else {
        open(request, next).await
    }
}

/// Is it for a session that is open already?
pub(super) fn has_session(uri: &Uri) -> bool {
    asks(uri, |pair| pair.starts_with("sid="))
}

fn asks(uri: &Uri, wanted: fn(&str) -> bool) -> bool {
    uri.query().unwrap_or_default().split('&').any(wanted)
}

/// Takes the first ping and answers it, so that the client's first one comes after
/// an interval, as the protocol has it.
async fn open(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let response = next.clone().run(request).await;
    let length = response.body().size_hint().exact();
    if response.status() != StatusCode::OK || length.is_none_or(|length| length > MAX_OPENING) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_OPENING as usize)
        .await
        .unwrap_or_default();
    if let Some(session) = Session::opened(&uri, &body, next) {
        // Nobody has said anything yet, so there is nothing else to take.
        let ping = session.send(Method::GET, Body::empty());
        if timeout(first_ping::WAIT, ping).await.is_ok() {
            session.send(Method::POST, Body::from("3")).await;
        }
    }
    Response::from_parts(parts, Body::from(body))
}

/// Closes the session of a client that goes away while it polls: the library would
/// keep it, and all that is sent to it, until a ping is not answered. When the
/// server is about to end, a poll is answered by the end of the transport.
async fn poll(departure: &Departure, request: Request, next: Next) -> Response {
    let mut abandoned = Abandoned(Some(Session {
        uri: request.uri().clone(),
        next: next.clone(),
    }));
    tokio::select! {
        response = next.run(request) => {
            abandoned.0 = None;
            response
        }
        () = departure.moment() => Response::new(Body::from("1")),
    }
}

/// Closes the session in it when it is dropped.
struct Abandoned(Option<Session>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let (Some(session), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move { session.send(Method::POST, Body::from("1")).await });
        }
    }
}

/// The way to a session.
struct Session {
    uri: Uri,
    next: Next,
}

impl Session {
    /// The session that this answer to a request for `uri` has opened.
    fn opened(uri: &Uri, opening: &[u8], next: Next) -> Option<Session> {
        #[derive(Deserialize)]
        struct Opening {
            sid: String,
        }
        let Opening { sid } = serde_json::from_slice(opening.strip_prefix(b"0")?).ok()?;
        let uri = format!("{uri}&sid={sid}").parse().ok()?;
        Some(Session { uri, next })
    }

    /// Sends what the client could have sent, and drops the answer.
    async fn send(&self, method: Method, body: Body) {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        self.next.clone().run(request).await;
    }
}
