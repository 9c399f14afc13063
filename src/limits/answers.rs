//! Answers to what is asked by HTTP, each bounded in two ways: it is begun in a turn of the
//! client's, so that who asks for much is answered slowly and others are not, and it is
//! counted in bytes until the client has read it, so that who reads nothing is refused
//! more.

use std::{
    collections::VecDeque,
    convert::Infallible,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread::available_parallelism,
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::{task::yield_now, time::Instant};

use super::{
    Client, FairLimit, FairPermit, Limits, Reason, Unanswered,
    unread::{HeldBytes, UnreadBounds, UnreadBytes},
};

/// Answers that are begun at once, for each core.
const TURNS_OF_CORE: usize = 2;

/// Requests that wait for their turn, in all. Those of one client are as many as it may
/// have connections.
const WAITING: usize = 16_384;

/// How long anybody waits for a turn. Whoever waits holds a connection, of which an
/// address has so many.
const DEADLINE: Duration = Duration::from_secs(10);

/// What is held of answers until they are read: 70 boards of a thousand rows of one client
/// that takes them without compression, a thousand with it.
const UNREAD: UnreadBounds = UnreadBounds {
    of_client: 64 * 1024 * 1024,
    in_all: 256 * 1024 * 1024,
};

/// In pieces of so many bytes an answer is held and given back.
const CHUNK: usize = 64 * 1024;

/// By which answers are made. Clones are the same.
#[derive(Clone)]
pub struct Answers {
    turns: FairLimit,
    unread: UnreadBytes,
    limits: Arc<Limits>,
}

/// Why a request was not answered.
pub type Refused = Unanswered<Infallible>;

impl Answers {
    /// With the bounds of one server.
    pub fn new(limits: Arc<Limits>) -> Answers {
        Answers {
            turns: FairLimit::with_queues(turns(), usize::MAX, WAITING),
            unread: UnreadBytes::new(UNREAD),
            limits,
        }
    }

    /// The answer to a request, once it is made, with all of its body in memory. What
    /// changes something (any method but GET and HEAD) is passed on as it is: whoever
    /// sends that has other limits, and its body may be slow.
    ///
    /// # Errors
    /// If no turn came in time, or the client has not read enough of what it was answered
    /// before. Both are counted and logged here.
    pub async fn answer(
        &self,
        client: Client,
        request: Request,
        next: Next,
    ) -> Result<Response, Refused> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(next.run(request).await);
        }
        let turn = self.turn(client).await?;
        let is_limited = match client {
            Client::Address(address) => self.limits.limited(address).is_some(),
            Client::Server => false,
        };
        if !self.unread.has_room(client, is_limited) {
            return Err(self.refused(client, Reason::UnreadAnswers));
        }
        // What costs more than a step has permits of its own, for which nobody waits in
        // place of others.
        drop(turn);
        let answer = next.run(request).await;
        if !self.unread.has_room(client, is_limited) {
            return Err(self.refused(client, Reason::UnreadAnswers));
        }
        Ok(self.in_memory(client, answer).await)
    }

    /// A turn of this client.
    ///
    /// # Errors
    /// If there was none in time. That is counted and logged here.
    pub async fn turn(&self, client: Client) -> Result<FairPermit, Refused> {
        let deadline = Instant::now() + DEADLINE;
        let Ok(turn) = self.turns.acquire(client, deadline).await else {
            return Err(self.refused(client, Reason::Requests));
        };
        // What takes no longer than a step of its task would always find a turn that is
        // free, and a thousand connections would all be about to take the next step. Now
        // all of them wait but those that have a turn.
        yield_now().await;
        Ok(turn)
    }

    fn refused(&self, client: Client, reason: Reason) -> Refused {
        self.limits.refused(reason, client.address());
        Unanswered::Busy
    }

    /// The answer with its body as it is to be sent, counted until it is.
    async fn in_memory(&self, client: Client, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let mut unread = UnreadBody::default();
        let mut chunk = Vec::new();
        let mut data = body.into_data_stream();
        while let Some(bytes) = data.next().await {
            let Ok(mut bytes) = bytes else {
                let why = "the answer could not be made\n";
                return (StatusCode::INTERNAL_SERVER_ERROR, why).into_response();
            };
            while !bytes.is_empty() {
                if chunk.len() == CHUNK {
                    unread.push(self, client, std::mem::take(&mut chunk));
                }
                let part = bytes.split_to(bytes.len().min(CHUNK - chunk.len()));
                chunk.extend_from_slice(&part);
            }
            // Compressing a large page takes a while, in which others have their turn too.
            tokio::task::coop::consume_budget().await;
        }
        unread.push(self, client, chunk);
        Response::from_parts(parts, Body::new(unread))
    }
}

/// How many answers are begun at once.
fn turns() -> NonZeroUsize {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let turns = cores.saturating_mul(TURNS_OF_CORE);
    NonZeroUsize::new(turns).unwrap_or(NonZeroUsize::MIN)
}

/// A body that is in memory, in pieces that are given back one by one.
#[derive(Default)]
struct UnreadBody {
    chunks: VecDeque<Bytes>,
    length: u64,
}

impl UnreadBody {
    fn push(&mut self, answers: &Answers, client: Client, mut bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        bytes.shrink_to_fit();
        self.length += bytes.len() as u64;
        let _held = answers.unread.hold(client, bytes.len());
        // It lives as long as anything of it does, also below in hyper's buffers.
        self.chunks
            .push_back(Bytes::from_owner(Chunk { bytes, _held }));
    }
}

impl HttpBody for UnreadBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.chunks.pop_front();
        self.length -= chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

