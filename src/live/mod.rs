//! The running board: the one handle by which the hub, the API and the page
//! reach it. It joins a store, which decides, with a board, which ranks.

mod race;
mod search;

use std::{collections::HashMap, sync::Arc, time::Duration};

use app::wire::{FoundUsers, Race, UserHistory, UserScore};
use futures_util::future::try_join_all;
use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::{Notify, Semaphore, oneshot},
    time::timeout,
};

use crate::{
    auth::Identity,
    board::{Applied, Board, Changes, Epoch, Fact, LogEntry, UserId},
    store::{
        Command, Fold, Health, Opened, Outcome, Ready, Store, StoreError, history::MAX_POINTS,
    },
    wire,
};
pub use race::Aligned;
pub use search::{MAX_FOUND, MAX_QUERY_CHARS};

/// Users in a [`Race`].
const RACERS: usize = 10;

/// Points that are asked of the store for each moment of a [`Race`]: of two
/// moments that are drawn, the line between them is right to a fifth.
const POINTS_PER_MOMENT: usize = 5;

/// Searches that go on at once; others wait. Each takes a core for as long as it
/// lasts, and what is live comes first.
const SEARCHES: usize = 2;

/// How long somebody waits to search.
const PATIENCE: Duration = Duration::from_secs(2);

/// A handle to a running board. Clones are the same board.
#[derive(Clone)]
pub struct LiveBoard {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
}

/// What the store's writer fills and everybody else reads.
struct Shared {
    epoch: Epoch,
    board: RwLock<Board>,
    /// Up to when tokens of users are void, in seconds since 1970-01-01T00:00:00Z.
    revoked: RwLock<HashMap<UserId, u64>>,
    changes: Mutex<Changes>,
    changed: Notify,
    searches: Arc<Semaphore>,
}

struct Folder(Arc<Shared>);

impl Fold for Folder {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Option<Applied>> {
        if entries.is_empty() {
            return Vec::new();
        }
        let mut board = self.0.board.write();
        let applied = board.fold(entries);
        // Under the board's lock, so that nobody sees one without the other.
        let mut changes = self.0.changes.lock();
        for (entry, applied) in entries.iter().zip(&applied) {
            changes.add(entry, applied.as_ref());
            if let Fact::TokensRevoked { user, issued_until } = entry.fact {
                let mut revoked = self.0.revoked.write();
                let until = revoked.entry(user).or_default();
                *until = issued_until.max(*until);
            }
        }
        drop((changes, board));
        self.0.changed.notify_one();
        applied
    }

    fn reload(&mut self, _opened: Opened) {
        todo!("take the board, the epoch and the revocations, and tell whoever takes changes")
    }
}

impl LiveBoard {
    /// Starts the store that was opened, and the board that follows it.
    ///
    /// # Errors
    /// If the store cannot start.
    pub fn start(opened: Opened, ready: Ready) -> Result<LiveBoard, StoreError> {
        let shared = Arc::new(Shared {
            epoch: opened.epoch,
            board: RwLock::new(opened.board),
            revoked: RwLock::new(opened.revoked.into_iter().collect()),
            // Whoever takes changes hears first of what was announced before.
            changes: Mutex::new(Changes {
                announced: opened.announcements,
                ..Changes::default()
            }),
            changed: Notify::new(),
            searches: Arc::new(Semaphore::new(SEARCHES)),
        });
        shared.changed.notify_one();
        let store = ready.start(Folder(shared.clone()))?;
        Ok(LiveBoard { shared, store })
    }

    /// Which life of the log the board follows.
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// A user with score and rank, as of now.
    pub fn user_score(&self, user: UserId) -> Option<UserScore> {
        self.read(|board| wire::user_score(self.epoch(), board, user))
    }

    /// Is this user registered?
    pub fn knows(&self, user: UserId) -> bool {
        self.read(|board| board.user(user).is_some())
    }

