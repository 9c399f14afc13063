//! Boards that are created, changed or deleted. What may become of one is decided by the node
//! from what it has read, and a script writes it unless something has happened to boards
//! since. A derived board is folded from the log and written beside the others, until that is
//! all of the log; then the script puts it in its place.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use redis::{Value, aio::MultiplexedConnection};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    call::{self, Answer},
    fault::Fault,
    finals, load,
    node::Request,
    plan_board::{BoardChange, Change, Plan},
    recent::{Recent, member_text},
    record::{
        Logged, board_standing_text, detail_text, head_text, nonce_text, number, rules_text,
        season_text, text,
    },
    scan::{entries_page, keys_page},
    stored_log::StoredLog,
};
use crate::{
    board::{
        BoardHead, BoardId, Fact, FinalStandings, LogEntry, Replay, Seq, Settings, StoredBoard,
        TeamId, Timestamp, UserId,
    },
    store::{Health, LONGEST_APPEND, LONGEST_DERIVATION, Outcome, Receipt, StoreError},
};

/// How long is waited for what others have written, before it is tried again.
const AGAIN: Duration = Duration::from_millis(5);
/// How often a derived board is made from a log that others write to, before they are made to
/// wait.
const FREE_ATTEMPTS: usize = 3;
/// How long others wait at most for the end of a derived board.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a derived board that was not finished stays in Redis: longer than one may take.
const LASTS: Duration = LONGEST_DERIVATION.saturating_mul(2);
/// Fields that are written at once.
const PIECE: usize = 1000;

/// Writes changes of boards; see the module.
pub(super) struct Boards {
    pub(super) log: Arc<StoredLog>,
    pub(super) requests: mpsc::Sender<Request>,
    /// The connection to Redis, while there is one.
    pub(super) connection: watch::Receiver<Option<MultiplexedConnection>>,
    pub(super) health: watch::Receiver<Health>,
}

impl Boards {
    /// Creates a board, or changes its settings.
    pub(super) async fn put(
        &self,
        board: BoardId,
        settings: Arc<Settings>,
        most: usize,
    ) -> Result<Outcome, StoreError> {
        let mut connection = self.connection()?;
        let began = began(&mut connection, &self.log).await;
        let began = began.map_err(|fault| fault.refusal())?;
        let change = BoardChange::Put {
            board,
            settings,
            most,
            began,
        };
        self.run(&mut connection, change).await
    }

    /// Deletes a board with all that is on it.
    pub(super) async fn delete(&self, board: BoardId) -> Result<Outcome, StoreError> {
        let mut connection = self.connection()?;
        let outcome = self
            .run(&mut connection, BoardChange::Delete(board))
            .await?;
        if outcome.is_ok() {
            let log = self.log.clone();
            // Nobody waits for that.
            tokio::spawn(async move { forget_pasts(&mut connection, &log).await });
        }
        Ok(outcome)
    }

    fn connection(&self) -> Result<MultiplexedConnection, StoreError> {
        if let Health::Unwritable(why) = &*self.health.borrow() {
            return Err(StoreError::Unwritable(why.clone()));
        }
        let connection = self.connection.borrow().clone();
        connection.ok_or_else(|| StoreError::Unreachable("it is being looked for".into()))
    }