struct Chunk {
    bytes: Vec<u8>,
    _held: HeldBytes,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::IpAddr,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use axum::{Router, body::to_bytes, middleware::from_fn, routing::get};
    use futures_util::future::join_all;
    use tower::ServiceExt;

    use super::*;
    use crate::{config::LimitsTable, limits::tests::limits};

    const FREE: &str = "10.0.0.1";
    const SOMEBODY: &str = "192.0.2.1";

    fn answers() -> Answers {
        let limits = limits(LimitsTable {
            allow: vec!["10.0.0.0/8".parse().unwrap()],
            ..LimitsTable::default()
        });
        Answers::new(Arc::new(limits))
    }

    /// What `address` is answered by a router whose every body has so many bytes.
    async fn ask(answers: &Answers, address: &str, method: Method, bytes: usize) -> Response {
        let body = move || async move { "x".repeat(bytes) };
        ask_for(answers, address, method, get(body).post(body)).await
    }

    async fn ask_for(
        answers: &Answers,
        address: &str,
        method: Method,
        route: axum::routing::MethodRouter,
    ) -> Response {
        let client = Client::from(address.parse::<IpAddr>().unwrap());
        let answers = answers.clone();
        let in_turn = move |request: Request, next: Next| {
            let answers = answers.clone();
            async move {
                let answer = answers.answer(client, request, next).await;
                answer.unwrap_or_else(|why| why.status().into_response())
            }
        };
        let router = Router::new().route("/", route).layer(from_fn(in_turn));
        let request = Request::builder().method(method).body(Body::empty());
        router.oneshot(request.unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_body_comes_as_it_is_in_pieces() {
        for bytes in [0, 1, CHUNK, CHUNK + 1, 10 * CHUNK] {
            let answer = ask(&answers(), SOMEBODY, Method::GET, bytes).await;
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(answer.body().size_hint().exact(), Some(bytes as u64));
            let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            assert_eq!(body, "x".repeat(bytes));
        }
    }

    #[tokio::test]
    async fn what_is_not_read_is_bounded_by_client() {
        let (answers, large) = (answers(), 8 * 1024 * 1024);
        let mut unread = Vec::new();
        loop {
            let answer = ask(&answers, SOMEBODY, Method::GET, large).await;
            if answer.status() != StatusCode::OK {
                assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
                break;
            }
            unread.push(answer);
        }
        assert_eq!(unread.len(), UNREAD.of_client / large);
        let others = ask(&answers, "192.0.2.2", Method::GET, 1).await;
        assert_eq!(others.status(), StatusCode::OK);
        // What changes something is never kept from a client.
        let post = ask(&answers, SOMEBODY, Method::POST, 1).await;
        assert_eq!(post.status(), StatusCode::OK);
        // A piece is held until it is written, wherever it waits.
        let mut body = unread.pop().unwrap().into_body().into_data_stream();
        let piece = body.next().await.unwrap().unwrap();
        let beyond = ask(&answers, SOMEBODY, Method::GET, 1).await;
        assert_eq!(beyond.status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(piece);
        let again = ask(&answers, SOMEBODY, Method::GET, 1).await;
        assert_eq!(again.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn who_is_allowed_has_what_others_leave() {
        let (answers, large) = (answers(), 8 * 1024 * 1024);
        let mut unread = Vec::new();
        for _ in 0..2 * UNREAD.of_client / large {
            let answer = ask(&answers, FREE, Method::GET, large).await;
            assert_eq!(answer.status(), StatusCode::OK);
            unread.push(answer);
        }
        let beyond = ask(&answers, FREE, Method::GET, 1).await;
        assert_eq!(beyond.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_classroom_is_answered_and_others_with_it() {
        let answers = answers();
        let slow = || get(async || tokio::time::sleep(Duration::from_millis(100)).await);
        let began = Instant::now();
        let classroom =
            join_all((0..1000).map(|_| ask_for(&answers, SOMEBODY, Method::GET, slow())));
        let other = async {
            ask(&answers, "192.0.2.2", Method::GET, 1).await;
            began.elapsed()
        };
        let (classroom, waited) = tokio::join!(classroom, other);
        let is_answered = |answer: &Response| answer.status() == StatusCode::OK;
        assert!(classroom.iter().all(is_answered));
        assert!(waited < Duration::from_millis(100), "{waited:?}");
    }

    #[tokio::test]
    async fn few_steps_of_one_client_come_before_another_s() {
        let answers = answers();
        let begun = Arc::new(AtomicUsize::new(0));
        let quick = || {
            let begun = begun.clone();
            get(async move || _ = begun.fetch_add(1, Ordering::Relaxed))
        };
        let flood = join_all((0..1000).map(|_| {
            let (answers, route) = (answers.clone(), quick());
            tokio::spawn(async move { ask_for(&answers, SOMEBODY, Method::GET, route).await })
        }));
        let other = async move {
            // All of the flood wait for their turn, or have it.
            yield_now().await;
            let before = begun.load(Ordering::Relaxed);
            ask(&answers, "192.0.2.2", Method::GET, 1).await;
            begun.load(Ordering::Relaxed) - before
        };
        let other = tokio::spawn(other);
        let (flood, before) = tokio::join!(flood, async { other.await.unwrap() });
        assert_eq!(flood.len(), 1000);
        assert!(before < 10 * turns().get(), "{before} came before");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_refused() {
        let answers = answers();
        let client = |n| Client::from(IpAddr::from([192, 0, 2, n]));
        let many = (0..=255).map(|n| answers.turn(client(n)));
        let held: Vec<_> = join_all(many).await.into_iter().flatten().collect();
        assert_eq!(held.len(), turns().get());
        let late = ask(&answers, SOMEBODY, Method::GET, 1).await;
        assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
