//! One node between two losses of Redis: it asks for what senders want, reads the log,
//! folds it, and answers.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use rand::RngExt;
use redis::{Value, aio::MultiplexedConnection};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    call::{self, Answer, Decision},
    connect::{Info, Link},
    derived_board,
    fault::Fault,
    load::Following,
    node::{Node, Reply, Request},
    plan_board::{self, BoardChange, Plan},
    recent::Known,
    record::{Logged, array, number, number_text, read_epoch, text},
    stored_log::StoredLog,
};
use crate::{
    board::{BoardId, Fact, Timestamp},
    store::{Command, Health, StoreError, decide},
};

/// Commands that are sent at once: Redis does nothing else meanwhile.
const BATCH: usize = 512;
/// Ranks that are written at once: more than a few nodes together make entries in one
/// round of calls.
const RANKS: usize = 4096;
/// Calls that were answered and wait for their entries to be folded.
const WAITING: usize = 64;
/// Entries that are read at once.
const PAGE: usize = 1000;
/// How long Redis is asked to wait for an entry. Then it is seen to be there.
const BLOCK: Duration = Duration::from_millis(500);
/// How long ranks may wait for a call that takes them along.
const FLUSH: Duration = Duration::from_millis(200);
/// How long is waited for what another node has written, before it is asked again.
const AGAIN: Duration = Duration::from_millis(5);
/// How long no call may be made: then one sees whether Redis still writes.
const PROBE: Duration = Duration::from_secs(5);
/// How often Redis is looked at, whether all is there that was.
const INSPECT: Duration = Duration::from_millis(500);
/// Entries that are looked at each time: 100,000 within about two minutes, for some
/// thousandths of Redis's time.
const INSPECTED: usize = 400;

/// See the module.
pub(super) struct Session<'a> {
    node: &'a mut Node,
    link: Link,
    /// The call that Redis has not answered.
    call: Option<Call>,
    /// Calls that it has answered, in order.
    waiting: VecDeque<Waiting>,
    /// What waits until a season has ended.
    held: Option<Batch>,
    /// Who waits for entries about boards.
    observers: Vec<Observer>,
    /// When the season ends that ends next.
    border: Option<Timestamp>,
    /// When ranks are written that no call has taken along.
    flush: Option<Instant>,
    /// When the last call was made.
    called: Instant,
    /// When Redis is to be looked at, and after which entry.
    inspection: (Instant, u64),
    is_closing: bool,
    /// The last entry whose ranks are to be written before the end.
    last: Option<u64>,
    /// Does Redis refuse what it is asked, or may it not be asked?
    is_refusing: bool,
    /// Why Redis may not be asked to write.
    evicting: Option<Arc<str>>,
}

struct Call {
    answer: BoxFuture<'static, Result<Value, Fault>>,
    nonce: u64,
    /// As far as Redis was known to know ranks: what it answers about later entries is to be
    /// found here.
    ranked_through: u64,
    batch: Batch,
    /// Does it end seasons, and nothing else?
    ends_seasons: bool,
}

/// Waits until an entry has been folded, for the number of a board.
struct Observer {
    entry: u64,
    board: BoardId,
    reply: oneshot::Sender<u64>,
}

/// What several senders want.
#[derive(Default)]
struct Batch(Vec<(Vec<Command>, Reply)>);

/// What was decided, and waits for its entries.
struct Waiting {
    /// The last entry that is to be folded first.
    until: u64,
    /// The last entry of the call's own, if there is one, and its nonce.
    own: Option<(u64, u64)>,
    replies: Vec<(Vec<Decision>, Reply)>,
}

/// What came from the log.
struct Tail {
    entries: Vec<Logged>,
    inspected: Option<Inspected>,
}

/// What Redis reports about itself, and of a board that is as it should be.
struct Inspected {
    info: Info,
    ranked_through: u64,
    /// The last entry that was looked at, or 0 to begin again.
    through: u64,
}

