//! The writer thread: the only one that touches the file while the store runs.
//!
//! It takes whatever waits as one transaction (group commit), so that many
//! senders share the cost of one `fsync`, and answers after the commit.

use std::sync::Arc;

use rusqlite::Transaction;
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    condition::Trouble,
    log_writer::{LogWriter, TURN},
    preparation::Preparation,
    tables,
};
use crate::{
    board::{BoardId, Fact, LogEntry, Settings, StoredBoard, Timestamp},
    clock,
    store::{
        Command, Fold, Folded, Outcome, Receipt, Refusal, StoreError,
        decide::{self, Pending},
    },
    vital::Pulse,
};

/// Commands that are taken into one transaction before it is committed. Past a
/// few hundred the gain is small (docs/PERFORMANCE.md) and the first waits long.
const BATCH: usize = 512;
/// Rows of final standings after which a transaction ends: a fraction of a second.
const ROWS: usize = 100_000;

pub(super) enum Request {
    Append {
        commands: Vec<Command>,
        reply: Reply,
    },
    /// Begin to prepare a derived board, if this is a new one.
    Prepare {
        put: PutBoard,
        reply: oneshot::Sender<Option<Box<Preparation>>>,
    },
    /// Create a board, or change its settings. One that is derived was prepared for as much of
    /// the log as there was.
    PutBoard {
        put: PutBoard,
        preparation: Option<Box<Preparation>>,
        reply: oneshot::Sender<Result<PutBoardOutcome, StoreError>>,
    },
    DeleteBoard {
        board: BoardId,
        reply: oneshot::Sender<Result<Outcome, StoreError>>,
    },
    Close,
}

/// What became of a board that was to be created, or to have other settings.
pub(super) enum PutBoardOutcome {
    Done(Outcome),
    /// What was prepared would be another board now. Nothing has changed.
    Outdated,
}

/// A board that is to be created, or to have other settings.
#[derive(Clone)]
pub(super) struct PutBoard {
    pub(super) board: BoardId,
    pub(super) settings: Arc<Settings>,
    /// A new one is refused if there are as many as this.
    pub(super) most: usize,
}

type Reply = oneshot::Sender<Result<Vec<Outcome>, StoreError>>;

/// See the module.
pub(super) struct Writer {
    log: LogWriter,
    fold: Box<dyn Fold>,
}

impl Writer {
    pub(super) fn new(log: LogWriter, fold: Box<dyn Fold>) -> Writer {
        Writer { log, fold }
    }

