//! A watchdog over tasks that must go on for as long as the server, and for whose end
//! nobody waits. A server without one of them looks well, answers, and does nothing.
//!
//! Each of them has a [`Pulse`]. One that panics or ends drops it, which is noticed at
//! once; one that hangs does not beat any more. The first failure is the end of the
//! process: [`Vitals::failed`] is for those who say goodbye, and after a short time a
//! thread ends the process whatever hangs in it, so that whatever supervises it starts it
//! again.

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};

/// With which code the process ends after a failure: `EX_SOFTWARE` of BSD's sysexits.h.
pub const EXIT_CODE: u8 = 70;

/// How often a task beats that waits for something to do.
const BEAT: Duration = Duration::from_secs(1);

/// How often the thread looks.
const LOOK: Duration = Duration::from_millis(250);

/// Between a failure and the end of the process: enough for a goodbye, and to close a
/// store.
const GRACE: Duration = Duration::from_secs(5);

/// How long the runtime may begin nothing that it is given. A server with a thousand
/// answers before it begins what is new seconds later; one whose workers all hang, never.
const LONGEST_LATE: Duration = Duration::from_secs(30);

/// What [`Watched::beaten`] says of a task that waits for work: it may do so for ever.
const RESTING: u64 = u64::MAX;

/// All tasks that are watched. Clones are the same.
#[derive(Clone)]
pub struct Vitals(Arc<Shared>);

struct Shared {
    /// Milliseconds for which tasks were watched. It stands still while this process is
    /// suspended, gets no processor, or is so busy that tasks wait for their turn: none
    /// can beat then.
    clock: AtomicU64,
    /// For how many milliseconds the runtime has begun nothing that was new.
    late: AtomicU64,
    watched: Mutex<Vec<Arc<Watched>>>,
    may_end: AtomicBool,
    failure: watch::Sender<Option<Failure>>,
}

struct Watched {
    task: &'static str,
    /// How long it may go without a beat, in milliseconds.
    longest: u64,
    /// When it beat last, by the clock, or [`RESTING`].
    beaten: AtomicU64,
}

/// Does the runtime begin what it is given?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runtime {
    /// Within the time between two looks.
    Prompt,
    /// Later, or no more.
    Late,
}

/// What became of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It panicked.
    #[error("{0} has panicked")]
    Panicked(&'static str),
    /// It has returned, or was dropped.
    #[error("{0} has ended")]
    Ended(&'static str),
    /// It has not beaten for longer than it may.
    #[error("{task} hangs: nothing was heard of it for {} s", after.as_secs())]
    Hung {
        /// Which task.
        task: &'static str,
        /// For how long it has not beaten.
        after: Duration,
    },
}

impl Default for Vitals {
    fn default() -> Vitals {
        Vitals(Arc::new(Shared {
            clock: AtomicU64::new(0),
            late: AtomicU64::new(0),
            watched: Mutex::default(),
            may_end: AtomicBool::new(false),
            failure: watch::Sender::new(None),
        }))
    }
}

impl Vitals {
    /// Watches a task from now on. It fails if it panics, ends, or does not beat for
    /// longer than `longest`.
    pub fn watch(&self, task: &'static str, longest: Duration) -> Pulse {
        let watched = Arc::new(Watched {
            task,
            longest: millis(longest),
            beaten: AtomicU64::new(self.0.clock.load(Ordering::Relaxed)),
        });
        self.0.watched.lock().push(watched.clone());
        Pulse(Some((self.clone(), watched)))
    }

    /// The first failure, if there is one.
    pub fn failure(&self) -> Option<Failure> {
        *self.0.failure.borrow()
    }

    /// Waits for the first failure, and says which it is.
    pub async fn failed(&self) -> Failure {
        let mut failure = self.0.failure.subscribe();
        loop {
            if let Some(failure) = *failure.borrow_and_update() {
                return failure;
            }
            // It never errs, because the sender lives as long as this.
            _ = failure.changed().await;
        }
    }

    /// From now on tasks may end. They may still not panic, or hang on the way.
    pub fn let_end(&self) {
        self.0.may_end.store(true, Ordering::Relaxed);
    }

    /// Starts a thread that looks for tasks that hang, logs the first failure, and after
    /// it ends the process within five seconds, with [`EXIT_CODE`]. The thread needs no
    /// runtime, as that may be what hangs.
    ///
    /// While one task of this runtime hangs, the others go on: tokio leaves all workers
    /// asleep when the one that watched the sockets begins a task and none other is due
    /// (tokio's issue 4730), and each look wakes one.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn exit_on_failure(&self, runtime: Handle) -> io::Result<()> {
        let vitals = self.clone();
        let watch = move || {
            let ran = Arc::new(AtomicU64::new(0));
            let mut spawned = 0;
            let mut look_later = || {
                let ran_now = ran.clone();
                runtime.spawn(async move { ran_now.fetch_add(1, Ordering::Relaxed) });
                spawned += 1;
                thread::sleep(LOOK);
                if ran.load(Ordering::Relaxed) == spawned {
                    Runtime::Prompt
                } else {
                    Runtime::Late
                }
            };
            let mut looked = Instant::now();
            let failure = loop {
                let runtime = look_later();
                let now = Instant::now();
                if let Some(failure) = vitals.look(now - looked, runtime) {
                    break failure;
                }
                looked = now;
            };
            // On another thread: the log may be what hangs. Without one, the code says it.
            _ = thread::Builder::new().spawn(move || {
                tracing::error!("{failure}; the process ends, to be started again");
            });
            let end = Instant::now() + GRACE;
            while Instant::now() < end {
                look_later();
            }
            std::process::exit(EXIT_CODE.into());
        };
        thread::Builder::new().name("vitals".into()).spawn(watch)?;
        Ok(())
    }

    /// Looks at all tasks when this time has passed since the last look, and gives the
    /// first failure.
    fn look(&self, passed: Duration, runtime: Runtime) -> Option<Failure> {
        // Who looks too late did not run, and so it may have been with all others.
        let passed = millis(passed.min(2 * LOOK));
        // While much waits for its turn, a task that is not heard of may be among that: a
        // busy server is not to be ended. Nothing runs any more only if that goes on.
        if runtime == Runtime::Late {
            let late = self.0.late.fetch_add(passed, Ordering::Relaxed) + passed;
            if late > millis(LONGEST_LATE) {
                self.fail(Failure::Hung {
                    task: "the runtime",
                    after: Duration::from_millis(late),
                });
            }
            return self.failure();
        }
        self.0.late.store(0, Ordering::Relaxed);
        let now = self.0.clock.fetch_add(passed, Ordering::Relaxed) + passed;
        let hung = self.0.watched.lock().iter().find_map(|it| it.hung(now));
        if let Some(failure) = hung {
            self.fail(failure);
        }
        self.failure()
    }

    fn fail(&self, failure: Failure) {
        self.0.failure.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(failure);
            is_first
        });
    }
}

