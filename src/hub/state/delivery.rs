//! The way out of the hub's state: each message is encoded once and counted in the session
//! of every socket that it goes to, which must be connected and keep up.

use serde::Serialize;
use socketioxide::socket::Sid;

use super::{Now, consumers::Consumers, pace::SendQueue};
use crate::{
    board::Epoch,
    hub::{
        answers::Answer,
        message::{Message, Payload, Recipient},
        rooms::Room,
    },
};

/// See the module.
pub(super) struct Delivery<A> {
    pub(super) consumers: Consumers<A>,
    /// To be sent, in order.
    messages: Vec<Message<A>>,
}

impl<A> Delivery<A> {
    pub(super) fn new(send_queue: SendQueue) -> Delivery<A> {
        Delivery {
            consumers: Consumers::new(send_queue),
            messages: Vec::new(),
        }
    }

    /// Takes what is to be sent.
    pub(super) fn take_messages(&mut self) -> Vec<Message<A>> {
        std::mem::take(&mut self.messages)
    }

    pub(super) fn push(&mut self, message: Message<A>) {
        self.messages.push(message);
    }

    pub(super) fn join(&mut self, sid: Sid, rooms: Vec<Room>) {
        self.push(Message::Join(sid, rooms));
    }

    pub(super) fn leave(&mut self, sid: Sid, rooms: Vec<Room>) {
        self.push(Message::Leave(sid, rooms));
    }

    /// Sends an event to one socket.
    pub(super) fn send<T: Serialize>(&mut self, sid: Sid, event: &'static str, data: &T, now: Now) {
        self.send_payload(sid, Payload::new(event, data), now);
    }

    /// Sends an event that is encoded to one socket. What has no JSON is not sent.
    pub(super) fn send_payload(&mut self, sid: Sid, payload: Option<Payload>, now: Now) {
        if let (Some(payload), Some(consumer)) = (payload, self.consumers.get(sid)) {
            consumer.session.sent(payload.packet_size(), now.monotonic);
            self.push(Message::Emit(Recipient::Socket(sid), payload));
        }
    }

    /// Sends an event to rooms. These are the sockets in them.
    pub(super) fn broadcast<T: Serialize>(
        &mut self,
        to: Recipient,
        sids: impl IntoIterator<Item = Sid>,
        event: &'static str,
        data: &T,
        now: Now,
    ) {
        let mut sids = sids.into_iter().peekable();
        if sids.peek().is_none() {
            return;
        }
        let Some(payload) = Payload::new(event, data) else {
            return;
        };
        let bytes = payload.packet_size();
        // Each is counted, whatever the others are.
        let live = sids
            .filter(|sid| self.consumers.count_sent(*sid, bytes, now.monotonic))
            .count();
        if live > 0 {
            self.push(Message::Emit(to, payload));
        }
    }

    /// Sends an event to each of these sockets that keeps up.
    pub(super) fn send_each<T: Serialize>(
        &mut self,
        sids: &[Sid],
        event: &'static str,
        data: &T,
        now: Now,
    ) {
        let Some(payload) = Payload::new(event, data) else {
            return;
        };
        let bytes = payload.packet_size();
        for sid in sids {
            if self.consumers.count_sent(*sid, bytes, now.monotonic) {
                self.push(Message::Emit(Recipient::Socket(*sid), payload.clone()));
            }
        }
    }

    /// Answers an event of a client, as of this epoch and `seq` of its board.
    pub(super) fn answer(&mut self, sid: Sid, answer: Answer<A>, position: (Epoch, u64), now: Now) {
        let Some(consumer) = self.consumers.get(sid) else {
            return;
        };
        let answer = answer.encode(position, now.store);
        answer.count_sent(&consumer.session, now.monotonic);
        if let Some(event) = answer.event {
            self.push(Message::Emit(Recipient::Socket(sid), event));
        }
        if let Some((ack, data)) = answer.ack {
            self.push(Message::Acknowledge(ack, data));
        }
    }
}
