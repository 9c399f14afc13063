//! The hub's state: who is connected, what each is subscribed to, and what each is sent.
//!
//! It has no sockets and no clock. It takes events with the time at which they happen,
//! reads the boards, and returns the messages to send. So any order and any clock can be
//! tested. What is about one board is in [`feed`], and which boards are watched is in
//! [`feeds`]; all else is about connections and users.

mod banners;
mod client_events;
mod consumers;
mod delivery;
mod early;
mod expiry;
mod feed;
mod feeds;
mod heartbeats;
mod notifications;
mod pace;
mod page_limits;
mod presence;
mod session_end;
mod slow_consumers;

use std::collections::BTreeMap;

use app::wire::{HEARTBEAT, Heartbeat, USER_SCORE_UPDATE};
use socketioxide::socket::Sid;
use tokio::time::Instant;

use super::{connection::Connection, events::ClientEvent, message::Message, rooms};
use crate::{
    board::{Announcement, AnnouncementId, BoardId, Timestamp, UserId},
    config::AchievementsTable,
    live::Live,
    wire,
};
use banners::{Banners, Source};
use consumers::Pending;
use delivery::Delivery;
use early::EarlyMessages;
use expiry::TokenExpiry;
#[cfg(test)]
pub(super) use feed::apply;
use feeds::{Feeds, News};
use heartbeats::Heartbeats;
pub(super) use pace::SendQueue;
use presence::Presence;

/// What happens to the hub. `A` is what an event of a client is acknowledged with.
pub(super) enum Event<A> {
    /// A socket is connected.
    Connected(Sid, Connection),
    /// A socket of this user has disconnected.
    Disconnected(Sid, UserId),
    /// A client has sent an event.
    Message(ClientMessage<A>),
    /// An announcement that is not on the log.
    Announced {
        announcement: Announcement,
        /// The one that does not hold any more because of it.
        replaces: Option<AnnouncementId>,
    },
    /// Something was put on the log.
    LogGrew,
    /// It is time for something.
    Expired(Timer),
}

/// An event that a client has sent.
pub(super) struct ClientMessage<A> {
    pub(super) sid: Sid,
    pub(super) user: UserId,
    pub(super) event: ClientEvent,
    /// What it is acknowledged with, if the client asked for that.
    pub(super) ack: Option<A>,
}

/// What the hub does at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Takes what has changed on boards, and sends it.
    Tick,
    /// Looks at slow consumers.
    SlowConsumers,
    /// Disconnects sockets whose tokens have expired.
    TokenExpiry,
    /// Sends heartbeats.
    Heartbeats,
    /// Sends announcements that are due.
    Banners,
}

/// The time of an event, by each of the hub's clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// By which ticks, slow consumers and heartbeats are timed.
    pub(super) monotonic: Instant,
    /// By which the log and announcements are timed.
    pub(super) store: Timestamp,
    /// By which tokens expire: whole seconds since 1970-01-01T00:00:00Z.
    pub(super) token_seconds: u64,
}

/// How many are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) users: usize,
    pub(super) sockets: usize,
    /// Of the sockets, those whose clients do not keep up.
    pub(super) slow: usize,
}

/// See the module.
pub(super) struct HubState<A> {
    live: Live,
    feeds: Feeds,
    delivery: Delivery<A>,
    presence: Presence,
    early: EarlyMessages<A>,
    expiry: TokenExpiry,
    heartbeats: Heartbeats,
    banners: Banners,
    /// When to look at slow consumers, if there are any.
    slow_check: Option<Instant>,
}

impl<A> HubState<A> {
    /// No sockets are connected. `send_queue` is the bound of what may wait for each.
    pub(super) fn new(
        live: Live,
        send_queue: SendQueue,
        achievements: AchievementsTable,
        now: Instant,
    ) -> HubState<A> {
        HubState {
            feeds: Feeds::new(live.clone(), achievements, now),
            live,
            delivery: Delivery::new(send_queue),
            presence: Presence::default(),
            early: EarlyMessages::default(),
            expiry: TokenExpiry::default(),
            heartbeats: Heartbeats::default(),
            banners: Banners::default(),
            slow_check: None,
        }
    }

