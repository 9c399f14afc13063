//! WebSockets: the handshake, and the stream that the library reads and writes. In it every
//! frame of a client is counted before the library reads it, and a session that is closed
//! ends whatever its client or the library does.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{
        HeaderValue, Response as HttpResponse, StatusCode,
        header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE},
    },
    response::Response,
};
use hyper_util::rt::TokioIo;
use socketioxide::socket::Sid;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, copy, sink},
    time::{Sleep, sleep, timeout},
};
use tower::ServiceExt;
use tungstenite::handshake::derive_accept_key;

use super::{
    Front, Library, Transport, Upgraded, bad_request, end_on_shutdown::EndOnShutdown,
    first_ping::FirstPing, frames::Frames, request::WebSocketKey, unknown_session,
};
use crate::{
    hub::Session,
    limits::{ConnectionPermit, Reason, Verdict},
    listener::{ClientStream, LeastRate},
    serve::Shutdown,
};

/// The status of a connection that is closed for what its client did (RFC 6455, section
/// 7.4.1).
const POLICY_VIOLATION: u16 = 1008;

/// How long a client that is refused has to read why, and to close the connection.
const LINGER: Duration = Duration::from_secs(1);

/// How long a client may acknowledge nothing: one that has vanished takes the place of the
/// one that comes back in its stead.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// How much of what such a client still sends is read and dropped, in bytes.
const LINGER_BYTES: u64 = 64 * 1024;

/// The stream that the library reads and writes.
pub type WebSocket<S> = FirstPing<EndOnShutdown<Counted<S>>>;

impl<L: Library> Front<L> {
    /// Opens a session by a WebSocket.
    pub(super) fn open_websocket(&self, key: &WebSocketKey, request: Request) -> Response {
        match self.admit(&request) {
            Ok(session) => self.switch(None, key, session, request),
            Err(refusal) => *refusal,
        }
    }

    /// Continues a session by a WebSocket. Each has one: others are closed as soon as they
    /// are open, as the protocol has it.
    pub(super) fn upgrade(&self, sid: Sid, key: &WebSocketKey, mut request: Request) -> Response {
        let Some(session) = self.sessions.get(sid) else {
            return unknown_session();
        };
        if session.take_websocket() {
            return self.switch(Some(sid), key, session, request);
        }
        self.limits.refused(Reason::WebSockets, None);
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move { drop(upgrade.await) });
        switching(key)
    }

    /// Answers the handshake, of a new session or of the one with this id. The library gets
    /// the stream when hyper has sent the answer.
    fn switch(
        &self,
        sid: Option<Sid>,
        key: &WebSocketKey,
        session: Session,
        mut request: Request,
    ) -> Response {
        let rewritten = self.rewritten(Transport::WebSocket, sid, request.headers());
        let Some(mut opening) = rewritten else {
            return bad_request();
        };
        opening.extensions_mut().insert(session.clone());
        let connection = request.extensions_mut().remove::<ConnectionPermit>();
        let upgrade = hyper::upgrade::on(&mut request);
        let (mut library, shutdown) = (self.library.clone(), self.shutdown.clone());
        tokio::spawn(async move {
            // The client may disconnect before it has the answer.
            let Ok(upgraded) = upgrade.await else {
                return session.close();
            };
            let Ok(parts) = upgraded.downcast::<TokioIo<LeastRate<ClientStream>>>() else {
                return session.close();
            };
            let stream = parts.io.into_inner();
            #[cfg(target_os = "linux")]
            stream.get_ref().give_up_after(UNACKNOWLEDGED);
            let counted = Counted::new(stream, parts.read_buf, session, connection);
            let socket = websocket(counted, &shutdown, sid.is_none());
            // From here on a task of the library runs it.
            if let Ok(ready) = ServiceExt::<Upgraded>::ready(&mut library).await {
                _ = ready.call((socket, opening)).await;
            }
        });
        switching(key)
    }
}

