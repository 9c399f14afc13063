//! What follows from the log: its state, what has changed on boards, and which tokens were
//! revoked. The store's writer fills it by [`Folder`], and everybody else reads it.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::{runtime::Handle, sync::Notify};

use super::{revocations::Revocations, version::Shown};
use crate::{
    board::{
        Announcement, BoardChanges, BoardView, Changes, Effect, Effects, Epoch, Fact, LogEntry,
        State, StoredBoard, What,
    },
    metrics::Metrics,
    store::{Fold, Folded, Opened},
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
    pub(super) state: State,
    pub(super) revoked: Revocations,
    /// How often the log was replaced. Then all is another, even if the epoch is the same.
    pub(super) reloads: u64,
    /// How many entries have changed what others see of any board.
    facts: u64,
    /// How often something changed that is shown on any board: people, teams, and which
    /// boards there are.
    shared: u64,
    /// How often that has to be seen at once.
    urgent: u64,
}

impl Projection {
    /// What the log says when it is opened, and what it has announced.
    pub(super) fn new(opened: Opened) -> (Projection, Vec<Announcement>) {
        let projection = Projection {
            epoch: opened.epoch,
            state: opened.state,
            revoked: opened.revoked.into_iter().collect(),
            reloads: 0,
            facts: 0,
            shared: 0,
            urgent: 0,
        };
        (projection, opened.announcements)
    }

    /// What is shown of a board.
    pub(super) fn shown(&self, board: BoardView<'_>) -> Shown {
        Shown {
            seq: board.seq(),
            reloads: self.reloads,
            shared: self.shared,
            urgent: self.urgent,
        }
    }

    /// What is shown of all boards together.
    pub(super) fn shown_of_all(&self) -> Shown {
        Shown {
            seq: self.facts,
            reloads: self.reloads,
            shared: self.shared,
            urgent: self.urgent,
        }
    }

    /// Notes what an entry did that was folded last.
    fn note(&mut self, entry: &LogEntry, effects: &Effects, changes: &mut Changes) {
        changes.add(entry, &effects.shown);
        let others_see = |effect: &Effect| !matches!(effect.what, What::ActedHidden);
        self.facts += u64::from(effects.shown.iter().any(others_see));
        match entry.fact {
            Fact::Action(_) | Fact::Announced(_) => {}
            Fact::TokensRevoked { user, issued_until } => {
                self.revoked.add(user, issued_until);
            }
            Fact::UserChanged { .. }
            | Fact::UserGrouped { .. }
            | Fact::TeamChanged { .. }
            | Fact::SeasonEnded { .. } => self.shared += 1,
            // Nobody sees any more what they may not.
            Fact::UserHidden { .. }
            | Fact::UserDeleted { .. }
            | Fact::BoardChanged { .. }
            | Fact::BoardDeleted { .. } => self.urgent += 1,
        }
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

/// By which a store fills what everybody else reads.
pub struct Folder(pub(super) Arc<Shared>);

impl Folder {
    /// Folds entries in this way, and notes what each did.
    fn fold_with<'a, T>(
        &self,
        entries: impl IntoIterator<Item = (&'a LogEntry, T)>,
        mut apply: impl FnMut(&mut State, &LogEntry, T) -> Effects,
    ) -> Vec<Folded> {
        let mut projection = self.0.projection.write();
        // Under its lock, so that nobody sees one without the other.
        let mut changes = self.0.changes.lock();
        let fold = |(entry, with)| {
            let effects = apply(&mut projection.state, entry, with);
            projection.note(entry, &effects, &mut changes);
            Folded::of(&projection.state, entry, effects)
        };
        let folded = entries.into_iter().map(fold).collect();
        drop((changes, projection));
        self.0.changed.notify_one();
        folded
    }
}

impl Fold for Folder {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Folded> {
        if entries.is_empty() {
            return Vec::new();
        }
        let entries = entries.iter().map(|entry| (entry, ()));
        self.fold_with(entries, |state, entry, ()| state.apply(entry))
    }

    fn fold_board(&mut self, entry: &LogEntry, board: StoredBoard) -> Folded {
        let folded = self.fold_with([(entry, board)], |state, entry, board| {
            state.create(entry, board)
        });
        folded.into_iter().next().unwrap_or_default()
    }

    fn put_board(&mut self, board: StoredBoard) {
        let mut projection = self.0.projection.write();
        let mut changes = self.0.changes.lock();
        let changed = BoardChanges {
            changed: true,
            ..BoardChanges::default()
        };
        changes.boards.insert(board.head.id.clone(), changed);
        projection.state.put_board(board);
        projection.urgent += 1;
        drop((changes, projection));
        self.0.changed.notify_one();
    }

    fn read(&self, read: &mut dyn FnMut(&State)) {
        read(&self.0.projection.read().state);
    }

    fn reload(&mut self, opened: Opened) {
        let (mut next, announced) = Projection::new(opened);
        let mut projection = self.0.projection.write();
        let mut changes = self.0.changes.lock();
        next.reloads = projection.reloads + 1;
        let lost = next.revoked.add_all(&projection.revoked);
        // Changes that were not sent yet belong to the old log.
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
        // Large boards take their time: neither the lock nor this worker waits for it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(old));
        }
    }
}