impl<'a> Session<'a> {
    pub(super) fn new(node: &'a mut Node, link: &Link) -> Session<'a> {
        Session {
            node,
            link: link.clone(),
            call: None,
            waiting: VecDeque::new(),
            held: None,
            observers: Vec::new(),
            border: None,
            // What the session before left.
            flush: Some(Instant::now()),
            called: Instant::now(),
            inspection: (Instant::now(), 0),
            is_closing: false,
            last: None,
            is_refusing: false,
            evicting: None,
        }
    }

    /// Goes on until the store is closed, or Redis is lost.
    pub(super) async fn run(mut self, queue: &mut mpsc::Receiver<Request>) -> Result<(), Fault> {
        let result = self.follow(queue).await;
        if let Err(fault) = &result {
            let called = self
                .call
                .take()
                .map(|call| call.batch.0)
                .unwrap_or_default();
            let held = self.held.take().unwrap_or_default().0;
            let called = called.into_iter().chain(held).map(|(_, reply)| reply);
            let waiting = self.waiting.drain(..).flat_map(|waiting| waiting.replies);
            for reply in called.chain(waiting.map(|(_, reply)| reply)) {
                _ = reply.send(Err(fault.refusal()));
            }
        }
        match result {
            Err(fault) if self.is_closing => {
                // Other nodes write the last ranks, or the next start finds them.
                tracing::warn!(%fault, "Redis was lost while the store was being closed");
                Ok(())
            }
            result => result,
        }
    }

    async fn follow(&mut self, queue: &mut mpsc::Receiver<Request>) -> Result<(), Fault> {
        self.mind_evictions();
        self.border = self.next_border();
        let mut tail = self.read();
        loop {
            if self.is_closing
                && self.call.is_none()
                && self.held.is_none()
                && self.waiting.is_empty()
            {
                // Not those of later entries: others may go on writing for ever.
                let wanted = *self.last.get_or_insert(self.node.following.folded);
                if self.is_refusing || self.node.recent.lock().ranked_through() >= wanted {
                    return Ok(());
                }
                self.call(Batch::default());
            }
            let is_free = self.call.is_none();
            let takes_more =
                is_free && !self.is_closing && self.held.is_none() && self.waiting.len() < WAITING;
            let probe = self.called + PROBE;
            let flush = self.flush.map_or(probe, |flush| flush.min(probe));
            let flush = self.border_due().map_or(flush, |border| flush.min(border));
            let flush = (is_free && self.evicting.is_none()).then_some(flush);
            tokio::select! {
                read = &mut tail => {
                    self.received(read?)?;
                    tail = self.read();
                }
                answer = answered(&mut self.call) => self.answered(answer)?,
                request = queue.recv(), if takes_more => self.take(request, queue),
                () = until(flush) => self.go_on(),
            }
        }
    }

    /// What comes next on the log, and now and then, whether all is there that was.
    fn read(&self) -> BoxFuture<'static, Result<Tail, Fault>> {
        let Following { epoch, folded, .. } = self.node.following;
        let (inspect_at, after) = self.inspection;
        let is_urgent = self.node.evictions.is_checking();
        let board = self.node.board.clone();
        let mut connection = self.link.tail.clone();
        Box::pin(async move {
            let mut read = redis::cmd("XREAD");
            read.arg("COUNT").arg(PAGE);
            if !is_urgent {
                read.arg("BLOCK").arg(BLOCK.as_millis() as usize);
            }
            read.arg("STREAMS")
                .arg(&[&board.keys.log, &format!("{folded}-0")]);
            let read: Value = read.query_async(&mut connection).await?;
            let entries = match &read {
                Value::Nil => Vec::new(),
                read => {
                    let streams = array(read)?.first().map(array).transpose()?;
                    let [_, entries] = streams.unwrap_or_default() else {
                        return Err(Fault::Damaged("an answer of another form"));
                    };
                    Logged::read_all(entries)?
                }
            };
            let entries = with_boards(entries, &mut connection, &board).await?;
            if Instant::now() < inspect_at {
                return Ok(Tail {
                    entries,
                    inspected: None,
                });
            }
            // First: what is found to be there was not evicted before.
            let info: String = redis::cmd("INFO")
                .arg(&["memory", "stats"])
                .query_async(&mut connection)
                .await?;
            let mut call = board.call(&board.scripts.inspect);
            let call = call.arg(after).arg(INSPECTED);
            let found: Value = call.invoke_async(&mut connection).await?;
            let [found_epoch, seq, ranked_through, through] = array(&found)? else {
                return Err(Fault::Damaged("an answer of another form"));
            };
            let seq: u64 = number(text(seq)?)?;
            if read_epoch(text(found_epoch)?)? != epoch || seq < folded {
                return Err(Fault::Changed);
            }
            let inspected = Inspected {
                info: Info::read(&info),
                ranked_through: number(text(ranked_through)?)?,
                through: number(text(through)?)?,
            };
            Ok(Tail {
                entries,
                inspected: Some(inspected),
            })
        })
    }

