//! What the hub's state returns: what is to be sent, and to whom. Data only; the outbox
//! acts on it.

use std::{net::IpAddr, sync::Arc};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use socketioxide::socket::Sid;

use super::{rooms::Room, session::Session};
use crate::{board::Audience, limits::Reason};

/// One thing to do. What is sent to a socket that has disconnected is lost. `A` is what
/// an event is acknowledged with.
pub(super) enum Message<A> {
    /// A socket joins rooms.
    Join(Sid, Vec<Room>),
    /// A socket leaves rooms.
    Leave(Sid, Vec<Room>),
    /// A socket leaves all its rooms.
    LeaveAll(Sid),
    /// An event is sent.
    Emit(Recipient, Payload),
    /// An event of a client is acknowledged.
    Acknowledge(A, Arc<RawValue>),
    /// A socket is disconnected. If its client cannot be told, its session is closed.
    Disconnect(Sid, Session),
    /// The session of a client that reads nothing is closed.
    CloseSlow(Session),
    /// A client at this address was refused something: that is counted for operators.
    Refused(Reason, Option<IpAddr>),
}

/// Whom an event is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recipient {
    Socket(Sid),
    Room(Room),
    Audience(Audience),
}

/// An event with its data. It is encoded once, whoever it is sent to, and its size is
/// known before it is sent.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    pub(super) event: &'static str,
    pub(super) data: Arc<RawValue>,
}

impl Payload {
    /// Encodes an event; `None` if its data has no JSON.
    pub(super) fn new<T: Serialize>(event: &'static str, data: &T) -> Option<Payload> {
        let data = encode(data)?;
        Some(Payload { event, data })
    }

    /// The size in bytes of the packet that sends it: `42["event",data]`.
    pub(super) fn packet_size(&self) -> usize {
        self.data.get().len() + self.event.len() + 7
    }
}

/// The size in bytes of the packet that acknowledges an event, `43[data]`, without the
/// number that only the library knows.
pub(super) fn ack_size(data: &RawValue) -> usize {
    data.get().len() + 4
}

/// Encodes data; `None` if it has no JSON.
pub(super) fn encode<T: Serialize>(data: &T) -> Option<Arc<RawValue>> {
    to_raw_value(data).ok().map(Arc::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_size_is_that_of_the_packet() {
        let data = json!({ "message": "é", "n": [1, 2] });
        let payload = Payload::new("error", &data).unwrap();
        let packet = format!("42[\"error\",{data}]");
        assert_eq!(payload.packet_size(), packet.len());
        assert_eq!(ack_size(&payload.data), format!("43[{data}]").len());
    }
}