    async fn run(
        &self,
        connection: &mut MultiplexedConnection,
        change: BoardChange,
    ) -> Result<Outcome, StoreError> {
        let began = Instant::now();
        let mut making: Option<Making> = None;
        // By this name others are made to wait for it.
        let name: u64 = rand::random();
        let mut is_decisive = false;
        let mut attempts = 0;
        loop {
            attempts += 1;
            if is_decisive && attempts > FREE_ATTEMPTS {
                let paused = pause(connection, &self.log, name).await;
                paused.map_err(|fault| fault.refusal())?;
            }
            self.catch_up(connection).await?;
            let planned = match self.plan(change.clone()).await? {
                Plan::Refused(refusal) => return Ok(Err(refusal)),
                Plan::Unchanged(seq) => return Ok(Ok(receipt(seq, true))),
                Plan::Write(planned) => planned,
            };
            let longest = match planned.replay {
                Some(_) => LONGEST_DERIVATION,
                None => LONGEST_APPEND,
            };
            if began.elapsed() > longest {
                return Err(StoreError::NoAnswer);
            }
            let held = planned.seq;
            is_decisive = planned.is_decisive;
            let tried = self
                .attempt(connection, &change, *planned, &mut making, (attempts, name))
                .await;
            let written = match tried {
                Ok(written) => written,
                Err(Fault::Border(now)) => {
                    self.log.clock.observe(now);
                    None
                }
                // The log was trimmed meanwhile, or is another one.
                Err(Fault::Gap(_) | Fault::Changed) => {
                    making = None;
                    None
                }
                Err(fault) => return Err(fault.refusal()),
            };
            if let Some(entry) = written {
                let seq = self.folded(entry, change.board().clone()).await?;
                let seq = match change {
                    BoardChange::Put { .. } => seq,
                    BoardChange::Delete(_) => held,
                };
                return Ok(Ok(receipt(seq, false)));
            }
            sleep(AGAIN).await;
        }
    }

    /// Waits until the node has folded what Redis has: another node may have just changed what
    /// this one is asked to change.
    async fn catch_up(&self, connection: &mut MultiplexedConnection) -> Result<(), StoreError> {
        let written = written(connection, &self.log).await;
        let written = written.map_err(|fault| fault.refusal())?;
        let folded = self.folded(written, BoardId::default());
        let folded = timeout(LONGEST_APPEND, folded).await;
        folded.map_err(|_| StoreError::NoAnswer)??;
        Ok(())
    }

    async fn plan(&self, change: BoardChange) -> Result<Plan, StoreError> {
        self.ask(|reply| Request::Plan { change, reply }).await
    }

    /// How many facts a board holds when this entry has been folded.
    async fn folded(&self, entry: u64, board: BoardId) -> Result<u64, StoreError> {
        let asked = |reply| Request::Folded {
            entry,
            board,
            reply,
        };
        self.ask(asked).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(request(reply)).await;
        sent.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| match &*self.health.borrow() {
            Health::Closed => StoreError::Closed,
            Health::Unwritable(why) => StoreError::Unwritable(why.clone()),
            Health::Open | Health::Unreachable => {
                StoreError::Unreachable("the connection was lost".into())
            }
        })
    }

    /// Says the entry, or nothing if something has happened meanwhile.
    async fn attempt(
        &self,
        connection: &mut MultiplexedConnection,
        change: &BoardChange,
        planned: Change,
        making: &mut Option<Making>,
        (attempts, mut nonce): (usize, u64),
    ) -> Result<Option<u64>, Fault> {
        let Change {
            following,
            borders,
            mut season,
            replay,
            is_decisive,
            ..
        } = planned;
        let checked = following.folded.to_string();
        let words = match change {
            BoardChange::Delete(board) => {
                vec!["unboard".to_owned(), checked, board.as_str().to_owned()]
            }
            BoardChange::Put {
                board, settings, ..
            } => {
                let mut made = [const { String::new() }; 3];
                if is_decisive {
                    made[1] = checked.clone();
                }
                if let Some(replay) = replay {
                    let it = match making.take() {
                        Some(known) => {
                            known
                                .go_on(connection, &self.log, replay, &borders, following.folded)
                                .await?
                        }
                        None => {
                            Making::begin(connection, &self.log, replay, following.folded).await?
                        }
                    };
                    let it = making.insert(it);
                    nonce = it.name;
                    if attempts > FREE_ATTEMPTS {
                        pause(connection, &self.log, it.name).await?;
                        it.read(connection, &self.log).await?;
                    }
                    let head = it.write(connection, &self.log, settings).await?;
                    season = head.seasons.running();
                    made = [nonce_text(it.name), it.folded.to_string(), head_text(&head)];
                }
                let [name, made_of, head] = made;
                vec![
                    "board".to_owned(),
                    checked,
                    board.as_str().to_owned(),
                    detail_text(settings, &borders),
                    rules_text(settings),
                    season.map(season_text).unwrap_or_default(),
                    name,
                    made_of,
                    head,
                ]
            }
        };
        let nothing = Recent::default();
        let retention = &self.log.servers.retention;
        let mut arguments = call::begin(false, &following, nonce, retention, &nothing, 0);
        arguments.extend(words.into_iter().map(String::into_bytes));
        let mut call = self.log.call(&self.log.scripts.append);
        let answer: Value = call.arg(arguments).invoke_async(connection).await?;
        let answer = Answer::read(&answer)?;
        self.log.clock.observe(answer.now);
        let outcome = answer.outcomes.first();
        let outcome = outcome.ok_or(Fault::Damaged("an answer that ends early"))?;
        match outcome.split_once(' ') {
            Some(("new", entry)) => Ok(Some(number(entry)?)),
            None if outcome == "behind" => Ok(None),
            _ => Err(Fault::Damaged("an outcome of an unknown kind")),
        }
    }
}