    /// Takes an event, and returns what to send because of it, in order.
    pub(super) fn handle(&mut self, event: Event<A>, now: Now) -> Vec<Message<A>> {
        match event {
            Event::Connected(sid, connection) => self.connect(sid, connection, now),
            Event::Disconnected(sid, user) => self.disconnect(sid, user),
            Event::Message(message) => self.receive(message, now),
            Event::Announced {
                announcement,
                replaces,
            } => self.banners.add(announcement, Source::Server { replaces }),
            Event::LogGrew => self.feeds.log_grew(),
            Event::Expired(Timer::Tick) => self.tick(now),
            Event::Expired(Timer::SlowConsumers) => self.check_slow_consumers(now),
            Event::Expired(Timer::TokenExpiry) => self.end_expired(now),
            Event::Expired(Timer::Heartbeats) => self.send_heartbeats(now),
            Event::Expired(Timer::Banners) => self.send_due_banners(now),
        }
        self.delivery.take_messages()
    }

    /// The timer that expires first, and when.
    pub(super) fn next_timer(&self, now: Now) -> Option<(Instant, Timer)> {
        let after = |wait| now.monotonic + wait;
        let timers = [
            (self.feeds.tick_due(now.monotonic), Timer::Tick),
            (self.slow_check, Timer::SlowConsumers),
            (
                self.expiry.wait(now.token_seconds).map(after),
                Timer::TokenExpiry,
            ),
            (self.heartbeats.due(), Timer::Heartbeats),
            (self.banners.wait(now.store).map(after), Timer::Banners),
        ];
        let timers = timers.into_iter();
        timers.filter_map(|(at, timer)| Some((at?, timer))).min()
    }

    /// Is something on the log that no tick has taken?
    pub(super) fn has_log_grown(&self) -> bool {
        self.feeds.has_log_grown()
    }

    /// Is this socket known to be connected?
    pub(super) fn is_registered(&self, sid: Sid) -> bool {
        self.delivery.consumers.get(sid).is_some()
    }

