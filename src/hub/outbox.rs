//! The outbox: sends what the hub's state returns by socketioxide, and answers what only
//! the library knows. Nothing is decided here.

use std::{sync::Arc, time::Instant};

use serde_json::value::RawValue;
use socketioxide::{
    SocketIo,
    extract::{AckSender, SocketRef},
    socket::Sid,
};

use super::{
    message::{Message, Payload, Recipient},
    rooms::{self, Room},
    session::Session,
};
use crate::{limits::Limits, log_throttle::LogThrottle, metrics::Metrics};

/// See the module.
pub(super) struct Outbox {
    io: SocketIo,
    limits: Arc<Limits>,
    metrics: Metrics,
    closed_slow: LogThrottle,
}

impl Outbox {
    pub(super) fn new(io: SocketIo, limits: Arc<Limits>, metrics: Metrics) -> Outbox {
        Outbox {
            io,
            limits,
            metrics,
            closed_slow: LogThrottle::default(),
        }
    }

    /// Is this socket connected? Until then the library drops what is sent to it.
    pub(super) fn is_connected(&self, sid: Sid) -> bool {
        self.connected(sid).is_some()
    }

    /// Does the library know this socket, connected or about to be?
    pub(super) fn exists(&self, sid: Sid) -> bool {
        self.io.get_socket(sid).is_some()
    }

    pub(super) async fn send(&self, message: Message<AckSender>) {
        match message {
            Message::Join(sid, rooms) => self.join(sid, rooms),
            Message::Leave(sid, rooms) => {
                if let Some(socket) = self.io.get_socket(sid) {
                    socket.leave(names(rooms));
                }
            }
            Message::LeaveAll(sid) => {
                if let Some(socket) = self.io.get_socket(sid) {
                    socket.leave_all();
                }
            }
            Message::Emit(Recipient::Socket(sid), payload) => emit(&self.io, sid, &payload),
            Message::Emit(Recipient::Room(room), payload) => {
                self.broadcast(vec![room], &payload).await;
            }
            Message::Emit(Recipient::Audience(audience), payload) => {
                self.broadcast(rooms::audience(audience), &payload).await;
            }
            Message::Acknowledge(ack, data) => acknowledge(ack, &data),
            Message::Disconnect(sid, session) => self.disconnect(sid, &session),
            Message::CloseSlow(session) => self.close_slow(&session),
            Message::Refused(reason, address) => self.limits.refused(reason, address),
        }
    }

    /// Joins rooms, unless the socket has disconnected: the library has forgotten its rooms
    /// then, and would keep these for ever.
    fn join(&self, sid: Sid, rooms: Vec<Room>) {
        if let Some(socket) = self.connected(sid) {
            socket.join(names(rooms));
            if !socket.connected() {
                socket.leave_all();
            }
        }
    }

    async fn broadcast(&self, rooms: Vec<Room>, payload: &Payload) {
        let to = self.io.to(names(rooms));
        _ = to.emit(payload.event, &payload.data).await;
    }

    fn disconnect(&self, sid: Sid, session: &Session) {
        if let Some(socket) = self.io.get_socket(sid)
            && SocketRef::disconnect(socket).is_err()
        {
            session.close();
        }
    }

    fn close_slow(&self, session: &Session) {
        session.close();
        self.metrics.slow_closed.inc();
        if let Some(suppressed) = self.closed_slow.allow(Instant::now()) {
            let clients = suppressed + 1;
            tracing::warn!(clients, "closed clients that read nothing for too long");
        }
    }

    fn connected(&self, sid: Sid) -> Option<SocketRef> {
        let socket = self.io.get_socket(sid);
        socket.filter(|socket| socket.connected())
    }
}

/// Sends an event to one socket.
pub(super) fn emit(io: &SocketIo, sid: Sid, payload: &Payload) {
    if let Some(socket) = io.get_socket(sid) {
        _ = socket.emit(payload.event, &payload.data);
    }
}

/// Acknowledges an event of a client.
pub(super) fn acknowledge(ack: AckSender, data: &RawValue) {
    _ = ack.send(data);
}

fn names(rooms: Vec<Room>) -> Vec<String> {
    rooms.iter().map(Room::name).collect()
}