    fn received(&mut self, tail: Tail) -> Result<(), Fault> {
        if !tail.entries.is_empty() {
            self.fold(tail.entries)?;
        }
        if let Some(inspected) = tail.inspected {
            self.node.recent.lock().observe(inspected.ranked_through);
            self.inspected(&inspected);
        }
        self.settle();
        Ok(())
    }

    /// Where to look next, and when.
    fn inspected(&mut self, inspected: &Inspected) {
        let evictions = &mut self.node.evictions;
        let is_to_begin = evictions.observe(&inspected.info);
        if inspected.through == 0 && !is_to_begin {
            evictions.found_whole();
        }
        let pause = if evictions.is_checking() {
            Duration::ZERO
        } else {
            INSPECT
        };
        let after = if is_to_begin { 0 } else { inspected.through };
        self.inspection = (Instant::now() + pause, after);
        self.mind_evictions();
    }

    /// Refuses what senders want while keys may be evicted, and asks Redis again when that
    /// is over.
    fn mind_evictions(&mut self) {
        let reason = self.node.evictions.reason();
        if let Some(why) = &reason {
            self.refuse(why, self.evicting.as_ref() != Some(why));
        } else if self.evicting.is_some() {
            self.flush = Some(Instant::now());
        }
        self.evicting = reason;
    }

    fn fold(&mut self, logged: Vec<Logged>) -> Result<(), Fault> {
        let mut taken: Vec<Logged> = Vec::with_capacity(logged.len());
        let mut result = Ok(());
        for logged in logged {
            let following = &mut self.node.following;
            let next = following.folded + 1;
            if logged.epoch != following.epoch {
                result = Err(Fault::Changed);
                break;
            }
            if logged.entry.seq.get() != next {
                result = Err(Fault::Gap(following.folded));
                break;
            }
            if self
                .waiting
                .iter()
                .any(|waiting| waiting.is_lost(next, logged.nonce))
            {
                result = Err(Fault::Changed);
                break;
            }
            following.folded = next;
            following.nonce = Some(logged.nonce);
            taken.push(logged);
        }
        let ranked = taken.iter().rev().find_map(|logged| logged.ranked_through);
        self.fold_taken(taken);
        self.node.recent.lock().observe(ranked.unwrap_or_default());
        self.border = self.next_border();
        result
    }

