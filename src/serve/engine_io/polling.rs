//! Long polling. Beside counting, this corrects where engineioxide departs from the
//! protocol: it pings a session as soon as it is open, and keeps one whose client has
//! aborted its poll.

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use hyper::body::{Frame, SizeHint};
use serde::Deserialize;
use socketioxide::socket::Sid;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

use super::{Front, Library, Transport, bad_request, first_ping, retry_after, unknown_session};
use crate::{
    hub::Session,
    limits::{Sent, Verdict},
};

/// The longest answer that opens a session, in bytes.
const MAX_OPENING: u64 = 1024;

/// Between the packets of a body.
const SEPARATOR: u8 = 0x1e;

/// The packet by which a client ends its session.
const END: &[u8] = b"1";

impl<L: Library> Front<L> {
    /// Opens a session. Takes the first ping and answers it, so that the client's first
    /// one comes after an interval, as the protocol has it.
    pub(super) async fn open_polling(&self, request: Request) -> Response {
        let session = match self.admit(&request) {
            Ok(session) => session,
            Err(refusal) => return *refusal,
        };
        let Some(mut opening) = self.rewritten(Transport::Polling, None, request.headers()) else {
            return bad_request();
        };
        opening.extensions_mut().insert(session.clone());
        let response = self.call(opening.map(|()| Body::empty())).await;
        let length = response.body().size_hint().exact();
        if response.status() != StatusCode::OK || length.is_none_or(|length| length > MAX_OPENING) {
            return response;
        }
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, MAX_OPENING as usize)
            .await
            .unwrap_or_default();
        let Some(sid) = sid_of(&body) else {
            return bad_request();
        };
        let front = self.clone();
        session.on_close(move || front.end(sid));
        // The client may disconnect before it is answered, which drops this future.
        let abandoned = Abandoned(Some(session.clone()));
        self.sessions.insert(sid, &session);
        // Nothing was sent yet, so the ping is the only packet.
        let ping = self.send(Method::GET, sid, Body::empty());
        if timeout(first_ping::WAIT, ping).await.is_ok() {
            self.send(Method::POST, sid, Body::from("3")).await;
        }
        Response::from_parts(
            parts,
            Body::new(Answer {
                body: Body::from(body),
                abandoned,
            }),
        )
    }

    /// Waits for packets of the server. A client that disconnects while it polls ends its
    /// session: the library would keep it, and all that is sent to it, until a ping is
    /// not answered. When the server shuts down, a poll is answered by the end of the
    /// transport.
    pub(super) async fn poll(&self, sid: Sid) -> Response {
        let Some(session) = self.sessions.get(sid) else {
            return unknown_session();
        };
        if let Verdict::Close(_) = session.count_poll() {
            return too_much();
        }
        let Some(poll) = self.rewritten(Transport::Polling, Some(sid), &HeaderMap::new()) else {
            return bad_request();
        };
        let mut abandoned = Abandoned(Some(session.clone()));
        let response = tokio::select! {
            response = self.call(poll.map(|()| Body::empty())) => took(&session, response).await,
            () = self.shutdown.disconnect_time() => Response::new(Body::from("1")),
        };
        abandoned.0 = None;
        response
    }

    /// Passes packets of a client to the library.
    pub(super) async fn post(&self, sid: Sid, request: Request) -> Response {
        let Some(session) = self.sessions.get(sid) else {
            return unknown_session();
        };
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, self.max_message).await else {
            session.close();
            return (
                StatusCode::PAYLOAD_TOO_LARGE,
                "a message of a client is at most socket.max_message bytes\n",
            )
                .into_response();
        };
        match session.count(count(&body)) {
            Verdict::Pass => {}
            // The client sends the next one when this one is answered.
            Verdict::Pause(time) => sleep(time).await,
            Verdict::Close(_) => return too_much(),
        }
        let Some(mut post) = self.rewritten(Transport::Polling, Some(sid), &HeaderMap::new())
        else {
            return bad_request();
        };
        *post.method_mut() = Method::POST;
        if let Some(kind) = parts.headers.get(CONTENT_TYPE) {
            post.headers_mut().insert(CONTENT_TYPE, kind.clone());
        }
        let is_end = packets(&body).any(|packet| packet == END);
        let answer = self.call(post.map(|()| Body::from(body))).await;
        if is_end {
            // The library keeps what has ended for some seconds.
            session.close();
        }
        answer
    }

    /// Sends a request in place of the client, and drops the answer.
    async fn send(&self, method: Method, sid: Sid, body: Body) {
        if let Some(request) = self.rewritten(Transport::Polling, Some(sid), &HeaderMap::new()) {
            let mut request = request.map(|()| body);
            *request.method_mut() = method;
            self.call(request).await;
        }
    }

    /// Forgets a session, and ends it as far as the library knows it and it has no
    /// WebSocket.
    fn end(self, sid: Sid) {
        self.sessions.remove(sid);
        // Without a runtime the library does not run either.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { self.send(Method::POST, sid, Body::from("1")).await });
        }
    }
}

/// Counts what an answer delivers to the client.
async fn took(session: &Session, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    // The library has it all in memory already, and no answer is empty.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    session.took(body.len(), packets(&body).count());
    Response::from_parts(parts, Body::from(body))
}

/// Closes the session in it when it is dropped.
struct Abandoned(Option<Session>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.lost();
            session.close();
        }
    }
}

/// The body of an answer without which its client does not know its session.
struct Answer {
    body: Body,
    abandoned: Abandoned,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        this.abandoned.0 = None;
        Pin::new(&mut this.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The answer to a client that has sent too much in a session, which is closed. It may
/// open another one at once.
fn too_much() -> Response {
    retry_after(
        StatusCode::TOO_MANY_REQUESTS,
        Duration::ZERO,
        "too many packets or bytes\n",
    )
}

/// What is in a body. A request counts even if it carries nothing.
fn count(body: &[u8]) -> Sent {
    let connects = packets(body).filter(|packet| packet.starts_with(b"40"));
    Sent {
        // A body is no longer than a message may be, which is far from the limit.
        packets: packets(body).count() as u32,
        connects: connects.count() as u32,
        bytes: body.len(),
    }
}

fn packets(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|&byte| byte == SEPARATOR)
}

/// The id of the session that an opening names.
fn sid_of(opening: &[u8]) -> Option<Sid> {
    #[derive(Deserialize)]
    struct Opening {
        sid: String,
    }
    let Opening { sid } = serde_json::from_slice(opening.strip_prefix(b"0")?).ok()?;
    sid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_a_body_are_counted_by_kind() {
        let sent = |body: &[u8]| {
            let Sent {
                packets,
                connects,
                bytes,
            } = count(body);
            assert_eq!(bytes, body.len());
            (packets, connects)
        };
        assert_eq!(sent(b""), (1, 0));
        assert_eq!(sent(b"3"), (1, 0));
        assert_eq!(sent(b"40"), (1, 1));
        assert_eq!(sent(b"40\x1e42[\"40\"]\x1e40/custom,\x1eb40"), (4, 2));
        assert_eq!(sent(&[SEPARATOR; 9]), (10, 0));
    }

    #[test]
    fn an_opening_names_its_session() {
        let sid = Sid::new();
        let opening = format!("0{{\"sid\":\"{sid}\",\"upgrades\":[]}}");
        assert_eq!(sid_of(opening.as_bytes()), Some(sid));
        assert_eq!(sid_of(b"1"), None);
        assert_eq!(sid_of(b"0{}"), None);
    }
}
