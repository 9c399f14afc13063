//! The sockets that are connected: what is known of each, and whether its client keeps up.
//! What is pending for a slow consumer is bounded and small. Frames and scores are not
//! stored: the newest are made when it is resumed.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

use socketioxide::socket::Sid;
use tokio::time::Instant;

use super::{
    banners::MOST_SHOWN,
    pace::{Pace, SendQueue, Verdict},
};
use crate::{
    auth::Identity,
    board::{AnnouncementId, BoardId},
    hub::{answers::Answer, connection::Connection, session::Session},
};

/// Answers that wait for a client that does not read. Later ones are dropped.
const ANSWERS: usize = 64;

/// Beside them, how often such a client may be told that it watches a board no longer.
const ENDED: usize = 64;

/// See the module. `A` is what an event is acknowledged with.
pub(super) struct Consumers<A> {
    send_queue: SendQueue,
    sockets: HashMap<Sid, Consumer<A>>,
    /// Those that are slow, the one that has waited longest first.
    slow: VecDeque<Sid>,
}

/// A socket.
pub(super) struct Consumer<A> {
    pub(super) session: Session,
    /// As its latest token says.
    pub(super) identity: Identity,
    pub(super) address: Option<IpAddr>,
    /// The key by which the address is limited; `None` if it is not.
    pub(super) limited_as: Option<IpAddr>,
    pace: Pace,
    /// Of a slow consumer.
    pending: Option<Pending<A>>,
}

/// What a slow consumer is sent when it has read what it was sent before.
pub(super) struct Pending<A> {
    answers: VecDeque<(Asked, Answer<A>)>,
    /// How many of them nobody asked for.
    unasked: usize,
    /// Banners that were published meanwhile.
    pub(super) banners: VecDeque<AnnouncementId>,
    /// The boards on which there is a newer score of its user; see [`MOST_BOARDS`].
    ///
    /// [`MOST_BOARDS`]: crate::hub::connection::MOST_BOARDS
    pub(super) scores: Vec<BoardId>,
}

/// Has a client asked for an answer?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Yes,
    /// A subscription has ended without its doing.
    No,
}

impl<A> Default for Pending<A> {
    fn default() -> Pending<A> {
        Pending {
            answers: VecDeque::new(),
            unasked: 0,
            banners: VecDeque::new(),
            scores: Vec::new(),
        }
    }
}

impl<A> Pending<A> {
    /// Adds an answer, if there is room.
    pub(super) fn add_answer(&mut self, answer: Answer<A>) {
        if self.answers.len() - self.unasked < ANSWERS {
            self.answers.push_back((Asked::Yes, answer));
        }
    }

    /// It watches a board no longer, which is said after all answers of before.
    pub(super) fn add_ended(&mut self, board: &BoardId) {
        self.scores.retain(|it| it != board);
        if self.unasked < ENDED {
            self.unasked += 1;
            self.answers.push_back((Asked::No, Answer::ended(board)));
        }
    }

    /// Takes the next answer.
    pub(super) fn next_answer(&mut self) -> Option<Answer<A>> {
        let (asked, answer) = self.answers.pop_front()?;
        if asked == Asked::No {
            self.unasked -= 1;
        }
        Some(answer)
    }

    /// There is a newer score of its user on this board, which is `main` or one that the
    /// socket asked for.
    pub(super) fn add_score(&mut self, board: &BoardId) {
        if !self.scores.contains(board) {
            self.scores.push(board.clone());
        }
    }

    /// Adds a banner. No more are shown to a new client either.
    pub(super) fn add_banner(&mut self, id: AnnouncementId) {
        if self.banners.len() == MOST_SHOWN {
            self.banners.pop_front();
        }
        self.banners.push_back(id);
    }
}

impl<A> Consumer<A> {
    /// Is it marked slow?
    pub(super) fn is_slow(&self) -> bool {
        self.pending.is_some()
    }
}

impl<A> Consumers<A> {
    /// No sockets, and how much may wait for each.
    pub(super) fn new(send_queue: SendQueue) -> Consumers<A> {
        Consumers {
            send_queue,
            sockets: HashMap::new(),
            slow: VecDeque::new(),
        }
    }

    /// A socket is connected.
    pub(super) fn add(&mut self, sid: Sid, connection: Connection) {
        let consumer = Consumer {
            session: connection.session,
            identity: connection.identity,
            address: connection.address,
            limited_as: connection.limited_as,
            pace: Pace::default(),
            pending: None,
        };
        self.sockets.insert(sid, consumer);
    }

    /// A socket has disconnected.
    pub(super) fn remove(&mut self, sid: Sid) {
        let consumer = self.sockets.remove(&sid);
        if consumer.is_some_and(|consumer| consumer.is_slow()) {
            self.slow.retain(|slow| *slow != sid);
        }
    }