    fn fold_taken(&mut self, mut taken: Vec<Logged>) {
        while !taken.is_empty() {
            // As far as there is no derived board to be put in its place.
            self.node.made.extend(taken[0].made.take());
            let stop = |logged: &Logged| {
                let seq = logged.entry.seq.get();
                self.node.made.iter().any(|board| board.as_of == seq)
            };
            let end = taken.iter().position(|it| stop(it) || it.made.is_some());
            let count = match end {
                None => taken.len(),
                // What an entry has created is taken notice of with that entry.
                Some(end) if taken[end].made.is_some() => end.max(1),
                Some(end) => end + 1,
            };
            let rest = taken.split_off(count);
            let entries: Vec<_> = taken.iter().map(|logged| logged.entry.clone()).collect();
            let last = entries.last().map_or(0, |entry| entry.seq.get());
            let folded = self.node.fold.fold(&entries);
            let mut recent = self.node.recent.lock();
            for ((entry, logged), folded) in entries.into_iter().zip(taken).zip(folded) {
                recent.push(Known {
                    entry,
                    action: logged.action,
                    folded,
                });
            }
            let made = std::mem::take(&mut self.node.made);
            for board in made {
                if board.as_of > last {
                    self.node.made.push(board);
                } else {
                    recent.forget_board(&board.head.id);
                    self.node.fold.put_board(board);
                }
            }
            taken = rest;
        }
    }

    /// When the next season ends.
    fn next_border(&self) -> Option<Timestamp> {
        let mut border = None;
        self.node
            .fold
            .read(&mut |state| border = state.next_border().map(|(border, _)| border));
        border
    }

    /// When a season is to be ended, by this machine's clock.
    fn border_due(&self) -> Option<Instant> {
        let border = self.border?;
        let wait = border.0.saturating_sub(self.node.board.clock.now().0);
        // That is soon enough for what is a long way off, and no sleep is too long for a clock.
        let wait = Duration::from_millis(wait).min(PROBE);
        Some(self.called.max(Instant::now() - AGAIN) + wait.max(AGAIN))
    }

    /// The seasons that are to be ended now: all whose border is the earliest, as commands of
    /// the script.
    fn due_seasons(&self) -> Vec<Vec<u8>> {
        let now = self.node.board.clock.now();
        let mut arguments = Vec::new();
        self.node.fold.read(&mut |state| {
            let Some((border, _)) = state.next_border().filter(|(border, _)| *border <= now) else {
                return;
            };
            for (board, season) in state.seasons_that_end(border) {
                let next = decide::next_border(board.settings(), border);
                arguments.extend([
                    b"season".to_vec(),
                    board.id().as_str().into(),
                    season.number.to_string().into_bytes(),
                    season.ends.0.to_string().into_bytes(),
                    number_text(next.map(|it| it.0)).into_bytes(),
                ]);
            }
        });
        arguments
    }

    /// Answers those whose entries were folded, and forgets what nobody needs.
    fn settle(&mut self) {
        let folded = self.node.following.folded;
        let main = self.seq_of(&BoardId::default());
        let made = &self.node.made;
        let is_there = |it: &mut Observer| {
            it.entry <= folded && !made.iter().any(|board| board.head.id == it.board)
        };
        for observer in self.observers.extract_if(.., is_there) {
            let mut seq = 0;
            self.node.fold.read(&mut |state| {
                seq = state.board(&observer.board).map_or(0, |board| board.seq());
            });
            // Whoever asked may have gone.
            _ = observer.reply.send(seq);
        }
        let mut recent = self.node.recent.lock();
        while let Some(waiting) = self.waiting.pop_front_if(|waiting| waiting.until <= folded) {
            for (decisions, reply) in waiting.replies {
                let outcomes = decisions.into_iter();
                let outcomes = outcomes.map(|decision| decision.outcome(&recent, main));
                // The sender may have gone; the entries stay.
                _ = reply.send(Ok(outcomes.collect()));
            }
        }
        let needed = self.waiting.iter().flat_map(|waiting| &waiting.replies);
        let needed = needed.flat_map(|(decisions, _)| decisions);
        let needed = needed.filter_map(Decision::entry).min();
        let asked = self.call.as_ref().map(|call| call.ranked_through + 1);
        recent.forget(needed.into_iter().chain(asked).min().unwrap_or(u64::MAX));
        self.flush = match self.flush {
            Some(flush) if recent.is_ahead() || self.is_refusing || self.held.is_some() => {
                Some(flush)
            }
            None if recent.is_ahead() => Some(Instant::now() + FLUSH),
            _ => None,
        };
    }

