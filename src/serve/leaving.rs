//! Lets WebSockets go one after the other when the server is about to end, so that
//! their clients do not come back all at once. The transport ends, and not the
//! session: stock clients come back by themselves from the one and not the other.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::sleep,
};

use super::listener::Flag;

/// Within which time to leave, when it is time to leave.
pub(super) type Window = Option<Duration>;

/// A connection that, as a WebSocket, ends at a moment of its own within the window.
pub(super) struct Leaving<S> {
    stream: S,
    is_websocket: Flag,
    leave: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S> Leaving<S> {
    pub(super) fn new(stream: S, is_websocket: Flag, window: watch::Receiver<Window>) -> Self {
        Leaving {
            stream,
            is_websocket,
            leave: Some(Box::pin(moment(window))),
        }
    }
}

async fn moment(mut window: watch::Receiver<Window>) {
    let window = window.wait_for(Option::is_some).await;
    match window.map(|window| window.unwrap_or_default()) {
        Ok(window) => sleep(window.mul_f64(rand::random())).await,
        // Nobody will say so any more.
        Err(_) => std::future::pending().await,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Leaving<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_websocket.get() {
            if let Some(leave) = &mut this.leave
                && leave.as_mut().poll(context).is_ready()
            {
                this.leave = None;
            }
            if this.leave.is_none() {
                // As if the client had ended the connection, from now on.
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Leaving<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn connection(
        is_websocket: bool,
        window: &watch::Sender<Window>,
    ) -> (Leaving<DuplexStream>, DuplexStream) {
        let (server, client) = duplex(64);
        let flag = Flag::default();
        if is_websocket {
            flag.set();
        }
        (Leaving::new(server, flag, window.subscribe()), client)
    }

    #[tokio::test]
    async fn a_websocket_ends_within_the_window_and_a_request_does_not() {
        let (window, _) = watch::channel(None);
        let (mut socket, mut client) = connection(true, &window);
        let (mut request, mut caller) = connection(false, &window);
        client.write_all(b"a").await.unwrap();
        assert_eq!(socket.read_u8().await.unwrap(), b'a');
        window.send_replace(Some(Duration::from_millis(20)));
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0);
        client.write_all(b"b").await.unwrap();
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0, "for good");
        caller.write_all(b"c").await.unwrap();
        assert_eq!(request.read_u8().await.unwrap(), b'c');
    }
}
