//! Costly work that many may ask for: computed once for all who wait for the same
//! (single flight), kept in a cache with a bound in bytes, and begun only with a permit
//! that is fair by client.
//!
//! What is waited for is shared among the clients of one address alone, and what runs
//! among all: so nobody waits in the queue of somebody else.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use moka::{policy::EvictionPolicy, sync::Cache};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use super::Reason;
use super::{Busy, Client, FairLimit, OnceAMinute, Permit};
use crate::metrics::Metrics;

/// How long anybody waits for a result, and for its computation.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long a result stays in the cache that nobody asks for.
const IDLE: Duration = Duration::from_secs(60);

/// After how many seconds who was refused may ask again.
pub const RETRY_SECONDS: u64 = 1;

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered<E> {
    /// There was none in time.
    Busy,
    /// It could not be computed.
    Failed(E),
}

impl<E> From<Busy> for Unanswered<E> {
    fn from(Busy: Busy) -> Unanswered<E> {
        Unanswered::Busy
    }
}

/// How much of one kind of work there may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Computations at once.
    pub concurrent: NonZeroUsize,
    /// Bytes of results in the cache, about.
    pub cached: u64,
}

type Answer<V, E> = Result<V, Unanswered<E>>;
type Flight<V, E> = Shared<BoxFuture<'static, Answer<V, E>>>;
/// With a number, by which a flight knows its own entry.
type Flights<K, V, E> = Arc<Mutex<HashMap<K, (u64, WeakShared<BoxFuture<'static, Answer<V, E>>>)>>>;

/// One kind of work, by what is asked for. Clones are the same.
///
/// A key must say all on which the result depends, so that no result is ever wrong;
/// results that grew old are forgotten because nobody asks for their keys any more.
pub struct Work<K, V, E> {
    permits: FairLimit,
    cache: Cache<K, V>,
    /// Those that wait for a permit: one for each client and key.
    waiting: Flights<(Client, K), V, E>,
    /// Those that are computed.
    running: Flights<K, V, E>,
    next: Arc<AtomicU64>,
    refusals: Arc<Refusals>,
}

struct Refusals {
    reason: Reason,
    metrics: Metrics,
    log: OnceAMinute,
}

impl<K, V, E> Clone for Work<K, V, E> {
    fn clone(&self) -> Self {
        Work {
            permits: self.permits.clone(),
            cache: self.cache.clone(),
            waiting: self.waiting.clone(),
            running: self.running.clone(),
            next: self.next.clone(),
            refusals: self.refusals.clone(),
        }
    }
}

impl<K, V, E> Work<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + fmt::Debug + Send + Sync + 'static,
{
    /// Work within these bounds. `bytes` says how large a key and its result are, about;
    /// who gets none is counted under `reason`.
    pub fn new(
        bounds: Bounds,
        bytes: fn(&K, &V) -> usize,
        reason: Reason,
        metrics: Metrics,
    ) -> Work<K, V, E> {
        let weigh = move |key: &K, value: &V| u32::try_from(bytes(key, value)).unwrap_or(u32::MAX);
        let cache = Cache::builder()
            .max_capacity(bounds.cached)
            .weigher(weigh)
            // What was asked for often belongs to a board of before.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(IDLE)
            .build();
        Work {
            permits: FairLimit::new(bounds.concurrent),
            cache,
            waiting: Flights::default(),
            running: Flights::default(),
            next: Arc::default(),
            refusals: Arc::new(Refusals {
                reason,
                metrics,
                log: OnceAMinute::default(),
            }),
        }
    }

    /// The result for a key: the one in the cache, the one that is being computed, or
    /// what `compute` makes. That runs to its end even if all who wait for it go, so
    /// that asking and leaving is no way to have more computed; and as long as it holds
    /// the permit, another cannot begin in its place.
    ///
    /// # Errors
    /// [`Unanswered::Busy`] if there is no result within two seconds, which is counted
    /// and logged here, and [`Unanswered::Failed`] if `compute` says so.
    pub async fn get<F>(
        &self,
        client: Client,
        key: K,
        compute: impl FnOnce(Permit) -> F + Send + 'static,
    ) -> Answer<V, E>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        if let Some(value) = self.cache.get(&key) {
            return Ok(value);
        }
        let deadline = Instant::now() + DEADLINE;
        let flight = match current(&self.running, &key) {
            Some(flight) => flight,
            None => self.wait(client, key, deadline, compute),
        };
        self.in_time(deadline, flight).await
    }

    /// A result that is for one client alone, and not kept.
    ///
    /// # Errors
    /// As of [`Work::get`].
    pub async fn once<F>(&self, client: Client, compute: impl FnOnce(Permit) -> F) -> Answer<V, E>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let deadline = Instant::now() + DEADLINE;
        let answer = async {
            let permit = self.permits.acquire(client, deadline).await?;
            finished(tokio::spawn(compute(permit))).await
        };
        self.in_time(deadline, answer).await
    }

    /// The flight of all of this client who wait for a permit for this key.
    fn wait<F>(
        &self,
        client: Client,
        key: K,
        deadline: Instant,
        compute: impl FnOnce(Permit) -> F + Send + 'static,
    ) -> Flight<V, E>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let work = self.clone();
        join(
            &self.waiting,
            &self.next,
            (client, key.clone()),
            async move {
                let permit = work.permits.acquire(client, deadline).await?;
                if let Some(value) = work.cache.get(&key) {
                    return Ok(value);
                }
                let computed = {
                    let (work, key) = (work.clone(), key.clone());
                    async move {
                        let computing = async move {
                            let value = compute(permit).await?;
                            work.cache.insert(key, value.clone());
                            // The bound holds now and not at some later call.
                            work.cache.run_pending_tasks();
                            Ok(value)
                        };
                        finished(tokio::spawn(computing)).await
                    }
                };
                // If somebody else computes it already, the permit is given back at once.
                let running = join(&work.running, &work.next, key, computed);
                running.await
            },
        )
    }

    async fn in_time(
        &self,
        deadline: Instant,
        answer: impl Future<Output = Answer<V, E>>,
    ) -> Answer<V, E> {
        let answer = timeout_at(deadline, answer).await;
        let answer = answer.unwrap_or(Err(Unanswered::Busy));
        if matches!(answer, Err(Unanswered::Busy)) {
            self.refusals.count();
        }
        answer
    }
}

