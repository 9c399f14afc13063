//! The running board: the one handle by which the hub, the API and the page
//! reach it. It joins a store, which decides, with a board, which ranks.

mod race;
mod search;
#[cfg(test)]
pub(crate) mod testing;
mod version;

use std::{
    collections::HashMap,
    convert::Infallible,
    mem::size_of,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use app::wire::{FoundUser, FoundUsers, Race, UserHistory, UserScore};
use futures_util::future::join_all;
use parking_lot::{Mutex, RwLock};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    time::timeout,
};

use crate::{
    auth::Identity,
    blocking,
    board::{Announcement, Applied, Board, Changes, Epoch, Fact, LogEntry, Timestamp, UserId},
    config::LimitsTable,
    limits::{Bounds, Client, Reason, Refusals, Unanswered, Work},
    log_throttle::LogThrottle,
    metrics::Metrics,
    store::{
        AllNodes, Attendance, Command, Fold, Health, History, HistoryPoint, LONGEST_APPEND, Opened,
        Outcome, Ready, RecentAction, Store, StoreError, history::MAX_POINTS,
    },
    wire,
};
pub use race::Aligned;
use search::Query;
pub use search::{MAX_FOUND, MAX_QUERY_CHARS, MAX_QUERY_WORDS};
pub use version::{Version, Versions};

/// Users in a [`Race`].
const RACERS: usize = 10;

/// Points that are asked of the store for each moment of a [`Race`]: of two
/// moments that are drawn, the line between them is right to a fifth.
const POINTS_PER_MOMENT: usize = 5;

/// After this time a search gives up, whatever the size of the board.
const SEARCH_DEADLINE: Duration = Duration::from_secs(1);

/// Bytes of searches in the cache: some thousand answers.
const CACHED_SEARCHES: u64 = 4 * 1024 * 1024;

/// Bytes of histories in the cache: two hundred of the longest.
const CACHED_HISTORIES: u64 = 16 * 1024 * 1024;

/// Revocations that are written again in one call of the store.
const REVOKED_AT_ONCE: usize = 1000;

/// Why there is no history.
pub type Unread = Unanswered<Arc<StoreError>>;

/// Why nobody was looked for.
pub type Unsearched = Unanswered<Infallible>;

/// A handle to a running board. Clones are the same board.
#[derive(Clone)]
pub struct LiveBoard {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    searches: Work<SearchKey, FoundUsers, Infallible>,
    histories: Work<HistoryKey, Option<Arc<Past>>, Arc<StoreError>>,
}

/// What is looked for, and how many are wanted.
type SearchKey = (Version, Query, usize);
/// Whose history, and in how many points.
type HistoryKey = (Version, UserId, usize);

/// What a user has done, and what is known of them beside that.
struct Past {
    now: UserScore,
    history: History,
}

/// What the store's writer fills and everybody else reads.
struct Shared {
    projection: RwLock<Projection>,
    changes: Mutex<Changes>,
    changed: Notify,
    /// What was revoked on a log that is no more, and is not on the one that is.
    lost_revocations: Mutex<HashMap<UserId, u64>>,
    revocations_were_lost: Notify,
    /// Of which answers are made that many share.
    versions: Versions,
    started: Instant,
    unread: LogThrottle,
    metrics: Metrics,
}

/// What follows from the log. All of it is under one lock, because what one life of the
/// log says does not hold for another.
struct Projection {
    epoch: Epoch,
    board: Board,
    /// Up to when tokens of users are void, in seconds since 1970-01-01T00:00:00Z. What was
    /// revoked is void for ever, whatever another log says.
    revoked: HashMap<UserId, u64>,
    /// How often the board was replaced: one that was is another board, even if the
    /// epoch is the same.
    reloads: u64,
    /// How often somebody was taken off it.
    removals: u64,
}

impl Projection {
    /// What the log says at first, and what it has announced.
    fn new(opened: Opened) -> (Projection, Vec<Announcement>) {
        let projection = Projection {
            epoch: opened.epoch,
            board: opened.board,
            revoked: opened.revoked.into_iter().collect(),
            reloads: 0,
            removals: 0,
        };
        (projection, opened.announcements)
    }

    /// Goes on to hold what was revoked before, and says what of it this log lacks.
    fn keep_revoked(&mut self, before: &HashMap<UserId, u64>) -> Vec<(UserId, u64)> {
        let mut lost = Vec::new();
        for (&user, &issued_until) in before {
            let until = self.revoked.entry(user).or_default();
            if *until < issued_until {
                *until = issued_until;
                lost.push((user, issued_until));
            }
        }
        lost
    }
}