    /// Takes this request and others that wait, and sends what they want.
    fn take(&mut self, request: Option<Request>, queue: &mut mpsc::Receiver<Request>) {
        let mut batch = Batch::default();
        let mut commands = 0;
        let mut next = request;
        loop {
            match next {
                Some(Request::Append { commands: c, reply }) => {
                    commands += c.len();
                    batch.0.push((c, reply));
                }
                Some(Request::Plan { change, reply }) => {
                    _ = reply.send(self.plan(&change));
                }
                Some(Request::Folded {
                    entry,
                    board,
                    reply,
                }) => self.observers.push(Observer {
                    entry,
                    board,
                    reply,
                }),
                // After a request to close, and when all senders are gone.
                Some(Request::Close) | None => self.is_closing = true,
            }
            if commands >= BATCH || self.is_closing {
                break;
            }
            match queue.try_recv() {
                Ok(request) => next = Some(request),
                Err(_) => break,
            }
        }
        if let Some(why) = &self.evicting {
            batch.refuse(why);
        } else if !batch.0.is_empty() {
            self.call(batch);
        }
        self.settle();
    }

    fn seq_of(&self, board: &BoardId) -> u64 {
        let mut seq = 0;
        self.node
            .fold
            .read(&mut |state| seq = state.board(board).map_or(0, |board| board.seq()));
        seq
    }

    /// What would become of a board, as far as this node has read.
    fn plan(&self, change: &BoardChange) -> Plan {
        let mut plan = None;
        let now = self.node.board.clock.now();
        self.node.fold.read(&mut |state| {
            plan = Some(plan_board::plan(state, change, now, &self.node.following));
        });
        plan.unwrap_or(Plan::Unchanged(0))
    }

    /// Ends seasons if their time has come, and else sends what waits, if only ranks.
    fn go_on(&mut self) {
        let seasons = self.due_seasons();
        if seasons.is_empty() {
            let held = self.held.take().unwrap_or_default();
            self.call(held);
        } else {
            self.send(Batch::default(), seasons, true);
        }
    }

    /// Asks Redis to decide about these, and takes along what ranks there are.
    fn call(&mut self, batch: Batch) {
        let mut commands = Vec::new();
        for command in batch.commands() {
            call::write(command, &mut commands);
        }
        self.send(batch, commands, false);
    }

    fn send(&mut self, batch: Batch, commands: Vec<Vec<u8>>, ends_seasons: bool) {
        let nonce = rand::rng().random();
        let board = self.node.board.clone();
        let recent = self.node.recent.lock();
        let ranked_through = recent.ranked_through();
        let mut arguments = call::begin(
            ends_seasons,
            &self.node.following,
            nonce,
            &board.servers.retention,
            &recent,
            RANKS,
        );
        drop(recent);
        arguments.extend(commands);
        let mut connection = self.link.commands.clone();
        let answer = Box::pin(async move {
            let mut call = board.call(&board.scripts.append);
            call.arg(arguments);
            Ok(call.invoke_async(&mut connection).await?)
        });
        self.flush = None;
        self.called = Instant::now();
        self.call = Some(Call {
            answer,
            nonce,
            ranked_through,
            batch,
            ends_seasons,
        });
    }

