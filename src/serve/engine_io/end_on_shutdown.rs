//! Ends a WebSocket when the server shuts down. The transport ends, and not the session:
//! stock clients reconnect by themselves after the one and not after the other.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::serve::Shutdown;

/// The stream of a client, which is at its end from its disconnect time on.
pub struct EndOnShutdown<S> {
    stream: S,
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S> EndOnShutdown<S> {
    pub(super) fn new(stream: S, shutdown: &Shutdown) -> Self {
        EndOnShutdown {
            stream,
            end: Some(Box::pin(shutdown.disconnect_time())),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for EndOnShutdown<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(end) = &mut this.end
            && end.as_mut().poll(context).is_ready()
        {
            this.end = None;
        }
        if this.end.is_none() {
            // As if the client had ended the connection, from now on.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for EndOnShutdown<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
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
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_more_is_read_after_the_disconnect_time() {
        let shutdown = Shutdown::default();
        let (server, mut client) = duplex(64);
        let mut socket = EndOnShutdown::new(server, &shutdown);
        client.write_all(b"a").await.unwrap();
        assert_eq!(socket.read_u8().await.unwrap(), b'a');
        shutdown.disconnect(Duration::from_secs(10));
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0);
        client.write_all(b"b").await.unwrap();
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0, "for good");
        socket.write_all(b"c").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'c');
    }
}
