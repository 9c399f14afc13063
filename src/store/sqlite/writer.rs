//! The writer thread: the only one that touches the file while the store runs.
//!
//! It takes whatever waits as one transaction (group commit), so that many
//! senders share the cost of one `fsync`, and answers after the commit.

use std::{
    io::ErrorKind,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::{Transaction, params};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    announcements,
    condition::{Cause, Condition, Trouble},
    database::{Database, LoadedBoard},
    file_system,
    guard::Guard,
    limited,
    load::{profile, standing},
    log_end::LogEnd,
    page_cache::PageCache,
    ranks::write_ranks,
    reader::Unwritten,
    wal::Wal,
};
use crate::{
    board::{
        Announcement, Applied, BoardId, Epoch, Fact, LogEntry, Profile, Rules, Score, Seq,
        Timestamp, UserId, ranking::Standing,
    },
    clock,
    log_throttle::LogThrottle,
    store::{Action, Command, Fold, Health, Outcome, Receipt, Refusal, StoreError},
    vital::Pulse,
};

/// Commands that are taken into one transaction before it is committed. Past a
/// few hundred the gain is small (docs/PERFORMANCE.md) and the first waits long.
const BATCH: usize = 512;
/// The longest time that it waits for requests without looking after anything else.
const TURN: Duration = Duration::from_millis(500);
/// So much must be free again on a disk that was full, in bytes: some thousand actions.
const ROOM: u64 = 1 << 20;

pub(super) enum Request {
    Append {
        commands: Vec<Command>,
        reply: Reply,
    },
    Close,
}

type Reply = oneshot::Sender<Result<Vec<Outcome>, StoreError>>;

pub(super) struct Writer {
    /// Held until the thread ends.
    database: Database,
    wal: Wal,
    guard: Guard,
    condition: Condition,
    /// Why nothing can be written, if so.
    trouble: Option<Trouble>,
    /// When the files were looked at last.
    looked: Instant,
    warnings: LogThrottle,
    name: BoardId,
    epoch: Epoch,
    board: i64,
    rules: Rules,
    /// The last entry that was committed.
    seq: u64,
    log_end: LogEnd,
    page_cache: PageCache,
    /// Ranks of committed entries that are still to be written.
    unwritten: Unwritten,
    fold: Box<dyn Fold>,
}

/// What was decided about a command before the commit; ranks come after it.
enum Decision {
    Refused(Refusal),
    /// An entry of this transaction: written for this command, or for the same
    /// one earlier in it.
    Pending {
        seq: u64,
        score: Option<Score>,
        duplicate: bool,
    },
    /// Committed earlier, with all that was answered then.
    Known(Receipt),
}

/// What was committed: a decision about each command, and the entries.
type Written = (Vec<Decision>, Vec<LogEntry>);

impl Writer {
    pub(super) fn new(
        loaded: LoadedBoard,
        wal: Wal,
        guard: Guard,
        condition: Condition,
        unwritten: Unwritten,
        fold: Box<dyn Fold>,
    ) -> Writer {
        Writer {
            database: loaded.database,
            wal,
            guard,
            condition,
            trouble: None,
            looked: Instant::now(),
            warnings: LogThrottle::default(),
            name: loaded.name,
            epoch: Epoch(loaded.row.epoch.cast_unsigned()),
            board: loaded.row.id,
            rules: loaded.rules,
            seq: loaded.seq,
            log_end: LogEnd::default(),
            page_cache: PageCache::new(Instant::now()),
            unwritten,
            fold,
        }
    }

    /// Goes on until the store is closed. `clock` is for nothing but waiting.
    pub(super) fn run(
        mut self,
        mut queue: mpsc::Receiver<Request>,
        clock: &Runtime,
        pulse: &Pulse,
    ) {
        let condition = self.condition.clone();
        let mut open = true;
        while open {
            // Each turn ends within a fraction of a second, with requests or without, but
            // for the time that the disk takes.
            pulse.beat();
            condition.wait_for_disk(pulse, || self.tend());
            let received = clock.block_on(async { timeout(TURN, queue.recv()).await });
            let Ok(mut next) = received else {
                continue;
            };
            let mut batch: Vec<(Vec<Command>, Reply)> = Vec::new();
            let mut commands = 0;
            loop {
                match next {
                    Some(Request::Append { commands: c, reply }) => {
                        commands += c.len();
                        batch.push((c, reply));
                    }
                    // After a request to close, and when all senders are gone.
                    Some(Request::Close) | None => open = false,
                }
                if commands >= BATCH || !open {
                    break;
                }
                match queue.try_recv() {
                    Ok(request) => next = Some(request),
                    Err(_) => break,
                }
            }
            self.page_cache.used(commands);
            if !batch.is_empty() {
                self.answer(batch, pulse);
            }
        }
        condition.wait_for_disk(pulse, || self.end());
    }

