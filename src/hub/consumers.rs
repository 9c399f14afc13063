//! The sockets that were welcomed: by which session each is sent what, whose it is, and
//! whether its client keeps up. What waits for a slow one is bounded, and small: its view
//! is in `watching`, and of the rest only is kept that there is something newer.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

use socketioxide::socket::Sid;
use tokio::time::Instant;

use super::{
    Joined,
    answers::Answer,
    banners::KEPT,
    session::Session,
    slow::{Pace, SendQueue, Verdict},
};
use crate::{auth::Identity, board::AnnouncementId};

/// Answers that wait for a client that does not read. Later ones are lost on it.
const ANSWERS: usize = 64;

/// See the module. `A` is by what an event is acknowledged.
pub(super) struct Consumers<A> {
    queue: SendQueue,
    sockets: HashMap<Sid, Consumer<A>>,
    /// Those that are slow, whoever waits longest first.
    slow: VecDeque<Sid>,
}

/// A socket.
pub(super) struct Consumer<A> {
    pub(super) session: Session,
    /// As its latest token says.
    pub(super) identity: Identity,
    pub(super) address: Option<IpAddr>,
    pace: Pace,
    owed: Option<Owed<A>>,
}

/// What a slow socket is given when it has taken what it was sent.
pub(super) struct Owed<A> {
    pub(super) answers: VecDeque<Answer<A>>,
    /// Banners that it has missed.
    pub(super) banners: VecDeque<AnnouncementId>,
    /// Its user's score is another than it was told.
    pub(super) score: bool,
}

impl<A> Default for Owed<A> {
    fn default() -> Owed<A> {
        Owed {
            answers: VecDeque::new(),
            banners: VecDeque::new(),
            score: false,
        }
    }
}

impl<A> Owed<A> {
    /// One more answer, if there is room.
    pub(super) fn answer(&mut self, answer: Answer<A>) {
        if self.answers.len() < ANSWERS {
            self.answers.push_back(answer);
        }
    }

    /// One more banner. There are not more that are shown than these.
    pub(super) fn banner(&mut self, id: AnnouncementId) {
        if self.banners.len() == KEPT {
            self.banners.pop_front();
        }
        self.banners.push_back(id);
    }
}

impl<A> Consumer<A> {
    /// What waits for it, if it is slow.
    pub(super) fn owed(&mut self) -> Option<&mut Owed<A>> {
        self.owed.as_mut()
    }
}

impl<A> Consumers<A> {
    /// Nobody, and how much may wait for each.
    pub(super) fn new(queue: SendQueue) -> Consumers<A> {
        Consumers {
            queue,
            sockets: HashMap::new(),
            slow: VecDeque::new(),
        }
    }

    /// A socket was welcomed.
    pub(super) fn add(&mut self, sid: Sid, joined: Joined) {
        let consumer = Consumer {
            session: joined.session,
            identity: joined.identity,
            address: joined.address,
            pace: Pace::default(),
            owed: None,
        };
        self.sockets.insert(sid, consumer);
    }

    /// A socket has gone.
    pub(super) fn remove(&mut self, sid: Sid) {
        if let Some(Consumer { owed: Some(_), .. }) = self.sockets.remove(&sid) {
            self.slow.retain(|slow| *slow != sid);
        }
    }

    /// A socket, if it was welcomed.
    pub(super) fn get(&self, sid: Sid) -> Option<&Consumer<A>> {
        self.sockets.get(&sid)
    }

    /// A socket, if it was welcomed.
    pub(super) fn get_mut(&mut self, sid: Sid) -> Option<&mut Consumer<A>> {
        self.sockets.get_mut(&sid)
    }

    /// All who were welcomed.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Sid, &Consumer<A>)> {
        self.sockets.iter().map(|(sid, consumer)| (*sid, consumer))
    }

    /// Notes that this many bytes are sent to a socket. False if it is slow, and must be
    /// sent nothing.
    pub(super) fn note(&self, sid: Sid, bytes: usize, now: Instant) -> bool {
        let live = self.get(sid).filter(|consumer| consumer.owed.is_none());
        if let Some(consumer) = live {
            consumer.session.sent(bytes, now);
        }
        live.is_some()
    }

    /// Those that have become slow, and have not been set aside yet.
    pub(super) fn falling_behind(&self, now: Instant) -> Vec<Sid> {
        self.iter()
            .filter(|(_, consumer)| consumer.owed.is_none() && !self.has_room(consumer, now))
            .map(|(sid, _)| sid)
            .collect()
    }

    /// Has this socket become slow, and has not been set aside yet?
    pub(super) fn is_falling_behind(&self, sid: Sid, now: Instant) -> bool {
        self.get(sid)
            .is_some_and(|consumer| consumer.owed.is_none() && !self.has_room(consumer, now))
    }

    /// Is it slow?
    pub(super) fn is_slow(&self, sid: Sid) -> bool {
        self.get(sid)
            .is_some_and(|consumer| consumer.owed.is_some())
    }

    /// May it be sent one packet more, slow or not?
    pub(super) fn may_take(&self, sid: Sid, now: Instant) -> bool {
        self.get(sid)
            .is_some_and(|consumer| self.has_room(consumer, now))
    }

    fn has_room(&self, consumer: &Consumer<A>, now: Instant) -> bool {
        self.queue.has_room(consumer.session.backlog(), now)
    }

    /// A socket is slow from now on.
    pub(super) fn set_aside(&mut self, sid: Sid, now: Instant) {
        if let Some(consumer) = self.sockets.get_mut(&sid)
            && consumer.owed.is_none()
        {
            consumer.owed = Some(Owed::default());
            consumer.pace.fell_behind(now);
            self.slow.push_back(sid);
        }
    }

    /// A slow socket is live again. Is its user's score to be sent?
    pub(super) fn resume(&mut self, sid: Sid, now: Instant) -> bool {
        let Some(consumer) = self.sockets.get_mut(&sid) else {
            return false;
        };
        consumer.pace.caught_up(now);
        consumer.owed.take().is_some_and(|owed| owed.score)
    }

    /// Takes all that are slow, with what is to become of them. Those that stay slow are
    /// to be put back.
    pub(super) fn take_slow(&mut self, now: Instant) -> Vec<(Sid, Verdict)> {
        let slow = std::mem::take(&mut self.slow);
        slow.into_iter()
            .filter_map(|sid| {
                let consumer = self.sockets.get(&sid)?;
                Some((sid, consumer.pace.judge(consumer.session.backlog(), now)))
            })
            .collect()
    }

    /// A socket stays slow.
    pub(super) fn put_back(&mut self, sid: Sid) {
        self.slow.push_back(sid);
    }

    /// How many are slow.
    pub(super) fn slow(&self) -> usize {
        self.slow.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::answers::Reply;

    #[test]
    fn so_many_answers_and_banners_wait() {
        let mut owed = Owed::default();
        for n in 0..150 {
            owed.answer(Answer {
                ack: Some(n),
                outcome: Ok(Reply::Done),
            });
            owed.banner(AnnouncementId([n; 16]));
        }
        let answers: Vec<_> = owed.answers.iter().filter_map(|it| it.ack).collect();
        assert_eq!(answers, (0..64).collect::<Vec<u8>>(), "the first ones");
        let banners: Vec<_> = owed.banners.iter().map(|it| it.0[0]).collect();
        assert_eq!(banners, (50..150).collect::<Vec<u8>>(), "the last ones");
    }
}
