//! Costly work that many may ask for: computed once for all who wait for the same
//! (single flight), stored in a cache with a bound in bytes, and begun only with a permit
//! that is fair by client.
//!
//! Work that waits for a permit is shared among the clients of one address alone, and work
//! that runs among all: so no client waits in the queue of another.

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
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use super::{Client, FairLimit, FairPermit, Reason, Refusals, Unanswered};

/// How long anybody waits for a result that others share.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long a result stays in the cache that nobody asks for. Many ask for the same at once
/// when a board changes; what nobody has asked for since would only take memory.
const IDLE: Duration = Duration::from_secs(5);

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
/// One for each client and key, which ends when nobody waits for it any more. With a
/// number, by which a flight knows its own entry.
type Waiting<K, V, E> = HashMap<(Client, K), (u64, WeakShared<BoxFuture<'static, Answer<V, E>>>)>;

/// One kind of work, by what is asked for. Clones are the same.
///
/// A key must say all on which the result depends, so that no result is ever wrong;
/// results that grew old are forgotten because nobody asks for their keys any more.
pub struct Work<K, V, E> {
    permits: FairLimit,
    cache: Cache<K, V>,
    /// Those that wait for a permit.
    waiting: Arc<Mutex<Waiting<K, V, E>>>,
    /// Those that are computed, each until its end.
    running: Arc<Mutex<HashMap<K, Flight<V, E>>>>,
    next: Arc<AtomicU64>,
    reason: Reason,
    refusals: Refusals,
}

impl<K, V, E> Clone for Work<K, V, E> {
    fn clone(&self) -> Self {
        Work {
            permits: self.permits.clone(),
            cache: self.cache.clone(),
            waiting: self.waiting.clone(),
            running: self.running.clone(),
            next: self.next.clone(),
            reason: self.reason,
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
    /// who gets none is counted and logged under `reason`.
    pub fn new(
        bounds: Bounds,
        bytes: fn(&K, &V) -> usize,
        reason: Reason,
        refusals: Refusals,
    ) -> Work<K, V, E> {
        Work::with_idle(IDLE, bounds, bytes, reason, refusals)
    }

    /// The same where a result that nobody asks for stays for another time.
    pub fn with_idle(
        idle: Duration,
        bounds: Bounds,
        bytes: fn(&K, &V) -> usize,
        reason: Reason,
        refusals: Refusals,
    ) -> Work<K, V, E> {
        let weigh = move |key: &K, value: &V| u32::try_from(bytes(key, value)).unwrap_or(u32::MAX);
        let cache = Cache::builder()
            .max_capacity(bounds.cached)
            .weigher(weigh)
            // What was asked for often belongs to a board of before.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(idle)
            .build();
        Work {
            permits: FairLimit::new(bounds.concurrent),
            cache,
            waiting: Arc::default(),
            running: Arc::default(),
            next: Arc::default(),
            reason,
            refusals,
        }
    }

    /// The result for a key: the one in the cache, the one that is being computed, or
    /// what `compute` makes. That runs to its end even if all who wait for it go, so
    /// that asking and leaving is no way to have more computed; and as long as it holds
    /// the permit, another cannot begin in its place. So `compute` must end by itself, in
    /// about two seconds.
    ///
    /// # Errors
    /// Why there is no result within two seconds. Refusals are counted and logged here.
    pub async fn get<C, F>(&self, client: Client, key: K, mut compute: C) -> Answer<V, E>
    where
        C: FnOnce(FairPermit) -> F + Send + 'static,
        F: Future<Output = Answer<V, E>> + Send + 'static,
    {
        let deadline = Instant::now() + DEADLINE;
        let answer = loop {
            if let Some(value) = self.cache.get(&key) {
                return Ok(value);
            }
            let (flight, unused) = self.flight(client, &key, deadline, compute);
            match (in_time(deadline, flight).await, unused) {
                // The deadline of the first who waited has passed, and not that of this one.
                (Err(Unanswered::Busy), Some(unused)) if Instant::now() < deadline => {
                    compute = unused;
                }
                (answer, _) => break answer,
            }
        };
        self.counted(client, answer)
    }

    /// Removes the results that nobody has asked for in a while, and gives back the memory of
    /// queues that have become short. The cache evicts only while it is used: without this,
    /// what it holds when nobody asks any more would stay until somebody does.
    pub fn forget_idle(&self) {
        self.cache.run_pending_tasks();
        self.waiting.lock().shrink_to_fit();
        self.running.lock().shrink_to_fit();
    }

    /// A result that is for one client alone, and not cached. As many may want one at once,
    /// each of them waits for it as long as `patience`.
    ///
    /// # Errors
    /// As of [`Work::get`].
    pub async fn once<F>(
        &self,
        client: Client,
        patience: Duration,
        compute: impl FnOnce(FairPermit) -> F,
    ) -> Answer<V, E>
    where
        F: Future<Output = Answer<V, E>> + Send + 'static,
    {
        let deadline = Instant::now() + patience;
        let answer = async {
            let permit = self.permits.acquire(client, deadline).await?;
            finished(tokio::spawn(compute(permit))).await
        };
        self.counted(client, in_time(deadline, answer).await)
    }

    /// The flight of all who have this computed, or of all of this client who wait for a
    /// permit for it. If it was there already, `compute` is not needed.
    fn flight<C, F>(
        &self,
        client: Client,
        key: &K,
        deadline: Instant,
        compute: C,
    ) -> (Flight<V, E>, Option<C>)
    where
        C: FnOnce(FairPermit) -> F + Send + 'static,
        F: Future<Output = Answer<V, E>> + Send + 'static,
    {
        let running = self.running.lock().get(key).cloned();
        if let Some(flight) = running {
            return (flight, Some(compute));
        }
        let waiter = (client, key.clone());
        let mut waiting = self.waiting.lock();
        if let Some(flight) = waiting
            .get(&waiter)
            .and_then(|(_, flight)| flight.upgrade())
        {
            return (flight, Some(compute));
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let leave = {
            let (waiting, waiter) = (self.waiting.clone(), waiter.clone());
            OnDrop(move || {
                let mut waiting = waiting.lock();
                // Another may have begun meanwhile.
                if waiting.get(&waiter).is_some_and(|(its, _)| *its == number) {
                    waiting.remove(&waiter);
                }
            })
        };
        let (work, key) = (self.clone(), key.clone());
        let flight = async move {
            let _leave = leave;
            let permit = work.permits.acquire(client, deadline).await?;
            if let Some(value) = work.cache.get(&key) {
                return Ok(value);
            }
            let running = work.run(key, permit, compute);
            running.await
        };
        let flight = flight.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            waiting.insert(waiter, (number, weak));
        }
        (flight, None)
    }

    /// The flight of all who have this computed. If there is one, the permit is given back
    /// at once.
    fn run<F>(
        &self,
        key: K,
        permit: FairPermit,
        compute: impl FnOnce(FairPermit) -> F + Send + 'static,
    ) -> Flight<V, E>
    where
        F: Future<Output = Answer<V, E>> + Send + 'static,
    {
        let mut running = self.running.lock();
        if let Some(flight) = running.get(&key) {
            return flight.clone();
        }
        let (work, its_key) = (self.clone(), key.clone());
        let task = tokio::spawn(async move {
            // It waits for the lock, and so removes what is entered below. Only in here: a
            // task that never begins, because the runtime ends, is dropped under the lock.
            let (running, key) = (work.running.clone(), its_key.clone());
            let _end = OnDrop(move || {
                let ended = running.lock().remove(&key);
                drop(ended);
            });
            let value = compute(permit).await?;
            work.cache.insert(its_key, value.clone());
            // The bound holds now and not at some later call.
            work.cache.run_pending_tasks();
            Ok(value)
        });
        let flight = finished(task).boxed().shared();
        running.insert(key, flight.clone());
        flight
    }

    fn counted(&self, client: Client, answer: Answer<V, E>) -> Answer<V, E> {
        if answer.as_ref().is_err_and(Unanswered::is_refusal) {
            self.refusals.refused(self.reason, client.address());
        }
        answer
    }

    /// How many bytes of results the cache has, about.
    #[cfg(test)]
    pub(crate) fn cached_bytes(&self) -> u64 {
        self.cache.weighted_size()
    }
}

/// The answer, or that there is none yet.
async fn in_time<V, E>(
    deadline: Instant,
    answer: impl Future<Output = Answer<V, E>>,
) -> Answer<V, E> {
    let answer = timeout_at(deadline, answer).await;
    answer.unwrap_or(Err(Unanswered::Busy))
}

/// The answer of a task.
async fn finished<V, E>(task: JoinHandle<Answer<V, E>>) -> Answer<V, E> {
    task.await.unwrap_or(Err(Unanswered::Panicked))
}

/// Runs a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use axum::http::StatusCode;
    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;
    use crate::metrics::Metrics;

    const ONE: Client = Client::Server;

    fn client(n: u8) -> Client {
        Client::from(std::net::IpAddr::from([192, 0, 2, n]))
    }

    fn work(concurrent: usize, cached: u64) -> Work<u32, u32, &'static str> {
        let bounds = Bounds {
            concurrent: NonZeroUsize::new(concurrent).expect("more than 0"),
            cached,
        };
        let refusals = Refusals::new(Metrics::default());
        Work::new(bounds, |_, _| 10, Reason::Search, refusals)
    }

    /// How many were refused.
    fn refused(work: &Work<u32, u32, &'static str>) -> u64 {
        let text = work.refusals.metrics().text();
        let count = text
            .split("podium_refused_total{reason=\"search\"} ")
            .nth(1);
        let count = count.and_then(|rest| rest.lines().next());
        count.expect("a count").parse().expect("a number")
    }

    /// A computation that waits until it is let go, and is counted.
    #[derive(Clone, Default)]
    struct Slow {
        begun: Arc<AtomicUsize>,
        go: Arc<Notify>,
    }

    impl Slow {
        async fn compute(self, permit: FairPermit, value: u32) -> Answer<u32, &'static str> {
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
        let again = work
            .get(ONE, 1, async |_| Err(Unanswered::Failed("computed again")))
            .await;
        assert_eq!(again, Ok(5));
        assert!(work.running.lock().is_empty() && work.waiting.lock().is_empty());
        assert_eq!(refused(&work), 0);
    }

    #[tokio::test]
    async fn failures_are_shared_and_not_kept() {
        let work = work(2, 1000);
        let failed = work
            .get(ONE, 1, async |_| Err(Unanswered::Failed("no")))
            .await;
        assert_eq!(failed, Err(Unanswered::Failed("no")));
        assert_eq!(work.get(ONE, 1, async |_| Ok(7)).await, Ok(7));
    }

    #[tokio::test]
    async fn a_computation_that_panics_leaves_nothing_behind() {
        let work = work(1, 1000);
        let panics = async |permit: FairPermit| {
            drop(permit);
            panic!("a test")
        };
        let panicked = work.get(ONE, 1, panics).await;
        assert_eq!(panicked, Err(Unanswered::Panicked));
        assert_eq!(
            work.once(ONE, DEADLINE, panics).await,
            Err(Unanswered::Panicked)
        );
        assert_eq!(refused(&work), 0);
        assert_eq!(work.get(ONE, 1, async |_| Ok(7)).await, Ok(7));
        assert!(work.running.lock().is_empty() && work.waiting.lock().is_empty());
    }

    #[tokio::test]
    async fn what_took_too_long_is_refused() {
        let work = work(1, 1000);
        let slow = work
            .get(ONE, 1, async |_| Err(Unanswered::TookTooLong))
            .await;
        assert_eq!((slow, refused(&work)), (Err(Unanswered::TookTooLong), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_for_too_much_is_told_another_thing_than_who_comes_to_a_busy_server() {
        let (work, slow) = (work(1, 1000), Slow::default());
        let held = slow.clone();
        _ = tokio::spawn({
            let work = work.clone();
            async move {
                work.get(client(9), 0, move |permit| held.compute(permit, 0))
                    .await
            }
        });
        slow.until_begun(1).await;
        let ask = |n: u8, key: u32| work.get(client(n), key, async move |_| Ok(key));
        let flood = join_all((1..=300).map(|key| ask(1, key)));
        let (flood, honest) = tokio::join!(flood, ask(2, 1));
        let status = |answer: &Answer<u32, &str>| match answer {
            Ok(_) => StatusCode::OK,
            Err(unanswered) => {
                assert_eq!(unanswered.retry_after(), Some(1));
                unanswered.status()
            }
        };
        let count = |wanted| flood.iter().filter(|it| status(it) == wanted).count();
        assert_eq!(count(StatusCode::TOO_MANY_REQUESTS), 300 - 256);
        assert_eq!(count(StatusCode::SERVICE_UNAVAILABLE), 256);
        assert_eq!(status(&honest), StatusCode::SERVICE_UNAVAILABLE);
        // With the one that holds the permit.
        assert_eq!(refused(&work), 300 + 1 + 1);
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
                assert!(refused(&work) > 0);
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
        assert!(refused(&work) > 0);
        slow.go.notify_one();
        while work.cache.get(&1).is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.get(client(2), 2, async |_| Ok(6)).await, Ok(6));
    }

    #[tokio::test(start_paused = true)]
    async fn who_joins_late_has_all_of_its_own_time() {
        let (work, slow) = (work(1, 1000), Slow::default());
        let ask = |slow: Option<Slow>, key: u32| {
            let work = work.clone();
            let compute = async move |permit| match slow {
                Some(slow) => slow.compute(permit, key).await,
                None => Ok(key),
            };
            tokio::spawn(async move { work.get(client(2), key, compute).await })
        };
        _ = ask(Some(slow.clone()), 1);
        slow.until_begun(1).await;
        let early = ask(None, 2);
        tokio::time::sleep(DEADLINE - Duration::from_millis(100)).await;
        let late = ask(None, 2);
        assert_eq!(early.await.expect("no panic"), Err(Unanswered::Busy));
        slow.go.notify_one();
        assert_eq!(late.await.expect("no panic"), Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_runs_on_when_all_have_gone_is_not_begun_again() {
        let (work, slow) = (work(3, 1000), Slow::default());
        let ask = |n: u8| {
            let slow = slow.clone();
            work.get(client(n), 1, move |permit| slow.compute(permit, 5))
        };
        assert_eq!(ask(1).await, Err(Unanswered::Busy));
        let let_go = async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            slow.go.notify_waiters();
        };
        let (later, ()) = tokio::join!(ask(2), let_go);
        assert_eq!((later, slow.begun()), (Ok(5), 1));
        assert!(work.running.lock().is_empty());
    }

    #[tokio::test]
    async fn results_that_nobody_asks_for_are_given_back() {
        let bounds = Bounds {
            concurrent: NonZeroUsize::MIN,
            cached: 1_000_000,
        };
        let refusals = Refusals::new(Metrics::default());
        let idle = Duration::from_millis(1);
        let bytes = |_: &u32, _: &Arc<()>| 10;
        let work =
            Work::<u32, Arc<()>, ()>::with_idle(idle, bounds, bytes, Reason::Search, refusals);
        let result = Arc::new(());
        for key in 0..1000 {
            let result = result.clone();
            work.get(ONE, key, async move |_| Ok(result)).await.unwrap();
        }
        // Nobody asks any more.
        let end = Instant::now() + Duration::from_secs(10);
        while Arc::strong_count(&result) > 1 {
            assert!(Instant::now() < end, "{}", Arc::strong_count(&result));
            work.forget_idle();
            tokio::task::yield_now().await;
        }
        assert_eq!(work.cache.entry_count(), 0);
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