impl Refusals {
    fn count(&self) {
        self.metrics.refused(self.reason);
        if let Some(suppressed) = self.log.allow(std::time::Instant::now()) {
            let reason = self.reason.label();
            tracing::warn!(
                reason,
                suppressed,
                "a client was refused, because too much of this is asked for"
            );
        }
    }
}

/// The answer of a task. If it panicked, which the log says, there is none.
async fn finished<V, E>(task: tokio::task::JoinHandle<Result<V, E>>) -> Answer<V, E> {
    match task.await {
        Ok(result) => result.map_err(Unanswered::Failed),
        Err(_) => Err(Unanswered::Busy),
    }
}

/// The flight for this key, if somebody waits for one.
fn current<K: Eq + Hash, V, E>(flights: &Flights<K, V, E>, key: &K) -> Option<Flight<V, E>>
where
    V: Clone,
    E: Clone,
{
    flights.lock().get(key)?.1.upgrade()
}

/// The flight for this key, which begins if there is none.
fn join<K, V, E>(
    flights: &Flights<K, V, E>,
    next: &AtomicU64,
    key: K,
    begin: impl Future<Output = Answer<V, E>> + Send + 'static,
) -> Flight<V, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    let mut entries = flights.lock();
    if let Some(flight) = entries.get(&key).and_then(|(_, flight)| flight.upgrade()) {
        // `begin` may hold a permit; it is dropped after the lock, as all arguments are.
        return flight;
    }
    let number = next.fetch_add(1, Ordering::Relaxed);
    let entry = Entry {
        flights: flights.clone(),
        key: key.clone(),
        number,
    };
    let flight = async move {
        let _entry = entry;
        begin.await
    };
    let flight = flight.boxed().shared();
    if let Some(weak) = flight.downgrade() {
        entries.insert(key, (number, weak));
    }
    flight
}

/// The entry of a flight, which is removed when it has ended, or when all have gone who
/// waited for it.
struct Entry<K: Eq + Hash, V, E> {
    flights: Flights<K, V, E>,
    key: K,
    number: u64,
}