    /// Goes on until the store is closed. `clock` is for nothing but waiting.
    pub(super) fn run(
        mut self,
        mut queue: mpsc::Receiver<Request>,
        clock: &Runtime,
        pulse: &Pulse,
    ) {
        let condition = self.log.condition.clone();
        let mut open = true;
        while open {
            // Each turn ends within a fraction of a second, with requests or without, but
            // for the time that the disk takes.
            pulse.beat();
            condition.wait_for_disk(pulse, || self.log.tend());
            let received = clock.block_on(async { timeout(TURN, queue.recv()).await });
            let Ok(mut next) = received else {
                self.end_seasons(clock::now(), pulse);
                continue;
            };
            let mut batch: Vec<(Vec<Command>, Reply)> = Vec::new();
            let mut commands = 0;
            let mut of_board = None;
            loop {
                match next {
                    Some(Request::Append { commands: c, reply }) => {
                        commands += c.len();
                        batch.push((c, reply));
                    }
                    // In a transaction of its own, after what came before it.
                    Some(
                        request @ (Request::Prepare { .. }
                        | Request::PutBoard { .. }
                        | Request::DeleteBoard { .. }),
                    ) => of_board = Some(request),
                    // After a request to close, and when all senders are gone.
                    Some(Request::Close) | None => open = false,
                }
                if commands >= BATCH || !open || of_board.is_some() {
                    break;
                }
                match queue.try_recv() {
                    Ok(request) => next = Some(request),
                    Err(_) => break,
                }
            }
            self.log.page_cache.used(commands);
            if !batch.is_empty() {
                self.answer(batch, pulse);
            }
            if let Some(request) = of_board {
                self.answer_of_board(request, pulse);
            }
        }
        condition.wait_for_disk(pulse, || self.log.end());
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
                self.log.found(Some(trouble));
                for (_, reply) in batch {
                    _ = reply.send(Err(StoreError::Unwritable(message.clone())));
                }
            }
        }
    }

    fn answer_of_board(&mut self, request: Request, pulse: &Pulse) {
        match request {
            Request::Prepare { put, reply } => {
                let (_, is_new, preparation) = self.check_board(&put);
                _ = reply.send(preparation.filter(|_| is_new).map(Box::new));
            }
            Request::PutBoard {
                put,
                preparation,
                reply,
            } => {
                let outcome = self.put_board(&put, preparation, pulse);
                _ = reply.send(self.answer_one(outcome));
            }
            Request::DeleteBoard { board, reply } => {
                let outcome = self.delete_board(board, pulse);
                _ = reply.send(self.answer_one(outcome));
            }
            Request::Append { .. } | Request::Close => {}
        }
    }

    /// The outcome of a request that had a transaction of its own.
    fn answer_one<T>(&mut self, outcome: Result<T, Trouble>) -> Result<T, StoreError> {
        outcome.map_err(|trouble| {
            let message: Arc<str> = trouble.message().into();
            self.log.found(Some(trouble));
            StoreError::Unwritable(message)
        })
    }

    /// Writes a batch in one transaction, folds it, and gives one outcome for
    /// each command.
    fn commit<'a>(
        &mut self,
        commands: impl Iterator<Item = &'a Command>,
        pulse: &Pulse,
    ) -> Result<Vec<Outcome>, Trouble> {
        self.log.refuse_if_lasting()?;
        let now = self.log.now();
        self.try_to_end_seasons(now, pulse)?;
        let Writer { log, fold } = self;
        let condition = log.condition.clone();
        let mut written = Ok((Vec::new(), Vec::new()));
        let mut commands = Some(commands);
        fold.read(&mut |state| {
            let Some(commands) = commands.take() else {
                return;
            };
            let mut pending = Pending::new(state);
            written = condition.wait_for_disk(pulse, || {
                log.write_safely(now, |batch| {
                    let decide = |command| batch.decide(&mut pending, command);
                    commands.map(decide).collect::<Result<Vec<_>, _>>()
                })
            });
        });
        let (decisions, entries) = written?;
        self.log.found(None);

        let first = self.log.seq - entries.len() as u64;
        let folded = self.fold.fold(&entries);
        let seq = self.board_seq(&BoardId::default());
        let outcomes = decisions
            .into_iter()
            .map(|decision| decision.outcome(first, &folded, seq))
            .collect();
        self.log.keep(entries, folded);
        Ok(outcomes)
    }

    fn board_seq(&self, board: &BoardId) -> u64 {
        let mut seq = 0;
        self.fold
            .read(&mut |state| seq = state.board(board).map_or(0, |board| board.seq()));
        seq
    }

    /// Ends the seasons whose time has come, each with the time of its border, and writes with
    /// which standings: nothing else may come.
    fn end_seasons(&mut self, now: Timestamp, pulse: &Pulse) {
        if self.log.trouble.is_some() || self.due_border(now).is_none() {
            return;
        }
        let ended = self.try_to_end_seasons(now, pulse).and_then(|()| {
            let written = self.log.write_what_is_known();
            written.map_err(|error| Trouble::of(&error))
        });
        if let Err(trouble) = ended {
            self.log.found(Some(trouble));
        }
    }

    fn try_to_end_seasons(&mut self, now: Timestamp, pulse: &Pulse) -> Result<(), Trouble> {
        while let Some(border) = self.due_border(now) {
            self.end_seasons_at(border, pulse)?;
        }
        Ok(())
    }

    fn due_border(&self, now: Timestamp) -> Option<Timestamp> {
        let mut due = None;
        self.fold
            .read(&mut |state| due = state.next_border().map(|(border, _)| border));
        due.filter(|border| *border <= now)
    }

    /// Writes that seasons end at this border, and with which standings in the same transaction:
    /// whoever hears of it can read them. Those that are too many for one are left.
    fn end_seasons_at(&mut self, border: Timestamp, pulse: &Pulse) -> Result<(), Trouble> {
        let Writer { log, fold } = self;
        let condition = log.condition.clone();
        let at = border.max(log.last_at);
        let mut written = Ok(((), Vec::new()));
        fold.read(&mut |state| {
            written = condition.wait_for_disk(pulse, || {
                log.write_safely(at, |batch| {
                    let mut rows = 0;
                    for (board, _) in state.seasons_that_end(border) {
                        let fact = Fact::SeasonEnded {
                            board: board.id().clone(),
                            next: decide::next_border(board.settings(), border),
                        };
                        let entry = batch.add(fact, None)?;
                        let standings = board.final_standings(entry.seq, state.directory());
                        if let Some(standings) = standings {
                            tables::write_final(&batch.transaction, board.id(), &standings)?;
                            rows += standings.rows.len();
                        }
                        if rows >= ROWS {
                            break;
                        }
                    }
                    Ok(())
                })
            });
        });
        let ((), entries) = written?;
        self.log.found(None);
        let folded = self.fold.fold(&entries);
        self.log.keep(entries, folded);
        Ok(())
    }

    /// Writes one entry in a transaction of its own, and folds it. `complete` writes what
    /// belongs to it, and gives the derived board that it creates, if it does.
    fn write_one(
        &mut self,
        at: Timestamp,
        fact: Fact,
        complete: impl FnOnce(&Transaction<'_>, &LogEntry) -> Result<Option<StoredBoard>, StoreError>,
        pulse: &Pulse,
    ) -> Result<Folded, Trouble> {
        let condition = self.log.condition.clone();
        let (board, entries) = condition.wait_for_disk(pulse, || {
            self.log.write_safely(at, |batch| {
                let entry = batch.add(fact, None)?;
                complete(&batch.transaction, &entry)
            })
        })?;
        self.log.found(None);
        let folded: Vec<Folded> = match (board, &entries[..]) {
            (Some(board), [entry]) => vec![self.fold.fold_board(entry, board)],
            (_, entries) => self.fold.fold(entries),
        };
        let last = folded.last().cloned().unwrap_or_default();
        self.log.keep(entries, folded);
        Ok(last)
    }

    /// When the seasons of a board end that is to be created or changed, whether it is new, and
    /// what it is made of if it is derived then.
    fn check_board(
        &self,
        PutBoard {
            board,
            settings,
            most,
        }: &PutBoard,
    ) -> (Result<Vec<Timestamp>, Refusal>, bool, Option<Preparation>) {
        let (began, now) = (self.log.began, self.log.now());
        let mut result = (Ok(Vec::new()), false, None);
        self.fold.read(&mut |state| {
            let checked = decide::check_board(state, board, settings, *most, began, now);
            let is_new = state.board(board).is_none();
            let preparation =
                match &checked {
                    Ok(borders) if is_new && settings.derivation().is_some() => Some(
                        Preparation::new(board.clone(), settings.clone(), borders.clone(), state),
                    ),
                    _ => None,
                };
            result = (checked, is_new, preparation);
        });
        result
    }

    fn put_board(
        &mut self,
        put: &PutBoard,
        prepared: Option<Box<Preparation>>,
        pulse: &Pulse,
    ) -> Result<PutBoardOutcome, Trouble> {
        self.log.refuse_if_lasting()?;
        let now = self.log.now();
        self.try_to_end_seasons(now, pulse)?;
        let (checked, is_new, preparation) = self.check_board(put);
        let borders = match checked {
            Ok(borders) => borders,
            Err(refusal) => return Ok(PutBoardOutcome::Done(Err(refusal))),
        };
        let PutBoard {
            board, settings, ..
        } = put;
        let mut is_unchanged = false;
        self.fold.read(&mut |state| {
            is_unchanged = state
                .board(board)
                .is_some_and(|it| it.settings() == settings);
        });
        if !is_unchanged {
            let preparation = match (preparation, prepared) {
                // What was prepared has read most of the log already.
                (Some(new), Some(prepared)) if is_new => {
                    let Some(renewed) = prepared.renewed(&new, &borders) else {
                        return Ok(PutBoardOutcome::Outdated);
                    };
                    Some(renewed)
                }
                (new, _) => new,
            };
            let fact = Fact::BoardChanged {
                board: board.clone(),
                settings: settings.clone(),
                borders: borders.into(),
            };
            let complete = |transaction: &Transaction<'_>, created: &LogEntry| {
                let Some(preparation) = preparation else {
                    return Ok(None);
                };
                let board = preparation.finish(transaction, created)?;
                tables::write_board(transaction, &board)?;
                Ok(Some(board))
            };
            self.write_one(now, fact, complete, pulse)?;
        }
        Ok(PutBoardOutcome::Done(Ok(Receipt {
            seq: self.board_seq(board),
            scores: None,
            rank: None,
            old_rank: None,
            duplicate: is_unchanged,
        })))
    }

    fn delete_board(&mut self, board: BoardId, pulse: &Pulse) -> Result<Outcome, Trouble> {
        self.log.refuse_if_lasting()?;
        let now = self.log.now();
        self.try_to_end_seasons(now, pulse)?;
        let mut checked = Ok(());
        self.fold
            .read(&mut |state| checked = decide::check_deletion(state, &board));
        if let Err(refusal) = checked {
            return Ok(Err(refusal));
        }
        let seq = self.board_seq(&board);
        self.write_one(now, Fact::BoardDeleted { board }, |_, _| Ok(None), pulse)?;
        Ok(Ok(Receipt {
            seq,
            scores: None,
            rank: None,
            old_rank: None,
            duplicate: false,
        }))
    }
}
