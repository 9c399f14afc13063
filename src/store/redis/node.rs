//! One node: follows the log while Redis is there, and comes back by itself when it
//! was away.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::RngExt;
use redis::aio::MultiplexedConnection;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep},
};

use super::{
    connect::{Link, connect},
    fault::Fault,
    kept::KeptBoard,
    load::{Following, entry},
    recent::Recent,
    session::Session,
};
use crate::store::{Command, Fold, Health, Outcome, StoreError};

/// Between two attempts to come back: the shortest time, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

pub(super) enum Request {
    Append {
        commands: Vec<Command>,
        reply: Reply,
    },
    Close,
}

pub(super) type Reply = oneshot::Sender<Result<Vec<Outcome>, StoreError>>;

pub(super) struct Node {
    pub(super) board: Arc<KeptBoard>,
    pub(super) health: watch::Sender<Health>,
    /// For those who look back.
    pub(super) way: watch::Sender<Option<MultiplexedConnection>>,
    pub(super) recent: Arc<Mutex<Recent>>,
    pub(super) following: Following,
    pub(super) fold: Box<dyn Fold>,
}

/// However the node ends.
impl Drop for Node {
    fn drop(&mut self) {
        self.way.send_replace(None);
        self.health.send_replace(Health::Closed);
    }
}

impl Node {
    pub(super) async fn run(mut self, link: Link, mut queue: mpsc::Receiver<Request>) {
        let mut found = Some(link);
        let mut pauses = Pauses::default();
        while let Some(link) = found {
            let began = Instant::now();
            self.way.send_replace(Some(link.commands.clone()));
            self.health.send_replace(Health::Open);
            let Err(fault) = Session::new(&mut self, &link).run(&mut queue).await else {
                return;
            };
            self.way.send_replace(None);
            self.health.send_replace(Health::Away);
            tracing::warn!(%fault, "Redis is away: actions are refused, and boards stay as they are");
            if began.elapsed() > PAUSES.1 {
                pauses = Pauses::default();
            }
            found = self.come_back(fault, &mut pauses, &mut queue).await;
            if found.is_some() {
                tracing::info!(seq = self.following.folded, "Redis is back");
            }
        }
    }

    /// Tries until there is a way again, and refuses what is asked meanwhile. `None` if
    /// the store is closed first.
    async fn come_back(
        &mut self,
        lost: Fault,
        pauses: &mut Pauses,
        queue: &mut mpsc::Receiver<Request>,
    ) -> Option<Link> {
        let mut reason = lost.to_string();
        loop {
            let pause = pauses.next();
            let result = {
                let attempt = async {
                    sleep(pause).await;
                    self.attempt(&lost).await
                };
                let mut attempt = std::pin::pin!(attempt);
                loop {
                    tokio::select! {
                        result = &mut attempt => break result,
                        request = queue.recv() => refuse(request?, &reason)?,
                    }
                }
            };
            let fault = match result {
                Ok(link) => return Some(link),
                Err(fault) => fault,
            };
            if fault.to_string() != reason {
                reason = fault.to_string();
                tracing::warn!(%fault, "Redis is still away");
            }
        }
    }

    /// Connects, and makes sure that the log goes on where it was left.
    async fn attempt(&mut self, lost: &Fault) -> Result<Link, Fault> {
        let mut link = connect(&self.board.place, &self.board.keys).await?;
        let connection = &mut link.commands;
        let found = self.board.find(connection).await?;
        let Following {
            epoch,
            folded,
            nonce,
        } = self.following;
        let is_broken = matches!(lost, Fault::Gap(_) | Fault::Damaged(_));
        if found.is_new {
            tracing::error!(
                "Redis had lost everything: the board is empty, and players have to be registered \
                 again"
            );
        } else if found.meta.epoch != epoch {
            tracing::warn!("another node began a new epoch: the board is loaded anew");
        } else if found.meta.seq < folded {
            tracing::warn!(
                folded,
                found = found.meta.seq,
                "Redis has lost the latest entries: the board is loaded anew, in a new epoch"
            );
            self.board.renew(connection, epoch, false).await?;
        } else if folded > 0 {
            let last = entry(connection, &self.board.keys.log, folded).await?;
            let heard = self.recent.lock().ranked_through();
            match (last.map(|last| last.nonce), nonce) {
                (Some(found), Some(known)) if found != known => {
                    tracing::warn!(
                        folded,
                        "Redis has other entries than were folded: the board is loaded anew, in a \
                         new epoch"
                    );
                    self.board.renew(connection, epoch, false).await?;
                }
                (Some(_), Some(_)) if is_broken => {
                    tracing::warn!(%lost, "the board is loaded anew");
                }
                // Nobody would write them again who has heard that they are there.
                (Some(_), Some(_)) if found.meta.ranked_through < heard => {
                    tracing::warn!("Redis has lost the latest ranks: the board is loaded anew");
                }
                (Some(_), Some(_)) => return Ok(link),
                _ => tracing::warn!(
                    folded,
                    "the log was trimmed meanwhile: the board is loaded anew"
                ),
            }
        } else if is_broken {
            tracing::warn!(%lost, "the board is loaded anew");
        } else {
            return Ok(link);
        }
        let loaded = self.board.load(connection).await?;
        *self.recent.lock() = loaded.recent;
        self.following = loaded.following;
        self.fold.reload(loaded.opened);
        Ok(link)
    }
}

/// How long is waited before each attempt to come back: not at all, then longer and
/// longer.
#[derive(Default)]
struct Pauses(Duration);

impl Pauses {
    fn next(&mut self) -> Duration {
        let (shortest, longest) = PAUSES;
        let pause = self.0;
        self.0 = (2 * pause).clamp(shortest, longest);
        // So that many nodes do not come at the same time.
        pause.mul_f64(rand::rng().random_range(0.5..1.0))
    }
}

/// Answers a request while Redis is away; `None` for the one to close.
fn refuse(request: Request, reason: &str) -> Option<()> {
    match request {
        Request::Append { reply, .. } => {
            // Whoever asked may have gone.
            _ = reply.send(Err(StoreError::Away(reason.to_owned())));
            Some(())
        }
        Request::Close => None,
    }
}
