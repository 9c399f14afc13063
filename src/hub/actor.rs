//! The actor: everything that the hub says is said here, one thing after the
//! other, and from the board as it is at that moment. So a client that sees
//! `seq` never sees an older one later.

use std::{collections::BTreeMap, time::Duration};

use app::wire::{
    LEADERBOARD_REFRESH, LeaderboardData, SESSION_EXPIRED, SYSTEM_NOTIFICATION, SystemNotification,
    USER_SCORE_UPDATE, UserScoreUpdate,
};
use serde::Serialize;
use socketioxide::{
    BroadcastError, SendError, SocketError, SocketIo,
    extract::{AckSender, SocketRef},
    socket::Sid,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    answers::{ErrorMessage, EventError, acknowledge, refuse},
    events::ClientEvent,
    lagging::Lagging,
    online::Online,
    rooms,
};
use crate::{
    auth::{self, Identity},
    board::{Board, Tick, UserChange, UserId},
    live::LiveBoard,
    wire,
};

/// Between two frames to a room.
const TICK: Duration = Duration::from_millis(100);

/// What the actor is asked to do.
pub(super) enum Request {
    /// A socket was let in.
    Connected(Sid, Identity),
    /// A socket of this user has gone.
    Disconnected(Sid, UserId),
    /// A client said something.
    Event {
        socket: SocketRef,
        user: UserId,
        event: ClientEvent,
        ack: AckSender,
    },
    /// All clients are to be shown a banner.
    Notify(SystemNotification),
}

pub(super) struct Actor {
    io: SocketIo,
    live: LiveBoard,
    /// What the room was shown last.
    shown: LeaderboardData,
    tick: Tick,
    started: Instant,
    online: Online,
    lagging: Lagging,
    /// Sockets by when their tokens end, in seconds since 1970-01-01T00:00:00Z.
    expiring: BTreeMap<u64, Vec<Sid>>,
}

impl Actor {
    pub(super) fn new(io: SocketIo, live: LiveBoard) -> Actor {
        let shown = live.read(|board| wire::top(live.epoch(), board));
        Actor {
            io,
            live,
            shown,
            tick: Tick::new(TICK),
            started: Instant::now(),
            online: Online::default(),
            lagging: Lagging::default(),
            expiring: BTreeMap::new(),
        }
    }

