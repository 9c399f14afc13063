//! One node between two losses of Redis: it asks for what senders want, reads the log,
//! folds it, and answers.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use rand::RngExt;
use redis::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    call::{self, Answer, Decision},
    connect::{Info, Link},
    fault::Fault,
    load::Following,
    node::{Node, Reply, Request},
    recent::Folded,
    record::{Logged, array, number, read_epoch, text},
};
use crate::{
    board::LogEntry,
    store::{Command, Health, StoreError},
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
            let called = called.into_iter().map(|(_, reply)| reply);
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
        let mut tail = self.read();
        loop {
            if self.is_closing && self.call.is_none() && self.waiting.is_empty() {
                // Not those of later entries: others may go on writing for ever.
                let wanted = *self.last.get_or_insert(self.node.following.folded);
                if self.is_refusing || self.node.recent.lock().ranked_through() >= wanted {
                    return Ok(());
                }
                self.call(Batch::default());
            }
            let is_free = self.call.is_none();
            let takes_more = is_free && !self.is_closing && self.waiting.len() < WAITING;
            let probe = self.called + PROBE;
            let flush = self.flush.map_or(probe, |flush| flush.min(probe));
            let flush = (is_free && self.evicting.is_none()).then_some(flush);
            tokio::select! {
                read = &mut tail => {
                    self.received(read?)?;
                    tail = self.read();
                }
                answer = answered(&mut self.call) => self.answered(answer)?,
                request = queue.recv(), if takes_more => self.take(request, queue),
                () = until(flush) => self.call(Batch::default()),
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
        let following = &mut self.node.following;
        let (mut entries, mut actions): (Vec<LogEntry>, Vec<_>) = (Vec::new(), Vec::new());
        let mut result = Ok(());
        let mut ranked = 0;
        for Logged {
            entry,
            epoch,
            nonce,
            action,
            ranked_through,
            ..
        } in logged
        {
            if epoch != following.epoch {
                result = Err(Fault::Changed);
                break;
            }
            if entry.seq.get() != following.folded + 1 {
                result = Err(Fault::Gap(following.folded));
                break;
            }
            if self
                .waiting
                .iter()
                .any(|waiting| waiting.is_lost(following.folded + 1, nonce))
            {
                result = Err(Fault::Changed);
                break;
            }
            following.folded += 1;
            following.nonce = Some(nonce);
            ranked = ranked_through.unwrap_or(ranked);
            entries.push(entry);
            actions.push(action);
        }
        let applied = self.node.fold.fold(&entries);
        let mut recent = self.node.recent.lock();
        for ((entry, action), applied) in entries.into_iter().zip(actions).zip(applied) {
            recent.push(Folded {
                entry,
                action,
                applied,
            });
        }
        recent.observe(ranked);
        result
    }

    /// Answers those whose entries were folded, and forgets what nobody needs.
    fn settle(&mut self) {
        let folded = self.node.following.folded;
        let mut recent = self.node.recent.lock();
        while let Some(waiting) = self.waiting.pop_front_if(|waiting| waiting.until <= folded) {
            for (decisions, reply) in waiting.replies {
                let outcomes = decisions.into_iter();
                let outcomes = outcomes.map(|decision| decision.outcome(&recent));
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
            Some(flush) if recent.is_ahead() || self.is_refusing => Some(flush),
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
    }

    /// Asks Redis to decide about these, and takes along what ranks there are.
    fn call(&mut self, batch: Batch) {
        let nonce = rand::rng().random();
        let board = self.node.board.clone();
        let recent = self.node.recent.lock();
        let ranked_through = recent.ranked_through();
        let mut arguments = call::begin(
            &self.node.following,
            nonce,
            &board.servers.retention,
            &recent,
            RANKS,
        );
        drop(recent);
        for command in batch.commands() {
            call::write(command, &mut arguments);
        }
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
        });
    }

    fn answered(&mut self, answer: Result<Value, Fault>) -> Result<(), Fault> {
        let answer = match answer {
            Err(fault @ (Fault::Refused(_) | Fault::Failed(_))) => {
                self.refused(&fault.to_string());
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
        let Some(Call { nonce, batch, .. }) = self.call.take() else {
            return Ok(());
        };
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