    fn answered(&mut self, answer: Result<Value, Fault>) -> Result<(), Fault> {
        let answer = match answer {
            Err(fault @ (Fault::Refused(_) | Fault::Failed(_))) => {
                self.refused(&fault.to_string());
                return Ok(());
            }
            // First a season has to end, which this node may have to read about yet.
            Err(Fault::Border(now)) => {
                self.node.board.clock.observe(now);
                let batch = self.call.take().map(|call| call.batch);
                if let Some(batch) = batch.filter(|batch| !batch.0.is_empty()) {
                    self.held = Some(batch);
                }
                self.flush = Some(Instant::now() + AGAIN);
                return Ok(());
            }
            answer => Answer::read(&answer?)?,
        };
        if self.evicting.is_none() && std::mem::replace(&mut self.is_refusing, false) {
            tracing::info!("Redis takes actions again");
            self.node.health.send_replace(Health::Open);
        }
        self.node.board.clock.observe(answer.now);
        self.node.recent.lock().observe(answer.ranked_through);
        let commands = self.call.iter().flat_map(|call| call.batch.commands());
        let mut decisions = answer.decisions(commands)?.into_iter();
        let Some(Call {
            nonce,
            batch,
            ends_seasons,
            ..
        }) = self.call.take()
        else {
            return Ok(());
        };
        if ends_seasons {
            // What waits is sent when this has been read.
            self.flush = Some(Instant::now() + AGAIN);
            self.settle();
            return Ok(());
        }
        let is_own = |decision: &&Decision| {
            matches!(
                decision,
                Decision::Entry {
                    duplicate: false,
                    ..
                }
            )
        };
        let own = decisions.as_slice().iter().rfind(is_own);
        let own = own.and_then(Decision::entry).map(|seq| (seq, nonce));
        let replies = batch.0.into_iter().map(|(commands, reply)| {
            let decisions = decisions.by_ref().take(commands.len());
            (decisions.collect(), reply)
        });
        self.waiting.push_back(Waiting {
            until: answer.seq,
            own,
            replies: replies.collect(),
        });
        self.settle();
        Ok(())
    }

    /// Nothing was done, and the log can still be read.
    fn refused(&mut self, why: &str) {
        let why: Arc<str> = why.into();
        self.refuse(&why, !self.is_refusing);
        let batch = self.call.take().map(|call| call.batch).unwrap_or_default();
        batch.refuse(&why);
        self.held.take().unwrap_or_default().refuse(&why);
        self.flush = Some(Instant::now() + FLUSH);
    }

    /// Nothing can be written from now on, for this reason.
    fn refuse(&mut self, why: &Arc<str>, is_news: bool) {
        if is_news {
            tracing::error!("actions are refused, because {why}");
        }
        self.is_refusing = true;
        let health = Health::Unwritable(why.clone());
        if *self.node.health.borrow() != health {
            self.node.health.send_replace(health);
        }
    }
}

impl Batch {
    fn commands(&self) -> impl Iterator<Item = &Command> {
        self.0.iter().flat_map(|(commands, _)| commands)
    }

    fn refuse(self, why: &Arc<str>) {
        for (_, reply) in self.0 {
            // The sender may have gone.
            _ = reply.send(Err(StoreError::Unwritable(why.clone())));
        }
    }
}

impl Waiting {
    /// Has Redis lost its own entry, and another under the same number?
    fn is_lost(&self, seq: u64, nonce: u64) -> bool {
        self.own
            .is_some_and(|(own, written)| own == seq && written != nonce)
    }
}

/// Reads the derived boards that entries have created: what they are made of stands beside
/// the log.
async fn with_boards(
    mut entries: Vec<Logged>,
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
) -> Result<Vec<Logged>, Fault> {
    for logged in &mut entries {
        if let Fact::BoardChanged {
            board, settings, ..
        } = &logged.entry.fact
            && settings.derivation().is_some()
        {
            let created_by = Some(logged.entry.seq.get());
            let made = derived_board::read(connection, log, board, created_by).await?;
            logged.made = made;
        }
    }
    Ok(entries)
}

async fn answered(call: &mut Option<Call>) -> Result<Value, Fault> {
    match call {
        Some(call) => (&mut call.answer).await,
        None => std::future::pending().await,
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
