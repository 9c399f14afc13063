//! What the events of clients do.

use socketioxide::socket::Sid;

use super::{ClientMessage, HubState, Now, feeds::NoRoom};
use crate::{
    auth::Identity,
    board::{BoardId, Settings, UserId, Who},
    hub::{
        answers::{Answer, EventError, Reply},
        events::{ClientEvent, Subscribe},
        message::Message,
        rooms,
    },
    limits::Reason,
    live::Viewer,
};

impl<A> HubState<A> {
    /// Takes an event of a client, and answers it.
    pub(super) fn receive(&mut self, message: ClientMessage<A>, now: Now) {
        let sid = message.sid;
        if !self.is_registered(sid) {
            self.early.hold(message);
            return;
        }
        let board = match &message.event {
            ClientEvent::SubscribeScoreboard(wanted) => wanted.board.clone(),
            ClientEvent::UnsubscribeScoreboard(board)
            | ClientEvent::SubscribeUserScore(_, board) => board.clone(),
            _ => BoardId::default(),
        };
        let answer = Answer {
            outcome: self.execute(sid, message.user, message.event, now),
            board,
            ack: message.ack,
        };
        match self.pending_if_slow(sid, now) {
            Some(pending) => pending.add_answer(answer),
            None => self.send_answer(sid, answer, now),
        }
    }

    pub(super) fn send_answer(&mut self, sid: Sid, answer: Answer<A>, now: Now) {
        let (epoch, seq) = self.feeds.position(&answer.board);
        // Of what is not to be seen, it is as if nothing had ever happened.
        let seq = if self.may_see(sid, &answer.board) {
            seq
        } else {
            0
        };
        let position = (epoch, seq);
        self.delivery.answer(sid, answer, position, now);
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
            ClientEvent::UnsubscribeScoreboard(board) => self.unsubscribe(sid, &board),
            ClientEvent::SubscribeUserScore(of, board) => {
                let own = self.own(sid, user, of, &board);
                let own = own.ok_or(EventError::Forbidden)?;
                self.subscribe_score(sid, user, own, &board, now)?;
            }
            ClientEvent::RefreshToken(identity) => self.refresh_token(sid, user, identity)?,
            ClientEvent::Ping => return Ok(Reply::Pong),
            ClientEvent::Malformed => return Err(EventError::Malformed),
        }
        Ok(Reply::Done)
    }

    /// May the user of a socket see this board, if there is one?
    pub(super) fn may_see(&self, sid: Sid, board: &BoardId) -> bool {
        let role = self.delivery.consumers.get(sid).map(|it| it.identity.role);
        self.live.shows(board, Viewer::of(role))
    }

    /// May a socket watch this board? Whoever is told that there is none watches it no longer,
    /// which is said besides: an answer may be dropped.
    fn check_board(&mut self, sid: Sid, board: &BoardId, now: Now) -> Result<(), EventError> {
        if self.may_see(sid, board) {
            return Ok(());
        }
        if self.feeds.watches(sid, board) {
            self.end_subscription(sid, board, now);
        }
        Err(EventError::UnknownBoard(board.clone()))
    }

    fn subscribe(&mut self, sid: Sid, wanted: Subscribe, now: Now) -> Result<(), EventError> {
        let Some(consumer) = self.delivery.consumers.get(sid) else {
            return Err(EventError::Forbidden);
        };
        let (address, limited_as) = (consumer.address, consumer.limited_as);
        self.check_board(sid, &wanted.board, now)?;
        match self.feeds.has_room(sid, limited_as, &wanted) {
            Ok(()) => {}
            Err(NoRoom::OfPages) => {
                let refused = Message::Refused(Reason::Pages, address);
                self.delivery.push(refused);
                return Err(EventError::TooMany);
            }
            Err(NoRoom::OfBoards) => return Err(EventError::TooManyBoards),
        }
        let (board, view, mode) = (wanted.board.clone(), wanted.view, wanted.mode);
        self.unsubscribe(sid, &board);
        if wanted.heartbeat {
            self.heartbeats.add(sid, now.monotonic);
        }
        if self.pending_if_slow(sid, now).is_some() {
            self.feeds.subscribe_paused(sid, limited_as, wanted, now);
            return Ok(());
        }
        let rooms = rooms::of_subscription(&board, view, mode);
        self.delivery.join(sid, rooms);
        let first_frame = self.feeds.subscribe(sid, limited_as, wanted, now);
        self.delivery.send_payload(sid, first_frame, now);
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, sid: Sid, board: &BoardId) {
        if let Some((view, mode)) = self.feeds.unsubscribe(sid, board) {
            let rooms = rooms::of_subscription(board, view, mode);
            self.delivery.leave(sid, rooms);
        }
        if !self.feeds.wants_heartbeats(sid) {
            self.heartbeats.remove(sid);
        }
    }

    /// Whose score a user asks for on a board by this id, if it is their own: they themselves,
    /// or their team where teams stand.
    fn own(&self, sid: Sid, user: UserId, id: UserId, board: &BoardId) -> Option<Who> {
        if id == user {
            return Some(user.into());
        }
        if !self.may_see(sid, board) {
            return None;
        }
        let team = self.live.read_board(board, |_, board| {
            let team = board.directory().person(user)?.team()?;
            Some(Who::Team(team)).filter(|team| board.who(id) == *team)
        });
        team.flatten()
    }

    /// Sends a socket the score of its user or of their team, and of another board than `main`
    /// those that follow.
    fn subscribe_score(
        &mut self,
        sid: Sid,
        user: UserId,
        own: Who,
        board: &BoardId,
        now: Now,
    ) -> Result<(), EventError> {
        self.check_board(sid, board, now)?;
        if !self.feeds.subscribe_score(sid, own, board, now) {
            return Err(EventError::TooManyBoards);
        }
        match self.pending_if_slow(sid, now) {
            Some(pending) => pending.add_score(board),
            None => self.send_current_score(sid, user, board, now),
        }
        Ok(())
    }

    /// All watch a board no longer who may not see it; without settings, whoever does.
    pub(super) fn end_subscriptions(
        &mut self,
        board: &BoardId,
        settings: Option<&Settings>,
        now: Now,
    ) {
        for sid in self.feeds.watchers_of(board) {
            let Some(identity) = self.delivery.consumers.get(sid).map(|it| it.identity) else {
                continue;
            };
            let viewer = Viewer::of(Some(identity.role));
            if !settings.is_some_and(|settings| viewer.may_see(settings)) {
                self.end_subscription(sid, board, now);
            }
        }
    }

    /// A socket watches a board no longer, because that is gone or not for its user to see,
    /// and is told so.
    pub(super) fn end_subscription(&mut self, sid: Sid, board: &BoardId, now: Now) {
        self.unsubscribe(sid, board);
        self.feeds.unsubscribe_score(sid, board);
        // Whoever keeps up is seen before a tick, and not amid what it sends.
        match self.delivery.consumers.pending(sid) {
            Some(pending) => pending.add_ended(board),
            None => self.send_answer(sid, Answer::ended(board), now),
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
