//! What the events of clients do.

use socketioxide::socket::Sid;

use super::{ClientMessage, HubState, Now};
use crate::{
    auth::Identity,
    board::UserId,
    hub::{
        answers::{Answer, EventError, Reply},
        events::{ClientEvent, Subscribe},
        message::Message,
        rooms,
    },
    limits::Reason,
};

impl<A> HubState<A> {
    /// Takes an event of a client, and answers it.
    pub(super) fn receive(&mut self, message: ClientMessage<A>, now: Now) {
        let sid = message.sid;
        if !self.is_registered(sid) {
            self.early.hold(message);
            return;
        }
        let answer = Answer {
            outcome: self.execute(sid, message.user, message.event, now),
            ack: message.ack,
        };
        match self.pending_if_slow(sid, now) {
            Some(pending) => pending.add_answer(answer),
            None => self.delivery.answer(sid, answer, self.feed.position(), now),
        }
    }

    fn execute(
        &mut self,
        sid: Sid,
        user: UserId,
        event: ClientEvent,
        now: Now,
    ) -> Result<Reply, EventError> {
        match event {
            ClientEvent::SubscribeScoreboard(wanted) => self.subscribe(sid, wanted, now)?,
            ClientEvent::UnsubscribeScoreboard => self.unsubscribe(sid),
            ClientEvent::SubscribeUserScore(of) if of != user => {
                return Err(EventError::Forbidden);
            }
            ClientEvent::SubscribeUserScore(_) => match self.pending_if_slow(sid, now) {
                Some(pending) => pending.score = true,
                None => self.send_current_score(sid, user, now),
            },
            ClientEvent::RefreshToken(identity) => self.refresh_token(sid, user, identity)?,
            ClientEvent::Ping => return Ok(Reply::Pong),
            ClientEvent::Malformed => return Err(EventError::Malformed),
        }
        Ok(Reply::Done)
    }

    fn subscribe(&mut self, sid: Sid, wanted: Subscribe, now: Now) -> Result<(), EventError> {
        let Some(consumer) = self.delivery.consumers.get(sid) else {
            return Err(EventError::Forbidden);
        };
        let (address, limited_as) = (consumer.address, consumer.limited_as);
        let (view, mode) = (wanted.view, wanted.mode);
        if !self.feed.may_subscribe(sid, limited_as, view) {
            let refused = Message::Refused(Reason::Pages, address);
            self.delivery.push(refused);
            return Err(EventError::TooMany);
        }
        self.unsubscribe(sid);
        if wanted.heartbeat {
            self.heartbeats.add(sid, now.monotonic);
        }
        if self.pending_if_slow(sid, now).is_some() {
            self.feed.subscribe_paused(sid, limited_as, view, mode);
            return Ok(());
        }
        self.delivery.join(sid, rooms::of_subscription(view, mode));
        let first_frame = self.feed.subscribe(sid, limited_as, wanted);
        self.delivery.send_payload(sid, first_frame, now);
        Ok(())
    }

    fn unsubscribe(&mut self, sid: Sid) {
        self.heartbeats.remove(sid);
        if let Some((view, mode)) = self.feed.unsubscribe(sid) {
            self.delivery.leave(sid, rooms::of_subscription(view, mode));
        }
    }

    /// Takes a later token of the same user and role.
    fn refresh_token(
        &mut self,
        sid: Sid,
        user: UserId,
        identity: Option<Identity>,
    ) -> Result<(), EventError> {
        let identity = identity.filter(|identity| self.end_reason(*identity).is_none());
        let identity = identity.ok_or(EventError::InvalidToken)?;
        let Some(consumer) = self.delivery.consumers.get_mut(sid) else {
            return Err(EventError::Forbidden);
        };
        // The socket is in the rooms of the user and role that it connected as.
        if identity.user != user || consumer.identity.role != identity.role {
            return Err(EventError::Forbidden);
        }
        if consumer.identity.expires < identity.expires {
            consumer.identity = identity;
            self.expiry.set(sid, identity.expires);
        }
        Ok(())
    }
}
