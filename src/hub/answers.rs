//! How a client's event is answered: acknowledgements and the events `pong` and `error`.

use std::{convert::Infallible, sync::Arc};

use serde::Serialize;
use serde_json::value::to_raw_value;
use socketioxide::{
    adapter::Adapter,
    extract::AckSender,
    handler::{FromMessageParts, Value},
    socket::{Sid, Socket},
};
use tokio::time::Instant;

use super::{
    outlet::{Outlet, ack_size, event_size},
    session::Session,
};
use crate::{live::LiveBoard, wire};

/// An answer to one event.
pub(super) struct Answer<A> {
    /// By what it is acknowledged, if its client asked for that.
    pub(super) ack: Option<A>,
    pub(super) outcome: Result<Reply, EventError>,
}

/// What an event got that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Nothing but the acknowledgement.
    Done,
    Pong,
}

/// By what an event is acknowledged, if its client asked for that. The library's own
/// extractor does not say whether it did, and what is not sent must not count.
pub(super) struct Acknowledgement<A: Adapter>(pub(super) Option<AckSender<A>>);

impl<A: Adapter> FromMessageParts<A> for Acknowledgement<A> {
    type Error = Infallible;

    fn from_message_parts(
        socket: &Arc<Socket<A>>,
        value: &mut Value,
        id: &Option<i64>,
    ) -> Result<Self, Infallible> {
        let sender = AckSender::from_message_parts(socket, value, id)?;
        Ok(Acknowledgement(id.map(|_| sender)))
    }
}

/// What is wrong with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventError {
    Malformed,
    Forbidden,
    TooMany,
    InvalidToken,
}

impl EventError {
    fn code(self) -> &'static str {
        match self {
            EventError::Malformed => "invalid_message",
            EventError::Forbidden => "forbidden",
            EventError::TooMany => "rate_limited",
            EventError::InvalidToken => "invalid_token",
        }
    }

    fn message(self) -> &'static str {
        match self {
            EventError::Malformed => "Invalid message format",
            EventError::Forbidden => "Forbidden",
            EventError::TooMany => "Rate limit exceeded",
            EventError::InvalidToken => "Authentication failed",
        }
    }
}

/// What an event says that has only words.
#[derive(Serialize)]
pub(super) struct ErrorMessage {
    pub(super) message: &'static str,
}

/// The acknowledgement of an event that was done.
#[derive(Serialize)]
struct Done {
    ok: bool,
    epoch: String,
    seq: u64,
    /// The server's time, so that clients can tell how old a fact is.
    time: String,
}

/// The acknowledgement of one that was not.
#[derive(Serialize)]
struct Failed {
    ok: bool,
    error: AckError,
}

#[derive(Serialize)]
struct AckError {
    code: &'static str,
    message: &'static str,
}

impl<A> Answer<A> {
    /// Sends it to a client whose session this is.
    pub(super) fn send<O: Outlet<Ack = A>>(
        self,
        outlet: &O,
        (sid, session): (Sid, &Session),
        live: &LiveBoard,
        now: Instant,
    ) {
        match self.outcome {
            Ok(reply) => {
                if reply == Reply::Pong {
                    emit(outlet, (sid, session), "pong", &(), now);
                }
                let (epoch, seq) = live.read(|epoch, board| (epoch, board.seq()));
                let done = Done {
                    ok: true,
                    epoch: epoch.to_string(),
                    seq,
                    time: wire::timestamp(live.now()),
                };
                acknowledge(outlet, session, self.ack, &done, now);
            }
            Err(error) => {
                let (code, message) = (error.code(), error.message());
                let said = ErrorMessage { message };
                emit(outlet, (sid, session), "error", &said, now);
                let failed = Failed {
                    ok: false,
                    error: AckError { code, message },
                };
                acknowledge(outlet, session, self.ack, &failed, now);
            }
        }
    }
}

fn emit<O: Outlet, T: Serialize>(
    outlet: &O,
    (sid, session): (Sid, &Session),
    event: &str,
    data: &T,
    now: Instant,
) {
    if let Ok(data) = to_raw_value(data) {
        session.sent(event_size(event, &data), now);
        outlet.emit(sid, event, &data);
    }
}

fn acknowledge<O: Outlet, T: Serialize>(
    outlet: &O,
    session: &Session,
    ack: Option<O::Ack>,
    data: &T,
    now: Instant,
) {
    if let Some(ack) = ack
        && let Ok(data) = to_raw_value(data)
    {
        session.sent(ack_size(&data), now);
        outlet.acknowledge(ack, &data);
    }
}
