//! In what condition the writer is: whether it can write, and if not, why, as a message for
//! everybody who waits for it.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rusqlite::ErrorCode;
use tokio::{sync::watch, time::sleep};

use crate::{
    store::{Health, LONGEST_APPEND, StoreError},
    vital::Pulse,
};

/// How long the disk may take for one thing before it is reported to hang: as long as
/// somebody waits for it. A slow card takes seconds to write back what is in the log.
const LONGEST_IO: Duration = LONGEST_APPEND;

/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How long the same trouble, when it comes again, is not logged.
const QUIET: Duration = Duration::from_secs(60);

const HANGS: &str = "the disk does not answer: whoever runs the server should look at it, and when \
                     it answers again, writing goes on by itself";

/// Why nothing can be written, as the message of [`Health::Unwritable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It may be over when it is tried again.
    Passing(Cause),
    /// The file is not the one that was opened, or damaged: nothing is written to it any
    /// more by this process.
    Lasting(String),
}

/// What may be over when it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Full,
    Failing,
    ReadOnly,
    Locked,
    Other,
}

impl Trouble {
    /// What an error means for the file.
    pub(super) fn of(error: &StoreError) -> Trouble {
        let error = match error {
            StoreError::Database(error) => error,
            StoreError::Unwritable(why) => return Trouble::Lasting((**why).to_owned()),
            _ => return Trouble::damaged(),
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::damaged(),
            // Entries are numbered by this process alone.
            Some(ErrorCode::ConstraintViolation) => {
                Trouble::replaced("another program has written to the log of the board")
            }
            Some(ErrorCode::DiskFull) => Trouble::Passing(Cause::Full),
            Some(ErrorCode::SystemIoFailure) => Trouble::Passing(Cause::Failing),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Trouble::Passing(Cause::ReadOnly)
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Trouble::Passing(Cause::Locked)
            }
            Some(_) => Trouble::Passing(Cause::Other),
            // A value that this program does not write.
            None => Trouble::damaged(),
        }
    }

    /// What it means that a file cannot be looked at or made.
    pub(super) fn of_file(error: &io::Error) -> Trouble {
        Trouble::Passing(match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Cause::ReadOnly,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Cause::Full,
            _ => Cause::Failing,
        })
    }

    fn damaged() -> Trouble {
        Trouble::Lasting(
            "the board's file is damaged: whoever runs the server should keep it as it is and \
             restore a backup"
                .into(),
        )
    }

    /// The file was replaced or changed by somebody else; `what` says how.
    pub(super) fn replaced(what: &str) -> Trouble {
        Trouble::Lasting(format!(
            "{what}: whoever runs the server should put back what was there and start the server \
             again"
        ))
    }

    /// What this process can do no more, and the next one can.
    pub(super) fn restart(what: &str) -> Trouble {
        Trouble::Lasting(format!(
            "{what}: whoever runs the server should start it again, and nothing is lost"
        ))
    }

    /// For everybody.
    pub(super) fn message(&self) -> &str {
        match self {
            Trouble::Lasting(words) => words,
            Trouble::Passing(cause) => match cause {
                Cause::Full => "the disk is full: make room, and writing goes on by itself",
                Cause::Failing => {
                    "the disk reports errors: whoever runs the server should look at it, and at \
                     its quota; when they end, writing goes on by itself"
                }
                Cause::ReadOnly => {
                    "the board's file or its folder cannot be written any more: make them \
                     writable, and writing goes on by itself"
                }
                Cause::Locked => {
                    "another program has locked the board's file: when it is done, writing goes \
                     on by itself"
                }
                Cause::Other => "the database failed, as the server's log says",
            },
        }
    }
}

/// The condition, which the writer reports and others subscribe to.
#[derive(Clone)]
pub(super) struct Condition(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    health: watch::Sender<Health>,
}

struct State {
    /// What the writer has found.
    found: Health,
    /// Since when the disk has been asked for something.
    waiting: Option<Instant>,
    logged: Logged,
}

/// What of the condition was logged.
#[derive(Default)]
struct Logged {
    /// Why nothing can be stored, and whether that is over, as it was logged.
    last: Option<(Arc<str>, bool)>,
    /// When that was logged.
    at: Option<Instant>,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Unwritable(Arc<str>),
    Open,
}

impl Logged {
    /// What is to be logged in this condition, if anything. A disk with just a little room
    /// is full and not full many times in a minute: that is logged once, and how it is in
    /// the end.
    fn next(&mut self, health: &Health, now: Instant) -> Option<Line> {
        match (health, &mut self.last) {
            (Health::Unwritable(why), Some((last, is_over))) if last == why => {
                let is_early = |at| now.saturating_duration_since(at) < QUIET;
                if !*is_over || self.at.is_some_and(is_early) {
                    return None;
                }
            }
            (Health::Unwritable(_), _) => {}
            (Health::Open, Some((_, is_over))) if !*is_over => {
                *is_over = true;
                return Some(Line::Open);
            }
            _ => return None,
        }
        let Health::Unwritable(why) = health else {
            return None;
        };
        self.last = Some((why.clone(), false));
        self.at = Some(now);
        Some(Line::Unwritable(why.clone()))
    }
}

