//! The actor: everything that the hub says is said here, one thing after the
//! other, and from the board as it is at that moment. So a client that sees
//! `seq` never sees an older one later.

use app::wire::{
    LEADERBOARD_REFRESH, LeaderboardData, SYSTEM_NOTIFICATION, SystemNotification,
    USER_SCORE_UPDATE, UserScoreUpdate,
};
use serde::Serialize;
use socketioxide::{
    SocketIo,
    extract::{AckSender, SocketRef},
};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep_until},
};

use super::{events::ClientEvent, rooms};
use crate::{
    board::{Tick, UserChange, UserId},
    live::LiveBoard,
    wire,
};

/// Between two frames to a room.
const TICK: Duration = Duration::from_millis(100);

/// What the actor is asked to do.
pub(super) enum Request {
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

/// What went wrong with an event, as the client is told.
struct EventError {
    code: &'static str,
    message: &'static str,
}

const MALFORMED: EventError = EventError {
    code: "invalid_message",
    message: "Invalid message format",
};
const FORBIDDEN: EventError = EventError {
    code: "forbidden",
    message: "Forbidden",
};
const TOO_MANY: EventError = EventError {
    code: "rate_limited",
    message: "Rate limit exceeded",
};

#[derive(Serialize)]
struct ErrorMessage {
    message: &'static str,
}

/// The acknowledgement of an event that was done.
#[derive(Serialize)]
struct Done {
    ok: bool,
    epoch: String,
    seq: u64,
}

/// The acknowledgement of one that was not.
#[derive(Serialize)]
struct Failed {
    ok: bool,
    error: AckError,
}

#[derive(Serialize)]
struct AckError {
    code: &'static str,
    message: &'static str,
}

pub(super) struct Actor {
    io: SocketIo,
    live: LiveBoard,
    /// What the room was shown last.
    shown: LeaderboardData,
    tick: Tick,
    started: Instant,
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
        }
    }

    /// Works until nobody can ask any more.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let live = self.live.clone();
        let mut due: Option<Instant> = None;
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.handle(request).await,
                    None => return,
                },
                () = live.changed(), if due.is_none() => {
                    due = Some(self.started + self.tick.due(self.started.elapsed()));
                }
                () = sleep_until(due.unwrap_or(self.started)), if due.is_some() => {
                    due = None;
                    self.tick.sent(self.started.elapsed());
                    self.send_frames().await;
                }
            }
        }
    }

    async fn handle(&mut self, request: Request) {
        match request {
            Request::Event {
                socket,
                user,
                event,
                ack,
            } => match self.answer(&socket, user, event) {
                Ok(()) => self.acknowledge(ack),
                Err(error) => refuse(&socket, ack, &error),
            },
            Request::Notify(notification) => {
                // An emit fails for single sockets, which are gone then.
                _ = self.io.emit(SYSTEM_NOTIFICATION, &notification).await;
            }
        }
    }

    fn answer(
        &self,
        socket: &SocketRef,
        user: UserId,
        event: ClientEvent,
    ) -> Result<(), EventError> {
        match event {
            ClientEvent::SubscribeScoreboard => {
                // Joining comes first, so that nothing falls between.
                socket.join(rooms::SCOREBOARD);
                let board = self.live.read(|board| wire::top(self.live.epoch(), board));
                emit(socket, LEADERBOARD_REFRESH, &board);
            }
            ClientEvent::UnsubscribeScoreboard => socket.leave(rooms::SCOREBOARD),
            ClientEvent::SubscribeUserScore(asked) => {
                if asked != user {
                    return Err(FORBIDDEN);
                }
                socket.join(rooms::score(user));
                if let Some(update) = self.current(user) {
                    emit(socket, USER_SCORE_UPDATE, &update);
                }
            }
            ClientEvent::Ping => emit(socket, "pong", &()),
            ClientEvent::Malformed => return Err(MALFORMED),
            ClientEvent::TooMany => return Err(TOO_MANY),
        }
        Ok(())
    }

    fn acknowledge(&self, ack: AckSender) {
        let done = Done {
            ok: true,
            epoch: self.live.epoch().to_string(),
            seq: self.live.read(|board| board.seq()),
        };
        // A client that has gone needs no answer.
        _ = ack.send(&done);
    }

    /// One frame to the room if what it shows has changed, and one to each user
    /// who acted. All of them state the board as of one `seq`.
    async fn send_frames(&mut self) {
        let epoch = self.live.epoch();
        let (board, updates) = self.live.take_changes(|board, changes| {
            let updates = changes.into_users().filter_map(|(user, change)| {
                Some((user, wire::user_update(epoch, board, user, change)?))
            });
            (wire::top(epoch, board), updates.collect::<Vec<_>>())
        });
        let changed = board.top_scores != self.shown.top_scores
            || board.total_users != self.shown.total_users;
        if changed {
            let room = self.io.to(rooms::SCOREBOARD);
            _ = room.emit(LEADERBOARD_REFRESH, &board).await;
            self.shown = board;
        }
        for (user, update) in updates {
            let room = self.io.to(rooms::user(user));
            _ = room.emit(USER_SCORE_UPDATE, &update).await;
        }
    }

    /// What somebody is told who only asked.
    fn current(&self, user: UserId) -> Option<UserScoreUpdate> {
        self.live.read(|board| {
            let change = UserChange {
                action_type: UserScoreUpdate::CURRENT.into(),
                increase: 0,
                merged: 0,
                at: board.changed(),
            };
            wire::user_update(self.live.epoch(), board, user, change)
        })
    }
}

fn refuse(socket: &SocketRef, ack: AckSender, error: &EventError) {
    let EventError { code, message } = *error;
    emit(socket, "error", &ErrorMessage { message });
    _ = ack.send(&Failed {
        ok: false,
        error: AckError { code, message },
    });
}

/// Emits to one socket. It fails if the socket is gone, which needs no answer,
/// or reads so slowly that its buffer is full: such a client sees the gap in
/// `seq` and asks again.
fn emit<T: Serialize>(socket: &SocketRef, event: &str, data: &T) {
    _ = socket.emit(event, data);
}
