//! Sockets that read more slowly than the hub speaks. The library drops what a
//! socket's full buffer cannot take, and the newest is what would be dropped; so
//! such sockets are found, and later given one step to what is then the newest.
//!
//! An emit to a room says that somebody's buffer was full, and not whose. Then
//! the room is suspected, and asked one by one a little later: seldom, because
//! that says to the others what they know.

use std::collections::{HashMap, HashSet};

use socketioxide::{extract::SocketRef, socket::Sid};
use tokio::time::{Duration, Instant};

use super::rooms;
use crate::board::UserId;

/// Between two attempts to give lagging sockets what they missed.
const RETRY: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Default)]
pub(super) struct Lagging {
    missed: Missed,
    due: Option<Instant>,
}

/// Who missed what.
#[derive(Default)]
pub(super) struct Missed {
    /// Sockets that lag, and whether they watch the visible board.
    pub(super) sockets: HashMap<Sid, bool>,
    /// Somebody who watches the visible board lags.
    pub(super) board: bool,
    /// A socket of these users lags.
    pub(super) users: HashSet<UserId>,
}

impl Lagging {
    /// Notes a socket that could not take something. It leaves the room of the
    /// board until it has caught up: there, every frame would fail for it.
    pub(super) fn note(&mut self, socket: &SocketRef) {
        let watches = socket.rooms().iter().any(|room| room == rooms::SCOREBOARD);
        if watches {
            socket.leave(rooms::SCOREBOARD);
        }
        *self.missed.sockets.entry(socket.id).or_default() |= watches;
        self.retry();
    }

    /// Somebody in the room of the board could not take a frame.
    pub(super) fn suspect_board(&mut self) {
        self.missed.board = true;
        self.retry();
    }

    /// A socket of this user could not take an update.
    pub(super) fn suspect_user(&mut self, user: UserId) {
        self.missed.users.insert(user);
        self.retry();
    }

    fn retry(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + RETRY);
    }

    /// When to try again, if anybody lags.
    pub(super) fn retry_due(&self) -> Option<Instant> {
        self.due
    }

    /// All that was missed. Those who still lag are to be noted again.
    pub(super) fn take(&mut self) -> Missed {
        self.due = None;
        std::mem::take(&mut self.missed)
    }

    /// The socket does not watch the board any more.
    pub(super) fn forget_board(&mut self, sid: Sid) {
        if let Some(watches) = self.missed.sockets.get_mut(&sid) {
            *watches = false;
        }
    }

    /// The socket has gone.
    pub(super) fn forget(&mut self, sid: Sid) {
        self.missed.sockets.remove(&sid);
    }
}