fn receipt(seq: u64, duplicate: bool) -> Receipt {
    Receipt {
        seq,
        scores: None,
        rank: None,
        old_rank: None,
        duplicate,
    }
}

/// A derived board that is being made.
struct Making {
    /// Names its keys.
    name: u64,
    replay: Replay,
    /// As far as the log was folded.
    folded: u64,
    /// What has ended since it was written.
    seasons: Vec<Arc<FinalStandings>>,
    /// Whose rows are to be written, if not all.
    touched: Option<HashSet<UserId>>,
    /// The entry as of which the node has said from what it follows.
    planned: u64,
    /// Has something happened to boards since?
    is_stale: bool,
    /// In which teams people were written to have something.
    written: HashMap<UserId, Vec<TeamId>>,
}

impl Making {
    async fn begin(
        connection: &mut MultiplexedConnection,
        log: &StoredLog,
        mut replay: Replay,
        planned: u64,
    ) -> Result<Making, Fault> {
        let (people, teams, entries) = load::from_the_first(connection, log).await?;
        for person in people {
            replay.add_person(person);
        }
        for team in teams {
            replay.add_team(team);
        }
        let mut making = Making {
            name: rand::random(),
            replay,
            folded: 0,
            seasons: Vec::new(),
            touched: None,
            planned,
            is_stale: false,
            written: HashMap::new(),
        };
        // All of a long log takes a while.
        let folded = tokio::task::spawn_blocking(move || {
            making.fold(&entries);
            making
        });
        folded
            .await
            .map_err(|_| Fault::Unreachable("the runtime ends".into()))
    }

    /// With what was written since, and the seasons that have begun; from the start if it may
    /// follow from other boards now.
    async fn go_on(
        mut self,
        connection: &mut MultiplexedConnection,
        log: &StoredLog,
        replay: Replay,
        borders: &[Timestamp],
        planned: u64,
    ) -> Result<Making, Fault> {
        self.replay.add_borders(borders);
        self.read(connection, log).await?;
        if self.is_stale {
            return Making::begin(connection, log, replay, planned).await;
        }
        Ok(self)
    }

    /// Folds what others have written since.
    async fn read(
        &mut self,
        connection: &mut MultiplexedConnection,
        log: &StoredLog,
    ) -> Result<(), Fault> {
        loop {
            let page = entries_page(connection, &log.keys.log, self.folded).await?;
            if page.is_empty() {
                return Ok(());
            }
            if page[0].entry.seq.get() != self.folded + 1 {
                return Err(Fault::Gap(self.folded));
            }
            if !self.fold(&page) {
                return Ok(());
            }
        }
    }

