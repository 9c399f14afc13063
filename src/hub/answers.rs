//! How a client's event is answered: acknowledgements and the events `pong` and `error`.

use std::{borrow::Cow, convert::Infallible, sync::Arc};

use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide::{
    adapter::Adapter,
    extract::AckSender,
    handler::{FromMessageParts, Value},
    socket::Socket,
};
use tokio::time::Instant;

use super::{
    connection::MOST_BOARDS,
    message::{Payload, ack_size, encode},
    session::Session,
};
use crate::{
    board::{BoardId, Epoch, Timestamp},
    wire,
};

/// An answer to one event.
pub(super) struct Answer<A> {
    /// What it is acknowledged with, if its client asked for that.
    pub(super) ack: Option<A>,
    /// The board that the event was about.
    pub(super) board: BoardId,
    pub(super) outcome: Result<Reply, EventError>,
}

/// What a client is sent for an event that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Nothing but the acknowledgement.
    Done,
    Pong,
}

/// What an event is acknowledged with, if its client asked for that. The library's own
/// extractor does not say whether it did, and what is not sent must not be counted.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EventError {
    Malformed,
    Forbidden,
    TooMany,
    TooManyBoards,
    InvalidToken,
    /// The board is not there, or is not for this user to see.
    UnknownBoard(BoardId),
}

impl EventError {
    fn code(&self) -> &'static str {
        match self {
            EventError::Malformed => "invalid_message",
            EventError::Forbidden => "forbidden",
            EventError::TooMany => "rate_limited",
            EventError::TooManyBoards => "too_many_boards",
            EventError::InvalidToken => "invalid_token",
            EventError::UnknownBoard(_) => "UNKNOWN_BOARD",
        }
    }

    fn message(&self) -> Cow<'static, str> {
        match self {
            EventError::Malformed => "Invalid message format".into(),
            EventError::Forbidden => "Forbidden".into(),
            EventError::TooMany => "Rate limit exceeded".into(),
            EventError::TooManyBoards => {
                format!("A socket may watch {MOST_BOARDS} boards at once").into()
            }
            EventError::InvalidToken => "Authentication failed".into(),
            EventError::UnknownBoard(board) => format!("There is no board {board}").into(),
        }
    }
}

/// The data of an event that has a message for its user and nothing else.
#[derive(Serialize)]
pub(super) struct ErrorMessage<'a> {
    pub(super) message: &'a str,
}

/// The same where a client may have done nothing wrong: a board that it watches is gone.
#[derive(Serialize)]
struct BoardError<'a> {
    message: &'a str,
    code: &'static str,
    board: &'a str,
}

/// The acknowledgement of an event that succeeded.
#[derive(Serialize)]
struct Done {
    ok: bool,
    epoch: String,
    seq: u64,
    /// Which board `seq` counts on, if it is not `main`.
    #[serde(skip_serializing_if = "Option::is_none")]
    board: Option<String>,
    /// The server's time, so that clients can tell how old a fact is.
    time: String,
}

/// The acknowledgement of an event that failed.
#[derive(Serialize)]
struct Failed<'a> {
    ok: bool,
    error: AckError<'a>,
}

#[derive(Serialize)]
struct AckError<'a> {
    code: &'static str,
    message: &'a str,
}

/// An answer as it is sent: an event, and then the acknowledgement.
pub(super) struct EncodedAnswer<A> {
    pub(super) event: Option<Payload>,
    pub(super) ack: Option<(A, Arc<RawValue>)>,
}

impl EventError {
    /// Encodes it as the answer to an event.
    pub(super) fn encode<A>(&self, ack: Option<A>) -> EncodedAnswer<A> {
        let (code, message) = (self.code(), &*self.message());
        let failed = Failed {
            ok: false,
            error: AckError { code, message },
        };
        let event = match self {
            EventError::UnknownBoard(board) => {
                let board = board.as_str();
                let error = BoardError {
                    message,
                    code,
                    board,
                };
                Payload::new("error", &error)
            }
            _ => Payload::new("error", &ErrorMessage { message }),
        };
        EncodedAnswer::new(event, ack, &failed)
    }
}

impl<A> Answer<A> {
    /// What a client is sent that has asked nothing: it watches this board no longer.
    pub(super) fn ended(board: &BoardId) -> Answer<A> {
        Answer {
            ack: None,
            board: board.clone(),
            outcome: Err(EventError::UnknownBoard(board.clone())),
        }
    }

    /// Encodes it, as of this epoch and `seq` of its board and this time.
    pub(super) fn encode(self, (epoch, seq): (Epoch, u64), time: Timestamp) -> EncodedAnswer<A> {
        let event = match self.outcome {
            Ok(Reply::Done) => None,
            Ok(Reply::Pong) => Payload::new("pong", &()),
            Err(error) => return error.encode(self.ack),
        };
        let done = Done {
            ok: true,
            epoch: epoch.to_string(),
            seq,
            board: wire::board(&self.board),
            time: wire::timestamp(time),
        };
        EncodedAnswer::new(event, self.ack, &done)
    }
}

impl<A> EncodedAnswer<A> {
    /// Encodes the data of the acknowledgement only if the client asked for it.
    fn new<T: Serialize>(event: Option<Payload>, ack: Option<A>, data: &T) -> EncodedAnswer<A> {
        let ack = ack.and_then(|ack| Some((ack, encode(data)?)));
        EncodedAnswer { event, ack }
    }

    /// Counts it as sent by a session. To be called before it is sent.
    pub(super) fn count_sent(&self, session: &Session, now: Instant) {
        if let Some(event) = &self.event {
            session.sent(event.packet_size(), now);
        }
        if let Some((_, data)) = &self.ack {
            session.sent(ack_size(data), now);
        }
    }
}
