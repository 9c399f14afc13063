//! Lets a WebSocket go when the server is about to end. The transport ends, and not
//! the session: stock clients come back by themselves from the one and not the other.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, ReadBuf};

use super::{departure::Departure, listener::Flag};

/// What comes of a client. Of a WebSocket it ends at its moment of the departure.
pub(super) struct Leaving<S> {
    stream: S,
    is_websocket: Flag,
    leave: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S> Leaving<S> {
    pub(super) fn new(stream: S, is_websocket: Flag, departure: &Departure) -> Self {
        Leaving {
            stream,
            is_websocket,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn connection(
        is_websocket: bool,
        departure: &Departure,
    ) -> (Leaving<DuplexStream>, DuplexStream) {
        let (server, client) = duplex(64);
        let flag = Flag::default();
        if is_websocket {
            flag.set();
        }
        (Leaving::new(server, flag, departure), client)
    }

    #[tokio::test(start_paused = true)]
    async fn a_websocket_ends_and_a_request_does_not() {
        let departure = Departure::default();
        let (mut socket, mut client) = connection(true, &departure);
        let (mut request, mut caller) = connection(false, &departure);
        client.write_all(b"a").await.unwrap();
        assert_eq!(socket.read_u8().await.unwrap(), b'a');
        departure.let_go(Duration::from_secs(10));
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0);
        client.write_all(b"b").await.unwrap();
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0, "for good");
        caller.write_all(b"c").await.unwrap();
        assert_eq!(request.read_u8().await.unwrap(), b'c');
    }
}
