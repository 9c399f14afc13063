//! The actor: everything that the hub says is said here, one thing after the
//! other, and from the board as it is at that moment. So a client that sees
//! `seq` never sees an older one later.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use app::wire::{
    HEARTBEAT, Heartbeat, LEADERBOARD_REFRESH, LeaderboardData, MAIN, SCOREBOARD_DELTA,
    SESSION_EXPIRED, SYSTEM_NOTIFICATION, ScoreboardDelta, SystemNotification, USER_SCORE_UPDATE,
    UserScoreUpdate,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use socketioxide::socket::Sid;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    Joined,
    answers::{Answer, ErrorMessage, EventError, Reply},
    banners::{Banner, Banners, Source, is_for},
    consumers::{Consumer, Consumers},
    events::{ClientEvent, Subscribe},
    expiring::Expiring,
    frames::{Frames, Moment},
    heartbeats::Heartbeats,
    online::Online,
    outlet::{Outlet, event_size},
    rooms,
    slow::{Complaint, LOOK, SendQueue, Verdict},
    turns::Turn,
    updates::Updates,
    view::{Mode, View},
    watching::Watching,
};
use crate::{
    auth::{Identity, Role, Tokens},
    board::{Announcement, AnnouncementId, Board, Tick, UserChange, UserId},
    config::AchievementsTable,
    limits::{Limits, Reason},
    live::LiveBoard,
    metrics::Metrics,
    vital::{self, Pulse},
    wire,
};

/// Between two frames to a room.
const TICK: Duration = Duration::from_millis(100);

/// Slow sockets that are given the newest state at once: each is encoded by itself, and
/// many of them must not keep the actor from the others.
const RESUMED_AT_ONCE: usize = 64;

/// What a client may say before it was welcomed, in events. That is a moment; official
/// clients have a few events to say then.
const EARLY: usize = 64;

/// Why a session ends before its client leaves.
const EXPIRED: &str = "The token has expired";
const DELETED: &str = "User deleted";
const REVOKED: &str = "The token was revoked";

/// What the actor is asked to do. `A` is by what an event is acknowledged.
pub(super) enum Request<A> {
    /// A socket was let in.
    Connected(Sid, Joined),
    /// A socket of this user has gone.
    Disconnected(Sid, UserId),
    /// A client said something. The turn is over when the actor has it.
    Event(Heard<A>, Turn),
    /// Something that is not on the log is to be announced.
    Announce {
        announcement: Announcement,
        /// What does not hold any more because of it.
        replaces: Option<AnnouncementId>,
    },
}

/// What a client said.
pub(super) struct Heard<A> {
    pub(super) sid: Sid,
    pub(super) user: UserId,
    pub(super) event: ClientEvent,
    /// By what it is acknowledged, if the client asked for that.
    pub(super) ack: Option<A>,
}

pub(super) struct Actor<O: Outlet> {
    pub(super) outlet: O,
    pub(super) live: LiveBoard,
    /// By whose clock tokens end.
    tokens: Arc<Tokens>,
    limits: Arc<Limits>,
    pub(super) achievements: AchievementsTable,
    pub(super) tick: Tick,
    pub(super) started: Instant,
    pub(super) consumers: Consumers<O::Ack>,
    pub(super) watching: Watching,
    /// What is still to be told of the visible board.
    pub(super) updates: Updates,
    pub(super) online: Online,
    /// When to look at slow sockets, if there are any.
    look: Option<Instant>,
    closed: Complaint,
    expiring: Expiring,
    heartbeats: Heartbeats,
    /// What clients said before they were welcomed.
    early: HashMap<Sid, Vec<Heard<O::Ack>>>,
    pub(super) banners: Banners,
    metrics: Metrics,
}