    /// Forgets what was sent by sockets that are not connected and do not exist.
    pub(super) fn retain_early(&mut self, exists: impl Fn(Sid) -> bool) {
        self.early.retain(exists);
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            users: self.presence.users().len(),
            sockets: self.presence.sockets(),
            slow: self.delivery.consumers.slow(),
        }
    }

    fn connect(&mut self, sid: Sid, connection: Connection, now: Now) {
        let identity = connection.identity;
        if self.presence.add(sid, identity.user) {
            self.feeds.add_user(identity.user, now.monotonic);
        }
        self.expiry.set(sid, identity.expires);
        self.delivery.consumers.add(sid, connection);
        // Since the handshake the user may have been deleted.
        if let Some(reason) = self.end_reason(identity) {
            self.end_session(sid, reason, now);
            return;
        }
        self.delivery.join(sid, rooms::of_identity(identity));
        let valid = self.banners.valid_for(identity, now.store);
        let valid: Vec<_> = valid.map(|it| it.announcement.id).collect();
        for id in valid {
            match self.pending_if_slow(sid, now) {
                Some(pending) => pending.add_banner(id),
                None => self.send_banner(sid, id, now),
            }
        }
        for message in self.early.take(sid) {
            self.receive(message, now);
        }
    }

    fn disconnect(&mut self, sid: Sid, user: UserId) {
        if self.presence.remove(sid, user) {
            self.feeds.remove_user(user);
        }
        self.feeds.disconnect(sid);
        self.delivery.consumers.remove(sid);
        self.expiry.remove(sid);
        self.heartbeats.remove(sid);
        self.early.take(sid);
    }

    /// Sends a socket the score and rank of its user on a board.
    fn send_current_score(&mut self, sid: Sid, user: UserId, board: &BoardId, now: Now) {
        if let Some(update) = self.feeds.current_score(sid, user, board, now.monotonic) {
            self.delivery.send(sid, USER_SCORE_UPDATE, &update, now);
        }
    }

    /// Sends what has changed on boards, and acts on what the log says of users.
    fn tick(&mut self, now: Now) {
        self.feeds.take(now.monotonic);
        let boards = self.feeds.take_due_boards(now.monotonic);
        // Before the looks: all that are in a room have received its latest frame.
        for board in &boards {
            self.mark_slow_consumers_of(board, now);
        }
        let mut achieved = Vec::new();
        for board in &boards {
            achieved.extend(self.tick_of(board, now));
        }
        let News {
            replaced,
            announced,
            deleted,
            hidden,
            revoked,
        } = self.feeds.take_news();
        for (user, announcement) in achieved {
            self.banners.add(announcement, Source::Achievement(user));
        }
        if replaced {
            self.banners.replace_log(announced);
        } else {
            for announcement in announced {
                self.banners.add(announcement, Source::Log);
            }
        }
        for user in deleted.iter().chain(&hidden) {
            self.banners.forget(*user);
        }
        let affected: Vec<UserId> = if replaced {
            self.presence.users().collect()
        } else {
            deleted.into_iter().chain(revoked).collect()
        };
        for user in affected {
            self.end_sessions(user, now);
        }
    }

    /// Sends what has changed on a board. Returns what users have achieved.
    fn tick_of(&mut self, board: &BoardId, now: Now) -> Vec<(UserId, Announcement)> {
        let look = self.feeds.look(board, &self.presence, now);
        // Before anything else is sent: who may not see the board any more is sent nothing.
        match &look {
            Some(look) => {
                if let Some(settings) = &look.new_settings {
                    self.end_subscriptions(board, Some(settings), now);
                }
            }
            None => self.end_subscriptions(board, None, now),
        }
        let Some(mut look) = look else {
            return Vec::new();
        };
        let achieved = std::mem::take(&mut look.achieved);
        self.feeds
            .send(board, look, &self.presence, &mut self.delivery, now);
        achieved
    }

    /// Sends a heartbeat to sockets that asked for it and were sent nothing for a while. It
    /// is encoded once for all that watch the same boards. A slow consumer has older packets
    /// to read first.
    fn send_heartbeats(&mut self, now: Now) {
        let consumers = &self.delivery.consumers;
        let last_sent = |sid| consumers.get(sid)?.session.last_sent();
        let mut quiet = self.heartbeats.take(now.monotonic, last_sent);
        quiet.retain(|sid| self.pending_if_slow(*sid, now).is_none());
        let mut watching: BTreeMap<Vec<BoardId>, Vec<Sid>> = BTreeMap::new();
        for sid in quiet {
            let mut boards = self.feeds.boards_of(sid);
            boards.sort_unstable();
            watching.entry(boards).or_default().push(sid);
        }
        for (boards, sids) in watching {
            let (epoch, seqs) = self.feeds.positions(&boards);
            let heartbeat = Heartbeat {
                time: wire::timestamp(now.store),
                epoch: epoch.to_string(),
                seqs,
            };
            self.delivery.send_each(&sids, HEARTBEAT, &heartbeat, now);
        }
    }

    /// What waits for a socket if its client does not keep up; nothing may be sent to it
    /// then.
    fn pending_if_slow(&mut self, sid: Sid, now: Now) -> Option<&mut Pending<A>> {
        if self.delivery.consumers.is_newly_slow(sid, now.monotonic) {
            self.mark_slow(sid, now.monotonic);
        }
        self.delivery.consumers.pending(sid)
    }
}

#[cfg(test)]
impl<A> HubState<A> {
    /// Is this socket a slow consumer?
    pub(super) fn is_slow(&self, sid: Sid) -> bool {
        let consumer = self.delivery.consumers.get(sid);
        consumer.is_some_and(consumers::Consumer::is_slow)
    }

    pub(super) fn feeds(&self) -> &Feeds {
        &self.feeds
    }
}