    /// A socket, if it is connected.
    pub(super) fn get(&self, sid: Sid) -> Option<&Consumer<A>> {
        self.sockets.get(&sid)
    }

    /// A socket, if it is connected.
    pub(super) fn get_mut(&mut self, sid: Sid) -> Option<&mut Consumer<A>> {
        self.sockets.get_mut(&sid)
    }

    /// What waits for a socket, if it is slow.
    pub(super) fn pending(&mut self, sid: Sid) -> Option<&mut Pending<A>> {
        self.sockets.get_mut(&sid)?.pending.as_mut()
    }

    /// All that are connected.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Sid, &Consumer<A>)> {
        self.sockets.iter().map(|(sid, consumer)| (*sid, consumer))
    }

    /// Counts that this many bytes are sent to a socket. False if it is slow, and must be
    /// sent nothing.
    pub(super) fn count_sent(&self, sid: Sid, bytes: usize, now: Instant) -> bool {
        let live = self.get(sid).filter(|consumer| !consumer.is_slow());
        if let Some(consumer) = live {
            consumer.session.sent(bytes, now);
        }
        live.is_some()
    }

    /// The sockets whose clients do not keep up and that are not marked slow yet.
    pub(super) fn newly_slow(&self, now: Instant) -> Vec<Sid> {
        self.iter()
            .filter(|(_, consumer)| self.falls_behind(consumer, now))
            .map(|(sid, _)| sid)
            .collect()
    }

    /// Is this socket one of them?
    pub(super) fn is_newly_slow(&self, sid: Sid, now: Instant) -> bool {
        self.get(sid)
            .is_some_and(|consumer| self.falls_behind(consumer, now))
    }

    fn falls_behind(&self, consumer: &Consumer<A>, now: Instant) -> bool {
        !consumer.is_slow() && !self.send_queue.has_room(consumer.session.backlog(), now)
    }

    /// May one packet more be sent to a socket, slow or not?
    pub(super) fn has_room(&self, sid: Sid, now: Instant) -> bool {
        self.get(sid)
            .is_some_and(|consumer| self.send_queue.has_room(consumer.session.backlog(), now))
    }

    /// A socket is slow from now on.
    pub(super) fn mark_slow(&mut self, sid: Sid, now: Instant) {
        if let Some(consumer) = self.sockets.get_mut(&sid)
            && !consumer.is_slow()
        {
            consumer.pending = Some(Pending::default());
            consumer.pace.marked_slow(now);
            self.slow.push_back(sid);
        }
    }

    /// A socket is slow no longer. On which boards is the score of its user to be sent?
    pub(super) fn resume(&mut self, sid: Sid, now: Instant) -> Vec<BoardId> {
        let Some(consumer) = self.sockets.get_mut(&sid) else {
            return Vec::new();
        };
        consumer.pace.resumed(now);
        let pending = consumer.pending.take();
        pending.map_or_else(Vec::new, |pending| pending.scores)
    }

    /// Takes all slow consumers, with what to do with each. Those that stay slow are to be
    /// given back to [`Consumers::keep_slow`].
    pub(super) fn take_slow(&mut self, now: Instant) -> Vec<(Sid, Verdict)> {
        let slow = std::mem::take(&mut self.slow);
        slow.into_iter()
            .filter_map(|sid| {
                let consumer = self.sockets.get(&sid)?;
                Some((sid, consumer.pace.verdict(consumer.session.backlog(), now)))
            })
            .collect()
    }

    /// A socket stays slow.
    pub(super) fn keep_slow(&mut self, sid: Sid) {
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
    fn so_many_answers_and_banners_are_pending() {
        let mut pending = Pending::default();
        for n in 0..150 {
            pending.add_answer(Answer {
                ack: Some(n),
                board: BoardId::default(),
                outcome: Ok(Reply::Done),
            });
            pending.add_banner(AnnouncementId([n; 16]));
            pending.add_ended(&BoardId::default());
        }
        let answers = std::iter::from_fn(|| pending.next_answer()).map(|it| it.ack);
        let (asked, ended): (Vec<_>, Vec<_>) = answers.partition(Option::is_some);
        let expected: Vec<_> = (0..64).map(Some).collect();
        assert_eq!(asked, expected, "the first ones");
        assert_eq!((ended.len(), pending.unasked), (64, 0));
        let banners: Vec<_> = pending.banners.iter().map(|it| it.0[0]).collect();
        assert_eq!(banners, (50..150).collect::<Vec<u8>>(), "the last ones");
    }

    #[test]
    fn a_refusal_without_acknowledgement_is_an_answer() {
        let mut pending: Pending<()> = Pending::default();
        for _ in 0..100 {
            pending.add_answer(Answer::ended(&BoardId::default()));
        }
        assert_eq!(std::iter::from_fn(|| pending.next_answer()).count(), 64);
        assert_eq!(pending.unasked, 0);
    }
}
