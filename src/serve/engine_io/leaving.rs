//! Lets a WebSocket go when the server is about to end. The transport ends, and not
//! the session: stock clients come back by themselves from the one and not the other.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::serve::departure::Departure;

/// The stream of a client, of which no more comes from its moment of the departure on.
pub(super) struct Leaving<S> {
    stream: S,
    leave: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S> Leaving<S> {
    pub(super) fn new(stream: S, departure: &Departure) -> Self {
        Leaving {
            stream,
            leave: Some(Box::pin(departure.moment())),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Leaving<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(leave) = &mut this.leave
            && leave.as_mut().poll(context).is_ready()
        {
            this.leave = None;
        }
        if this.leave.is_none() {
            // As if the client had ended the connection, from now on.
            return Poll::Ready(Ok(()));
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
    async fn no_more_comes_of_a_websocket_that_leaves() {
        let departure = Departure::default();
        let (server, mut client) = duplex(64);
        let mut socket = Leaving::new(server, &departure);
        client.write_all(b"a").await.unwrap();
        assert_eq!(socket.read_u8().await.unwrap(), b'a');
        departure.let_go(Duration::from_secs(10));
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0);
        client.write_all(b"b").await.unwrap();
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0, "for good");
        socket.write_all(b"c").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'c');
    }
}
