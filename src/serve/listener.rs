//! The listener. axum's own has no time limit for request headers and no socket
//! options, so a client that sends or reads nothing would be kept for ever.

use std::{
    future::Future,
    io,
    net::IpAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, http::StatusCode};
use futures_util::TryFutureExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::join,
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tower::ServiceExt;

use super::{
    client_address::client_address, departure::Departure, first_ping::FirstPing, leaving::Leaving,
    polling::has_session,
};
use crate::hub::Peer;

/// How long the headers of a request may take.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sent data may go without an acknowledgement before the connection
/// is given up (RFC 5482): a client that has stopped reading, or has gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// How long nothing may come of a peer before it is asked whether it is still there.
const UNHEARD: Duration = Duration::from_secs(10);
/// After running out of file descriptors, for some to be given back.
const PAUSE: Duration = Duration::from_millis(100);

/// The connections that are open.
pub struct Connections {
    stop: watch::Sender<bool>,
    /// Every connection holds a sender, so that this ends when all have.
    open: mpsc::Receiver<()>,
}

/// By which a connection hears what has become of it.
#[derive(Clone, Default)]
pub(super) struct Flag(Arc<AtomicBool>);

impl Flag {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Connections {
    /// Asks all to end after the request that they serve, and waits until they
    /// have. Sockets of the hub are none of them any more.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        _ = self.open.recv().await;
    }
}

/// Accepts connections and serves them until `stop`. What `proxies` say of whom
/// they forward is believed. WebSockets go with the departure.
pub async fn accept(
    listener: TcpListener,
    router: Router,
    proxies: Arc<[IpNet]>,
    departure: Departure,
    stop: impl Future<Output = ()>,
) -> Connections {
    let (stopping, stopped) = watch::channel(false);
    let (alive, open) = mpsc::channel(1);
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let connection = Connection {
                        router: router.clone(),
                        peer: peer.ip(),
                        proxies: proxies.clone(),
                        stopped: stopped.clone(),
                        departure: departure.clone(),
                        _alive: alive.clone(),
                    };
                    tokio::spawn(connection.serve(stream));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            () = &mut stop => return Connections { stop: stopping, open },
        }
    }
}

struct Connection {
    router: Router,
    peer: IpAddr,
    proxies: Arc<[IpNet]>,
    stopped: watch::Receiver<bool>,
    departure: Departure,
    _alive: mpsc::Sender<()>,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream) {
        if let Err(error) = set_options(&stream) {
            tracing::debug!(%error, "a connection ended before it began");
            return;
        }
        let (router, peer, proxies) = (self.router, self.peer, self.proxies);
        let (is_websocket, opened) = (Flag::default(), Flag::default());
        let (reader, writer) = stream.into_split();
        let reader = Leaving::new(reader, is_websocket.clone(), &self.departure);
        let stream = FirstPing::new(join(reader, writer), opened.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            // For each request anew: a proxy has one connection for many clients.
            let client = client_address(peer, request.headers(), &proxies);
            request.extensions_mut().insert(Peer(client));
            let begins = !has_session(request.uri());
            let request: Request = request.map(Body::new);
            let answered = router.clone().oneshot(request);
            let (is_websocket, opened) = (is_websocket.clone(), opened.clone());
            answered.inspect_ok(move |response| {
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    is_websocket.set();
                    if begins {
                        opened.set();
                    }
                }
            })
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let stopped = async {
            _ = self.stopped.wait_for(|stopped| *stopped).await;
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended badly");
        }
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    // A peer that has vanished is found though there is nothing to send to it.
    let keepalive = TcpKeepalive::new().with_time(UNHEARD);
    #[cfg(target_os = "linux")]
    let keepalive = keepalive.with_interval(UNHEARD / 2).with_retries(2);
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
