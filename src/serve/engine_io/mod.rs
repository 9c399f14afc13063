//! Engine.IO in front of the library: every request, session and packet is counted and
//! bounded here before the library keeps anything for it, and what the library departs
//! from in the protocol is mended.
//!
//! The library is handed requests that are written anew, with what it needs of them and
//! nothing else, because it keeps them as long as their sessions.

mod first_ping;
mod frames;
mod leaving;
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
        HeaderMap, HeaderValue, Response as HttpResponse, StatusCode,
        header::{AUTHORIZATION, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::any,
};
use hyper::body::Body as HttpBody;
use tower::{Service, ServiceExt};

use super::{client_stream::ClientStream, departure::Departure, least_rate::LeastRate};
use crate::{
    board::UserId,
    hub::{Peer, Session},
    limits::{Admission, Limits, Traffic},
};
use request::EngineIoRequest;
use sessions::Sessions;
use websocket::WebSocket;

/// The longest `Authorization` that a session keeps, in bytes. No token is longer.
const MAX_AUTHORIZATION: usize = 8 * 1024;

/// A WebSocket, as the library is handed it with the request that began it.
type Upgraded = (WebSocket<LeastRate<ClientStream>>, axum::http::Request<()>);

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

/// What stands before one library.
#[derive(Clone)]
struct Front<L> {
    path: &'static str,
    library: L,
    limits: Arc<Limits>,
    departure: Departure,
    sessions: Sessions,
    max_message: usize,
    signed_in: SignedIn,
}

/// Who is signed in by the headers of a request.
pub type SignedIn = Arc<dyn Fn(&HeaderMap) -> Option<UserId> + Send + Sync>;

/// The routes of a library that serves `path`, within limits. The largest body of a
/// client is `max_message`, in bytes. Whom `signed_in` knows does not count for the
/// address.
pub fn routes<L: Library>(
    path: &'static str,
    library: L,
    max_message: usize,
    limits: Arc<Limits>,
    departure: Departure,
    signed_in: SignedIn,
) -> Router {
    let front = Front {
        path,
        library,
        limits,
        departure,
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
    let Some(asked) = EngineIoRequest::read(&request) else {
        return bad_request();
    };
    match asked {
        EngineIoRequest::Open => front.open(asked, request).await,
        EngineIoRequest::Poll(sid) => front.poll(sid, asked).await,
        EngineIoRequest::Post(sid) => front.post(sid, asked, request).await,
        EngineIoRequest::OpenWebSocket(_) => front.open_websocket(asked, request),
        EngineIoRequest::Upgrade(sid, _) => front.upgrade(sid, asked, request),
    }
}

impl<L: Library> Front<L> {
    /// A session for whoever asks for one, if the address may have it; otherwise the
    /// answer. An address that is somewhat over its limits gets a session all the same,
    /// by which it is told so in the words of the contract.
    fn admit(&self, request: &Request) -> Result<Session, Box<Response>> {
        if self.departure.is_closed() {
            // By a connection that is kept alive; new ones are not accepted.
            return Err(Box::new(come_back_after(
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
        // The listener says whose request it is.
        let peer = request.extensions().get::<Peer>();
        let address = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0);
        let permit = match self
            .limits
            .session(address, (self.signed_in)(request.headers()))
        {
            Admission::Opened(permit) | Admission::Refused(permit, _) => permit,
            Admission::Flooded(wait) => {
                return Err(Box::new(come_back_after(
                    StatusCode::TOO_MANY_REQUESTS,
                    wait,
                    "Too many connection attempts from this IP\n",
                )));
            }
        };
        let traffic = Traffic::new(self.limits.clone(), address);
        Ok(Session::new(permit, traffic))
    }

    /// The request as the library is to see and keep it.
    fn rewritten(
        &self,
        asked: &EngineIoRequest,
        headers: &HeaderMap,
    ) -> Option<axum::http::Request<()>> {
        let mut request = axum::http::Request::new(());
        *request.uri_mut() = asked.uri(self.path)?;
        if let Some(token) = headers.get(AUTHORIZATION) {
            // A copy, because the original shares memory with the whole head.
            let token = HeaderValue::from_bytes(token.as_bytes()).ok()?;
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        Some(request)
    }

    /// Asks the library.
    async fn ask(&self, request: Request) -> Response {
        match self.library.clone().oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    }
}

/// What is no request of the protocol, as other servers answer it.
fn bad_request() -> Response {
    (
        StatusCode::BAD_REQUEST,
        "this is no request of Engine.IO 4\n",
    )
        .into_response()
}

/// As other servers answer it, so that clients know that they have to begin anew.
fn unknown_session() -> Response {
    (
        StatusCode::BAD_REQUEST,
        r#"{"code":1,"message":"Session ID unknown"}"#,
    )
        .into_response()
}

fn come_back_after(status: StatusCode, wait: Duration, why: &'static str) -> Response {
    let seconds = HeaderValue::from(wait.as_secs() + 1);
    (status, [(RETRY_AFTER, seconds)], why).into_response()
}