/// By which a store fills a board.
pub struct Folder(Arc<Shared>);

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
                    let until = projection.revoked.entry(user).or_default();
                    *until = issued_until.max(*until);
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
        let lost = next.keep_revoked(&projection.revoked);
        // What was not told yet belongs to a board that is no more.
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
            self.0.lost_revocations.lock().extend(lost);
            self.0.revocations_were_lost.notify_one();
        }
        // Not while others wait for the lock, or for this worker: a large board takes its
        // time.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(old));
        }
    }
}

impl Shared {
    fn new(opened: Opened) -> Shared {
        let (projection, announced) = Projection::new(opened);
        // Whoever takes changes hears first of what was announced before.
        let changes = Changes {
            announced,
            ..Changes::default()
        };
        let changed = Notify::new();
        changed.notify_one();
        Shared {
            projection: RwLock::new(projection),
            changes: Mutex::new(changes),
            changed,
            lost_revocations: Mutex::default(),
            revocations_were_lost: Notify::new(),
            versions: Versions::new(version::PERIOD, version::BURST),
            started: Instant::now(),
            unread: LogThrottle::default(),
            metrics: Metrics::default(),
        }
    }
}

impl LiveBoard {
    /// Starts the store that was opened, and the board that follows it. As much is looked
    /// up at once as the limits say.
    ///
    /// # Errors
    /// If the store cannot start.
    pub fn start(
        opened: Opened,
        ready: Ready,
        limits: &LimitsTable,
    ) -> Result<LiveBoard, StoreError> {
        LiveBoard::over(opened, limits, |folder| ready.start(folder))
    }

    /// The board that follows a store that `start` starts, with what fills the board.
    ///
    /// # Errors
    /// If the store cannot start.
    pub fn over(
        opened: Opened,
        limits: &LimitsTable,
        start: impl FnOnce(Folder) -> Result<Arc<dyn Store>, StoreError>,
    ) -> Result<LiveBoard, StoreError> {
        let shared = Arc::new(Shared::new(opened));
        let store = start(Folder(shared.clone()))?;
        Ok(LiveBoard::new(shared, store, limits))
    }

    fn new(shared: Arc<Shared>, store: Arc<dyn Store>, limits: &LimitsTable) -> LiveBoard {
        let refusals = Refusals::new(shared.metrics.clone());
        let bounds = |concurrent: NonZeroUsize, cached| Bounds { concurrent, cached };
        LiveBoard {
            searches: Work::new(
                bounds(limits.concurrent_searches, CACHED_SEARCHES),
                |(_, query, _), found| size_of::<SearchKey>() + query.bytes() + found_bytes(found),
                Reason::Search,
                refusals.clone(),
            ),
            histories: Work::new(
                bounds(limits.concurrent_histories, CACHED_HISTORIES),
                |_, past| size_of::<HistoryKey>() + past.as_deref().map_or(0, past_bytes),
                Reason::History,
                refusals,
            ),
            shared,
            store,
        }
    }

    /// The version of the board that pages and other costly answers show now. Of a board
    /// that has been quiet it is the newest; while much happens, it is as old as one tick
    /// at most. Who asks for it and then reads the board sees this version or a newer one.
    pub fn version(&self) -> Version {
        self.version_by(&self.shared.versions)
    }

    /// The same with versions of another pace.
    pub fn version_by(&self, versions: &Versions) -> Version {
        // Nothing is written meanwhile, so that versions never go back.
        let projection = self.shared.projection.read();
        let state = version::State {
            seq: projection.board.seq(),
            reloads: projection.reloads,
            removals: projection.removals,
        };
        versions.at(self.shared.started.elapsed(), state)
    }

    /// A user with score and rank, as of now.
    pub fn user_score(&self, user: UserId) -> Option<UserScore> {
        self.read(|epoch, board| wire::user_score(epoch, board, user))
    }

    /// Is this user registered?
    pub fn knows(&self, user: UserId) -> bool {
        self.read(|_, board| board.user(user).is_some())
    }

    /// Was the token revoked that says this?
    pub fn is_revoked(&self, identity: &Identity) -> bool {
        let projection = self.shared.projection.read();
        projection.revoked.get(&identity.user).is_some_and(|until| {
            // Nobody can tell when a token was issued that does not say.
            identity.issued.is_none_or(|issued| issued <= *until)
        })
    }

