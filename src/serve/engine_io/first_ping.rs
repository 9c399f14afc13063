//! Keeps the first ping of a WebSocket from its client. Engine.IO pings after an
//! interval; engineioxide pings at once, and waits for the answer.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long the first ping is waited for. It is there at once, or the library has
/// changed, and then nobody should wait for an interval.
pub(super) const WAIT: Duration = Duration::from_millis(100);

/// A text frame with the packet `2`, as a server writes it.
const PING: &[u8] = &[0x81, 0x01, b'2'];
/// A text frame with the packet `3`, as a client writes it, under a mask of zeros.
const PONG: &[u8] = &[0x81, 0x81, 0, 0, 0, 0, b'3'];

/// A connection that answers the first ping of a WebSocket itself. Until then it
/// does not read from the client, so the ping comes alone, and the answer between frames.
pub struct FirstPing<S> {
    stream: S,
    stage: Stage,
}

enum Stage {
    /// The first ping was not sent yet; here is the task that waits to read.
    Before(Option<Reader>),
    /// It was sent, and this much of the answer is to be read.
    Answering(&'static [u8]),
    After,
}

struct Reader {
    waker: Waker,
    late: Pin<Box<Sleep>>,
}

impl<S> FirstPing<S> {
    /// A WebSocket that opens a session.
    pub(super) fn new(stream: S) -> FirstPing<S> {
        FirstPing {
            stream,
            stage: Stage::Before(None),
        }
    }

    /// A WebSocket of a session that was open before: its pings are the client's.
    pub(super) fn none(stream: S) -> FirstPing<S> {
        FirstPing {
            stream,
            stage: Stage::After,
        }
    }

    /// Takes what is written if it is the first ping.
    fn takes(&mut self, written: &[u8]) -> bool {
        let Stage::Before(reader) = &mut self.stage else {
            return false;
        };
        if written != PING {
            return false;
        }
        let reader = reader.take();
        self.stage = Stage::Answering(PONG);
        if let Some(reader) = reader {
            reader.waker.wake();
        }
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstPing<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.stage {
            Stage::Before(reader) => {
                let reader = reader.get_or_insert_with(|| Reader {
                    waker: context.waker().clone(),
                    late: Box::pin(sleep(WAIT)),
                });
                reader.waker.clone_from(context.waker());
                ready!(reader.late.as_mut().poll(context));
                this.stage = Stage::After;
            }
            Stage::Answering(answer) => {
                let (now, later) = answer.split_at(answer.len().min(buffer.remaining()));
                buffer.put_slice(now);
                this.stage = if later.is_empty() {
                    Stage::After
                } else {
                    Stage::Answering(later)
                };
                return Poll::Ready(Ok(()));
            }
            Stage::After => {}
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstPing<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.takes(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.stream).poll_write(context, bytes)
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

    use super::*;

    const MESSAGE: &[u8] = &[0x81, 0x02, b'4', b'!'];

    fn connection(is_opened: bool) -> (FirstPing<DuplexStream>, DuplexStream) {
        let (server, client) = duplex(64);
        let server = if is_opened {
            FirstPing::new(server)
        } else {
            FirstPing::none(server)
        };
        (server, client)
    }

    async fn read(mut stream: impl AsyncRead + Unpin, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn the_first_ping_is_answered_here_and_the_next_is_the_clients() {
        let (server, mut client) = connection(true);
        client.write_all(MESSAGE).await.unwrap();
        // As the library does: one task reads, another writes.
        let (reader, mut writer) = split(server);
        let heard = tokio::spawn(read(reader, PONG.len() + MESSAGE.len()));
        tokio::task::yield_now().await;
        for bytes in [MESSAGE, PING, PING, MESSAGE] {
            writer.write_all(bytes).await.unwrap();
        }
        assert_eq!(heard.await.unwrap(), [PONG, MESSAGE].concat());
        let expected = [MESSAGE, PING, MESSAGE].concat();
        assert_eq!(read(client, expected.len()).await, expected);
    }

    #[tokio::test]
    async fn an_answer_may_be_read_in_pieces() {
        let (mut server, _client) = connection(true);
        server.write_all(PING).await.unwrap();
        let pieces = [read(&mut server, 3).await, read(&mut server, 4).await];
        assert_eq!(pieces.concat(), PONG);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_heard_though_no_ping_comes() {
        let (mut server, mut client) = connection(true);
        client.write_all(MESSAGE).await.unwrap();
        assert_eq!(read(&mut server, MESSAGE.len()).await, MESSAGE);
        server.write_all(PING).await.unwrap();
        assert_eq!(read(client, PING.len()).await, PING);
    }

    #[tokio::test]
    async fn the_pings_of_a_session_that_was_open_are_the_clients() {
        let (mut server, mut client) = connection(false);
        client.write_all(MESSAGE).await.unwrap();
        assert_eq!(read(&mut server, MESSAGE.len()).await, MESSAGE);
        server.write_all(PING).await.unwrap();
        assert_eq!(read(client, PING.len()).await, PING);
    }
}
