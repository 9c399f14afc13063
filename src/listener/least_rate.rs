//! The least rate at which a client must take what it is sent. Whoever takes an answer a
//! few bytes at a time would hold it in memory, as part of what its address may hold, for
//! as long as it likes. The kernel's own time limit (`TCP_USER_TIMEOUT`) does not see that,
//! and sees another thing instead: a client that reads steadily but keeps its window full.
//!
//! As Kestrel's `MinResponseDataRate` and `RequestReadTimeout` of Apache's mod_reqtimeout
//! have it, by a token bucket: time in which the client takes nothing is taken from its
//! patience, and what it takes gives some back.

use std::{
    fmt,
    future::Future,
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// Bytes a second. A slow phone, of 20 kB/s, may have a dozen connections at once.
const LEAST_RATE: u64 = 1024;

/// How long a client may take nothing, when it has taken enough before: longer than the
/// hub waits for a WebSocket's client. The kernel takes
/// some ten kilobytes at once and then nothing until half of that is sent, so a client that
/// takes a steady 1.7 kB a second seems to take nothing for half a minute.
const PATIENCE: Duration = Duration::from_secs(60);

/// In such steps time passes. One that took longer counts no more: then it is the server
/// that was suspended, or busy.
const STEP: Duration = Duration::from_secs(1);

/// The client took less than the least rate. It is inside the `io::Error` with which
/// writing to it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooSlow;

impl TooSlow {
    /// Is that why this failed?
    pub(super) fn is_cause_of(error: &(dyn std::error::Error + 'static)) -> bool {
        let cause = error.downcast_ref::<io::Error>();
        let cause = cause.and_then(io::Error::get_ref);
        cause.is_some_and(|cause| cause.is::<TooSlow>())
            || error.source().is_some_and(TooSlow::is_cause_of)
    }
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the client reads less than {LEAST_RATE} bytes a second")
    }
}

impl std::error::Error for TooSlow {}

/// How much longer is waited for a client. Pure.
#[derive(Debug)]
struct Patience(Duration);

impl Patience {
    fn new() -> Patience {
        Patience(PATIENCE)
    }

    /// The client has taken so many bytes.
    fn took(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let more = Duration::from_millis(bytes.saturating_mul(1000) / LEAST_RATE);
        self.0 = self.0.saturating_add(more).min(PATIENCE);
    }

    /// For this time longer the client has taken nothing. Is that too long?
    fn waited(&mut self, time: Duration) -> bool {
        self.0 = self.0.saturating_sub(time.min(STEP));
        self.0.is_zero()
    }
}

/// A stream whose writing fails with [`TooSlow`] when the other side takes too little.
/// As long as all is taken at once it costs nothing.
pub struct LeastRate<S> {
    stream: S,
    patience: Patience,
    /// The end of this step, while the other side takes nothing.
    step_end: Option<Pin<Box<Sleep>>>,
}

impl<S> LeastRate<S> {
    pub(super) fn new(stream: S) -> LeastRate<S> {
        LeastRate {
            stream,
            patience: Patience::new(),
            step_end: None,
        }
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// What came of writing, or that the client was waited for too long.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let too_slow = || Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, TooSlow)));
        if let Poll::Ready(result) = written {
            if let Some(end) = self.step_end.take() {
                let rest = end.deadline().saturating_duration_since(Instant::now());
                if self.patience.waited(STEP.saturating_sub(rest)) {
                    return too_slow();
                }
            }
            if let Ok(bytes) = result {
                self.patience.took(bytes);
            }
            return Poll::Ready(result);
        }
        loop {
            let end = self.step_end.get_or_insert_with(|| Box::pin(sleep(STEP)));
            if end.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.step_end = None;
            if self.patience.waited(STEP) {
                return too_slow();
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LeastRate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for LeastRate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        task::JoinHandle,
        time::advance,
    };

    use super::*;

    /// What the kernel would hold.
    const BUFFER: usize = 1000;
    const ANSWER: usize = 200_000;

    /// An answer that is written, which ends with how long that took, and who is to read it.
    fn answered() -> (JoinHandle<io::Result<Duration>>, DuplexStream) {
        let (server, client) = duplex(BUFFER);
        let mut server = LeastRate::new(server);
        let answer = async move {
            let began = Instant::now();
            server.write_all(&[7; ANSWER]).await?;
            Ok(began.elapsed())
        };
        (tokio::spawn(answer), client)
    }

    /// Reads all there is, so many bytes at once, each time after this pause.
    async fn read(client: &mut DuplexStream, bytes: usize, pause: Duration) {
        let mut part = vec![0; bytes];
        let mut more = true;
        while more {
            sleep(pause).await;
            more = client.read(&mut part).await.is_ok_and(|bytes| bytes > 0);
        }
    }

    fn is_too_slow<T>(written: io::Result<T>) -> bool {
        written.is_err_and(|error| TooSlow::is_cause_of(&error))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_is_given_up() {
        let (answer, _client) = answered();
        let began = Instant::now();
        assert!(is_too_slow(answer.await.unwrap()));
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_a_few_bytes_at_a_time_is_given_up() {
        for (bytes, pause) in [(1, 1), (10, 1), (100, 1), (500, 1), (1000, 10)] {
            let (answer, mut client) = answered();
            let began = Instant::now();
            let reads = tokio::spawn(async move {
                read(&mut client, bytes, Duration::from_secs(pause)).await;
            });
            assert!(is_too_slow(answer.await.unwrap()), "{bytes} in {pause} s");
            let took = began.elapsed();
            assert!(took < 3 * PATIENCE, "{bytes} in {pause} s: {took:?}");
            reads.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slow_has_the_whole_answer() {
        for (bytes, pause) in [(1000, 50), (100, 5), (200, 100), (1000, 900)] {
            let (answer, mut client) = answered();
            read(&mut client, bytes, Duration::from_millis(pause)).await;
            assert!(answer.await.unwrap().is_ok(), "{bytes} in {pause} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_pause_again_and_again() {
        let (answer, mut client) = answered();
        let pause = PATIENCE - 2 * STEP;
        // So much gives all of its patience back.
        let mut much = vec![0; ANSWER / 2];
        assert!(much.len() as u64 > PATIENCE.as_secs() * LEAST_RATE);
        for _ in 0..2 {
            sleep(pause).await;
            client.read_exact(&mut much).await.unwrap();
        }
        assert!(answer.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_suspended_closes_nobody() {
        let (answer, mut client) = answered();
        tokio::task::yield_now().await;
        for _ in 0..3 {
            advance(100 * PATIENCE).await;
            tokio::task::yield_now().await;
            assert!(!answer.is_finished());
        }
        read(&mut client, 1000, Duration::ZERO).await;
        assert!(answer.await.unwrap().is_ok());
    }
}