impl<K: Eq + Hash, V, E> Drop for Entry<K, V, E> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // Another may have begun meanwhile.
        if flights
            .get(&self.key)
            .is_some_and(|(number, _)| *number == self.number)
        {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    const ONE: Client = Client::Server;

    fn client(n: u8) -> Client {
        Client::from(std::net::IpAddr::from([192, 0, 2, n]))
    }

    fn work(concurrent: usize, cached: u64) -> Work<u32, u32, &'static str> {
        let bounds = Bounds {
            concurrent: NonZeroUsize::new(concurrent).expect("more than 0"),
            cached,
        };
        Work::new(bounds, |_, _| 10, Reason::Search, Metrics::default())
    }

    fn refused(work: &Work<u32, u32, &'static str>) -> bool {
        let text = work.refusals.metrics.text();
        !text.contains("podium_refused_total{reason=\"search\"} 0")
    }

    /// A computation that waits until it is let go, and is counted.
    #[derive(Clone, Default)]
    struct Slow {
        begun: Arc<AtomicUsize>,
        go: Arc<Notify>,
    }

    impl Slow {
        async fn compute(self, permit: Permit, value: u32) -> Result<u32, &'static str> {
            self.begun.fetch_add(1, Ordering::Relaxed);
            self.go.notified().await;
            drop(permit);
            Ok(value)
        }

        fn begun(&self) -> usize {
            self.begun.load(Ordering::Relaxed)
        }

        async fn until_begun(&self, computations: usize) {
            while self.begun() < computations {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn who_asks_for_the_same_gets_the_same_computed_once() {
        let (work, slow) = (work(2, 1000), Slow::default());
        let ask = |n: u8| {
            let slow = slow.clone();
            work.get(client(n % 7), 1, move |permit| slow.compute(permit, 5))
        };
        let all = join_all((0..100).map(ask));
        let let_go = async {
            slow.until_begun(1).await;
            slow.go.notify_one();
        };
        let (answers, ()) = tokio::join!(all, let_go);
        assert!(answers.into_iter().all(|answer| answer == Ok(5)));
        assert_eq!(slow.begun(), 1);
        // And who asks later.
        let again = work.get(ONE, 1, async |_| Err("computed again")).await;
        assert_eq!(again, Ok(5));
        assert!(work.running.lock().is_empty() && work.waiting.lock().is_empty());
        assert!(!refused(&work));
    }

    #[tokio::test]
    async fn failures_are_shared_and_not_kept() {
        let work = work(2, 1000);
        let failed = work.get(ONE, 1, async |_| Err("no")).await;
        assert_eq!(failed, Err(Unanswered::Failed("no")));
        assert_eq!(work.get(ONE, 1, async |_| Ok(7)).await, Ok(7));
    }

    #[tokio::test]
    async fn a_computation_that_panics_leaves_nothing_behind() {
        let work = work(1, 1000);
        let panics = async |permit: Permit| {
            drop(permit);
            panic!("a test")
        };
        assert_eq!(work.get(ONE, 1, panics).await, Err(Unanswered::Busy));
        assert_eq!(work.get(ONE, 1, async |_| Ok(7)).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn one_client_s_queue_is_not_another_s() {
        let (work, slow) = (work(2, 1000), Slow::default());
        let ask = |client: Client, key: u32| {
            let (work, slow) = (work.clone(), slow.clone());
            tokio::spawn(async move {
                let computed = work.get(client, key, move |permit| slow.compute(permit, key));
                computed.await
            })
        };
        // One address holds what it may, and asks for more; also for 9.
        let flood = [ask(client(1), 1), ask(client(1), 2), ask(client(1), 9)];
        slow.until_begun(1).await;
        // The other asks for 9 as well, and needs not wait for the turn of the first.
        let honest = ask(client(2), 9);
        slow.until_begun(2).await;
        slow.go.notify_waiters();
        assert_eq!(honest.await.expect("no panic"), Ok(9));
        for answer in flood {
            // The one that was behind has its turn now, and nobody lets it go.
            if answer.await.expect("no panic").is_err() {
                assert!(refused(&work));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_begun_ends_and_holds_its_permit_until_then() {
        let (work, slow) = (work(1, 1000), Slow::default());
        let gone = tokio::spawn({
            let (work, slow) = (work.clone(), slow.clone());
            async move {
                work.get(client(1), 1, move |permit| slow.compute(permit, 5))
                    .await
            }
        });
        slow.until_begun(1).await;
        gone.abort();
        assert!(gone.await.is_err());
        let busy = work.get(client(2), 2, async |_| Ok(6)).await;
        assert_eq!(busy, Err(Unanswered::Busy));
        assert!(refused(&work));
        slow.go.notify_one();
        while work.cache.get(&1).is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.get(client(2), 2, async |_| Ok(6)).await, Ok(6));
    }

    #[tokio::test]
    async fn the_cache_has_a_bound_in_bytes() {
        let work = work(2, 100);
        for key in 0..1000 {
            assert_eq!(work.get(ONE, key, async move |_| Ok(key)).await, Ok(key));
            assert!(work.cache.weighted_size() <= 100);
        }
        assert_eq!(work.cache.get(&999), Some(999), "the latest is there");
    }
}