impl<O: Outlet> Actor<O> {
    pub(super) fn new(
        outlet: O,
        live: LiveBoard,
        tokens: Arc<Tokens>,
        limits: Arc<Limits>,
        queue: SendQueue,
        achievements: AchievementsTable,
    ) -> Actor<O> {
        let watching = live.read(|epoch, board| {
            let top = Frames::new(View::Top, epoch, board);
            Watching::new(top, Moment::of(epoch, board))
        });
        let metrics = live.metrics().clone();
        Actor {
            outlet,
            live,
            tokens,
            limits,
            achievements,
            tick: Tick::new(TICK),
            started: Instant::now(),
            consumers: Consumers::new(queue),
            watching,
            updates: Updates::default(),
            online: Online::default(),
            look: None,
            closed: Complaint::default(),
            expiring: Expiring::default(),
            heartbeats: Heartbeats::default(),
            early: HashMap::new(),
            banners: Banners::default(),
            metrics,
        }
    }

    /// Works until nobody can ask any more.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request<O::Ack>>, pulse: Pulse) {
        let live = self.live.clone();
        let mut changed = false;
        let mut beats = vital::beats();
        loop {
            pulse.beat();
            let tick = self.tick_due(changed);
            let expiry = self.expiring.due(self.tokens.seconds());
            let look = self.look;
            let heartbeat = self.heartbeats.due();
            let banner = self.banners.wait(self.live.now());
            let banner = banner.map(|wait| Instant::now() + wait);
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.handle(request),
                    None => return pulse.retire(),
                },
                _ = beats.tick() => {}
                () = live.changed(), if !changed => changed = true,
                () = until(tick) => {
                    changed = false;
                    self.tick().await;
                }
                () = until(look) => self.look_at_slow(),
                () = until(expiry) => self.end_expired(),
                () = until(heartbeat) => self.send_heartbeats(),
                () = until(banner) => self.show_banners().await,
            }
        }
    }

    /// When there is something to say, or to look for.
    fn tick_due(&self, changed: bool) -> Option<Instant> {
        let next = self.started + self.tick.due(self.started.elapsed());
        if changed || !self.updates.is_empty() || self.online.is_waiting() {
            return Some(next);
        }
        self.online.sweep_due().map(|sweep| sweep.max(next))
    }

    pub(super) fn handle(&mut self, request: Request<O::Ack>) {
        match request {
            Request::Connected(sid, joined) => {
                // It may have gone already, and that may have been told before.
                if self.outlet.is_connected(sid) {
                    self.welcome(sid, joined);
                    self.count();
                }
            }
            Request::Disconnected(sid, user) => {
                self.online.left(sid, user);
                self.watching.leave(sid);
                self.consumers.remove(sid);
                self.expiring.forget(sid);
                self.heartbeats.remove(sid);
                self.early.remove(&sid);
                self.count();
            }
            Request::Event(heard, turn) => {
                drop(turn);
                self.hear(heard);
            }
            Request::Announce {
                announcement,
                replaces,
            } => self.banners.add(announcement, Source::Server { replaces }),
        }
    }

    fn count(&self) {
        let (users, sockets) = self.online.count();
        self.metrics.users_online.set(users as i64);
        self.metrics.sockets.set(sockets as i64);
        self.metrics.slow_sockets.set(self.consumers.slow() as i64);
    }

    fn hear(&mut self, heard: Heard<O::Ack>) {
        let sid = heard.sid;
        if self.consumers.get(sid).is_none() {
            // The library tells a client that it is connected a moment before it
            // is, and until then drops what it is told.
            self.early.retain(|sid, _| self.outlet.exists(*sid));
            if self.outlet.exists(sid) {
                let early = self.early.entry(sid).or_default();
                if early.len() < EARLY {
                    early.push(heard);
                }
            }
            return;
        }
        // Whoever has gone watches nothing: that will be noted.
        if !self.outlet.is_connected(sid) {
            return;
        }
        let outcome = self.answer(sid, heard.user, heard.event);
        let answer = Answer {
            ack: heard.ack,
            outcome,
        };
        let is_live = self.is_live(sid);
        let Some(consumer) = self.consumers.get_mut(sid) else {
            return;
        };
        if is_live {
            let to = (sid, &consumer.session);
            answer.send(&self.outlet, to, &self.live, Instant::now());
        } else if let Some(owed) = consumer.owed() {
            owed.answer(answer);
        }
    }

    fn welcome(&mut self, sid: Sid, joined: Joined) {
        let identity = joined.identity;
        let rank = self.live.read(|_, board| board.user(identity.user)?.rank);
        self.online.came(sid, identity.user, rank);
        self.expiring.set(sid, identity.expires);
        self.consumers.add(sid, joined);
        // Between the handshake and now the user may have been deleted.
        if let Some(reason) = self.ended(identity) {
            self.end(sid, reason);
            return;
        }
        self.outlet.join(sid, own_rooms(identity));
        let valid = self.banners.valid_for(identity, self.live.now());
        let valid: Vec<_> = valid.map(|it| it.announcement.id).collect();
        for id in valid {
            if self.is_live(sid) {
                self.tell_banner(sid, id);
            } else if let Some(owed) = self.consumers.get_mut(sid).and_then(Consumer::owed) {
                owed.banner(id);
            }
        }
        for heard in self.early.remove(&sid).unwrap_or_default() {
            self.hear(heard);
        }
    }

    fn answer(&mut self, sid: Sid, user: UserId, event: ClientEvent) -> Result<Reply, EventError> {
        match event {
            ClientEvent::SubscribeScoreboard(wanted) => self.subscribe(sid, wanted)?,
            ClientEvent::UnsubscribeScoreboard => self.unsubscribe(sid),
            ClientEvent::SubscribeUserScore(asked) => {
                if asked != user {
                    return Err(EventError::Forbidden);
                }
                if self.is_live(sid) {
                    self.tell_current(sid, user);
                } else if let Some(owed) = self.consumers.get_mut(sid).and_then(Consumer::owed) {
                    owed.score = true;
                }
            }
            ClientEvent::RefreshToken(identity) => {
                let identity = identity.filter(|identity| self.ended(*identity).is_none());
                let identity = identity.ok_or(EventError::InvalidToken)?;
                let Some(consumer) = self.consumers.get_mut(sid) else {
                    return Err(EventError::Forbidden);
                };
                // Rooms were joined as whoever the socket began as.
                if identity.user != user || consumer.identity.role != identity.role {
                    return Err(EventError::Forbidden);
                }
                if consumer.identity.expires < identity.expires {
                    consumer.identity = identity;
                    self.expiring.set(sid, identity.expires);
                }
            }
            ClientEvent::Ping => return Ok(Reply::Pong),
            ClientEvent::Malformed => return Err(EventError::Malformed),
        }
        Ok(Reply::Done)
    }

    fn subscribe(&mut self, sid: Sid, wanted: Subscribe) -> Result<(), EventError> {
        let Subscribe {
            view,
            mode,
            known,
            heartbeat,
        } = wanted;
        let live = self.live.clone();
        let address = self.consumers.get(sid).and_then(|it| it.address);
        let limited = address.and_then(|address| self.limits.limited(address));
        let has_rows = live.read(|_, board| view.places(board.rules()).start < board.len());
        if !self.watching.may_watch(sid, limited, view, has_rows) {
            self.limits.refused(Reason::Pages, address);
            return Err(EventError::TooMany);
        }
        self.unsubscribe(sid);
        if heartbeat {
            self.heartbeats.add(sid, Instant::now());
        }
        if !self.is_live(sid) {
            let first = || live.read(|epoch, board| Frames::new(view, epoch, board));
            self.watching.watch(sid, limited, view, mode, first);
            self.watching.begin_behind(sid);
            return Ok(());
        }
        // Joining comes first, so that nothing falls between.
        self.outlet.join(sid, rooms::watched(view, mode));
        let missed = live.read(|epoch, board| {
            let now = Moment::of(epoch, board);
            // Until the next tick, the frames may be of a log that is no more.
            let is_followed = self.watching.last_tick().epoch == epoch;
            let known = known.filter(|(known, _)| is_followed && *known == epoch);
            let known = known.map(|(_, seq)| (seq, self.watching.is_tick(seq)));
            let frames = self
                .watching
                .watch(sid, limited, view, mode, || Frames::new(view, epoch, board));
            let missed = known.and_then(|(seq, is_tick)| {
                // What was seen between two ticks, deltas do not know of; and all
                // answers are as of now, or one could be older than another.
                let is_frame = is_tick || seq == frames.data().seq;
                if seq == now.seq {
                    Some(frames.nothing(board))
                } else if is_frame && frames.is_current(board) {
                    frames.since(&epoch.to_string(), seq, now)
                } else {
                    None
                }
            });
            if missed.is_some() {
                self.watching.shown(sid, now);
            }
            missed
        });
        match missed {
            Some(missed) => self.tell(sid, SCOREBOARD_DELTA, &missed),
            None => self.tell_all_rows(sid, view),
        }
        Ok(())
    }

    /// Shows a socket that watches a view all its rows as they are now. Many may ask at
    /// the same time, so what the first is told is kept for the others.
    fn tell_all_rows(&mut self, sid: Sid, view: View) {
        let (now, rows) = self.live.read(|epoch, board| {
            let now = Moment::of(epoch, board);
            let rows = self
                .watching
                .rows(view, now)
                .ok_or_else(|| LeaderboardData {
                    page: view.page(),
                    ..wire::leaderboard(epoch, board, view.places(board.rules()))
                });
            (now, rows)
        });
        let rows = rows.or_else(|rows| {
            let rows = Arc::from(to_raw_value(&rows)?);
            self.watching.keep_rows(view, now, &rows);
            Ok::<_, serde_json::Error>(rows)
        });
        self.watching.shown(sid, now);
        if let Ok(rows) = rows {
            self.tell_raw(sid, LEADERBOARD_REFRESH, &rows);
        }
    }

    fn unsubscribe(&mut self, sid: Sid) {
        self.heartbeats.remove(sid);
        if let Some(watch) = self.watching.leave(sid) {
            self.outlet
                .leave(sid, rooms::watched(watch.view, watch.mode));
        }
    }

    /// Sends a heartbeat to those who asked for it and were sent nothing for a while. One
    /// frame is written for all of them. Slow sockets have what is older to take first.
    pub(super) fn send_heartbeats(&mut self) {
        let last_sent = |sid| self.consumers.get(sid)?.session.last_sent();
        let quiet = self.heartbeats.take(Instant::now(), last_sent);
        let quiet: Vec<Sid> = quiet.into_iter().filter(|sid| self.is_live(*sid)).collect();
        if quiet.is_empty() {
            return;
        }
        let (epoch, seq) = self.live.read(|epoch, board| (epoch, board.seq()));
        let heartbeat = Heartbeat {
            time: wire::timestamp(self.live.now()),
            epoch: epoch.to_string(),
            seqs: BTreeMap::from([(MAIN.to_owned(), seq)]),
        };
        if let Ok(heartbeat) = to_raw_value(&heartbeat) {
            for sid in quiet {
                self.tell_raw(sid, HEARTBEAT, &heartbeat);
            }
        }
    }

    /// Tells a socket where its user stands.
    fn tell_current(&mut self, sid: Sid, user: UserId) {
        let current = self.live.read(|epoch, board| {
            let change = unacted(UserScoreUpdate::CURRENT, board);
            wire::user_update(epoch, board, user, change)
        });
        if let Some(update) = current {
            self.online.asked(user, update.rank);
            self.tell(sid, USER_SCORE_UPDATE, &update);
        }
    }

    fn tell_banner(&self, sid: Sid, id: AnnouncementId) {
        // Whoever has just been deleted is forgotten with the next tick.
        let is_of_the_deleted = |banner: &Banner| match banner.source {
            Source::Achievement(user) => !self.live.knows(user),
            Source::Log | Source::Server { .. } => false,
        };
        let banner = self.banners.valid(id, self.live.now());
        if let Some(banner) = banner.filter(|banner| !is_of_the_deleted(banner)) {
            self.tell(sid, SYSTEM_NOTIFICATION, &notification(banner));
        }
    }

    /// Emits to one socket that was welcomed.
    pub(super) fn tell<T: Serialize>(&self, sid: Sid, event: &str, data: &T) {
        // What has no JSON is not sent.
        if let Ok(data) = to_raw_value(data) {
            self.tell_raw(sid, event, &data);
        }
    }

    fn tell_raw(&self, sid: Sid, event: &str, data: &RawValue) {
        if let Some(consumer) = self.consumers.get(sid) {
            let bytes = event_size(event, data);
            consumer.session.sent(bytes, Instant::now());
            self.outlet.emit(sid, event, data);
        }
    }

    /// Emits to rooms, encoded once. These are the sockets in them.
    pub(super) async fn tell_rooms<T: Serialize + Sync>(
        &self,
        rooms: Vec<String>,
        sids: impl IntoIterator<Item = Sid>,
        event: &str,
        data: &T,
    ) {
        let mut sids = sids.into_iter().peekable();
        if sids.peek().is_none() {
            return;
        }
        let Ok(data) = to_raw_value(data) else {
            return;
        };
        let (bytes, now) = (event_size(event, &data), Instant::now());
        // All of them: which of them is slow must not depend on the others.
        let live = sids
            .filter(|sid| self.consumers.note(*sid, bytes, now))
            .count();
        if live > 0 {
            self.outlet.emit_to(rooms, event, &data).await;
        }
    }

    /// Can a socket be sent something? If its client does not keep up, it is set aside.
    fn is_live(&mut self, sid: Sid) -> bool {
        let now = Instant::now();
        if self.consumers.is_falling_behind(sid, now) {
            self.set_aside(sid, now);
        }
        !self.consumers.is_slow(sid)
    }

    /// Sets those aside whose clients do not keep up. To be called before anything is
    /// said to a room, when the latest frames were sent.
    pub(super) fn set_slow_aside(&mut self) {
        let now = Instant::now();
        for sid in self.consumers.falling_behind(now) {
            self.set_aside(sid, now);
        }
    }

    fn set_aside(&mut self, sid: Sid, now: Instant) {
        self.outlet.leave_all(sid);
        self.watching.fall_behind(sid);
        self.consumers.set_aside(sid, now);
        self.look.get_or_insert(now + LOOK);
        self.count();
    }

    /// Gives slow sockets what they missed, if they have taken what they were sent, and
    /// closes those that take nothing.
    pub(super) fn look_at_slow(&mut self) {
        let now = Instant::now();
        let mut resumed = 0;
        for (sid, verdict) in self.consumers.take_slow(now) {
            match verdict {
                Verdict::Close => self.close(sid, now),
                Verdict::Resume if resumed < RESUMED_AT_ONCE => {
                    resumed += 1;
                    if self.give_owed(sid, now) {
                        self.resume(sid, now);
                    } else {
                        self.consumers.put_back(sid);
                    }
                }
                Verdict::Resume | Verdict::Wait => self.consumers.put_back(sid),
            }
        }
        self.look = (self.consumers.slow() > 0).then_some(now + LOOK);
        self.count();
    }

    /// Gives a slow socket the answers and banners that wait for it, as many as it can
    /// take. Were that all?
    fn give_owed(&mut self, sid: Sid, now: Instant) -> bool {
        while self.consumers.may_take(sid, now) {
            let Some(consumer) = self.consumers.get_mut(sid) else {
                return true;
            };
            let Some(owed) = consumer.owed() else {
                return true;
            };
            if let Some(answer) = owed.answers.pop_front() {
                answer.send(&self.outlet, (sid, &consumer.session), &self.live, now);
            } else if let Some(id) = owed.banners.pop_front() {
                self.tell_banner(sid, id);
            } else {
                return true;
            }
        }
        false
    }

    /// A slow socket is back in its rooms, and gets one step to the newest state.
    fn resume(&mut self, sid: Sid, now: Instant) {
        let is_score_new = self.consumers.resume(sid, now);
        let Some(identity) = self.consumers.get(sid).map(|consumer| consumer.identity) else {
            return;
        };
        self.outlet.join(sid, own_rooms(identity));
        if let Some((view, mode, seen)) = self.watching.catch_up(sid) {
            self.outlet.join(sid, rooms::watched(view, mode));
            self.tell_step(sid, view, mode, seen);
        }
        if is_score_new {
            self.tell_current(sid, identity.user);
        }
    }

    /// One step from the frame with `seq` to the latest, or to all rows; 0 is whoever
    /// has seen nothing, or nobody can say what.
    fn tell_step(&mut self, sid: Sid, view: View, mode: Mode, seq: u64) {
        let frames = self.watching.frames(view);
        if seq > 0 && frames.is_some_and(|frames| frames.data().seq == seq) {
            return;
        }
        let missed = match mode {
            Mode::Delta if seq > 0 => self.missed_since(view, seq),
            _ => None,
        };
        match missed {
            Some(missed) => self.tell(sid, SCOREBOARD_DELTA, &missed),
            None => self.tell_all_rows(sid, view),
        }
    }

    fn missed_since(&self, view: View, seq: u64) -> Option<ScoreboardDelta> {
        let frames = self.watching.frames(view)?;
        frames.since(&frames.data().epoch, seq, self.watching.last_tick())
    }

    /// Closes a socket that takes nothing.
    fn close(&mut self, sid: Sid, now: Instant) {
        let Some(consumer) = self.consumers.get(sid) else {
            return;
        };
        consumer.session.close();
        self.metrics.slow_closed.inc();
        if let Some(clients) = self.closed.count(now) {
            tracing::warn!(clients, "closed clients that took nothing for too long");
        }
    }

    /// Closes sockets whose tokens have expired.
    pub(super) fn end_expired(&mut self) {
        for sid in self.expiring.take_until(self.tokens.seconds()) {
            self.end(sid, EXPIRED);
        }
    }

    /// Closes the sockets of somebody with which they may not be here any more.
    pub(super) fn end_sessions(&mut self, user: UserId) {
        for sid in self.online.sockets(user).to_vec() {
            let identity = self.consumers.get(sid).map(|consumer| consumer.identity);
            if let Some(reason) = identity.and_then(|identity| self.ended(identity)) {
                self.end(sid, reason);
            }
        }
    }

    /// Why somebody with a good token may not be here, if so.
    fn ended(&self, identity: Identity) -> Option<&'static str> {
        if identity.role == Role::Player && !self.live.knows(identity.user) {
            Some(DELETED)
        } else if self.live.is_revoked(&identity) {
            Some(REVOKED)
        } else {
            None
        }
    }

    /// Ends a socket, whether or not its client reads why. Its transport ends a little
    /// later, or at once if its client cannot be told.
    fn end(&mut self, sid: Sid, message: &'static str) {
        self.tell(sid, SESSION_EXPIRED, &ErrorMessage { message });
        if !self.outlet.disconnect(sid)
            && let Some(consumer) = self.consumers.get(sid)
        {
            consumer.session.close();
        }
    }

    pub(super) async fn show_banners(&mut self) {
        for banner in self.banners.take_due(self.live.now()) {
            self.set_slow_aside();
            let Announcement { id, audience, .. } = banner.announcement;
            let all = self.consumers.iter();
            let to: Vec<Sid> = all
                .filter(|(_, consumer)| is_for(audience, consumer.identity))
                .map(|(sid, _)| sid)
                .collect();
            for sid in &to {
                if let Some(owed) = self.consumers.get_mut(*sid).and_then(Consumer::owed) {
                    owed.banner(id);
                }
            }
            let (rooms, shown) = (rooms::audience(audience), notification(&banner));
            self.tell_rooms(rooms, to, SYSTEM_NOTIFICATION, &shown)
                .await;
        }
    }
}

/// The rooms of everybody who is here like this.
fn own_rooms(identity: Identity) -> Vec<String> {
    vec![
        rooms::user(identity.user),
        rooms::role(identity.role).to_owned(),
    ]
}

fn notification(banner: &Banner) -> SystemNotification {
    let replaces = match banner.source {
        Source::Log | Source::Achievement(_) => None,
        Source::Server { replaces } => replaces,
    };
    SystemNotification {
        replaces: replaces.map(wire::announcement_text),
        ..wire::notification(&banner.announcement)
    }
}

/// What is told of somebody who did not act.
fn unacted(action_type: &str, board: &Board) -> UserChange {
    UserChange {
        action_type: action_type.into(),
        increase: 0,
        merged: 0,
        at: board.changed(),
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
