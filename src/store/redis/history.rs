//! Looking back: what Redis knows of a user's past, and the entries after that, whose
//! ranks the node knows.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use parking_lot::Mutex;
use redis::{Value, aio::MultiplexedConnection};
use tokio::{sync::watch, time::timeout};

use super::{
    fault::Fault,
    finals,
    recent::{EndedSeasons, Known, Recent},
    record::{
        Logged, array, bytes, bytes_text, member, read_grouping, read_head, read_point,
        read_standing, text,
    },
    stored_log::StoredLog,
};
use crate::{
    board::{BoardId, Fact, FinalPart, LogEntry, Season, UserId},
    store::{
        DerivedHistory, Folded, Health, History, RecentAction, StoreError,
        history::{LONGEST_READ, RECENT, Thinning},
        records::PastAction,
    },
};

/// What reads; see the module.
pub(super) struct Reader {
    board: Arc<StoredLog>,
    recent: Arc<Mutex<Recent>>,
    /// The connection to Redis, while there is one.
    connection: watch::Receiver<Option<MultiplexedConnection>>,
    health: watch::Receiver<Health>,
}

impl Reader {
    pub(super) fn new(
        board: Arc<StoredLog>,
        recent: Arc<Mutex<Recent>>,
        connection: watch::Receiver<Option<MultiplexedConnection>>,
        health: watch::Receiver<Health>,
    ) -> Reader {
        Reader {
            board,
            recent,
            connection,
            health,
        }
    }

    pub(super) async fn history(
        &self,
        board: BoardId,
        user: UserId,
        points: usize,
    ) -> Result<Option<History>, StoreError> {
        self.within_time(async |mut connection| {
            self.read(&mut connection, &board, user, points).await
        })
        .await
    }

    /// See [`Store::derived_history`](crate::store::Store::derived_history). Of somebody of whom
    /// Redis does not have all actions, it has the latest.
    pub(super) async fn derived_history(
        &self,
        mut of: DerivedHistory,
        points: usize,
    ) -> Result<Option<History>, StoreError> {
        let (root, user) = (of.root().clone(), of.user());
        self.within_time(async |mut connection| {
            let Some(Found {
                ranked,
                rest,
                grouped,
                ..
            }) = self.find(&mut connection, &root, user).await?
            else {
                return Ok(None);
            };
            let acted = ranked.iter();
            let acted = acted.filter_map(|(_, past)| past.entry_of(&root, user));
            let mut entries: Vec<LogEntry> = acted
                .chain(grouped)
                .chain(rest.into_iter().map(|logged| logged.entry))
                .collect();
            entries.sort_by_key(|entry| entry.seq);
            entries.dedup_by_key(|entry| entry.seq);
            for entry in &entries {
                of.follow(entry);
            }
            Ok(Some(of.history(points)))
        })
        .await
    }

    /// The seasons of a board that have ended, the first one first.
    pub(super) async fn seasons(&self, board: BoardId) -> Result<Vec<Season>, StoreError> {
        self.within_time(async |mut connection| {
            // Before Redis is asked: then what it does not know is here.
            let EndedSeasons { is_anew, seasons } = self.recent.lock().ended_seasons(&board);
            let ended = seasons.iter().map(|it| (it.season.number, it.season));
            let ended: Vec<_> = ended.collect();
            let mut seasons = BTreeMap::new();
            if !is_anew {
                // What is written of the board as a whole says how many there are.
                let head: Option<String> = redis::cmd("HGET")
                    .arg(&[self.board.keys.hash("boards").as_str(), board.as_str()])
                    .query_async(&mut connection)
                    .await?;
                let head = head
                    .map(|head| read_head(board.as_str(), &head))
                    .transpose()?;
                let last = head.map_or(0, |head| head.seasons.ended);
                let key = self.board.keys.finals(&board);
                let found = finals::seasons(&mut connection, &key, last).await?;
                seasons.extend(found.into_iter().map(|it| (it.number, it)));
            }
            seasons.extend(ended);
            Ok(seasons.into_values().collect())
        })
        .await
    }

    /// The standings with which a season has ended.
    pub(super) async fn final_standings(
        &self,
        board: BoardId,
        of: u32,
        positions: Range<usize>,
    ) -> Result<Option<FinalPart>, StoreError> {
        self.within_time(async |mut connection| {
            let EndedSeasons { is_anew, seasons } = self.recent.lock().ended_seasons(&board);
            let ended = seasons.iter().find(|it| it.season.number == of);
            if is_anew || ended.is_some() {
                return Ok(ended.map(|it| finals::part_of(it, positions)));
            }
            let key = self.board.keys.finals(&board);
            finals::part(&mut connection, &key, of, positions).await
        })
        .await
    }