    /// Looks after the files, and tries whether a trouble is over.
    fn tend(&mut self) {
        match self.trouble {
            Some(Trouble::Lasting(_)) => return,
            Some(Trouble::Passing(cause)) => {
                if self.looked.elapsed() >= TURN {
                    self.looked = Instant::now();
                    let tried = self.look().and_then(|()| self.try_to_write(cause));
                    self.found(tried.err());
                }
                return;
            }
            None => {}
        }
        if self.looked.elapsed() >= TURN {
            self.looked = Instant::now();
            if let Err(trouble) = self.look() {
                return self.found(Some(trouble));
            }
        } else if let Err(trouble) = self.guard.look_at_index() {
            return self.found(Some(trouble));
        }
        if self.page_cache.is_due(Instant::now()) {
            // If that fails, the memory is used on.
            _ = self
                .database
                .connection
                .execute_batch("PRAGMA shrink_memory");
        }
        // A log that cannot be written back grows, and can still be written.
        if let Err(error) = self.wal.tend(&self.database.connection) {
            self.guard.take_as_it_is();
            if let trouble @ Trouble::Lasting(_) = Trouble::of(&error) {
                self.found(Some(trouble));
            }
        }
    }

    /// Looks at the files, and notes how they are.
    fn look(&mut self) -> Result<(), Trouble> {
        let wal = self.guard.look(&self.database.connection)?;
        let looked = self.log_end.look(&self.database.connection, self.board);
        looked.map_err(|error| Trouble::of(&error))?;
        let marker = &mut self.database.marker;
        marker.restore().map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists | ErrorKind::WouldBlock => {
                Trouble::replaced("the lock of the board's file (.lock) was replaced by another")
            }
            _ => Trouble::of_file(&error),
        })?;
        let file = Some(self.guard.stamp());
        if (marker.note.wal, marker.note.file) != (wal, file) {
            (marker.note.wal, marker.note.file) = (wal, file);
            self.note();
        }
        Ok(())
    }

    /// Notes beside the file how far the log has come.
    fn note(&mut self) {
        let marker = &mut self.database.marker;
        marker.note.board(&self.name, self.epoch, self.seq);
        if let Err(error) = marker.write() {
            let what = "what the file holds was not noted";
            self.warn(&error, what);
        }
    }

    /// Reports what was found, if it is new.
    fn found(&mut self, trouble: Option<Trouble>) {
        if trouble == self.trouble {
            return;
        }
        self.condition.report(match &trouble {
            Some(trouble) => Health::Unwritable(trouble.message().into()),
            None => Health::Open,
        });
        self.trouble = trouble;
    }

    fn warn(&self, error: &dyn std::error::Error, what: &str) {
        if let Some(suppressed) = self.warnings.allow(Instant::now()) {
            tracing::error!(%error, suppressed, "{what}");
        }
    }

    fn answer(&mut self, batch: Vec<(Vec<Command>, Reply)>, pulse: &Pulse) {
        match self.commit(batch.iter().flat_map(|(commands, _)| commands), pulse) {
            Ok(outcomes) => {
                let mut outcomes = outcomes.into_iter();
                for (commands, reply) in batch {
                    let outcomes = outcomes.by_ref().take(commands.len()).collect();
                    // The sender may have gone; the entries stay.
                    _ = reply.send(Ok(outcomes));
                }
            }
            Err(trouble) => {
                let message: Arc<str> = trouble.message().into();
                self.found(Some(trouble));
                for (_, reply) in batch {
                    _ = reply.send(Err(StoreError::Unwritable(message.clone())));
                }
            }
        }
    }

    /// Writes a batch in one transaction, folds it, and gives one outcome for
    /// each command.
    fn commit<'a>(
        &mut self,
        commands: impl Iterator<Item = &'a Command>,
        pulse: &Pulse,
    ) -> Result<Vec<Outcome>, Trouble> {
        if let Some(trouble @ Trouble::Lasting(_)) = &self.trouble {
            return Err(trouble.clone());
        }
        let condition = self.condition.clone();
        let (decisions, entries) =
            condition.wait_for_disk(pulse, || self.write_safely(commands))?;
        self.found(None);

        let first = self.seq - entries.len() as u64;
        let applied = self.fold.fold(&entries);
        let ranks = entries
            .iter()
            .zip(&applied)
            .filter_map(|(entry, applied)| Some((entry.seq, (*applied)?)));
        *self.unwritten.lock() = Arc::new(ranks.collect());
        Ok(decisions
            .into_iter()
            .map(|decision| decision.outcome(first, &applied))
            .collect())
    }

    /// Writes a batch, and makes sure that it is in the file that is at the path, and that
    /// it would be missed if it were not any more.
    fn write_safely<'a>(
        &mut self,
        commands: impl Iterator<Item = &'a Command>,
    ) -> Result<Written, Trouble> {
        self.guard.look_at_index()?;
        let written = self.write(commands).map_err(|error| {
            self.warn(
                &error,
                "actions were refused because they could not be written",
            );
            Trouble::of(&error)
        })?;
        // Whether the files can be looked at just now is another matter: it is committed.
        if let Err(trouble @ Trouble::Lasting(_)) = self.look() {
            return Err(trouble);
        }
        self.seq += written.1.len() as u64;
        self.note();
        Ok(written)
    }

    fn write<'a>(
        &mut self,
        commands: impl Iterator<Item = &'a Command>,
    ) -> Result<Written, StoreError> {
        let unwritten = self.unwritten.lock().clone();
        let transaction = self.database.connection.transaction()?;
        self.log_end.look(&transaction, self.board)?;
        write_ranks(&transaction, self.board, &unwritten)?;
        let mut batch = Batch {
            transaction,
            board: self.board,
            rules: self.rules,
            committed: self.seq,
            at: clock::now(),
            entries: Vec::new(),
        };
        let decisions = commands
            .map(|command| batch.decide(command))
            .collect::<Result<Vec<_>, _>>()?;
        let Batch {
            transaction,
            entries,
            ..
        } = batch;
        // Ranks do so too. Each log has the row of its board, and so the epoch, in its first
        // transaction: by that it is known whose it is.
        if unwritten.is_empty() && !entries.is_empty() {
            touch(&transaction, self.board)?;
        }
        transaction.commit()?;
        self.log_end.advance(&entries);
        Ok((decisions, entries))
    }

    /// Tries whether a trouble is over that this has caused.
    fn try_to_write(&mut self, cause: Cause) -> Result<(), Trouble> {
        let file = self.guard.path();
        // A little might find room where much does not.
        if cause == Cause::Full && file_system::free(file).is_ok_and(|bytes| bytes < ROOM) {
            return Err(Trouble::Passing(cause));
        }
        self.write_last_ranks().map_err(|error| Trouble::of(&error))
    }

    /// Writes the ranks that are known, or that nothing has changed.
    fn write_last_ranks(&mut self) -> Result<(), StoreError> {
        let unwritten = self.unwritten.lock().clone();
        let transaction = self.database.connection.transaction()?;
        self.log_end.look(&transaction, self.board)?;
        write_ranks(&transaction, self.board, &unwritten)?;
        touch(&transaction, self.board)?;
        transaction.commit()?;
        Ok(())
    }

    /// Writes what is left to be written, unless the files are not to be touched.
    fn end(&mut self) {
        let trouble = self.trouble.clone().or_else(|| self.look().err());
        if trouble.is_none() {
            self.wal.end(&self.database.connection);
        }
        if let Some(trouble) = trouble {
            self.database.leave();
            let why = trouble.message();
            tracing::warn!("all files of the board are left as they are, because {why}");
        } else if let Err(error) = self.write_last_ranks() {
            // They are computed again when the store is opened.
            tracing::warn!(%error, "the last ranks were not written");
        }
    }
}

