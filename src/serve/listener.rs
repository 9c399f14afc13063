//! The listener. axum's own has no time limit for request headers and no socket
//! options, so a client that sends or reads nothing would be kept for ever.

use std::{future::Future, io, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::hub::Peer;

/// How long the headers of a request may take.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sent data may go without an acknowledgement before the connection
/// is given up (RFC 5482): a client that has stopped reading, or has gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// After running out of file descriptors, for some to be given back.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and serves them until `stop`. Answers with those that
/// are still open, which can be asked to finish.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
) -> GracefulShutdown {
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => serve(stream, Peer(peer.ip()), &router, &connections),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            () = &mut stop => return connections,
        }
    }
}

fn serve(stream: TcpStream, peer: Peer, router: &Router, connections: &GracefulShutdown) {
    let options = stream.set_nodelay(true).and_then(|()| {
        let socket = SockRef::from(&stream);
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
        socket.set_keepalive(true)
    });
    if options.is_err() {
        // The peer has gone already.
        return;
    }
    let router = router.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let request: Request = request.map(Body::new);
        router.clone().oneshot(request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let connection = connections.watch(connection.into_owned());
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended badly");
        }
    });
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}
