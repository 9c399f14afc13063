//! How a node goes on: it follows the log while Redis is there, and reconnects by itself
//! when Redis was unreachable.

use std::time::Duration;

use rand::RngExt;
use redis::aio::MultiplexedConnection;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use super::{
    connect::{Link, connect},
    fault::Fault,
    load::{Following, entry, load},
    node::{Node, Request},
    session::Session,
};
use crate::store::{Health, StoreError};

/// Between two attempts to reconnect: the shortest time, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How often it is logged that Redis is still unreachable, or that an operator has to decide.
const LOG_AGAIN: Duration = Duration::from_secs(60);

impl Node {
    pub(super) async fn run(mut self, link: Link, mut queue: mpsc::Receiver<Request>) {
        let mut found = Some(link);
        let mut pauses = Pauses::default();
        while let Some(link) = found {
            let began = Instant::now();
            self.connection.send_replace(Some(link.commands.clone()));
            self.evictions.observe(&link.info);
            self.health.send_replace(self.evictions.health());
            let Err(fault) = Session::new(&mut self, &link).run(&mut queue).await else {
                return;
            };
            self.connection.send_replace(None);
            self.is_lost(&fault);
            if began.elapsed() > PAUSES.1 {
                pauses = Pauses::default();
            }
            found = self.reconnect(fault, &mut pauses, &mut queue).await;
            if found.is_some() {
                tracing::info!(seq = self.following.folded, "Redis is reachable again");
            }
        }
    }

    /// Reports that nothing can be written, and why.
    fn is_lost(&self, fault: &Fault) {
        if let Health::Unwritable(why) = fault.health() {
            tracing::error!("actions are refused, and boards stay as they are, because {why}");
        } else {
            tracing::warn!(%fault, "Redis is unreachable: actions are refused, and boards stay as they are");
        }
        self.health.send_replace(fault.health());
    }

    /// Tries until there is a connection again, and refuses what is asked meanwhile. `None` if
    /// the store is closed first.
    async fn reconnect(
        &mut self,
        mut lost: Fault,
        pauses: &mut Pauses,
        queue: &mut mpsc::Receiver<Request>,
    ) -> Option<Link> {
        let mut reason = lost.to_string();
        let mut logged_at = Instant::now();
        loop {
            let pause = pauses.next();
            let result = {
                let health = self.health.subscribe();
                let attempt = async {
                    sleep(pause).await;
                    self.attempt(&mut lost).await
                };
                let mut attempt = std::pin::pin!(attempt);
                loop {
                    tokio::select! {
                        result = &mut attempt => break result,
                        request = queue.recv() => refuse(request?, &health, &reason)?,
                    }
                }
            };
            let fault = match result {
                Ok(link) => return Some(link),
                Err(fault) => fault,
            };
            if fault.to_string() != reason || logged_at.elapsed() > LOG_AGAIN {
                reason = fault.to_string();
                logged_at = Instant::now();
                self.is_lost(&fault);
            }
        }
    }

    /// Connects, and makes sure that the log goes on where it was left. Where it does not,
    /// and no operator has decided that, nothing is changed.
    async fn attempt(&mut self, lost: &mut Fault) -> Result<Link, Fault> {
        let mut link = connect(&self.board.servers, &self.board.keys).await?;
        let connection = &mut link.commands;
        let Following {
            epoch,
            folded,
            nonce,
            decided,
        } = self.following;
        let found = match self.board.find(connection).await? {
            Some(found) => found,
            None if !has_shown(folded) => self.board.create(connection).await?,
            None => return Err(nothing_left()),
        };
        if found.epoch != epoch {
            if has_shown(folded) && found.decided <= decided {
                return Err(Fault::Lost(
                    "Redis has another board than this server shows, and nobody has decided to \
                     give this one up"
                        .into(),
                ));
            }
            tracing::warn!("a new epoch has begun: the board is loaded again");
            self.reload(connection).await?;
            return Ok(link);
        }
        if let Fault::Broken(why) = lost {
            return Err(self.halt(connection, std::mem::take(why), lost).await);
        }
        if found.seq < folded {
            let why = format!(
                "Redis has lost the latest entries: {folded} were shown, and it has {} (an older \
                 copy was restored, or a replica took over that had less)",
                found.seq
            );
            return Err(self.halt(connection, why, lost).await);
        }
        let is_broken = matches!(lost, Fault::Gap(_) | Fault::Damaged(_));
        if folded > 0 {
            let last = entry(connection, &self.board.keys.log, folded).await?;
            let known_ranks = self.recent.lock().ranked_through();
            match (last.map(|last| last.nonce), nonce) {
                (Some(found), Some(known)) if found != known => {
                    let why = format!(
                        "Redis has another entry {folded} than was shown: an older copy was \
                         restored, or a replica took over that had less, and was written to"
                    );
                    return Err(self.halt(connection, why, lost).await);
                }
                (Some(_), Some(_)) if is_broken => {
                    tracing::warn!(%lost, "the board is loaded again");
                }
                // No node that knows they were written would write them again.
                (Some(_), Some(_)) if found.ranked_through < known_ranks => {
                    tracing::warn!("Redis has lost the latest ranks: the board is loaded again");
                }
                (Some(_), Some(_)) => return Ok(link),
                _ => tracing::warn!(
                    folded,
                    "the log was trimmed meanwhile: the board is loaded again"
                ),
            }
        } else if is_broken {
            tracing::warn!(%lost, "the board is loaded again");
        } else {
            return Ok(link);
        }
        self.reload(connection).await?;
        Ok(link)
    }

    /// Has all nodes stop until an operator has decided; returns the fault for that.
    async fn halt(
        &mut self,
        connection: &mut MultiplexedConnection,
        why: String,
        lost: &mut Fault,
    ) -> Fault {
        let halted = self.board.halt(connection, self.following.epoch, &why);
        if let Err(fault) = halted.await {
            *lost = Fault::Broken(why);
            return fault;
        }
        // From now on Redis reports it, until the operator has decided.
        *lost = Fault::Changed;
        Fault::Lost(why)
    }

    async fn reload(&mut self, connection: &mut MultiplexedConnection) -> Result<(), Fault> {
        let loaded = load(connection, &self.board).await?;
        *self.recent.lock() = loaded.recent;
        self.following = loaded.following;
        self.made = Vec::new();
        self.fold.reload(loaded.opened);
        Ok(())
    }
}

/// Has a node shown anything that has folded so much? The first entry says what `main` is.
fn has_shown(folded: u64) -> bool {
    folded > 1
}

/// What is wrong if the board is gone that a node has shown.
pub(super) fn nothing_left() -> Fault {
    Fault::Lost("nothing of this board is in Redis any more".into())
}

/// How long is waited before each attempt to reconnect: not at all, then longer and
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

/// Answers a request while nothing can be written; `None` for the one to close.
fn refuse(request: Request, health: &watch::Receiver<Health>, reason: &str) -> Option<()> {
    match request {
        Request::Append { reply, .. } => {
            let error = match &*health.borrow() {
                Health::Unwritable(why) => StoreError::Unwritable(why.clone()),
                _ => StoreError::Unreachable(reason.to_owned()),
            };
            // The sender may have gone.
            _ = reply.send(Err(error));
            Some(())
        }
        // Whoever asks is told by what is dropped here.
        Request::Plan { .. } | Request::Folded { .. } => Some(()),
        Request::Close => None,
    }
}