    /// Waits until a log has replaced another and lacks what was revoked on it, and writes
    /// that again, so that no other node and no restart takes those tokens. For one caller.
    ///
    /// # Errors
    /// If nothing could be written; then it is still to be done.
    pub async fn revoke_again(&self) -> Result<(), StoreError> {
        let lost = loop {
            let lost = self.shared.lost_revocations.lock().clone();
            if !lost.is_empty() {
                break lost;
            }
            self.shared.revocations_were_lost.notified().await;
        };
        let lost: HashMap<UserId, u64> = lost.into_iter().take(REVOKED_AT_ONCE).collect();
        let commands = lost
            .iter()
            .map(|(&user, &issued_until)| Command::RevokeTokens { user, issued_until });
        self.append(commands.collect()).await?;
        tracing::warn!(
            users = lost.len(),
            "the log had lost that tokens were revoked: it has been written again"
        );
        let mut rest = self.shared.lost_revocations.lock();
        rest.retain(|user, until| lost.get(user).is_none_or(|written| written < until));
        Ok(())
    }

    /// Looks at the board, and at which life of the log it follows. It stands still
    /// meanwhile, so the look must be short.
    pub fn read<T>(&self, look: impl FnOnce(Epoch, &Board) -> T) -> T {
        let projection = self.shared.projection.read();
        look(projection.epoch, &projection.board)
    }

    /// Puts commands on the log; see [`Store::append`]. When this answers, the
    /// board shows what was accepted.
    ///
    /// # Errors
    /// If nothing could be written, or nobody knows: [`StoreError::NoAnswer`].
    pub async fn append(&self, commands: Vec<Command>) -> Result<Vec<Outcome>, StoreError> {
        let is_action = |command: &Command| matches!(command, Command::Act(_));
        let are_actions: Vec<bool> = commands.iter().map(is_action).collect();
        let answer = timeout(LONGEST_APPEND, self.store.append(commands)).await;
        let answer = answer.unwrap_or(Err(StoreError::NoAnswer));
        self.shared.metrics.count_actions(&are_actions, &answer);
        answer
    }

    /// What a user has done as of a tick ago at most, with at most `points` points of the
    /// score over time, 1 to 1000; `None` if nobody with this id is registered. It holds
    /// all that the `seq` in it says.
    ///
    /// # Errors
    /// If too much is asked for, or the store cannot be read. Both are logged here.
    pub async fn history(
        &self,
        client: Client,
        user: UserId,
        points: usize,
    ) -> Result<Option<UserHistory>, Unread> {
        let past = self.past(client, user, points).await?;
        Ok(past.map(|past| wire::user_history(past.now.clone(), past.history.clone())))
    }

    async fn past(
        &self,
        client: Client,
        user: UserId,
        points: usize,
    ) -> Result<Option<Arc<Past>>, Unread> {
        if !self.knows(user) {
            return Ok(None);
        }
        let key = (self.version(), user, points);
        let live = self.clone();
        let past = self.histories.get(client, key, async move |permit| {
            let past = live.read_past(user, points).await;
            drop(permit);
            past.map_err(|error| match error {
                StoreError::TookTooLong => Unanswered::TookTooLong,
                error => Unanswered::Failed(Arc::new(error)),
            })
        });
        let past = past.await;
        if let Err(Unanswered::Failed(error)) = &past {
            self.unread(error);
        }
        past
    }

    async fn read_past(
        &self,
        user: UserId,
        points: usize,
    ) -> Result<Option<Arc<Past>>, StoreError> {
        // The board first, so that no action that it holds is missing.
        let Some(now) = self.user_score(user) else {
            return Ok(None);
        };
        let history = self.store.history(user, points).await?;
        Ok(history.map(|history| Arc::new(Past { now, history })))
    }

    /// Logs that a history could not be read.
    fn unread(&self, error: &StoreError) {
        // A store that cannot be reached says so itself.
        if !matches!(error, StoreError::Away(_))
            && let Some(suppressed) = self.shared.unread.allow(Instant::now())
        {
            tracing::error!(%error, suppressed, "a history could not be read");
        }
    }

