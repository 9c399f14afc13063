//! What follows from the log: the board, what has changed on it, and which tokens were
//! revoked. The store's writer fills it by [`Folder`], and everybody else reads it.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::{runtime::Handle, sync::Notify};

use super::revocations::Revocations;
use crate::{
    board::{Announcement, Applied, Board, Changes, Epoch, Fact, LogEntry},
    metrics::Metrics,
    store::{Fold, Opened},
};

/// What the store's writer fills and everybody else reads.
pub(super) struct Shared {
    pub(super) projection: RwLock<Projection>,
    pub(super) changes: Mutex<Changes>,
    /// Notified when there are changes.
    pub(super) changed: Notify,
    pub(super) lost_revocations: LostRevocations,
    pub(super) metrics: Metrics,
}

/// What was revoked on a log that was replaced, and is not on the one that replaced it.
#[derive(Default)]
pub(super) struct LostRevocations {
    pub(super) revocations: Mutex<Revocations>,
    /// Notified when there are more of them.
    pub(super) added: Notify,
}

/// What follows from the log. All of it is under one lock, because what the log of one
/// epoch says does not hold for another.
pub(super) struct Projection {
    pub(super) epoch: Epoch,
    pub(super) board: Board,
    pub(super) revoked: Revocations,
    /// How often the board was replaced. One that was replaced is another board, even if
    /// the epoch is the same.
    pub(super) reloads: u64,
    /// How often a user was deleted.
    pub(super) removals: u64,
}

impl Projection {
    /// What the log says when it is opened, and what it has announced.
    pub(super) fn new(opened: Opened) -> (Projection, Vec<Announcement>) {
        let projection = Projection {
            epoch: opened.epoch,
            board: opened.board,
            revoked: opened.revoked.into_iter().collect(),
            reloads: 0,
            removals: 0,
        };
        (projection, opened.announcements)
    }
}

impl Shared {
    pub(super) fn new(opened: Opened) -> Shared {
        let (projection, announced) = Projection::new(opened);
        let changes = Changes {
            announced,
            ..Changes::default()
        };
        let changed = Notify::new();
        // The first who takes changes gets what was announced before.
        changed.notify_one();
        Shared {
            projection: RwLock::new(projection),
            changes: Mutex::new(changes),
            changed,
            lost_revocations: LostRevocations::default(),
            metrics: Metrics::default(),
        }
    }
}

/// By which a store fills a board.
pub struct Folder(pub(super) Arc<Shared>);

impl Fold for Folder {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Option<Applied>> {
        if entries.is_empty() {
            return Vec::new();
        }
        let mut projection = self.0.projection.write();
        let applied = projection.board.fold(entries);
        // Under the board's lock, so that nobody sees one without the other.
        let mut changes = self.0.changes.lock();
        for (entry, applied) in entries.iter().zip(&applied) {
            changes.add(entry, applied.as_ref());
            match entry.fact {
                Fact::TokensRevoked { user, issued_until } => {
                    projection.revoked.add(user, issued_until);
                }
                Fact::UserDeleted { .. } => projection.removals += 1,
                _ => {}
            }
        }
        drop((changes, projection));
        self.0.changed.notify_one();
        applied
    }

    fn reload(&mut self, opened: Opened) {
        let (mut next, announced) = Projection::new(opened);
        let mut projection = self.0.projection.write();
        let mut changes = self.0.changes.lock();
        next.reloads = projection.reloads + 1;
        let lost = next.revoked.add_all(&projection.revoked);
        // Changes that were not sent yet belong to the old board.
        *changes = Changes {
            replaced: true,
            announced,
            ..Changes::default()
        };
        let old = std::mem::replace(&mut *projection, next);
        drop((changes, projection));
        self.0.metrics.store_reloads.inc();
        self.0.changed.notify_one();
        if !lost.is_empty() {
            self.0.lost_revocations.revocations.lock().add_all(&lost);
            self.0.lost_revocations.added.notify_one();
        }
        // A large board takes its time: neither the lock nor this worker waits for it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(old));
        }
    }
}
