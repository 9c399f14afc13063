//! Slow consumers. A socket whose client does not keep up leaves its rooms, so that nothing
//! is lost in the library's buffer. Once its client has read what it was sent, it is sent
//! what waits for it, is resynchronised with the newest frame, and joins its rooms again.
//! A client that reads nothing for too long is closed.

use socketioxide::socket::Sid;
use tokio::time::Instant;

use super::{
    HubState, Now,
    pace::{CHECK_INTERVAL, Verdict},
};
use crate::{
    board::BoardId,
    hub::{message::Message, rooms},
};

/// Slow consumers that are resynchronised at once: each is encoded for alone, and many of
/// them must not hold up the others.
const RESUMED_AT_ONCE: usize = 64;

impl<A> HubState<A> {
    /// Marks sockets slow whose clients do not keep up. To be called before anything is
    /// sent to a room that any may be in.
    pub(super) fn mark_slow_consumers(&mut self, now: Now) {
        for sid in self.delivery.consumers.newly_slow(now.monotonic) {
            self.mark_slow(sid, now.monotonic);
        }
    }

    /// The same of those that a board is sent to.
    pub(super) fn mark_slow_consumers_of(&mut self, board: &BoardId, now: Now) {
        match self.feeds.sockets_of(board) {
            Some(sids) => {
                for sid in sids {
                    self.pending_if_slow(sid, now);
                }
            }
            None => self.mark_slow_consumers(now),
        }
    }

    pub(super) fn mark_slow(&mut self, sid: Sid, now: Instant) {
        self.delivery.push(Message::LeaveAll(sid));
        self.feeds.pause(sid);
        self.delivery.consumers.mark_slow(sid, now);
        self.slow_check.get_or_insert(now + CHECK_INTERVAL);
    }

    /// Resumes slow consumers that have read what they were sent, and closes those that
    /// read nothing.
    pub(super) fn check_slow_consumers(&mut self, now: Now) {
        let mut resumed = 0;
        for (sid, verdict) in self.delivery.consumers.take_slow(now.monotonic) {
            match verdict {
                Verdict::Close => {
                    if let Some(consumer) = self.delivery.consumers.get(sid) {
                        let session = consumer.session.clone();
                        self.delivery.push(Message::CloseSlow(session));
                    }
                }
                Verdict::Resume if resumed < RESUMED_AT_ONCE => {
                    resumed += 1;
                    if self.send_pending(sid, now) {
                        self.resume(sid, now);
                    } else {
                        self.delivery.consumers.keep_slow(sid);
                    }
                }
                Verdict::Resume | Verdict::Wait => self.delivery.consumers.keep_slow(sid),
            }
        }
        let has_slow = self.delivery.consumers.slow() > 0;
        self.slow_check = has_slow.then(|| now.monotonic + CHECK_INTERVAL);
    }

    /// Sends a slow consumer the answers and banners that wait for it, as many as it
    /// has room for. Were that all?
    fn send_pending(&mut self, sid: Sid, now: Now) -> bool {
        while self.delivery.consumers.has_room(sid, now.monotonic) {
            let Some(pending) = self.delivery.consumers.pending(sid) else {
                return true;
            };
            if let Some(answer) = pending.next_answer() {
                self.send_answer(sid, answer, now);
            } else if let Some(id) = pending.banners.pop_front() {
                self.send_banner(sid, id, now);
            } else {
                return true;
            }
        }
        false
    }

    /// A socket joins its rooms again, and is sent the newest state of each board, as much
    /// as it has room for. With more it is slow again: the boards that were left out are
    /// the first then.
    fn resume(&mut self, sid: Sid, now: Now) {
        let mut scores = self
            .delivery
            .consumers
            .resume(sid, now.monotonic)
            .into_iter();
        let Some(identity) = self.delivery.consumers.get(sid).map(|it| it.identity) else {
            return;
        };
        self.delivery.join(sid, rooms::of_identity(identity));
        let mut boards = self.feeds.boards_of(sid).into_iter();
        let mut resumed = 0;
        while self.delivery.consumers.has_room(sid, now.monotonic)
            && let Some(board) = boards.next()
        {
            if !self.may_see(sid, &board) {
                self.end_subscription(sid, &board, now);
                continue;
            }
            resumed += 1;
            if let Some((view, mode, frame)) = self.feeds.resume(sid, &board) {
                let rooms = rooms::of_subscription(&board, view, mode);
                self.delivery.join(sid, rooms);
                self.delivery.send_payload(sid, frame, now);
            }
        }
        self.feeds.rotate(sid, resumed);
        while self.delivery.consumers.has_room(sid, now.monotonic)
            && let Some(board) = scores.next()
        {
            if self.may_see(sid, &board) {
                self.send_current_score(sid, identity.user, &board, now);
            }
        }
        if boards.len() > 0 || scores.len() > 0 {
            self.mark_slow(sid, now.monotonic);
            if let Some(pending) = self.delivery.consumers.pending(sid) {
                scores.for_each(|board| pending.add_score(&board));
            }
        }
    }
}