    /// The scores over time of the first ten of the visible board, at `points`
    /// moments at most, 1 to 1000. A score may be as old as the moment before its own.
    /// Of a user whose history cannot be read, it has the score of now alone.
    ///
    /// # Errors
    /// If no history can be read.
    pub async fn race(&self, points: usize) -> Result<Race, Unread> {
        let (racers, scores): (Vec<_>, Vec<_>) = self.read(|_, board| {
            let racers = board.top().take(RACERS);
            let racers = racers.map(|row| {
                let username = row.profile.username.to_string();
                ((row.user, username), row.score)
            });
            racers.unzip()
        });
        let fine = points.saturating_mul(POINTS_PER_MOMENT).min(MAX_POINTS);
        // For all who look at it, so that none of them can keep it from the others.
        let pasts = racers
            .iter()
            .map(|(user, _)| self.past(Client::Server, *user, fine));
        let pasts = join_all(pasts).await;
        if let Some(Err(error)) = pasts.first()
            && pasts.iter().all(Result::is_err)
        {
            return Err(error.clone());
        }
        let lines: Vec<_> = pasts
            .iter()
            .zip(scores)
            .map(|(past, score)| match past {
                // Whoever was deleted meanwhile has done nothing.
                Ok(past) => {
                    let points = past.as_ref().map(|past| &*past.history.points);
                    race::Line::Past(points.unwrap_or_default())
                }
                Err(_) => race::Line::Now(score),
            })
            .collect();
        let aligned = race::align(&lines, points);
        Ok(wire::race(racers, aligned))
    }

    /// Users by name: those who have, for each word of the text, a word that begins
    /// with it, whatever its case and accents, as of a tick ago at most. The best by rank
    /// come first, at most `limit` of them, 1 to [`MAX_FOUND`]. Of a text the first
    /// [`MAX_QUERY_CHARS`] characters and [`MAX_QUERY_WORDS`] words count; one without
    /// words finds nobody.
    ///
    /// # Errors
    /// While too much is searched for: whoever asks again later is answered.
    pub async fn search(
        &self,
        client: Client,
        text: &str,
        limit: usize,
    ) -> Result<FoundUsers, Unsearched> {
        let Some(query) = Query::new(text) else {
            return Ok(FoundUsers::default());
        };
        let shared = self.shared.clone();
        let key = (self.version(), query.clone(), limit);
        let found = self.searches.get(client, key, async move |permit| {
            let search = move || {
                let _permit = permit;
                let begun = Instant::now();
                let is_given_up = || begun.elapsed() > SEARCH_DEADLINE;
                search::search(&shared.projection, &query, limit, is_given_up)
            };
            let found = blocking::on_thread(search).await;
            found.ok_or(Unanswered::TookTooLong)
        });
        found.await
    }

    /// Waits until there are changes that nobody has taken. For one caller: the
    /// hub.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Takes the changes since the last call, and looks at the board that has
    /// just these.
    pub fn take_changes<T>(&self, look: impl FnOnce(Epoch, &Board, Changes) -> T) -> T {
        let projection = self.shared.projection.read();
        let changes = std::mem::take(&mut *self.shared.changes.lock());
        look(projection.epoch, &projection.board, changes)
    }

    /// The time by the clock that times what is on the log. The clock of this machine
    /// may be another.
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// Whether the store takes commands, now and from now on.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.store.health()
    }

    /// Says how many are connected here, and asks how many are to all nodes; see
    /// [`Store::attendance`].
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub async fn attendance(&self, here: Attendance) -> Result<AllNodes, StoreError> {
        self.store.attendance(here).await
    }

    /// Gives back the memory of searches and histories that nobody asks for any more.
    pub fn forget_idle(&self) {
        self.searches.forget_idle();
        self.histories.forget_idle();
    }

    /// The measures, with those of the board and the store as they are now.
    pub fn metrics(&self) -> &Metrics {
        let metrics = &self.shared.metrics;
        let (seq, users) = self.read(|_, board| (board.seq(), board.len()));
        metrics.board_seq.set(seq.cast_signed());
        metrics.board_users.set(users as i64);
        let is_open = *self.store.health().borrow() == Health::Open;
        metrics.store_open.set(is_open.into());
        metrics
    }

    /// Finishes what was begun, and closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// How large an answer is in memory, about.
fn found_bytes(found: &FoundUsers) -> usize {
    let text = |user: &FoundUser| {
        let avatar = user.avatar.as_ref().map_or(0, String::len);
        user.user_id.len() + user.username.len() + avatar
    };
    let texts: usize = found.users.iter().map(text).sum();
    size_of::<FoundUsers>() + found.users.len() * size_of::<FoundUser>() + texts
}