    async fn within_time<T>(
        &self,
        read: impl AsyncFnOnce(MultiplexedConnection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let connection = self.connection.borrow().clone();
        let result = match connection {
            Some(connection) => {
                let read = timeout(LONGEST_READ, read(connection)).await;
                read.map_err(|_| StoreError::TookTooLong)?
            }
            None => Err(Fault::Unreachable("it is being looked for".into())),
        };
        result.map_err(|fault| match *self.health.borrow() {
            Health::Closed => StoreError::Closed,
            Health::Open | Health::Unreachable | Health::Unwritable(_) => {
                StoreError::Unreachable(fault.to_string())
            }
        })
    }

    async fn read(
        &self,
        connection: &mut MultiplexedConnection,
        board: &BoardId,
        user: UserId,
        points: usize,
    ) -> Result<Option<History>, Fault> {
        // Before Redis is asked: then what it does not know is here.
        let folded = self.recent.lock().of(board, user);
        let found = self.find(connection, board, user).await?;
        let Some(Found {
            best, ranked, rest, ..
        }) = found
        else {
            return Ok(None);
        };
        let mut past = Past {
            best,
            ..Past::default()
        };
        for (number, action) in ranked {
            past.count = number;
            past.actions.push(action.action);
        }
        for logged in rest {
            past.follow(logged, &folded);
        }
        Ok(Some(past.history(points)))
    }

    /// What Redis knows; `None` if nobody is registered, or there is no such board.
    async fn find(
        &self,
        connection: &mut MultiplexedConnection,
        board: &BoardId,
        user: UserId,
    ) -> Result<Option<Found>, Fault> {
        let keys = &self.board.keys;
        let mut call = self.board.scripts.history.prepare_invoke();
        for key in [&keys.meta, &keys.log, &keys.users] {
            call.key(key);
        }
        call.arg(&user.0[..]).arg(board.as_str());
        let found: Value = call.invoke_async(connection).await?;
        if found == Value::Nil {
            return Ok(None);
        }
        let [record, ranked, rest, grouped] = array(&found)? else {
            return Err(Fault::Damaged("an answer of another form"));
        };
        let best = match bytes(record)? {
            [] => None,
            record if *board == BoardId::default() => member(&user.0, record)?.best,
            record => read_standing(bytes_text(record)?)?.and_then(|(_, best)| best),
        };
        let ranked = array(ranked)?.iter().map(|point| read_point(text(point)?));
        let grouped = array(grouped)?.iter();
        let grouped = grouped.map(|record| read_grouping(user, text(record)?));
        Ok(Some(Found {
            best,
            ranked: ranked.collect::<Result<_, _>>()?,
            rest: Logged::read_all(rest)?,
            grouped: grouped.collect::<Result<_, _>>()?,
        }))
    }
}

/// What Redis knows of a user's past on a board.
struct Found {
    best: Option<u64>,
    /// Actions of which ranks are known, each with its number among those of the user.
    ranked: Vec<(u64, PastAction)>,
    /// The user's entries after these.
    rest: Vec<Logged>,
    /// When the user was given a team and groups.
    grouped: Vec<LogEntry>,
}

/// What a user did since they were registered.
#[derive(Default)]
struct Past {
    /// How many actions were counted; of very many, not all are among these.
    count: u64,
    actions: Vec<RecentAction>,
    /// The best rank.
    best: Option<u64>,
}

impl Past {
    /// Adds an entry that Redis knows no rank of.
    fn follow(&mut self, logged: Logged, folded: &[(u64, Folded)]) {
        let entry = logged.entry;
        match &entry.fact {
            Fact::Action(action) => {
                let folded = folded.iter().find(|(known, _)| *known == entry.seq.get());
                let past = Known::past(&entry, action, folded.map(|(_, folded)| folded));
                let rank = past.action.after.rank;
                self.best = self.best.into_iter().chain(rank).min();
                self.count += 1;
                self.actions.push(past.action);
            }
            // A user who is registered again has no past.
            Fact::UserDeleted { .. } => *self = Past::default(),
            _ => {}
        }
    }

    fn history(self, points: usize) -> History {
        let times = self.actions.iter().map(|action| action.after.at);
        let (earliest, latest) = (times.clone().min(), times.max());
        let count = self.actions.len() as u64;
        let mut thinning = Thinning::new(
            points,
            count,
            earliest.unwrap_or_default(),
            latest.unwrap_or_default(),
        );
        for action in &self.actions {
            thinning.add(action.after.at, action.after);
        }
        History {
            points: thinning.chosen(),
            actions: self.count,
            best: self.best,
            first: self.actions.first().map(|action| action.after.at),
            last: self.actions.last().map(|action| action.after.at),
            recent: self.actions.into_iter().rev().take(RECENT).collect(),
        }
    }
}
