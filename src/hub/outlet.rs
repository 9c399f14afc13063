//! By which way everything that the actor says leaves it: Socket.IO, or a test. It is
//! JSON already, so that it is encoded once, and how long it is is known before.

use serde_json::value::RawValue;
use socketioxide::{
    SocketIo,
    extract::{AckSender, SocketRef},
    socket::Sid,
};

/// Sockets and their rooms. What is emitted to a socket that has gone is lost.
pub(super) trait Outlet: Send + Sync + 'static {
    /// By which one event is acknowledged.
    type Ack: Send;

    /// Is this socket connected? Until it is told so itself, it is not.
    fn is_connected(&self, sid: Sid) -> bool;

    /// Is it there, connected or about to be?
    fn exists(&self, sid: Sid) -> bool;

    /// A socket joins rooms.
    fn join(&self, sid: Sid, rooms: Vec<String>);

    /// A socket leaves rooms.
    fn leave(&self, sid: Sid, rooms: Vec<String>);

    /// A socket leaves all its rooms.
    fn leave_all(&self, sid: Sid);

    /// Sends an event to one socket.
    fn emit(&self, sid: Sid, event: &str, data: &RawValue);

    /// Sends an event to all who are in any of these rooms.
    fn emit_to(
        &self,
        rooms: Vec<String>,
        event: &str,
        data: &RawValue,
    ) -> impl Future<Output = ()> + Send;

    /// Acknowledges an event, if its client asked for that.
    fn acknowledge(&self, ack: Self::Ack, data: &RawValue);

    /// Ends a socket. False if that cannot be told to its client.
    fn disconnect(&self, sid: Sid) -> bool;
}

impl Outlet for SocketIo {
    type Ack = AckSender;

    fn is_connected(&self, sid: Sid) -> bool {
        connected(self, sid).is_some()
    }

    fn exists(&self, sid: Sid) -> bool {
        self.get_socket(sid).is_some()
    }

    /// Joins, unless the socket has gone: then the library has forgotten its rooms
    /// already, and would keep these for ever.
    fn join(&self, sid: Sid, rooms: Vec<String>) {
        if let Some(socket) = connected(self, sid) {
            socket.join(rooms);
            if !socket.connected() {
                socket.leave_all();
            }
        }
    }

    fn leave(&self, sid: Sid, rooms: Vec<String>) {
        if let Some(socket) = self.get_socket(sid) {
            socket.leave(rooms);
        }
    }

    fn leave_all(&self, sid: Sid) {
        if let Some(socket) = self.get_socket(sid) {
            socket.leave_all();
        }
    }

    fn emit(&self, sid: Sid, event: &str, data: &RawValue) {
        if let Some(socket) = self.get_socket(sid) {
            _ = socket.emit(event, data);
        }
    }

    async fn emit_to(&self, rooms: Vec<String>, event: &str, data: &RawValue) {
        _ = self.to(rooms).emit(event, data).await;
    }

    fn acknowledge(&self, ack: AckSender, data: &RawValue) {
        _ = ack.send(data);
    }

    fn disconnect(&self, sid: Sid) -> bool {
        let socket = self.get_socket(sid);
        socket.is_none_or(|socket| SocketRef::disconnect(socket).is_ok())
    }
}

fn connected(io: &SocketIo, sid: Sid) -> Option<SocketRef> {
    io.get_socket(sid).filter(|socket| socket.connected())
}

/// How many bytes the packet has by which an event is sent: `42["event",data]`.
pub(super) fn event_size(event: &str, data: &RawValue) -> usize {
    data.get().len() + event.len() + 7
}

/// How many bytes the packet has at least by which an event is acknowledged: `43[data]`,
/// and a number that only its client knows.
pub(super) fn ack_size(data: &RawValue) -> usize {
    data.get().len() + 4
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::to_raw_value};

    use super::*;

    #[test]
    fn the_size_is_that_of_the_packet() {
        let data = json!({ "message": "é", "n": [1, 2] });
        let raw = to_raw_value(&data).unwrap();
        let packet = format!("42[\"error\",{data}]");
        assert_eq!(event_size("error", &raw), packet.len());
        assert_eq!(ack_size(&raw), format!("43[{data}]").len());
    }
}
