//! Engine.IO in front of the library: every request, session and packet is counted and
//! bounded here before the library stores anything for it, and where the library departs
//! from the protocol, that is corrected.
//!
//! A connect goes this way: [`serve`] parses the request once, `admit` makes the
//! [`Session`] within the limits of the address, [`polling`] or [`websocket`] passes the
//! rewritten request and the session to the library, and the library calls the handshake
//! of the hub.

mod end_on_shutdown;
mod first_ping;
mod frames;
mod polling;
mod request;
mod sessions;
mod websocket;

use std::{convert::Infallible, error::Error, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Request as HttpRequest, Response as HttpResponse, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::any,
};
use hyper::body::Body as HttpBody;
use socketioxide::socket::Sid;
use tower::{Service, ServiceExt};

use super::Shutdown;
use crate::{
    board::UserId,
    hub::Session,
    limits::{Admission, Limits, Traffic},
    listener::{ClientAddress, ClientStream, LeastRate},
};
use request::{EngineIoRequest, Transport, rewrite};
use sessions::Sessions;
use websocket::WebSocket;

/// The longest `Authorization` that a session keeps, in bytes. No token is longer.
const MAX_AUTHORIZATION: usize = 8 * 1024;

/// A WebSocket as the library takes it, with the request that opened it.
type Upgraded = (WebSocket<LeastRate<ClientStream>>, HttpRequest<()>);

/// The library's side of Engine.IO: a service for requests and one for WebSockets.
pub trait Library:
    Service<Request, Response = HttpResponse<Self::Body>, Error = Infallible, Future: Send>
    + Service<Upgraded, Error: Send, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
    /// Of its answers.
    type Body: HttpBody<Data = Bytes, Error: Error + Send + Sync> + Send + 'static;
}

impl<T, B> Library for T
where
    T: Service<Request, Response = HttpResponse<B>, Error = Infallible, Future: Send>
        + Service<Upgraded, Error: Send, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: HttpBody<Data = Bytes, Error: Error + Send + Sync> + Send + 'static,
{
    type Body = B;
}

/// Everything in front of one library.
#[derive(Clone)]
struct Front<L> {
    path: &'static str,
    library: L,
    limits: Arc<Limits>,
    shutdown: Shutdown,
    sessions: Sessions,
    max_message: usize,
    signed_in: SignedIn,
}

/// The user who is signed in by the headers of a request.
pub type SignedIn = Arc<dyn Fn(&HeaderMap) -> Option<UserId> + Send + Sync>;

/// The routes of a library that serves `path`, within limits. The largest body of a
/// client is `max_message`, in bytes. Sessions of users whom `signed_in` knows do not count
/// for their address.
pub fn routes<L: Library>(
    path: &'static str,
    library: L,
    max_message: usize,
    limits: Arc<Limits>,
    shutdown: Shutdown,
    signed_in: SignedIn,
) -> Router {
    let front = Front {
        path,
        library,
        limits,
        shutdown,
        sessions: Sessions::default(),
        max_message,
        signed_in,
    };
    Router::new()
        .route(path, any(serve::<L>))
        .route(&format!("{path}/"), any(serve::<L>))
        .with_state(front)
}

async fn serve<L: Library>(State(front): State<Front<L>>, request: Request) -> Response {
    let mut response = match EngineIoRequest::parse(&request) {
        Some(EngineIoRequest::OpenPolling) => front.open_polling(request).await,
        Some(EngineIoRequest::OpenWebSocket(key)) => front.open_websocket(&key, request),
        Some(EngineIoRequest::Poll(sid)) => front.poll(sid).await,
        Some(EngineIoRequest::Post(sid)) => front.post(sid, request).await,
        Some(EngineIoRequest::Upgrade(sid, key)) => front.upgrade(sid, &key, request),
        None => bad_request(),
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // What is sent to one client, of a private board perhaps, is for no other.
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

impl<L: Library> Front<L> {
    /// A new session, if the address may have one; otherwise the answer. An address that
    /// is somewhat over its limits gets a session all the same, in which the handshake
    /// refuses its client as the protocol has it.
    fn admit(&self, request: &Request) -> Result<Session, Box<Response>> {
        if self.shutdown.refuses_sessions() {
            // By a connection that was open before; new ones are not accepted.
            return Err(Box::new(retry_after(
                StatusCode::SERVICE_UNAVAILABLE,
                Duration::ZERO,
                "the server is about to stop\n",
            )));
        }
        let authorization = request.headers().get(AUTHORIZATION);
        if authorization.is_some_and(|value| value.len() > MAX_AUTHORIZATION) {
            let why = "no token is longer than 8 KiB\n";
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Box::new((status, why).into_response()));
        }
        // The listener has put it on the request.
        let address = request.extensions().get::<ClientAddress>();
        let address = address.map_or(IpAddr::from([0, 0, 0, 0]), |address| address.0);
        let permit = match self
            .limits
            .session(address, (self.signed_in)(request.headers()))
        {
            Admission::Opened(permit) | Admission::Refused(permit, _) => permit,
            Admission::Flooded(wait) => {
                return Err(Box::new(retry_after(
                    StatusCode::TOO_MANY_REQUESTS,
                    wait,
                    "Too many connection attempts from this IP\n",
                )));
            }
        };
        let traffic = Traffic::new(self.limits.clone(), address);
        Ok(Session::new(permit, traffic))
    }

    /// A request for the library; see [`rewrite`].
    fn rewritten(
        &self,
        transport: Transport,
        sid: Option<Sid>,
        headers: &HeaderMap,
    ) -> Option<HttpRequest<()>> {
        rewrite(self.path, transport, sid, headers)
    }

    /// Passes a request to the library.
    async fn call(&self, request: Request) -> Response {
        match self.library.clone().oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    }
}

/// The answer to a request that is none of the protocol, as other servers give it.
fn bad_request() -> Response {
    (
        StatusCode::BAD_REQUEST,
        "this is no request of Engine.IO 4\n",
    )
        .into_response()
}

/// As other servers answer it, so that clients open a new session.
fn unknown_session() -> Response {
    (
        StatusCode::BAD_REQUEST,
        r#"{"code":1,"message":"Session ID unknown"}"#,
    )
        .into_response()
}

fn retry_after(status: StatusCode, wait: Duration, why: &'static str) -> Response {
    let seconds = HeaderValue::from(wait.as_secs() + 1);
    (status, [(RETRY_AFTER, seconds)], why).into_response()
}