/// The answer to a handshake (RFC 6455, section 4.2.2).
fn switching(WebSocketKey(key): &WebSocketKey) -> Response {
    let mut response = HttpResponse::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// The stream of a client with everything between it and the library. `is_opening` is
/// whether the session begins with it: otherwise it has had its first ping.
fn websocket<S>(stream: Counted<S>, shutdown: &Shutdown, is_opening: bool) -> WebSocket<S> {
    let stream = EndOnShutdown::new(stream, shutdown);
    if is_opening {
        FirstPing::new(stream)
    } else {
        FirstPing::none(stream)
    }
}

/// The stream of a client, which ends with its session and whose frames are counted.
pub struct Counted<S> {
    /// None when its client is over a limit, and a task of its own sends it the reason.
    stream: Option<S>,
    /// What was received with the request, before it was answered.
    early: Bytes,
    /// What the client sends.
    frames: Frames,
    /// What it is sent.
    answers: Frames,
    session: Session,
    /// Until then the client is not read.
    pause: Option<Pin<Box<Sleep>>>,
    connection: Option<ConnectionPermit>,
}

impl<S> Counted<S> {
    fn new(
        stream: S,
        early: Bytes,
        session: Session,
        connection: Option<ConnectionPermit>,
    ) -> Self {
        Counted {
            stream: Some(stream),
            // A copy, because what is empty may still hold the buffer of the request.
            early: Bytes::copy_from_slice(&early),
            frames: Frames::default(),
            answers: Frames::default(),
            session,
            pause: None,
            connection,
        }
    }

    fn closed() -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionAborted, "the session was closed")
    }
}

/// However the stream ends, so does the session, whose user may reconnect: also if its client
/// has asked for a WebSocket and does not use it.
impl<S> Drop for Counted<S> {
    fn drop(&mut self) {
        if !self.frames.has_closed() {
            self.session.lost();
        }
        self.session.close();
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Counted<S> {
    /// Sends its client over which limit it is, after the session has ended.
    fn refuse(&mut self, reason: Reason) {
        let connection = self.connection.take();
        // A frame within a frame would be taken for a part of it.
        if let Some(stream) = self.stream.take()
            && self.answers.is_between()
        {
            tokio::spawn(async move {
                _ = timeout(LINGER, send_close(stream, reason)).await;
                drop(connection);
            });
        }
    }
}

/// Sends over which limit a client is, and waits until it has closed the connection. What it
/// still sends is read and dropped: if it were not, the kernel would answer it with a reset,
/// and the client would not read why.
async fn send_close(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    reason: Reason,
) -> io::Result<()> {
    stream.write_all(&close_frame(reason)).await?;
    stream.shutdown().await?;
    copy(&mut stream.take(LINGER_BYTES), &mut sink()).await?;
    Ok(())
}

/// The frame that says why a connection ends.
fn close_frame(reason: Reason) -> Vec<u8> {
    let reason = format!("too many {}", reason.label());
    let payload = [&POLICY_VIOLATION.to_be_bytes(), reason.as_bytes()].concat();
    // A length below 126 is one byte, and all labels are short.
    [&[0x88, payload.len() as u8], &payload[..]].concat()
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> AsyncRead for Counted<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Before it is checked, or a wake in between would be lost.
        this.session.reader().register(context.waker());
        if this.session.is_closed() {
            return Poll::Ready(Err(Self::closed()));
        }
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(context));
            this.pause = None;
        }
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(Err(Self::closed()));
        };
        let before = buffer.filled().len();
        if this.early.is_empty() {
            ready!(Pin::new(stream).poll_read(context, buffer))?;
        } else {
            let now = this
                .early
                .split_to(this.early.len().min(buffer.remaining()));
            buffer.put_slice(&now);
        }
        let sent = this.frames.scan(&buffer.filled()[before..]);
        match this.session.count(sent) {
            Verdict::Pass => {}
            Verdict::Pause(time) => this.pause = Some(Box::pin(sleep(time))),
            Verdict::Close(reason) => {
                // The library does not get what was too much.
                buffer.set_filled(before);
                this.refuse(reason);
                return Poll::Ready(Err(Self::closed()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.session.writer().register(context.waker());
        let stream = this.stream.as_mut().filter(|_| !this.session.is_closed());
        let Some(stream) = stream else {
            return Poll::Ready(Err(Self::closed()));
        };
        let written = ready!(Pin::new(stream).poll_write(context, bytes))?;
        this.answers.scan(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(Err(Self::closed()));
        };
        ready!(Pin::new(stream).poll_flush(context))?;
        // The library flushes when it has written all that it had.
        this.session.taken();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Some(stream) => Pin::new(stream).poll_shutdown(context),
            None => Poll::Ready(Ok(())),
        }
    }
}