    /// Folds entries as far as it is known in which season they lie; says whether that was all.
    fn fold(&mut self, entries: &[Logged]) -> bool {
        for Logged { entry, .. } in entries {
            if !self.replay.knows(entry.at) {
                return false;
            }
            let ended = self.replay.apply(entry);
            if !ended.is_empty() {
                // Nobody has a result in a new season.
                self.touched = None;
                self.seasons.extend(ended);
            }
            if self.replay.begins_anew() {
                self.touched = None;
                for standings in &mut self.seasons {
                    *standings = Arc::new(standings.without_rows());
                }
            }
            self.folded = entry.seq.get();
            match &entry.fact {
                Fact::BoardChanged { .. } | Fact::BoardDeleted { .. } => {
                    self.is_stale |= self.folded > self.planned;
                }
                Fact::UserChanged { user, .. } | Fact::UserDeleted { user } => self.touch(*user),
                Fact::Action(action) => self.touch(action.user),
                _ => {}
            }
        }
        true
    }

    fn touch(&mut self, user: UserId) {
        if let Some(touched) = &mut self.touched {
            touched.insert(user);
        }
    }

    /// Writes what has changed since it was written, and returns what the board is as a whole.
    async fn write(
        &mut self,
        connection: &mut MultiplexedConnection,
        log: &StoredLog,
        settings: &Arc<Settings>,
    ) -> Result<BoardHead, Fault> {
        let created = LogEntry {
            seq: Seq::new(self.folded + 1).ok_or(Fault::Damaged("the log is full"))?,
            at: log.clock.now(),
            // What it says is of no matter here.
            fact: Fact::BoardChanged {
                board: BoardId::default(),
                settings: settings.clone(),
                borders: Box::default(),
            },
        };
        let finished = self.replay.clone().finish(&created);
        let (board, ended) = finished.ok_or(Fault::Damaged("a board that is not there"))?;
        if !ended.is_empty() {
            self.touched = None;
        }
        for season in self.seasons.iter().chain(&ended) {
            let fields = finals::fields(season);
            self.put(connection, log, "finals", fields).await?;
        }
        self.write_rows(connection, log, &board).await?;
        self.touched = Some(HashSet::new());
        Ok(board.head)
    }

    async fn write_rows(
        &mut self,
        connection: &mut MultiplexedConnection,
        log: &StoredLog,
        board: &StoredBoard,
    ) -> Result<(), Fault> {
        let is_new = |user: &UserId| self.touched.as_ref().is_none_or(|it| it.contains(user));
        let standings = board
            .standings
            .iter()
            .filter(|it| is_new(&it.user))
            .map(|it| {
                let text = board_standing_text(it.standing, it.best);
                (it.user.0.to_vec(), text.into_bytes())
            });
        let standings: HashMap<Vec<u8>, Vec<u8>> = standings.collect();
        let members = board
            .members
            .iter()
            .filter(|it| is_new(&it.user))
            .map(|it| ([it.user.0, it.team.0].concat(), member_text(it.standing)));
        let members: HashMap<Vec<u8>, Vec<u8>> = members.collect();
        match &self.touched {
            None => {
                for kind in ["standings", "members"] {
                    let key = log.keys.making(&nonce_text(self.name), kind);
                    redis::cmd("UNLINK").arg(key).exec_async(connection).await?;
                }
            }
            Some(touched) => {
                // Who was deleted has nothing any more.
                let of_people = touched.iter().map(|user| user.0.to_vec());
                let of_people: Vec<Vec<u8>> = of_people
                    .filter(|field| !standings.contains_key(field))
                    .collect();
                let of_teams = touched.iter().flat_map(|user| {
                    let teams = self.written.get(user).into_iter().flatten();
                    teams.map(|team| [user.0, team.0].concat())
                });
                let of_teams: Vec<Vec<u8>> = of_teams
                    .filter(|field| !members.contains_key(field))
                    .collect();
                self.remove(connection, log, "standings", of_people).await?;
                self.remove(connection, log, "members", of_teams).await?;
            }
        }
        for member in &board.members {
            let teams = self.written.entry(member.user).or_default();
            if !teams.contains(&member.team) {
                teams.push(member.team);
            }
        }
        self.put(
            connection,
            log,
            "standings",
            standings.into_iter().collect(),
        )
        .await?;
        self.put(connection, log, "members", members.into_iter().collect())
            .await
    }