    /// Works until nobody can ask any more.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let live = self.live.clone();
        let mut due: Option<Instant> = None;
        loop {
            let expiry = self.next_expiry();
            let sweep = self.online.sweep_due();
            let retry = self.lagging.retry_due();
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.handle(request).await,
                    None => return,
                },
                () = live.changed(), if due.is_none() => {
                    due = Some(self.started + self.tick.due(self.started.elapsed()));
                }
                () = until(due) => {
                    due = None;
                    self.tick.sent(self.started.elapsed());
                    self.send_frames().await;
                }
                () = until(sweep) => self.send_rank_changes().await,
                () = until(retry) => self.catch_up(),
                () = until(expiry) => self.end_sessions(),
            }
        }
    }

    async fn handle(&mut self, request: Request) {
        match request {
            Request::Connected(sid, identity) => {
                let rank = self.live.read(|board| board.user(identity.user)?.rank);
                self.online.came(identity.user, rank);
                self.expiring.entry(identity.expires).or_default().push(sid);
            }
            Request::Disconnected(sid, user) => {
                self.online.left(user);
                self.lagging.forget(sid);
            }
            Request::Event {
                socket,
                user,
                event,
                ack,
            } => match self.answer(&socket, user, event) {
                Ok(()) => acknowledge(ack, &self.live),
                Err(error) => refuse(&socket, ack, error),
            },
            Request::Notify(notification) => {
                // An emit fails for single sockets, which miss a banner then.
                _ = self.io.emit(SYSTEM_NOTIFICATION, &notification).await;
            }
        }
    }

    fn answer(
        &mut self,
        socket: &SocketRef,
        user: UserId,
        event: ClientEvent,
    ) -> Result<(), EventError> {
        match event {
            ClientEvent::SubscribeScoreboard => {
                // Joining comes first, so that nothing falls between.
                join(socket, rooms::SCOREBOARD);
                let board = self.live.read(|board| wire::top(self.live.epoch(), board));
                self.tell(socket, LEADERBOARD_REFRESH, &board);
            }
            ClientEvent::UnsubscribeScoreboard => {
                socket.leave(rooms::SCOREBOARD);
                self.lagging.forget_board(socket.id);
            }
            ClientEvent::SubscribeUserScore(asked) => {
                if asked != user {
                    return Err(EventError::Forbidden);
                }
                join(socket, rooms::score(user));
                if let Some(update) = self.current(user) {
                    self.tell(socket, USER_SCORE_UPDATE, &update);
                }
            }
            ClientEvent::Ping => self.tell(socket, "pong", &()),
            ClientEvent::Malformed => return Err(EventError::Malformed),
        }
        Ok(())
    }

    /// One frame to the room if what it shows has changed, and one to each user
    /// who acted. All of them state the board as of one `seq`.
    async fn send_frames(&mut self) {
        let epoch = self.live.epoch();
        let near_top = |board: &LeaderboardData| -> Vec<UserId> {
            let rows = board.top_scores.iter();
            rows.filter_map(|row| wire::user_id(&row.user_id)).collect()
        };
        let was_near_top = near_top(&self.shown);
        let live = self.live.clone();
        let (board, updates) = live.take_changes(|board, changes| {
            let top = wire::top(epoch, board);
            let mut updates: Vec<_> = changes
                .into_users()
                .filter(|(user, _)| self.online.is_here(*user))
                .filter_map(|(user, change)| {
                    Some((user, wire::user_update(epoch, board, user, change)?))
                })
                .collect();
            for (user, update) in &updates {
                self.online.told(*user, update.rank);
            }
            // Whoever is or was near the top is told at once, others by the sweep.
            let near_top = near_top(&top).into_iter().chain(was_near_top);
            let moved = self.online.moved(near_top, |user| board.user(user)?.rank);
            updates.extend(self.rank_changes(board, moved));
            (top, updates)
        });
        let changed = board.top_scores != self.shown.top_scores
            || board.total_users != self.shown.total_users;
        if changed {
            self.tell_room(rooms::SCOREBOARD, LEADERBOARD_REFRESH, &board)
                .await;
            self.shown = board;
        }
        for (user, update) in updates {
            self.tell_room(&rooms::user(user), USER_SCORE_UPDATE, &update)
                .await;
        }
        self.online.changed();
    }

    /// Tells everybody who is here and has moved without acting.
    async fn send_rank_changes(&mut self) {
        let updates = self.live.clone().read(|board| {
            let moved = self.online.sweep(|user| board.user(user)?.rank);
            self.rank_changes(board, moved)
        });
        for (user, update) in updates {
            self.tell_room(&rooms::user(user), USER_SCORE_UPDATE, &update)
                .await;
        }
    }

    fn rank_changes(&self, board: &Board, moved: Vec<UserId>) -> Vec<(UserId, UserScoreUpdate)> {
        let update = |user| {
            let change = unacted(UserScoreUpdate::RANK_CHANGE, board);
            let update = wire::user_update(self.live.epoch(), board, user, change)?;
            Some((user, update))
        };
        moved.into_iter().filter_map(update).collect()
    }

    /// What somebody is told who only asked.
    fn current(&self, user: UserId) -> Option<UserScoreUpdate> {
        self.live.read(|board| {
            let change = unacted(UserScoreUpdate::CURRENT, board);
            wire::user_update(self.live.epoch(), board, user, change)
        })
    }

    /// Emits to one socket, and notes if it could not take it.
    fn tell<T: Serialize>(&mut self, socket: &SocketRef, event: &str, data: &T) {
        if is_full(&socket.emit(event, data)) {
            self.lagging.note(socket);
        }
    }

    /// Emits to a room, encoded once. A socket that could not take it leaves
    /// the visible board, and gets what is newest when it can.
    async fn tell_room<T: Serialize>(&mut self, room: &str, event: &str, data: &T) {
        let Err(BroadcastError::Socket(errors)) =
            self.io.to(room.to_owned()).emit(event, data).await
        else {
            return;
        };
        let full = |error: &SocketError| matches!(error, SocketError::InternalChannelFull);
        if !errors.iter().any(full) {
            return;
        }
        // The error does not name them. Whoever did get it gets it twice, which
        // says nothing new.
        for socket in self.io.within(room.to_owned()).sockets() {
            self.tell(&socket, event, data);
        }
    }

    /// Gives sockets that lagged what they missed, as far as they can take it.
    fn catch_up(&mut self) {
        let live = self.live.clone();
        let board = live.read(|board| wire::top(live.epoch(), board));
        for (sid, missed) in self.lagging.take() {
            let Some(socket) = self.io.get_socket(sid) else {
                continue;
            };
            if missed.board {
                join(&socket, rooms::SCOREBOARD);
                self.tell(&socket, LEADERBOARD_REFRESH, &board);
            }
            let identity = socket.extensions.get::<Identity>();
            if let Some(update) = identity.and_then(|identity| self.current(identity.user)) {
                self.tell(&socket, USER_SCORE_UPDATE, &update);
            }
        }
    }

    fn next_expiry(&self) -> Option<Instant> {
        let (&expires, _) = self.expiring.first_key_value()?;
        let remaining = expires.saturating_sub(auth::now());
        Some(Instant::now() + Duration::from_secs(remaining))
    }

    /// Tells sockets whose tokens have ended, and closes them.
    fn end_sessions(&mut self) {
        let now = auth::now();
        let later = self.expiring.split_off(&(now + 1));
        let ended = std::mem::replace(&mut self.expiring, later);
        for sid in ended.into_values().flatten() {
            if let Some(socket) = self.io.get_socket(sid) {
                let message = "The token has expired";
                _ = socket.emit(SESSION_EXPIRED, &ErrorMessage { message });
                if socket.disconnect().is_err() {
                    // Its buffer is full; it does not get away by not reading.
                    self.expiring.entry(now + 1).or_default().push(sid);
                }
            }
        }
    }
}

/// Joins a room, unless the socket has gone: then the library has forgotten its
/// rooms already, and would keep this one for ever.
fn join(socket: &SocketRef, room: impl Into<String>) {
    socket.join(room.into());
    if !socket.connected() {
        socket.leave_all();
    }
}

fn unacted(action_type: &str, board: &Board) -> UserChange {
    UserChange {
        action_type: action_type.into(),
        increase: 0,
        merged: 0,
        at: board.changed(),
    }
}

pub(super) fn is_full(result: &Result<(), SendError>) -> bool {
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
