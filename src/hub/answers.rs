//! How a client's event is answered: acknowledgements and the event `error`.

use serde::Serialize;
use socketioxide::extract::{AckSender, SocketRef};

use crate::{live::LiveBoard, wire};

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

/// Acknowledges an event that was done. A client that has gone, or did not ask,
/// needs no answer.
pub(super) fn acknowledge(ack: AckSender, live: &LiveBoard) {
    let (epoch, seq) = live.read(|epoch, board| (epoch, board.seq()));
    _ = ack.send(&Done {
        ok: true,
        epoch: epoch.to_string(),
        seq,
        time: wire::timestamp(live.now()),
    });
}

/// Refuses an event, by the event `error` and by its acknowledgement. Both are
/// lost on a client that does not read.
pub(super) fn refuse(socket: &SocketRef, ack: AckSender, error: EventError) {
    let (code, message) = (error.code(), error.message());
    _ = socket.emit("error", &ErrorMessage { message });
    _ = ack.send(&Failed {
        ok: false,
        error: AckError { code, message },
    });
}
