//! The actor: everything that the hub says is said here, one thing after the
//! other, and from the board as it is at that moment. So a client that sees
//! `seq` never sees an older one later.

use std::{sync::Arc, time::Duration};

use app::wire::{
    BATCH_UPDATE, LEADERBOARD_REFRESH, LeaderboardData, SCOREBOARD_UPDATE, SESSION_EXPIRED,
    SYSTEM_NOTIFICATION, SystemNotification, USER_SCORE_UPDATE, UserScoreUpdate,
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
    expiring::Expiring,
    lagging::{Lagging, Missed},
    online::Online,
    rooms,
    updates::Updates,
};
use crate::{
    auth::{self, Identity, Tokens},
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
    tokens: Arc<Tokens>,
    /// What the room was shown last.
    shown: LeaderboardData,
    tick: Tick,
    started: Instant,
    /// What is still to be told of the visible board.
    updates: Updates,
    online: Online,
    lagging: Lagging,
    expiring: Expiring,
}

impl Actor {
    pub(super) fn new(io: SocketIo, live: LiveBoard, tokens: Arc<Tokens>) -> Actor {
        let shown = live.read(|board| wire::top(live.epoch(), board));
        Actor {
            io,
            live,
            tokens,
            shown,
            tick: Tick::new(TICK),
            started: Instant::now(),
            updates: Updates::default(),
            online: Online::default(),
            lagging: Lagging::default(),
            expiring: Expiring::default(),
        }
    }

    /// Works until nobody can ask any more.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let live = self.live.clone();
        let mut due: Option<Instant> = None;
        loop {
            let expiry = self.expiring.due();
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
                    if !self.updates.is_empty() {
                        due = Some(self.started + self.tick.due(self.started.elapsed()));
                    }
                }
                // Where a tick is due it sweeps too, after it has told who acted.
                () = until(sweep), if due.is_none() => self.send_rank_changes().await,
                () = until(retry) => self.catch_up(),
                () = until(expiry) => self.end_sessions(),
            }
        }
    }

    async fn handle(&mut self, request: Request) {
        match request {
            Request::Connected(sid, identity) => {
                // It may have gone already, and that may have been told before.
                if self
                    .io
                    .get_socket(sid)
                    .is_some_and(|socket| socket.connected())
                {
                    let rank = self.live.read(|board| board.user(identity.user)?.rank);
                    self.online.came(sid, identity.user, rank);
                    self.expiring.set(sid, identity.expires);
                }
            }
            Request::Disconnected(sid, user) => {
                self.online.left(sid, user);
                self.lagging.forget(sid);
                self.expiring.forget(sid);
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
            ClientEvent::RefreshToken(token) => {
                let identity = self.tokens.verify(&token);
                let identity = identity.map_err(|_| EventError::InvalidToken)?;
                if identity.user != user {
                    return Err(EventError::Forbidden);
                }
                let now = socket.extensions.get::<Identity>();
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

    /// One frame to the room if what it shows has changed, after what happened to
    /// each user on it, and one to each user who acted. All of them state the
    /// board as of one `seq`.
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
            let rank = |user| board.user(user)?.rank;
            let moved = if self.online.is_sweep_due() {
                self.online.sweep(rank)
            } else {
                let near_top = near_top(&top).into_iter().chain(was_near_top);
                self.online.moved(near_top, rank)
            };
            updates.extend(self.rank_changes(board, moved));
            (top, updates)
        });
        let changed = board.top_scores != self.shown.top_scores
            || board.total_users != self.shown.total_users;
        self.updates.add(&self.shown, &board);
        for mut batch in self.updates.take() {
            if batch.len() > 1 {
                self.tell_board(BATCH_UPDATE, &batch).await;
            } else if let Some(update) = batch.pop() {
                self.tell_board(SCOREBOARD_UPDATE, &update).await;
            }
        }
        if changed {
            self.tell_board(LEADERBOARD_REFRESH, &board).await;
            self.shown = board;
        }
        for (user, update) in updates {
            self.tell_user(user, &update).await;
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
            self.tell_user(user, &update).await;
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

    /// Emits to a room, encoded once; answers whether all could take it.
    async fn tell_room<T: Serialize>(&self, room: &str, event: &str, data: &T) -> bool {
        let emitted = self.io.to(room.to_owned()).emit(event, data).await;
        let full = |error: &SocketError| matches!(error, SocketError::InternalChannelFull);
        !matches!(emitted, Err(BroadcastError::Socket(errors)) if errors.iter().any(full))
    }

    async fn tell_board<T: Serialize>(&mut self, event: &str, data: &T) {
        if !self.tell_room(rooms::SCOREBOARD, event, data).await {
            self.lagging.suspect_board();
        }
    }

    async fn tell_user(&mut self, user: UserId, update: &UserScoreUpdate) {
        if !self
            .tell_room(&rooms::user(user), USER_SCORE_UPDATE, update)
            .await
        {
            self.lagging.suspect_user(user);
        }
    }

    /// Gives sockets that lagged what they missed, as far as they can take it.
    fn catch_up(&mut self) {
        let live = self.live.clone();
        let board = live.read(|board| wire::top(live.epoch(), board));
        let Missed {
            sockets,
            board: suspected,
            users,
        } = self.lagging.take();
        for (sid, watches) in sockets {
            let Some(socket) = self.io.get_socket(sid) else {
                continue;
            };
            if watches {
                join(&socket, rooms::SCOREBOARD);
                self.tell(&socket, LEADERBOARD_REFRESH, &board);
            }
            let identity = socket.extensions.get::<Identity>();
            if let Some(update) = identity.and_then(|identity| self.current(identity.user)) {
                self.tell(&socket, USER_SCORE_UPDATE, &update);
            }
        }
        if suspected {
            for socket in self.io.within(rooms::SCOREBOARD).sockets() {
                self.tell(&socket, LEADERBOARD_REFRESH, &board);
            }
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

    /// Tells sockets whose tokens have ended, and closes them.
    fn end_sessions(&mut self) {
        let now = auth::now();
        for sid in self.expiring.take_until(now) {
            let Some(socket) = self.io.get_socket(sid) else {
                continue;
            };
            let message = "The token has expired";
            _ = socket.emit(SESSION_EXPIRED, &ErrorMessage { message });
            if socket.disconnect().is_err() {
                // Its buffer is full; it does not get away by not reading.
                self.expiring.set(sid, now + 1);
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