/// How large a history is in memory, about.
fn past_bytes(Past { now, history }: &Past) -> usize {
    let texts = now.username.len() + now.avatar.as_ref().map_or(0, String::len);
    let types: usize = history.recent.iter().map(|it| it.action_type.len()).sum();
    size_of::<Past>()
        + texts
        + types
        + history.points.len() * size_of::<HistoryPoint>()
        + history.recent.len() * size_of::<RecentAction>()
}

#[cfg(test)]
mod tests {
    use super::{testing::*, *};
    use crate::{
        auth::Role,
        board::{Score, Seq},
    };

    #[test]
    fn a_reload_replaces_all_that_the_log_said() {
        let (live, mut folder) = live(log(1, 3, &[1, 2]));
        let is_revoked = |issued| {
            live.is_revoked(&Identity {
                user: user(9),
                role: Role::Viewer,
                issued: Some(issued),
                expires: u64::MAX,
            })
        };
        folder.fold(&[acted(4, 2)]);
        assert!(!is_revoked(5));
        folder.reload(log(5, 2, &[2]));
        assert!(is_revoked(5));
        assert!(!live.knows(user(1)));
        let score = live.user_score(user(2)).expect("registered");
        assert_eq!((score.epoch, score.seq), (Epoch(5).to_string(), 2));
        folder.fold(&[acted(3, 2), acted(4, 2)]);
        live.take_changes(|epoch, board, changes| {
            assert_eq!((epoch, board.seq(), changes.replaced), (Epoch(5), 4, true));
            // Of what happened, only what happened on this log.
            assert_eq!(changes.actions[&user(2)].merged, 2);
            assert_eq!(changes.placed, [user(2), user(2)]);
            let announced: Vec<_> = changes.announced.iter().map(|it| it.id.0[15]).collect();
            assert_eq!(announced, [5]);
        });
        folder.fold(&[acted(5, 2)]);
        live.take_changes(|_, _, changes| assert!(!changes.replaced));
        assert_eq!(live.metrics().store_reloads.get(), 1);
    }

