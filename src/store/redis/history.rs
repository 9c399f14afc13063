//! Looking back: what Redis knows of a user's past, and the entries after that, whose
//! ranks the node knows.

use std::sync::Arc;

use parking_lot::Mutex;
use redis::{Value, aio::MultiplexedConnection};
use tokio::{sync::watch, time::timeout};

use super::{
    fault::Fault,
    recent::Recent,
    record::{Logged, array, bytes, member, read_point, text},
    stored_board::StoredBoard,
};
use crate::{
    board::{Applied, Fact, UserId},
    store::{
        Health, History, HistoryPoint, RecentAction, StoreError,
        history::{LONGEST_READ, RECENT, Thinning},
    },
};

/// What reads; see the module.
pub(super) struct Reader {
    board: Arc<StoredBoard>,
    recent: Arc<Mutex<Recent>>,
    /// The connection to Redis, while there is one.
    connection: watch::Receiver<Option<MultiplexedConnection>>,
    health: watch::Receiver<Health>,
}

impl Reader {
    pub(super) fn new(
        board: Arc<StoredBoard>,
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
        user: UserId,
        points: usize,
    ) -> Result<Option<History>, StoreError> {
        let connection = self.connection.borrow().clone();
        let result = match connection {
            Some(mut connection) => {
                let read = self.read(&mut connection, user, points);
                let read = timeout(LONGEST_READ, read).await;
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
        user: UserId,
        points: usize,
    ) -> Result<Option<History>, Fault> {
        // Before Redis is asked: then what it does not know is here.
        let applied = self.recent.lock().of(user);
        let keys = &self.board.keys;
        let mut call = self.board.scripts.history.prepare_invoke();
        for key in [&keys.meta, &keys.log, &keys.users] {
            call.key(key);
        }
        call.key(keys.history(user)).arg(&user.0[..]);
        let found: Value = call.invoke_async(connection).await?;
        if found == Value::Nil {
            return Ok(None);
        }
        let [record, ranked, rest] = array(&found)? else {
            return Err(Fault::Damaged("an answer of another form"));
        };
        let mut past = Past {
            best: member(&user.0, bytes(record)?)?.best,
            ..Past::default()
        };
        for point in array(ranked)? {
            past.read(text(point)?)?;
        }
        for logged in Logged::read_all(rest)? {
            past.follow(logged, &applied);
        }
        Ok(Some(past.history(points)))
    }
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
    /// Adds a point as `append.lua` writes it.
    fn read(&mut self, point: &str) -> Result<(), Fault> {
        let (number, action) = read_point(point)?;
        self.count = number;
        self.actions.push(action);
        Ok(())
    }

    /// Adds an entry that Redis knows no rank of.
    fn follow(&mut self, logged: Logged, applied: &[(u64, Applied)]) {
        let seq = logged.entry.seq;
        match logged.entry.fact {
            Fact::Action {
                action_type,
                increase,
                score,
                ..
            } => {
                let applied = applied.iter().find(|(known, _)| *known == seq.get());
                let rank = applied.and_then(|(_, applied)| applied.rank);
                self.best = self.best.into_iter().chain(rank).min();
                self.count += 1;
                self.actions.push(RecentAction {
                    action_type,
                    increase,
                    after: HistoryPoint {
                        seq,
                        at: logged.entry.at,
                        score,
                        rank,
                    },
                });
            }
            // A user who is registered again has no past.
            Fact::UserDeleted { .. } => *self = Past::default(),
            Fact::UserChanged { .. } | Fact::TokensRevoked { .. } | Fact::Announced(_) => {}
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
