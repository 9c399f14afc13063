//! The actor: everything that the hub says is said here, one thing after the
//! other, and from the board as it is at that moment. So a client that sees
//! `seq` never sees an older one later.

use std::{collections::HashMap, sync::Arc, time::Duration};

use app::wire::{
    LEADERBOARD_REFRESH, LeaderboardData, SCOREBOARD_DELTA, SESSION_EXPIRED, SYSTEM_NOTIFICATION,
    ScoreboardDelta, SystemNotification, USER_SCORE_UPDATE, UserScoreUpdate,
};
use serde::Serialize;
use socketioxide::{
    SendError, SocketError, SocketIo,
    extract::{AckSender, SocketRef},
    socket::Sid,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    answers::{ErrorMessage, EventError, acknowledge, refuse},
    banners::{Banner, Banners, Source},
    events::{ClientEvent, Subscribe},
    expiring::Expiring,
    frames::{Frames, Moment},
    lagging::{Lagging, Missed},
    online::Online,
    rooms,
    updates::Updates,
    view::{Mode, View},
    watching::{Watch, Watching},
};
use crate::{
    auth::{self, Identity, Role, Tokens},
    board::{Announcement, AnnouncementId, Board, Tick, UserChange, UserId},
    config::AchievementsTable,
    live::LiveBoard,
    metrics::Metrics,
    vital::{self, Pulse},
    wire,
};

/// Between two frames to a room.
const TICK: Duration = Duration::from_millis(100);

/// Why a session ends before its client leaves.
const EXPIRED: &str = "The token has expired";
const DELETED: &str = "User deleted";
const REVOKED: &str = "The token was revoked";

/// What the actor is asked to do.
pub(super) enum Request {
    /// A socket was let in.
    Connected(Sid, Identity),
    /// A socket of this user has gone.
    Disconnected(Sid, UserId),
    /// A client said something.
    Event(Heard),
    /// Something that is not on the log is to be announced.
    Announce {
        announcement: Announcement,
        /// What does not hold any more because of it.
        replaces: Option<AnnouncementId>,
    },
}

/// What a client said.
pub(super) struct Heard {
    pub(super) socket: SocketRef,
    pub(super) user: UserId,
    pub(super) event: ClientEvent,
    pub(super) ack: AckSender,
}

pub(super) struct Actor {
    pub(super) io: SocketIo,
    pub(super) live: LiveBoard,
    tokens: Arc<Tokens>,
    pub(super) achievements: AchievementsTable,
    pub(super) tick: Tick,
    pub(super) started: Instant,
    pub(super) watching: Watching,
    /// What is still to be told of the visible board.
    pub(super) updates: Updates,
    pub(super) online: Online,
    pub(super) lagging: Lagging,
    expiring: Expiring,
    /// What clients said before they were welcomed.
    early: HashMap<Sid, Vec<Heard>>,
    pub(super) banners: Banners,
    metrics: Metrics,
}

impl Actor {
    pub(super) fn new(
        io: SocketIo,
        live: LiveBoard,
        tokens: Arc<Tokens>,
        achievements: AchievementsTable,
    ) -> Actor {
        let watching = live.read(|epoch, board| {
            let top = Frames::new(View::Top, epoch, board);
            Watching::new(top, Moment::of(epoch, board))
        });
        let metrics = live.metrics().clone();
        Actor {
            io,
            live,
            tokens,
            achievements,
            tick: Tick::new(TICK),
            started: Instant::now(),
            watching,
            updates: Updates::default(),
            online: Online::default(),
            lagging: Lagging::default(),
            expiring: Expiring::default(),
            early: HashMap::new(),
            banners: Banners::default(),
            metrics,
        }
    }

