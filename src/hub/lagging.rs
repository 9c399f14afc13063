//! Sockets that read more slowly than the hub speaks. The library drops what a
//! socket's full buffer cannot take, and the newest is what would be dropped; so
//! such a socket is noted, and later given one step to what is then the newest.

use std::collections::HashMap;

use socketioxide::{extract::SocketRef, socket::Sid};
use tokio::time::{Duration, Instant};

use super::rooms;

/// Between two attempts to give lagging sockets what they missed.
const RETRY: Duration = Duration::from_millis(250);

/// See the module.
#[derive(Default)]
pub(super) struct Lagging {
    sockets: HashMap<Sid, Missed>,
    due: Option<Instant>,
}

/// What a socket missed beside its user's score.
#[derive(Clone, Copy, Default)]
pub(super) struct Missed {
    /// It watches the visible board.
    pub(super) board: bool,
}

impl Lagging {
    /// Notes a socket that could not take something. It leaves the room of the
    /// board until it has caught up: there, every frame would fail for it.
    pub(super) fn note(&mut self, socket: &SocketRef) {
        let watches = socket.rooms().iter().any(|room| room == rooms::SCOREBOARD);
        if watches {
            socket.leave(rooms::SCOREBOARD);
        }
        self.sockets.entry(socket.id).or_default().board |= watches;
        self.due.get_or_insert_with(|| Instant::now() + RETRY);
    }

    /// When to try again, if anybody lags.
    pub(super) fn retry_due(&self) -> Option<Instant> {
        self.due
    }

    /// All that lag. Those who still do are to be noted again.
    pub(super) fn take(&mut self) -> HashMap<Sid, Missed> {
        self.due = None;
        std::mem::take(&mut self.sockets)
    }

    /// The socket does not watch the board any more.
    pub(super) fn forget_board(&mut self, sid: Sid) {
        if let Some(missed) = self.sockets.get_mut(&sid) {
            missed.board = false;
        }
    }

    /// The socket has gone.
    pub(super) fn forget(&mut self, sid: Sid) {
        self.sockets.remove(&sid);
    }
}
