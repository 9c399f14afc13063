//! The stream of a client, of which can be seen that the client has gone while nobody
//! reads from it: hyper does not, as long as another request waits behind the one that is
//! answered.

#[cfg(target_os = "linux")]
use std::time::Duration;
use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

/// How long the kernel keeps what a client has not taken when the stream is closed: no
/// limit of ours counts it any more.
#[cfg(target_os = "linux")]
const UNTAKEN: Duration = Duration::from_secs(30);

/// A TCP stream. Clones are the same, and one of them reads and writes.
#[derive(Clone)]
pub struct ClientStream(Arc<Socket>);

struct Socket(TcpStream);

#[cfg(target_os = "linux")]
impl Drop for Socket {
    fn drop(&mut self) {
        // Of one that is broken nothing is kept.
        _ = socket2::SockRef::from(&self.0).set_tcp_user_timeout(Some(UNTAKEN));
    }
}

impl ClientStream {
    pub(super) fn new(stream: TcpStream) -> ClientStream {
        ClientStream(Arc::new(Socket(stream)))
    }

    /// Resolves when the connection was reset, or another error has ended it.
    pub(super) async fn reset(&self) {
        // An error of the runtime, which ends, is one of the stream too.
        _ = self.0.0.ready(Interest::ERROR).await;
    }

    /// From now on the kernel gives the client up whom it has sent something, or asked
    /// whether it is still there, for so long in vain (RFC 5482).
    ///
    /// Not for a stream on which much is sent: Linux counts the time too in which a client
    /// that reads steadily keeps its window full.
    #[cfg(target_os = "linux")]
    pub fn give_up_after(&self, time: Duration) {
        // One that is broken is given up already.
        _ = socket2::SockRef::from(&self.0.0).set_tcp_user_timeout(Some(time));
    }

    /// When it is closed, what the client has not taken is thrown away, and the client is told
    /// at once by a reset.
    pub(super) fn discard_unsent(&self) {
        // One that is broken has nothing left.
        _ = self.0.0.set_zero_linger();
    }

    /// Does this when the stream is ready for it. That it was not, after all, is found by
    /// doing it.
    fn poll_io<T>(
        &self,
        context: &mut Context<'_>,
        poll_ready: impl Fn(&TcpStream, &mut Context<'_>) -> Poll<io::Result<()>>,
        mut act: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(poll_ready(&self.0.0, context))?;
            match act(&self.0.0) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_io(context, TcpStream::poll_read_ready, |stream| {
            stream.try_read_buf(buffer).map(|_| ())
        })
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_io(context, TcpStream::poll_write_ready, |stream| {
            stream.try_write(bytes)
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_io(context, TcpStream::poll_write_ready, |stream| {
            stream.try_write_vectored(slices)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The kernel has it.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = socket2::SockRef::from(&self.0.0);
        Poll::Ready(match socket.shutdown(std::net::Shutdown::Write) {
            // The client was faster.
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Both ends of a connection.
    async fn pair() -> (ClientStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (accepted, client) = tokio::join!(listener.accept(), client);
        (ClientStream::new(accepted.unwrap().0), client.unwrap())
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        let (mut server, mut client) = pair().await;
        // More than the kernel takes at once.
        let much = vec![7; 10_000_000];
        let (mut got, mut back) = (vec![0; much.len()], [0; 4]);
        let (written, read) = tokio::join!(server.write_all(&much), client.read_exact(&mut got));
        written.unwrap();
        read.unwrap();
        assert!(got == much);
        client.write_all(b"back").await.unwrap();
        server.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"back");
        server.shutdown().await.unwrap();
        assert_eq!(client.read(&mut got).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_reset_is_seen_though_something_is_unread() {
        let (server, mut client) = pair().await;
        client.write_all(b"unread").await.unwrap();
        let is_reset = tokio::time::timeout(std::time::Duration::ZERO, server.reset()).await;
        assert!(is_reset.is_err(), "it goes on");
        client.set_zero_linger().unwrap();
        drop(client);
        server.reset().await;
    }
}