    /// Works until nobody can ask any more.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>, pulse: Pulse) {
        let live = self.live.clone();
        let mut changed = false;
        let mut beats = vital::beats();
        loop {
            pulse.beat();
            let tick = self.tick_due(changed);
            let expiry = self.expiring.due();
            let retry = self.lagging.retry_due();
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
                () = until(retry) => self.catch_up(),
                () = until(expiry) => self.end_expired(),
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

    fn handle(&mut self, request: Request) {
        match request {
            Request::Connected(sid, identity) => {
                // It may have gone already, and that may have been told before.
                let socket = self.io.get_socket(sid);
                if let Some(socket) = socket.filter(|socket| socket.connected()) {
                    self.welcome(&socket, identity);
                    self.count();
                }
            }
            Request::Disconnected(sid, user) => {
                self.online.left(sid, user);
                self.watching.leave(sid);
                self.lagging.forget(sid);
                self.expiring.forget(sid);
                self.early.remove(&sid);
                self.count();
            }
            Request::Event(event) => self.hear(event),
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
    }

    fn hear(&mut self, heard: Heard) {
        let sid = heard.socket.id;
        if !self.online.sockets(heard.user).contains(&sid) {
            // The library tells a client that it is connected a moment before it
            // is, and until then drops what it is told.
            self.early
                .retain(|sid, _| self.io.get_socket(*sid).is_some());
            if self.io.get_socket(sid).is_some() {
                self.early.entry(sid).or_default().push(heard);
            }
            return;
        }
        // Whoever has gone watches nothing: that will be noted.
        if !heard.socket.connected() {
            return;
        }
        match self.answer(&heard.socket, heard.user, heard.event) {
            Ok(()) => acknowledge(heard.ack, &self.live),
            Err(error) => refuse(&heard.socket, heard.ack, error),
        }
    }

    fn welcome(&mut self, socket: &SocketRef, identity: Identity) {
        let rank = self.live.read(|_, board| board.user(identity.user)?.rank);
        self.online.came(socket.id, identity.user, rank);
        self.expiring.set(socket.id, identity.expires);
        // Between the handshake and now the user may have been deleted.
        if let Some(reason) = self.ended(identity) {
            self.end(socket, reason);
            return;
        }
        let valid = self.banners.valid_for(identity, self.live.now());
        let valid: Vec<_> = valid.map(notification).collect();
        for notification in valid {
            self.tell(socket, SYSTEM_NOTIFICATION, &notification);
        }
        for heard in self.early.remove(&socket.id).unwrap_or_default() {
            self.hear(heard);
        }
    }

    fn answer(
        &mut self,
        socket: &SocketRef,
        user: UserId,
        event: ClientEvent,
    ) -> Result<(), EventError> {
        match event {
            ClientEvent::SubscribeScoreboard(wanted) => self.subscribe(socket, wanted),
            ClientEvent::UnsubscribeScoreboard => self.unsubscribe(socket),
            ClientEvent::SubscribeUserScore(asked) => {
                if asked != user {
                    return Err(EventError::Forbidden);
                }
                join(socket, rooms::score(user));
                if let Some(update) = self.current(user) {
                    self.tell(socket, USER_SCORE_UPDATE, &update);
                }
            }
            ClientEvent::RefreshToken(token) => {
                let identity = self.tokens.verify(&token).ok();
                let identity = identity.filter(|identity| self.ended(*identity).is_none());
                let identity = identity.ok_or(EventError::InvalidToken)?;
                let now = socket.extensions.get::<Identity>();
                // Rooms were joined as whoever the socket began as.
                if identity.user != user || now.is_some_and(|now| now.role != identity.role) {
                    return Err(EventError::Forbidden);
                }
                if now.is_some_and(|now| now.expires < identity.expires) {
                    socket.extensions.insert(identity);
                    self.expiring.set(socket.id, identity.expires);
                }
            }
            ClientEvent::Ping => self.tell(socket, "pong", &()),
            ClientEvent::Malformed => return Err(EventError::Malformed),
        }
        Ok(())
    }

    fn subscribe(&mut self, socket: &SocketRef, wanted: Subscribe) {
        let Subscribe { view, mode, known } = wanted;
        self.unsubscribe(socket);
        let live = self.live.clone();
        // Joining comes first, so that nothing falls between.
        join_view(socket, view, mode);
        let missed = live.read(|epoch, board| {
            let now = Moment::of(epoch, board);
            // Until the next tick, the frames may be of a log that is no more.
            let is_followed = self.watching.last_tick().epoch == epoch;
            let known = known.filter(|(known, _)| is_followed && *known == epoch.to_string());
            let known = known.map(|(epoch, seq)| (epoch, seq, self.watching.is_tick(seq)));
            let frames = self
                .watching
                .watch(socket.id, view, mode, || Frames::new(view, epoch, board));
            let missed = known.and_then(|(epoch, seq, is_tick)| {
                // What was seen between two ticks, deltas do not know of; and all
                // answers are as of now, or one could be older than another.
                let is_frame = is_tick || seq == frames.data().seq;
                if seq == now.seq {
                    Some(frames.nothing(board))
                } else if is_frame && frames.is_current(board) {
                    frames.since(&epoch, seq, now)
                } else {
                    None
                }
            });
            if missed.is_some() {
                self.watching.shown(socket.id, now);
            }
            missed
        });
        match missed {
            Some(missed) => self.tell_rows(socket, SCOREBOARD_DELTA, &missed, missed.from),
            None => self.tell_all_rows(socket, view),
        }
    }

    /// Shows a socket all rows as they are now.
    fn tell_all_rows(&mut self, socket: &SocketRef, view: View) {
        let live = self.live.clone();
        let (now, rows) = live.read(|epoch, board| {
            let rows = LeaderboardData {
                page: view.page(),
                ..wire::leaderboard(epoch, board, view.places(board.rules()))
            };
            (Moment::of(epoch, board), rows)
        });
        self.watching.shown(socket.id, now);
        self.tell_rows(socket, LEADERBOARD_REFRESH, &rows, 0);
    }

    fn unsubscribe(&mut self, socket: &SocketRef) {
        if let Some(watch) = self.watching.leave(socket.id) {
            leave_view(socket, watch.view, watch.mode);
        }
    }

    /// What somebody is told who only asked.
    fn current(&mut self, user: UserId) -> Option<UserScoreUpdate> {
        let update = self.live.read(|epoch, board| {
            let change = unacted(UserScoreUpdate::CURRENT, board);
            wire::user_update(epoch, board, user, change)
        })?;
        self.online.asked(user, update.rank);
        Some(update)
    }

    /// Emits to one socket, and notes if it could not take it.
    fn tell<T: Serialize>(&mut self, socket: &SocketRef, event: &str, data: &T) {
        if is_full(&socket.emit(event, data)) {
            self.lag(socket, u64::MAX);
        }
    }

    /// Emits what a socket watches, which otherwise has seen it up to `seq`.
    pub(super) fn tell_rows<T: Serialize>(
        &mut self,
        socket: &SocketRef,
        event: &str,
        data: &T,
        seq: u64,
    ) {
        if is_full(&socket.emit(event, data)) {
            self.lag(socket, seq);
        }
    }

    /// Notes a socket that does not read. It leaves the rooms of what it watches
    /// until it has caught up: there, every frame would fail for it. It has seen
    /// the frames up to `seq`, or up to the latest if that is earlier; of one that
    /// was shown the board between two ticks, that cannot be said.
    fn lag(&mut self, socket: &SocketRef, seq: u64) {
        let latest = |view| self.watching.frames(view).map(|frames| frames.data().seq);
        let seen = match self.watching.get(socket.id) {
            Some(watch) if watch.is_between() => 0,
            Some(watch) => latest(watch.view).map_or(seq, |latest| latest.min(seq)),
            None => seq,
        };
        if let Some(watch) = self.watching.get_mut(socket.id) {
            leave_view(socket, watch.view, watch.mode);
            watch.behind = Some(watch.behind.map_or(seen, |behind| behind.min(seen)));
        }
        self.lagging.note(socket.id);
    }

    /// Gives sockets that lagged what they missed, as far as they can take it.
    fn catch_up(&mut self) {
        let Missed {
            sockets,
            views,
            users,
        } = self.lagging.take();
        for sid in sockets {
            let Some(socket) = self.io.get_socket(sid).filter(|socket| socket.connected()) else {
                continue;
            };
            if let Some(watch) = self.watching.get_mut(sid)
                && let Some(seq) = watch.behind.take()
            {
                let (view, mode) = (watch.view, watch.mode);
                join_view(&socket, view, mode);
                self.tell_step(&socket, view, mode, seq);
            }
            let identity = socket.extensions.get::<Identity>();
            if let Some(update) = identity.and_then(|identity| self.current(identity.user)) {
                self.tell(&socket, USER_SCORE_UPDATE, &update);
            }
        }
        for ((view, mode), seq) in views {
            self.tell_step_to_all(view, mode, seq);
        }
        for user in users {
            let Some(update) = self.current(user) else {
                continue;
            };
            for socket in self.io.within(rooms::user(user)).sockets() {
                self.tell(&socket, USER_SCORE_UPDATE, &update);
            }
        }
    }

    /// One step from the frame with `seq` to the latest for all who watch a view,
    /// one by one: somebody among them missed a frame.
    fn tell_step_to_all(&mut self, view: View, mode: Mode, seq: u64) {
        let missed = match mode {
            Mode::Delta if seq > 0 => self.missed_since(view, seq),
            _ => None,
        };
        let last_tick = self.watching.last_tick();
        let Some(rows) = self
            .watching
            .frames(view)
            .map(|frames| frames.as_of(last_tick))
        else {
            return;
        };
        for socket in self.io.within(rooms::view(view, mode)).sockets() {
            // Those who know more than the frames do are told with the next tick.
            if self.watching.get(socket.id).is_some_and(Watch::is_between) {
                continue;
            }
            match &missed {
                Some(missed) => self.tell_rows(&socket, SCOREBOARD_DELTA, missed, seq),
                None => self.tell_rows(&socket, LEADERBOARD_REFRESH, &rows, 0),
            }
        }
    }

    /// One step from the frame with `seq` to the latest, or to all rows.
    fn tell_step(&mut self, socket: &SocketRef, view: View, mode: Mode, seq: u64) {
        let missed = match mode {
            // 0 is whoever has seen nothing, or nobody can say what.
            Mode::Delta if seq > 0 => self.missed_since(view, seq),
            _ => None,
        };
        match missed {
            Some(missed) => self.tell_rows(socket, SCOREBOARD_DELTA, &missed, seq),
            None => self.tell_all_rows(socket, view),
        }
    }

    fn missed_since(&self, view: View, seq: u64) -> Option<ScoreboardDelta> {
        let frames = self.watching.frames(view)?;
        frames.since(&frames.data().epoch, seq, self.watching.last_tick())
    }

    /// Closes sockets whose tokens have expired.
    fn end_expired(&mut self) {
        for sid in self.expiring.take_until(auth::now()) {
            if let Some(socket) = self.io.get_socket(sid) {
                self.end(&socket, EXPIRED);
            }
        }
    }

    /// Closes the sockets of somebody with which they may not be here any more.
    pub(super) fn end_sessions(&mut self, user: UserId) {
        for sid in self.online.sockets(user).to_vec() {
            let Some(socket) = self.io.get_socket(sid) else {
                continue;
            };
            let identity = socket.extensions.get::<Identity>();
            if let Some(reason) = identity.and_then(|identity| self.ended(identity)) {
                self.end(&socket, reason);
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

    fn end(&mut self, socket: &SocketRef, message: &'static str) {
        _ = socket.emit(SESSION_EXPIRED, &ErrorMessage { message });
        if socket.clone().disconnect().is_err() {
            // Its buffer is full; it does not get away by not reading.
            self.expiring.set(socket.id, auth::now() + 1);
        }
    }

    async fn show_banners(&mut self) {
        for banner in self.banners.take_due(self.live.now()) {
            let notification = notification(&banner);
            // An emit fails for single sockets, which miss a banner then.
            _ = match rooms::audience(banner.announcement.audience) {
                Some(room) => {
                    self.io
                        .to(room)
                        .emit(SYSTEM_NOTIFICATION, &notification)
                        .await
                }
                None => self.io.emit(SYSTEM_NOTIFICATION, &notification).await,
            };
        }
    }
}

fn join_view(socket: &SocketRef, view: View, mode: Mode) {
    if view == View::Top {
        join(socket, rooms::SCOREBOARD);
    }
    join(socket, rooms::view(view, mode));
}

fn leave_view(socket: &SocketRef, view: View, mode: Mode) {
    if view == View::Top {
        socket.leave(rooms::SCOREBOARD);
    }
    socket.leave(rooms::view(view, mode));
}

/// Joins a room, unless the socket has gone: then the library has forgotten its
/// rooms already, and would keep this one for ever.
fn join(socket: &SocketRef, room: impl Into<String>) {
    socket.join(room.into());
    if !socket.connected() {
        socket.leave_all();
    }
}

fn notification(banner: &Banner) -> SystemNotification {
    let replaces = match banner.source {
        Source::Log => None,
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

fn is_full(result: &Result<(), SendError>) -> bool {
    matches!(
        result,
        Err(SendError::Socket(SocketError::InternalChannelFull))
    )
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