    /// In each log that is put in place of another, epoch and `seq` are the same.
    #[test]
    fn nobody_sees_parts_of_two_logs() {
        const LAST: u64 = 500;
        let (live, mut folder) = live(log(1, 1, &[1]));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while live.read(|epoch, board| {
                        assert_eq!(epoch.0, board.seq());
                        epoch.0 < LAST
                    }) {}
                });
            }
            scope.spawn(|| {
                while live.take_changes(|epoch, board, changes| {
                    assert_eq!(epoch.0, board.seq());
                    for announced in changes.announced {
                        assert_eq!(u128::from_be_bytes(announced.id.0), u128::from(epoch.0));
                    }
                    epoch.0 < LAST
                }) {}
            });
            for epoch in 2..=LAST {
                folder.reload(log(epoch, epoch, &[1]));
            }
        });
    }

    #[test]
    fn what_was_revoked_is_revoked_on_every_log() {
        let (live, mut folder) = live(log(1, 3, &[1]));
        let is_revoked = |n, issued| {
            live.is_revoked(&Identity {
                user: user(n),
                role: Role::Admin,
                issued: Some(issued),
                expires: u64::MAX,
            })
        };
        folder.fold(&[revoked(4, 8, 100)]);
        // It says that of user 9 all is void that was issued until its epoch.
        folder.reload(log(50, 3, &[1]));
        assert!(is_revoked(8, 100) && !is_revoked(8, 101));
        assert!(is_revoked(9, 50) && !is_revoked(9, 51));
        folder.reload(log(20, 3, &[1]));
        assert!(is_revoked(8, 100) && is_revoked(9, 50));
        let lost = live.shared.lost_revocations.lock().clone();
        assert_eq!(lost, HashMap::from([(user(8), 100), (user(9), 50)]));
    }

    fn is_away(error: &StoreError) -> bool {
        matches!(error, StoreError::Away(_))
    }

    #[tokio::test]
    async fn whoever_was_deleted_is_in_no_answer_any_more() {
        let (live, mut folder) = live(log(1, 3, &[1, 2]));
        let found = async || {
            let found = live.search(Client::Server, "p", 9).await;
            found.expect("nobody else searches").users.len()
        };
        // So many entries that no version is left.
        for seq in 4..40 {
            folder.fold(&[acted(seq, 2)]);
            _ = live.version();
        }
        assert_eq!(found().await, 2);
        let before = live.version();
        folder.fold(&[deleted(40, 1)]);
        assert_ne!(live.version(), before);
        assert_eq!(found().await, 1);
        let history = live.history(Client::Server, user(1), 9).await;
        assert!(matches!(history, Ok(None)));
        let before = live.version();
        folder.reload(log(5, 2, &[2]));
        assert_ne!(live.version(), before);
    }

    #[tokio::test]
    async fn a_history_that_takes_too_long_is_refused_and_no_fault() {
        let (live, _folder) = live_over(log(1, 3, &[1]), || StoreError::TookTooLong);
        let unread = live.history(Client::Server, user(1), 9).await;
        assert!(matches!(unread, Err(Unanswered::TookTooLong)));
        let text = live.metrics().text();
        assert!(text.contains("podium_refused_total{reason=\"history\"} 1"));
    }

    #[tokio::test]
    async fn a_panic_of_the_store_is_no_refusal() {
        let (live, _folder) = live_over(log(1, 3, &[1]), || panic!("a test"));
        let unread = live.history(Client::Server, user(1), 9).await;
        assert!(matches!(unread, Err(Unanswered::Panicked)));
        let text = live.metrics().text();
        assert!(text.contains("podium_refused_total{reason=\"history\"} 0"));
    }

    /// Whatever is kept, down to what is as small as can be.
    #[tokio::test]
    async fn the_caches_have_their_bounds_in_bytes() {
        let (live, _folder) = live(log(1, 3, &[1]));
        let version = live.version();
        let point = HistoryPoint {
            seq: Seq::new(1).expect("from 1"),
            at: Timestamp(1),
            score: Score::ZERO,
            rank: Some(1),
        };
        let past = || Past {
            now: live.user_score(user(1)).expect("registered"),
            history: History {
                points: vec![point; MAX_POINTS],
                ..History::default()
            },
        };
        let mut most = 0;
        for points in 0..1_000 {
            let past = (points % 2 == 0).then(|| Arc::new(past()));
            let key = (version, user(1), points);
            let got = live
                .histories
                .get(Client::Server, key, async move |_| Ok(past));
            assert!(got.await.is_ok());
            most = most.max(live.histories.cached_bytes());
        }
        assert!(
            most <= CACHED_HISTORIES && most > CACHED_HISTORIES / 2,
            "{most}"
        );
        let nobody = async |_| Ok(None);
        let before = live.histories.cached_bytes();
        let key = (version, user(2), 0);
        assert!(
            live.histories
                .get(Client::Server, key, nobody)
                .await
                .is_ok()
        );
        assert_ne!(live.histories.cached_bytes(), before, "it counts as well");

        let found = live.search(Client::Server, "p", 9).await.expect("free");
        let found = FoundUsers {
            users: vec![found.users[0].clone(); MAX_FOUND],
            more: true,
        };
        let mut most = 0;
        for limit in 0..1_000 {
            let query = Query::new("x").expect("a word");
            let (key, found) = ((version, query, limit), found.clone());
            let got = live
                .searches
                .get(Client::Server, key, async move |_| Ok(found));
            assert!(got.await.is_ok());
            most = most.max(live.searches.cached_bytes());
        }
        assert!(
            most <= CACHED_SEARCHES && most > CACHED_SEARCHES / 2,
            "{most}"
        );
    }

    #[tokio::test]
    async fn while_the_store_is_away_the_board_can_be_read() {
        let (live, _folder) = live(log(1, 3, &[1, 2]));
        assert_eq!(*live.health().borrow(), Health::Away);
        let appended = live.append(vec![Command::DeleteUser(user(1))]).await;
        assert!(matches!(appended, Err(StoreError::Away(_))));
        let unread = live.history(Client::Server, user(1), 9).await;
        assert!(matches!(unread, Err(Unanswered::Failed(error)) if is_away(&error)));
        let race = live.race(9).await;
        assert!(matches!(race, Err(Unanswered::Failed(error)) if is_away(&error)));
        let score = live.user_score(user(1)).expect("registered");
        assert_eq!((score.score, score.rank), (Some(5), Some(1)));
        let found = live.search(Client::Server, "p", 9).await;
        let found = found.expect("nobody else searches");
        assert_eq!(found.users.len(), 2);
        let measures = live.metrics();
        assert_eq!(
            (measures.store_open.get(), measures.board_seq.get()),
            (0, 3)
        );
    }
}
