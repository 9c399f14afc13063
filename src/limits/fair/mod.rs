//! A concurrency limit that is fair by client: so many permits in all, and a queue for
//! each client, which take turns (round-robin). So a client that asks for a thousand things
//! delays its own, and those of another client by one turn at most.
//!
//! [`Queue`] is the rule, as pure code; [`FairLimit`] waits for it.

mod queue;

use std::{num::NonZeroUsize, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::Client;
use queue::Queue;

/// The most waiters of one client, so that each of a classroom of 100 behind one
/// address may ask for two things at once.
const WAITING_OF_CLIENT: usize = 256;

/// The most waiters in all. Beyond it, the client with the longest queue loses its
/// latest.
const WAITING: usize = 4096;

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPermit {
    /// Too many of this client wait already.
    QueueFull,
    /// Too many wait in all, or the deadline has passed.
    Busy,
}

/// A concurrency limit that is fair by client. Clones are the same limit.
#[derive(Clone)]
pub struct FairLimit(Arc<Mutex<Queue<Client, oneshot::Sender<FairPermit>>>>);

impl FairLimit {
    /// So many permits in all.
    pub fn new(permits: NonZeroUsize) -> FairLimit {
        FairLimit::with_queues(permits, WAITING_OF_CLIENT, WAITING)
    }

    /// So many permits in all, for which so many wait of one client, and in all.
    pub fn with_queues(permits: NonZeroUsize, of_client: usize, in_all: usize) -> FairLimit {
        let queue = Queue::new(permits.get(), of_client, in_all);
        FairLimit(Arc::new(Mutex::new(queue)))
    }

    /// A permit, in turn. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// If a queue is full, or the deadline passes.
    pub async fn acquire(&self, client: Client, deadline: Instant) -> Result<FairPermit, NoPermit> {
        let (grant, granted) = oneshot::channel();
        let ticket = self.change(|queue| queue.enter(client, grant));
        let _waiter = Waiter {
            limit: self,
            client,
            ticket: ticket?,
        };
        let granted = timeout_at(deadline, granted).await;
        // The inner error: the place in the queue was given to another client.
        match granted {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(NoPermit::Busy),
        }
    }

    /// Changes the queue, and grants what has become free by it.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Queue<Client, oneshot::Sender<FairPermit>>) -> T,
    ) -> T {
        let mut queue = self.0.lock();
        let result = change(&mut queue);
        let granted: Vec<_> = std::iter::from_fn(|| queue.grant()).collect();
        drop(queue);
        for (client, grant) in granted {
            let limit = self.clone();
            // If nobody waits for it any more, it is dropped and so given back. That takes
            // the lock, which is why it is not held here.
            _ = grant.send(FairPermit { limit, client });
        }
        result
    }
}

/// An entry of the queue, which is left when this is dropped.
struct Waiter<'a> {
    limit: &'a FairLimit,
    client: Client,
    ticket: u64,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let left = self
            .limit
            .change(|queue| queue.leave(self.client, self.ticket));
        drop(left);
    }
}

/// A permit to do work. It is given back when it is dropped.
pub struct FairPermit {
    limit: FairLimit,
    client: Client,
}

impl Drop for FairPermit {
    fn drop(&mut self) {
        self.limit.change(|queue| queue.give_back(self.client));
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use futures_util::{FutureExt, future::join_all};

    use super::*;

    fn client(n: u8) -> Client {
        Client::from(IpAddr::from([192, 0, 2, n]))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(2)
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_so_and_leaves() {
        let limit = FairLimit::new(NonZeroUsize::MIN);
        let held = limit.acquire(client(1), soon()).await.expect("free");
        let late = limit.acquire(client(2), soon()).await.err();
        assert_eq!(late, Some(NoPermit::Busy));
        assert_eq!(limit.0.lock().waiters, 0);
        drop(held);
        assert!(limit.acquire(client(2), soon()).await.is_ok());
    }

    #[tokio::test]
    async fn who_goes_leaves_the_queue_and_what_was_granted() {
        let limit = FairLimit::new(NonZeroUsize::MIN);
        let held = limit.acquire(client(1), soon()).await.expect("free");
        let mut gone = Box::pin(limit.acquire(client(2), soon()));
        let mut granted = Box::pin(limit.acquire(client(3), soon()));
        assert!((&mut gone).now_or_never().is_none());
        assert!((&mut granted).now_or_never().is_none());
        drop(gone);
        drop(held);
        // It has the permit and was never asked for it.
        assert_eq!(limit.0.lock().free, 0);
        drop(granted);
        assert_eq!(limit.0.lock().free, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_client_fills_its_own_queue_alone() {
        let limit = FairLimit::new(NonZeroUsize::MIN);
        let held = limit.acquire(client(1), soon()).await.expect("free");
        let flood: Vec<_> = (0..WAITING_OF_CLIENT + 1)
            .map(|_| limit.acquire(client(1), soon()))
            .collect();
        let flood = join_all(flood.into_iter().map(|permit| permit.map(|it| it.err())));
        let honest = limit.acquire(client(2), soon()).map(|it| it.is_ok());
        let release = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        let (flood, honest, ()) = tokio::join!(flood, honest, release);
        assert!(honest);
        let refused: Vec<_> = flood.into_iter().flatten().collect();
        assert_eq!(refused, [NoPermit::QueueFull]);
    }
}