impl Condition {
    pub(super) fn new() -> Condition {
        Condition(Arc::new(Shared {
            state: Mutex::new(State {
                found: Health::Open,
                waiting: None,
                logged: Logged::default(),
            }),
            health: watch::Sender::new(Health::Open),
        }))
    }

    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.0.health.subscribe()
    }

    /// Reports what the writer has found. The store stays closed once it is.
    pub(super) fn report(&self, health: Health) {
        let mut state = self.0.state.lock();
        state.found = health.clone();
        self.publish(&mut state, health);
    }

    /// Asks the disk for something that may take as long as the disk likes. That is no
    /// fault of the writer's: to end the process would not make the disk answer, and
    /// nobody could see the board.
    pub(super) fn wait_for_disk<T>(&self, pulse: &Pulse, ask: impl FnOnce() -> T) -> T {
        self.0.state.lock().waiting = Some(Instant::now());
        pulse.rest();
        let answer = ask();
        pulse.beat();
        let mut state = self.0.state.lock();
        state.waiting = None;
        let found = state.found.clone();
        self.publish(&mut state, found);
        answer
    }

    /// Does the disk hang?
    pub(super) fn hangs(&self) -> bool {
        let waiting = self.0.state.lock().waiting;
        waiting.is_some_and(|since| since.elapsed() >= LONGEST_IO)
    }

    /// Reports a disk that hangs, until the store is closed.
    pub(super) async fn watch(self) {
        while *self.0.health.borrow() != Health::Closed {
            self.look();
            sleep(LOOK).await;
        }
    }

    fn look(&self) {
        let mut state = self.0.state.lock();
        let hangs = state.waiting.is_some_and(|it| it.elapsed() >= LONGEST_IO);
        let health = if hangs {
            Health::Unwritable(HANGS.into())
        } else {
            self.0.health.borrow().clone()
        };
        // Also if it is not new: it may not have been logged yet.
        self.publish(&mut state, health);
    }

    /// Why a command is refused that the disk keeps from being written.
    pub(super) fn refusal() -> StoreError {
        StoreError::Unwritable(HANGS.into())
    }

    /// To be called with the state locked, so that the last to know is the last to publish.
    fn publish(&self, state: &mut State, health: Health) {
        self.0.health.send_if_modified(|known| {
            if *known == Health::Closed {
                return false;
            }
            match state.logged.next(&health, Instant::now()) {
                Some(Line::Unwritable(why)) => {
                    tracing::error!("nothing can be stored, because {why}");
                }
                Some(Line::Open) => tracing::info!("the store can write again"),
                None => {}
            }
            let is_new = *known != health;
            *known = health;
            is_new
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_that_comes_and_goes_is_logged_once_a_minute() {
        let start = Instant::now();
        let mut logged = Logged::default();
        let full = Health::Unwritable("it is full".into());
        let mut lines = Vec::new();
        // Half of a second each, of two minutes and a half; it is full in the end.
        for n in 0..300 {
            let health = if n % 2 == 0 { &Health::Open } else { &full };
            let now = start + n * Duration::from_millis(500);
            lines.extend(logged.next(health, now));
        }
        let line = || Line::Unwritable("it is full".into());
        assert_eq!(
            lines,
            [line(), Line::Open, line(), Line::Open, line(), Line::Open]
        );
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(logged.next(&full, after(160)), None);
        assert_eq!(logged.next(&full, after(200)), Some(line()));
        assert_eq!(logged.next(&full, after(300)), None, "it was logged");
        let other = Health::Unwritable("it is broken".into());
        assert!(logged.next(&other, after(301)).is_some());
        assert_eq!(logged.next(&Health::Open, after(302)), Some(Line::Open));
        assert_eq!(logged.next(&Health::Open, after(303)), None);
    }

    #[test]
    fn a_disk_that_answers_again_is_said_to_be_as_the_writer_found_it() {
        let condition = Condition::new();
        let health = condition.health();
        let pulse = Pulse::unwatched();
        for found in [Health::Open, Health::Unwritable("it is full".into())] {
            condition.report(found.clone());
            condition.wait_for_disk(&pulse, || {
                assert!(!condition.hangs());
                condition.look();
                assert_eq!(*health.borrow(), found);
                let mut state = condition.0.state.lock();
                state.waiting = state.waiting.and_then(|it| it.checked_sub(LONGEST_IO));
                drop(state);
                condition.look();
                assert!(condition.hangs());
                assert_ne!(*health.borrow(), found);
            });
            assert!(!condition.hangs());
            assert_eq!(*health.borrow(), found);
        }
        condition.report(Health::Closed);
        condition.report(Health::Open);
        assert_eq!(*health.borrow(), Health::Closed);
    }
}