    /// Deletes fields of one of its keys.
    async fn remove(
        &self,
        connection: &mut MultiplexedConnection,
        log: &StoredLog,
        kind: &str,
        fields: Vec<Vec<u8>>,
    ) -> Result<(), Fault> {
        let key = log.keys.making(&nonce_text(self.name), kind);
        for piece in fields.chunks(PIECE) {
            let mut delete = redis::cmd("HDEL");
            delete.arg(&key).arg(piece);
            delete.exec_async(connection).await?;
        }
        Ok(())
    }

    /// Writes fields of one of its keys.
    async fn put(
        &self,
        connection: &mut MultiplexedConnection,
        log: &StoredLog,
        kind: &str,
        fields: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Fault> {
        let key = log.keys.making(&nonce_text(self.name), kind);
        for piece in fields.chunks(PIECE) {
            let mut pipe = redis::pipe();
            let set = pipe.cmd("HSET").arg(&key);
            for (field, value) in piece {
                set.arg(&field[..]).arg(&value[..]);
            }
            // What is given up is gone some time.
            pipe.cmd("PEXPIRE").arg(&key).arg(LASTS.as_millis() as u64);
            let _: Value = pipe.query_async(connection).await?;
        }
        Ok(())
    }
}

/// Has others wait until what has this name is written, or a while.
async fn pause(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
    name: u64,
) -> Result<(), Fault> {
    let mut call = log.scripts.pause.prepare_invoke();
    call.key(&log.keys.meta)
        .arg(nonce_text(name))
        .arg(PAUSE.as_millis() as u64);
    Ok(call.invoke_async(connection).await?)
}

/// The last entry of the log.
async fn written(connection: &mut MultiplexedConnection, log: &StoredLog) -> Result<u64, Fault> {
    let written: Value = redis::cmd("HGET")
        .arg(&[log.keys.meta.as_str(), "seq"])
        .query_async(connection)
        .await?;
    match written {
        Value::Nil => Ok(0),
        written => number(text(&written)?),
    }
}

/// When the log began.
async fn began(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
) -> Result<Timestamp, Fault> {
    let began: Value = redis::cmd("HGET")
        .arg(&[log.keys.meta.as_str(), "began"])
        .query_async(connection)
        .await?;
    match began {
        Value::Nil => Ok(Timestamp::default()),
        began => Ok(Timestamp(number(text(&began)?)?)),
    }
}

/// Deletes what people did on boards that are gone.
pub(super) async fn forget_pasts(connection: &mut MultiplexedConnection, log: &StoredLog) {
    if let Err(fault) = try_to_forget_pasts(connection, log).await {
        tracing::warn!(%fault, "what people did on a deleted board is still in Redis: it is deleted at the next start");
    }
}

async fn try_to_forget_pasts(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
) -> Result<(), Fault> {
    let gone = log.keys.hash("gone");
    let boards: Vec<String> = redis::cmd("HKEYS")
        .arg(&gone)
        .query_async(connection)
        .await?;
    for board in boards {
        let prefix = log.keys.hash(&format!("histories:{board}:"));
        let mut cursor = Some("0".to_owned());
        while let Some(from) = cursor {
            let (keys, next) = keys_page(connection, prefix.as_bytes(), &from).await?;
            if !keys.is_empty() {
                let mut unlink = redis::cmd("UNLINK");
                unlink.arg(keys).exec_async(connection).await?;
            }
            cursor = next;
        }
        let mut forget = redis::cmd("HDEL");
        forget.arg(&gone).arg(&board);
        forget.exec_async(connection).await?;
    }
    Ok(())
}
