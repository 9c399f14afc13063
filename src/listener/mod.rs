//! The listener: accepts connections within limits, and puts the client's address on each
//! request. It knows no routes.
//!
//! axum's own listener has no time limit for request headers and no socket options, so a
//! client that sends or reads nothing would be connected for ever.

mod client_address;
mod client_stream;
mod least_rate;
mod open_files;

use std::{
    future::Future,
    io,
    net::IpAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    http::{
        StatusCode, Uri, Version,
        header::{HOST, UPGRADE},
    },
    response::IntoResponse,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tower::ServiceExt;

use crate::{
    limits::{ConnectionPermit, Limits, Reason},
    log_throttle::LogThrottle,
};
pub use client_address::{ClientAddress, Proxies};
pub use client_stream::ClientStream;
pub use least_rate::LeastRate;
use least_rate::TooSlow;
pub use open_files::raise_limit;

/// The largest head of a request, in bytes. Beyond it the answer is a 431.
const MAX_HEAD: usize = 32 * 1024;

/// How long the headers of a request may take.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// What a line of a head has beside name and value: `: ` and its end.
const LINE: usize = 4;
/// How long a connection may be silent before the first keepalive probe.
const SILENT: Duration = Duration::from_secs(10);
/// After running out of file descriptors, for some to be given back.
const PAUSE: Duration = Duration::from_millis(100);
/// How much of what is to be sent the kernel keeps unsent for a client, in bytes: more
/// would only be older by the time it is read.
const UNSENT: u32 = 32 * 1024;

/// The connections that are open.
pub struct Connections {
    stop: watch::Sender<bool>,
    /// Every connection holds a sender, so that this ends when all have.
    open: mpsc::Receiver<()>,
}

impl Connections {
    /// Asks all to end after the request that they serve, and waits until they
    /// have. Sockets of the hub are none of them any more.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        _ = self.open.recv().await;
    }
}

/// Accepts connections within the limits and serves them until `stop`. `proxies` are
/// believed when they say for which client they forward a request.
pub async fn accept(
    listener: TcpListener,
    router: Router,
    proxies: Arc<Proxies>,
    limits: Arc<Limits>,
    stop: impl Future<Output = ()>,
) -> Connections {
    let (stopping, stopped) = watch::channel(false);
    let (alive, open) = mpsc::channel(1);
    let log = LogThrottle::default();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match limits.open(peer.ip()) {
                    Ok(permit) => {
                        let connection = Connection {
                            router: router.clone(),
                            peer: peer.ip(),
                            proxies: proxies.clone(),
                            permit,
                            limits: limits.clone(),
                            stopped: stopped.clone(),
                            _alive: alive.clone(),
                        };
                        tokio::spawn(connection.serve(stream));
                    }
                    Err(reason) => {
                        limits.refused(reason, Some(peer.ip()));
                        refuse(&stream);
                    }
                },
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if let Some(suppressed) = log.allow(Instant::now()) {
                        tracing::error!(%error, suppressed, "no connection can be accepted");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            },
            () = &mut stop => return Connections { stop: stopping, open },
        }
    }
}

/// Says why, as far as that can be said without waiting. The connection is closed by
/// being dropped.
fn refuse(stream: &TcpStream) {
    _ = stream.try_write(
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nContent-Length: 0\r\n\
        Connection: close\r\n\r\n",
    );
}