impl Decision {
    /// The outcome, when all entries after `first` were folded to `applied`.
    fn outcome(self, first: u64, applied: &[Option<Applied>]) -> Outcome {
        match self {
            Decision::Refused(refusal) => Err(refusal),
            Decision::Known(receipt) => Ok(receipt),
            Decision::Pending {
                seq,
                score,
                duplicate,
            } => {
                let applied = applied[(seq - first - 1) as usize];
                Ok(Receipt {
                    seq,
                    score,
                    rank: applied.and_then(|applied| applied.rank),
                    old_rank: applied.and_then(|applied| applied.old_rank),
                    duplicate,
                })
            }
        }
    }
}

/// A transaction that is being filled.
struct Batch<'a> {
    transaction: Transaction<'a>,
    board: i64,
    rules: Rules,
    /// The last entry before this transaction.
    committed: u64,
    at: Timestamp,
    entries: Vec<LogEntry>,
}

impl Batch<'_> {
    fn decide(&mut self, command: &Command) -> Result<Decision, StoreError> {
        match command {
            Command::PutUser { user, profile } => self.put_user(*user, profile),
            Command::Act(action) => self.act(action),
            Command::DeleteUser(user) => self.delete_user(*user),
            Command::RevokeTokens { user, issued_until } => {
                self.revoke_tokens(*user, *issued_until)
            }
            Command::Announce(announcement) => self.announce(announcement),
        }
    }

    fn put_user(&mut self, user: UserId, new: &Profile) -> Result<Decision, StoreError> {
        let known = self.user(user)?;
        let score = known
            .as_ref()
            .map(|(_, standing)| standing.map(|s| s.score));
        if let (Some((profile, _)), Some(score)) = (&known, score)
            && profile == new
        {
            return Ok(Decision::Known(Receipt {
                seq: self.last(),
                score,
                rank: None,
                old_rank: None,
                duplicate: true,
            }));
        }
        let before = known.and_then(|(_, standing)| standing);
        let seq = self.next()?;
        let score = score.unwrap_or(self.rules.initial());
        self.transaction
            .prepare_cached(
                "INSERT INTO users (board, id, username, avatar, score, reached)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET username = excluded.username, avatar = excluded.avatar",
            )?
            .execute(params![
                self.board,
                user.0,
                new.username,
                new.avatar,
                score.map(Score::points),
                score.map(|_| seq.get()),
            ])?;
        self.transaction
            .prepare_cached(
                "INSERT INTO log (board, seq, at, kind, user, username, avatar,
                                  score_before, reached_before)
                 VALUES (?1, ?2, ?3, 'user', ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                self.board,
                seq.get(),
                self.at.0,
                user.0,
                new.username,
                new.avatar,
                before.map(|before| before.score.points()),
                before.map(|before| before.reached.get()),
            ])?;
        let fact = Fact::UserChanged {
            user,
            profile: new.clone(),
        };
        Ok(self.pending(seq, score, fact))
    }

    fn act(&mut self, action: &Action) -> Result<Decision, StoreError> {
        if let Some(decision) = self.counted(action)? {
            return Ok(decision);
        }
        let Some((_, before)) = self.user(action.user)? else {
            return Ok(Decision::Refused(Refusal::UnknownUser));
        };
        if let Some(reached) = limited::reached(&self.transaction, self.board, self.at, action)? {
            return Ok(Decision::Refused(Refusal::LimitReached(reached)));
        }
        let old = before.map(|before| before.score);
        let Some(score) = self.rules.after(old, action.increase) else {
            return Ok(Decision::Refused(Refusal::OutOfRange));
        };
        let seq = self.next()?;
        // A score that did not change was reached when it was reached first.
        if old != Some(score) {
            self.transaction
                .prepare_cached(
                    "UPDATE users SET score = ?3, reached = ?4 WHERE board = ?1 AND id = ?2",
                )?
                .execute(params![
                    self.board,
                    action.user.0,
                    score.points(),
                    seq.get()
                ])?;
        }
        self.transaction
            .prepare_cached(
                "INSERT INTO log (board, seq, at, kind, user, action_id, action_type, increase,
                                  score, score_before, reached_before)
                 VALUES (?1, ?2, ?3, 'action', ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                self.board,
                seq.get(),
                self.at.0,
                action.user.0,
                action.id.as_str(),
                action.action_type,
                action.increase,
                score.points(),
                before.map(|before| before.score.points()),
                before.map(|before| before.reached.get()),
            ])?;
        limited::note(&self.transaction, self.board, seq, self.at, action)?;
        let fact = Fact::Action {
            user: action.user,
            action_type: action.action_type.clone(),
            increase: action.increase,
            score,
        };
        Ok(self.pending(seq, Some(score), fact))
    }

    fn delete_user(&mut self, user: UserId) -> Result<Decision, StoreError> {
        let Some((_, before)) = self.user(user)? else {
            return Ok(Decision::Refused(Refusal::UnknownUser));
        };
        let seq = self.next()?;
        self.transaction
            .prepare_cached("DELETE FROM users WHERE board = ?1 AND id = ?2")?
            .execute(params![self.board, user.0])?;
        self.transaction
            .prepare_cached(
                "INSERT INTO log (board, seq, at, kind, user, score_before, reached_before)
                 VALUES (?1, ?2, ?3, 'deleted', ?4, ?5, ?6)",
            )?
            .execute(params![
                self.board,
                seq.get(),
                self.at.0,
                user.0,
                before.map(|before| before.score.points()),
                before.map(|before| before.reached.get()),
            ])?;
        Ok(self.pending(seq, None, Fact::UserDeleted { user }))
    }

    fn revoke_tokens(&mut self, user: UserId, issued_until: u64) -> Result<Decision, StoreError> {
        let seq = self.next()?;
        // A clock that was set back must not make tokens valid again.
        self.transaction
            .prepare_cached(
                "INSERT INTO revocations (board, user, issued_until) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE
                 SET issued_until = max(issued_until, excluded.issued_until)",
            )?
            .execute(params![self.board, user.0, issued_until])?;
        self.transaction
            .prepare_cached(
                "INSERT INTO log (board, seq, at, kind, user, issued_until)
                 VALUES (?1, ?2, ?3, 'revoked', ?4, ?5)",
            )?
            .execute(params![
                self.board,
                seq.get(),
                self.at.0,
                user.0,
                issued_until
            ])?;
        let fact = Fact::TokensRevoked { user, issued_until };
        Ok(self.pending(seq, None, fact))
    }

    fn announce(&mut self, announcement: &Announcement) -> Result<Decision, StoreError> {
        if let Some((seq, known)) =
            announcements::find(&self.transaction, self.board, announcement.id)?
        {
            // Sent again at once it begins a little later, which is no other one; a
            // time that is still to come was chosen.
            let is_moved = announcement.from > self.at && announcement.from != known.from;
            return Ok(if known.says_the_same(announcement) && !is_moved {
                Decision::Known(Receipt {
                    seq,
                    score: None,
                    rank: None,
                    old_rank: None,
                    duplicate: true,
                })
            } else {
                Decision::Refused(Refusal::Conflict)
            });
        }
        let seq = self.next()?;
        announcements::insert(&self.transaction, self.board, seq, announcement)?;
        self.transaction
            .prepare_cached(
                "INSERT INTO log (board, seq, at, kind) VALUES (?1, ?2, ?3, 'announced')",
            )?
            .execute(params![self.board, seq.get(), self.at.0])?;
        let fact = Fact::Announced(announcement.clone());
        Ok(self.pending(seq, None, fact))
    }

    /// What was decided about this action id before, if it was.
    fn counted(&self, action: &Action) -> Result<Option<Decision>, StoreError> {
        let mut statement = self.transaction.prepare_cached(
            "SELECT seq, user, action_type, increase, score, rank, old_rank
             FROM log WHERE board = ?1 AND action_id = ?2
             UNION ALL
             SELECT seq, user, action_type, increase, score, rank, old_rank
             FROM counted_actions WHERE board = ?1 AND action_id = ?2",
        )?;
        let mut rows = statement.query(params![self.board, action.id.as_str()])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let same = row.get::<_, [u8; 16]>(1)? == action.user.0
            && row.get_ref(2)?.as_str().ok() == Some(&*action.action_type)
            && (action.declared.is_some() || row.get::<_, i64>(3)? == action.increase);
        if !same {
            return Ok(Some(Decision::Refused(Refusal::Conflict)));
        }
        let seq = row.get(0)?;
        let score = Score::new(row.get(4)?);
        Ok(Some(if seq > self.committed {
            Decision::Pending {
                seq,
                score,
                duplicate: true,
            }
        } else {
            Decision::Known(Receipt {
                seq,
                score,
                rank: row.get(5)?,
                old_rank: row.get(6)?,
                duplicate: true,
            })
        }))
    }

    fn user(&self, user: UserId) -> Result<Option<(Profile, Option<Standing>)>, StoreError> {
        let mut statement = self.transaction.prepare_cached(
            "SELECT username, avatar, score, reached FROM users WHERE board = ?1 AND id = ?2",
        )?;
        let mut rows = statement.query(params![self.board, user.0])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        Ok(Some((profile(row, 0)?, standing(row, 2)?)))
    }

    /// The last entry, written or pending.
    fn last(&self) -> u64 {
        self.committed + self.entries.len() as u64
    }

    fn next(&self) -> Result<Seq, StoreError> {
        Seq::new(self.last() + 1).ok_or(StoreError::Damaged("the log is full"))
    }

    fn pending(&mut self, seq: Seq, score: Option<Score>, fact: Fact) -> Decision {
        self.entries.push(LogEntry {
            seq,
            at: self.at,
            fact,
        });
        Decision::Pending {
            seq: seq.get(),
            score,
            duplicate: false,
        }
    }
}

/// Writes the row of a board as it is. SQLite writes no page in which nothing changes, so it
/// changes there and back.
fn touch(transaction: &Transaction<'_>, board: i64) -> Result<(), StoreError> {
    for change in [1, -1] {
        transaction
            .prepare_cached("UPDATE boards SET ranked_through = ranked_through + ?2 WHERE id = ?1")?
            .execute(params![board, change])?;
    }
    Ok(())
}