    /// Was the token revoked that says this?
    pub fn is_revoked(&self, identity: &Identity) -> bool {
        let revoked = self.shared.revoked.read();
        revoked.get(&identity.user).is_some_and(|until| {
            // Nobody can tell when a token was issued that does not say.
            identity.issued.is_none_or(|issued| issued <= *until)
        })
    }

    /// Looks at the board. It stands still meanwhile, so the look must be short.
    pub fn read<T>(&self, look: impl FnOnce(&Board) -> T) -> T {
        look(&self.shared.board.read())
    }

    /// Puts commands on the log; see [`Store::append`]. When this answers, the
    /// board shows what was accepted.
    ///
    /// # Errors
    /// If nothing could be written.
    pub async fn append(&self, commands: Vec<Command>) -> Result<Vec<Outcome>, StoreError> {
        self.store.append(commands).await
    }

    /// What a user has done, with at most `points` points of the score over time,
    /// 1 to 1000; `None` if nobody with this id is registered.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn history(
        &self,
        user: UserId,
        points: usize,
    ) -> Result<Option<UserHistory>, StoreError> {
        // The board first, so that no action that it holds is missing.
        let Some(now) = self.user_score(user) else {
            return Ok(None);
        };
        let history = self.store.history(user, points).await?;
        Ok(history.map(|history| wire::user_history(now, history)))
    }

    /// The scores over time of the first ten of the visible board, at `points`
    /// moments at most, 1 to 1000. A score may be as old as the moment before its own.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn race(&self, points: usize) -> Result<Race, StoreError> {
        let racers: Vec<_> = self.read(|board| {
            let racers = board.top().take(RACERS);
            let racers = racers.map(|row| (row.user, row.profile.username.to_string()));
            racers.collect()
        });
        let fine = points.saturating_mul(POINTS_PER_MOMENT).min(MAX_POINTS);
        let histories = racers
            .iter()
            .map(|(user, _)| self.store.history(*user, fine));
        let histories = try_join_all(histories).await?;
        // Whoever was deleted meanwhile has done nothing.
        let histories: Vec<_> = histories
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect();
        let lines: Vec<_> = histories.iter().map(|history| &*history.points).collect();
        Ok(wire::race(racers, race::align(&lines, points)))
    }

    /// Users by name: those who have, for each word of the text, a word that begins
    /// with it, whatever its case and accents. The best by rank come first, at most
    /// `limit` of them, 1 to [`MAX_FOUND`]. Of a text the first
    /// [`MAX_QUERY_CHARS`] characters count; one without words finds nobody.
    ///
    /// `None` while too many others search: whoever asks again later is answered.
    pub async fn search(&self, text: &str, limit: usize) -> Option<FoundUsers> {
        let Some(query) = search::Query::new(text) else {
            return Some(FoundUsers::default());
        };
        let place = self.shared.searches.clone().acquire_owned();
        let place = timeout(PATIENCE, place).await.ok()?.ok()?;
        let (asker, answer) = oneshot::channel();
        let shared = self.shared.clone();
        tokio::task::spawn_blocking(move || {
            let _place = place;
            let found = search::search(&shared.board, &query, limit, || asker.is_closed());
            // Whoever asked may have typed on, and gone.
            _ = asker.send(found);
        });
        answer.await.ok()
    }

    /// Waits until there are changes that nobody has taken. For one caller: the
    /// hub.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Takes the changes since the last call, and looks at the board that has
    /// just these.
    pub fn take_changes<T>(&self, look: impl FnOnce(&Board, Changes) -> T) -> T {
        let board = self.shared.board.read();
        let changes = std::mem::take(&mut *self.shared.changes.lock());
        look(&board, changes)
    }

    /// Does the store take commands?
    pub fn is_open(&self) -> bool {
        *self.store.health().borrow() == Health::Open
    }

    /// Finishes what was begun, and closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }
}