impl Watched {
    fn hung(&self, now: u64) -> Option<Failure> {
        let beaten = self.beaten.load(Ordering::Relaxed);
        // A resting task has beaten in the future.
        let after = now.saturating_sub(beaten);
        (after > self.longest).then_some(Failure::Hung {
            task: self.task,
            after: Duration::from_millis(after),
        })
    }
}

/// By which a task says that it goes on. To drop one is a failure of the task, unless it
/// was retired.
#[must_use]
pub struct Pulse(Option<(Vitals, Arc<Watched>)>);

impl Pulse {
    /// For a task that nobody watches.
    pub fn unwatched() -> Pulse {
        Pulse(None)
    }

    /// Says that the task goes on. It costs two accesses to memory.
    pub fn beat(&self) {
        if let Some((vitals, watched)) = &self.0 {
            let now = vitals.0.clock.load(Ordering::Relaxed);
            watched.beaten.store(now, Ordering::Relaxed);
        }
    }

    /// Says that the task waits for something to do, for however long, until the next
    /// beat.
    pub fn rest(&self) {
        if let Some((_, watched)) = &self.0 {
            watched.beaten.store(RESTING, Ordering::Relaxed);
        }
    }

    /// The task has come to the end that it should have.
    pub fn retire(mut self) {
        if let Some((vitals, watched)) = self.0.take() {
            vitals.forget(&watched);
        }
    }

    /// Runs a task to its end, which is then no failure, and beats while the runtime
    /// gets on with it. It does not find out that a task waits for what never comes: a
    /// task with such waits should beat by itself, in each turn and every [`beats`].
    pub async fn keep<T>(self, task: impl Future<Output = T>) -> T {
        let mut task = pin!(task);
        let mut beats = beats();
        let output = loop {
            self.beat();
            tokio::select! {
                output = &mut task => break output,
                _ = beats.tick() => {}
            }
        };
        self.retire();
        output
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let Some((vitals, watched)) = self.0.take() else {
            return;
        };
        vitals.forget(&watched);
        if thread::panicking() {
            vitals.fail(Failure::Panicked(watched.task));
        } else if !vitals.0.may_end.load(Ordering::Relaxed) {
            vitals.fail(Failure::Ended(watched.task));
        }
    }
}

impl Vitals {
    fn forget(&self, watched: &Arc<Watched>) {
        let mut all = self.0.watched.lock();
        all.retain(|known| !Arc::ptr_eq(known, watched));
    }
}