struct Connection {
    router: Router,
    peer: IpAddr,
    proxies: Arc<Proxies>,
    permit: ConnectionPermit,
    limits: Arc<Limits>,
    stopped: watch::Receiver<bool>,
    _alive: mpsc::Sender<()>,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream) {
        if let Err(error) = set_options(&stream) {
            tracing::debug!(%error, "a connection ended before it began");
            return;
        }
        let (router, peer, proxies) = (self.router, self.peer, self.proxies);
        let (permit, limits) = (self.permit, self.limits.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let refusal = refusal(&request);
            if refusal.is_some() {
                limits.refused(Reason::Heads, Some(peer));
            }
            // Of each request: a proxy has one connection for many clients.
            let client = ClientAddress(proxies.client(peer, request.headers_mut()));
            request.extensions_mut().insert(client);
            if request.headers().contains_key(UPGRADE) {
                request.extensions_mut().insert(permit.clone());
            }
            let router = router.clone();
            async move {
                // One answer a turn: a client that sends many requests at once would keep
                // the others waiting for all of them.
                tokio::task::yield_now().await;
                match refusal {
                    None => router.oneshot(request.map(Body::new)).await,
                    Some(refusal) => Ok(refusal.into_response()),
                }
            }
        });
        let stream = ClientStream::new(stream);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(LeastRate::new(stream.clone())), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let stopped = async {
            _ = self.stopped.wait_for(|stopped| *stopped).await;
        };
        let served = async {
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopped => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        };
        let ended = tokio::select! {
            ended = served => ended,
            // The client is gone.
            () = stream.reset() => return,
        };
        if let Err(error) = ended {
            if TooSlow::is_cause_of(&error) {
                self.limits.refused(Reason::SlowReaders, Some(peer));
                stream.discard_unsent();
            }
            tracing::debug!(%error, "a connection ended badly");
        }
    }
}

/// Why a request is not processed, if so.
fn refusal<B>(request: &hyper::Request<B>) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    let lines = headers.iter();
    let lines = lines.map(|(name, value)| name.as_str().len() + value.len() + LINE);
    // hyper refuses what does not fit into its buffer, which grows in large steps.
    if uri_length(request.uri()) + lines.sum::<usize>() > MAX_HEAD {
        return Some((
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "the head of a request is at most 32 KiB\n",
        ));
    }
    // Where there is none, or two, a proxy may take another than we do (RFC 9112,
    // section 3.2). Before HTTP/1.1 there was no Host.
    let mut hosts = headers.get_all(HOST).iter();
    let is_one = match (hosts.next(), hosts.next()) {
        (Some(host), None) => !host.as_bytes().iter().any(|byte| b", \t@/".contains(byte)),
        (None, _) => request.version() < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    };
    (!is_one).then_some((StatusCode::BAD_REQUEST, "a request has one Host\n"))
}

fn uri_length(uri: &Uri) -> usize {
    uri.path_and_query().map_or(0, |it| it.as_str().len())
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    // So a peer that has vanished is found even if there is nothing to send to it.
    let keepalive = TcpKeepalive::new().with_time(SILENT);
    #[cfg(target_os = "linux")]
    let keepalive = keepalive.with_interval(SILENT / 2).with_retries(2);
    socket.set_tcp_keepalive(&keepalive)
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn status(headers: &[(&str, &str)]) -> Option<StatusCode> {
        let mut request = Request::builder().uri("/?q=x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        refusal(&request.body(()).unwrap()).map(|(status, _)| status)
    }

    #[test]
    fn a_request_has_one_host() {
        for host in ["board.example", "board.example:3000", "[::1]:3000", ""] {
            assert_eq!(status(&[("host", host)]), None, "{host}");
        }
        let bad = Some(StatusCode::BAD_REQUEST);
        assert_eq!(status(&[]), bad);
        assert_eq!(status(&[("host", "a"), ("host", "a")]), bad);
        for host in ["a, b", "a b", "user@a", "a/b"] {
            assert_eq!(status(&[("host", host)]), bad, "{host}");
        }
        let mut old = Request::new(());
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(refusal(&old), None);
    }

    #[test]
    fn a_head_has_its_size() {
        let host = ("host", "a");
        let padding = "x".repeat(MAX_HEAD - 40);
        assert_eq!(status(&[host, ("padding", &padding)]), None);
        let too_large = Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        let half = "x".repeat(MAX_HEAD / 2);
        assert_eq!(status(&[host, ("a", &half), ("b", &half)]), too_large);
    }
}
