//! Sockets that read more slowly than the hub speaks. The library drops what a
//! socket's full buffer cannot take, and the newest is what would be dropped; so
//! such sockets are found, and later given one step to what is then the newest.
//!
//! An emit to a room says that somebody's buffer was full, and not whose. Then
//! the room is suspected, and asked one by one a little later: seldom, because
//! that says to the others what they know.

use std::collections::{HashMap, HashSet};

use socketioxide::socket::Sid;
use tokio::time::{Duration, Instant};

use super::view::{Mode, View};
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
    /// Sockets that lag.
    pub(super) sockets: HashSet<Sid>,
    /// Somebody who watches one of these lags since the frame with this `seq`.
    pub(super) views: HashMap<(View, Mode), u64>,
    /// A socket of these users lags.
    pub(super) users: HashSet<UserId>,
}

impl Lagging {
    /// Notes a socket that could not take something.
    pub(super) fn note(&mut self, sid: Sid) {
        self.missed.sockets.insert(sid);
        self.retry();
    }

    /// Somebody who watches this could not take the frame after `seq`.
    pub(super) fn suspect_view(&mut self, view: View, mode: Mode, seq: u64) {
        self.missed.views.entry((view, mode)).or_insert(seq);
        self.retry();
    }

    /// A socket of this user could not take an update.
    pub(super) fn suspect_user(&mut self, user: UserId) {
        self.missed.users.insert(user);
        self.retry();
    }

    /// The log is another: of it, none of those who lag has seen a frame.
    pub(super) fn begin_anew(&mut self) {
        for seq in self.missed.views.values_mut() {
            *seq = 0;
        }
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

    /// The socket has gone.
    pub(super) fn forget(&mut self, sid: Sid) {
        self.missed.sockets.remove(&sid);
    }
}