/// When a task is to beat that waits for something to do.
pub fn beats() -> Interval {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(2);

    /// Looks for so long as often as the thread does.
    fn look_for(vitals: &Vitals, time: Duration) -> Option<Failure> {
        let looks = time.as_millis() / LOOK.as_millis();
        (0..looks).find_map(|_| vitals.look(LOOK, Runtime::Prompt))
    }

    #[test]
    fn a_task_that_does_not_beat_hangs() {
        let vitals = Vitals::default();
        let (hangs, beats) = (
            vitals.watch("one", LONGEST),
            vitals.watch("other", 2 * LONGEST),
        );
        assert_eq!(look_for(&vitals, LONGEST), None);
        let failure = Failure::Hung {
            task: "one",
            after: LONGEST + LOOK,
        };
        assert_eq!(look_for(&vitals, LOOK), Some(failure));
        assert_eq!(
            failure.to_string(),
            "one hangs: nothing was heard of it for 2 s"
        );
        hangs.retire();
        beats.retire();
        assert_eq!(vitals.failure(), Some(failure), "for good");
    }

    #[test]
    fn a_busy_runtime_does_not_hang_until_it_begins_nothing_for_long() {
        let vitals = Vitals::default();
        let pulse = vitals.watch("task", LONGEST);
        let looks = LONGEST_LATE.as_millis() / LOOK.as_millis();
        for _ in 0..3 {
            for _ in 0..looks {
                assert_eq!(vitals.look(LOOK, Runtime::Late), None);
            }
            assert_eq!(vitals.look(LOOK, Runtime::Prompt), None);
        }
        for _ in 0..looks {
            assert_eq!(vitals.look(LOOK, Runtime::Late), None);
        }
        let failure = vitals.look(LOOK, Runtime::Late);
        let runtime = |failure| {
            matches!(
                failure,
                Failure::Hung {
                    task: "the runtime",
                    ..
                }
            )
        };
        assert!(failure.is_some_and(runtime), "{failure:?}");
        pulse.retire();
    }

    #[test]
    fn a_task_that_beats_or_rests_does_not_hang() {
        let vitals = Vitals::default();
        let pulse = vitals.watch("task", LONGEST);
        for _ in 0..10 {
            assert_eq!(look_for(&vitals, LONGEST), None);
            pulse.beat();
        }
        pulse.rest();
        assert_eq!(look_for(&vitals, 100 * LONGEST), None);
        pulse.beat();
        assert_eq!(look_for(&vitals, LONGEST), None);
        assert!(look_for(&vitals, LOOK).is_some());
        pulse.retire();
    }

    #[test]
    fn a_process_that_was_suspended_has_not_failed() {
        let vitals = Vitals::default();
        let pulse = vitals.watch("task", LONGEST);
        for _ in 0..4 {
            assert_eq!(
                vitals.look(Duration::from_secs(3600), Runtime::Prompt),
                None
            );
        }
        pulse.retire();
    }

    #[test]
    fn a_retired_task_may_be_silent() {
        let vitals = Vitals::default();
        vitals.watch("task", LONGEST).retire();
        assert_eq!(look_for(&vitals, 2 * LONGEST), None);
    }

    #[test]
    fn the_first_task_that_ends_is_the_failure() {
        let vitals = Vitals::default();
        drop(vitals.watch("one", LONGEST));
        drop(vitals.watch("other", LONGEST));
        assert_eq!(vitals.failure(), Some(Failure::Ended("one")));
    }

    #[test]
    fn a_thread_that_panics_has_failed_at_once() {
        for may_end in [false, true] {
            let vitals = Vitals::default();
            let pulse = vitals.watch("task", LONGEST);
            if may_end {
                vitals.let_end();
            }
            let thread = thread::spawn(move || {
                pulse.beat();
                panic!("as asked for");
            });
            assert!(thread.join().is_err());
            assert_eq!(vitals.failure(), Some(Failure::Panicked("task")));
        }
    }

    #[test]
    fn tasks_that_may_end_may_not_hang() {
        let vitals = Vitals::default();
        let (ends, hangs) = (vitals.watch("one", LONGEST), vitals.watch("other", LONGEST));
        vitals.let_end();
        drop(ends);
        assert_eq!(vitals.failure(), None);
        let failure = look_for(&vitals, LONGEST + LOOK);
        assert!(matches!(failure, Some(Failure::Hung { task: "other", .. })));
        hangs.retire();
    }

    #[tokio::test(start_paused = true)]
    async fn a_future_is_kept_alive_while_it_waits() {
        let vitals = Vitals::default();
        let (end, ended) = tokio::sync::oneshot::channel::<u8>();
        let kept = tokio::spawn(vitals.watch("task", LONGEST).keep(ended));
        for _ in 0..100 {
            tokio::time::sleep(LOOK).await;
            assert_eq!(vitals.look(LOOK, Runtime::Prompt), None);
        }
        end.send(7).unwrap();
        assert_eq!(kept.await.unwrap(), Ok(7));
        assert_eq!(look_for(&vitals, 2 * LONGEST), None, "that was its end");
    }

    #[tokio::test]
    async fn a_future_that_panics_or_is_cancelled_has_failed() {
        let vitals = Vitals::default();
        let pulse = vitals.watch("task", LONGEST);
        let task = tokio::spawn(pulse.keep(async { panic!("as asked for") }));
        assert_eq!(vitals.failed().await, Failure::Panicked("task"));
        assert!(task.await.is_err());

        let vitals = Vitals::default();
        let task = tokio::spawn(vitals.watch("task", LONGEST).keep(pending::<()>()));
        task.abort();
        assert_eq!(vitals.failed().await, Failure::Ended("task"));
    }
}
