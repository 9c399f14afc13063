use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{permit::GOOD_AFTER, replaceable::REPLACED_WITHIN, *};
use crate::limits::tests::{address, number};

const ONE: UserId = UserId([1; 16]);
const OTHER: UserId = UserId([2; 16]);
const SECOND: Duration = Duration::from_secs(1);

/// A clock, and the limits of one address.
struct Run {
    limits: Arc<SessionLimits>,
    now: Instant,
    viewers: std::cell::Cell<u128>,
}

impl Run {
    /// Three sessions in 900 s, so one more each 300 s.
    fn new() -> Run {
        let table = LimitsTable {
            connections_per_ip: number(3),
            connections_window: Duration::from_secs(900),
            sockets_per_ip: number(5),
            events_per_minute: number(4),
            ..LimitsTable::default()
        };
        Run {
            limits: Arc::new(SessionLimits::new(&table)),
            now: Instant::now(),
            viewers: std::cell::Cell::new(0),
        }
    }

    fn open(&self, signed_in: Option<UserId>) -> Admission {
        let key = Some(address("192.0.2.1"));
        self.limits.open(key, signed_in, self.now)
    }

    /// A session by which this user has joined, or a viewer who comes once.
    fn join(&self, signed_in: Option<UserId>) -> Option<SessionPermit> {
        self.viewers.set(self.viewers.get() + 1);
        let viewer = UserId(self.viewers.get().to_be_bytes());
        self.join_as(signed_in.unwrap_or(viewer), signed_in.is_some())
    }

    fn join_as(&self, user: UserId, is_signed_in: bool) -> Option<SessionPermit> {
        let (Admission::Opened(mut permit) | Admission::Refused(mut permit, _)) = self.open(None)
        else {
            return None;
        };
        permit.admit(Some(user), is_signed_in, self.now).ok()?;
        permit.joined(user, is_signed_in, self.now);
        Some(permit)
    }

    /// How many of so many viewers are let in who come now.
    fn crowd(&self, count: usize) -> Vec<SessionPermit> {
        (0..count).filter_map(|_| self.join(None)).collect()
    }

    /// Pages, of which each remains the same viewer.
    fn pages(&self, users: std::ops::Range<u8>) -> Vec<SessionPermit> {
        let join = |n| self.join_as(UserId([n; 16]), false);
        users.filter_map(join).collect()
    }

    fn end(&self, sessions: Vec<SessionPermit>) {
        for session in sessions {
            session.ended(false, self.now);
        }
    }

    fn lose(&self, sessions: Vec<SessionPermit>) {
        for session in sessions {
            session.ended(true, self.now);
        }
    }

    fn connect_time(&self, user: UserId) -> ConnectTime {
        let key = Some(address("192.0.2.1"));
        self.limits.connect_time(key, user, self.now)
    }
}

#[test]
fn all_clients_whose_connections_are_lost_at_once_come_back() {
    let mut run = Run::new();
    let mut sessions = run.crowd(5);
    assert_eq!(sessions.len(), 3);
    for _ in 0..20 {
        run.lose(sessions);
        run.now += SECOND;
        sessions = run.crowd(5);
        assert_eq!(sessions.len(), 3, "they and nobody else");
        run.now += GOOD_AFTER;
    }
}

#[test]
fn connections_lost_on_purpose_double_the_sessions_at_most() {
    let mut run = Run::new();
    let mut begun = 0;
    for _ in 0..100 {
        let sessions = run.crowd(10);
        begun += sessions.len();
        run.lose(sessions);
        run.now += Duration::from_millis(10);
    }
    assert_eq!(begun, 6);
}

#[test]
fn a_session_without_a_client_is_not_replaced_and_others_for_a_minute() {
    let mut run = Run::new();
    let opened: Vec<_> = (0..3).map(|_| run.open(None)).collect();
    drop(opened);
    assert!(run.crowd(1).is_empty());
    let mut run_again = Run::new();
    let sessions = run_again.crowd(3);
    run_again.lose(sessions);
    run_again.now += REPLACED_WITHIN;
    assert!(run_again.crowd(3).is_empty());
    run.now += Duration::from_secs(300);
    assert_eq!(run.crowd(3).len(), 1);
}

#[test]
fn a_session_that_ended_otherwise_counts() {
    let run = Run::new();
    run.end(run.crowd(3));
    assert!(run.crowd(1).is_empty());
}

#[test]
fn pages_that_disconnected_come_back_and_no_other_client() {
    let mut run = Run::new();
    let mut pages = run.pages(1..4);
    assert_eq!(pages.len(), 3);
    for _ in 0..20 {
        run.end(pages);
        run.now += SECOND;
        pages = run.pages(1..4);
        assert_eq!(pages.len(), 3);
        run.now += GOOD_AFTER;
    }
    run.end(pages);
    assert!(run.crowd(1).is_empty());
    run.now += REPLACED_WITHIN;
    assert!(run.pages(1..4).is_empty());
}

#[test]
fn pages_that_reconnect_at_once_do_so_twice_as_often_at_most() {
    let mut run = Run::new();
    let mut begun = 0;
    for _ in 0..100 {
        let pages = run.pages(1..4);
        begun += pages.len();
        run.end(pages);
        run.now += Duration::from_millis(10);
    }
    assert_eq!(begun, 6);
}

#[test]
fn a_page_that_comes_back_replaces_no_session_of_another() {
    let mut run = Run::new();
    let mut pages = run.pages(1..4);
    let gone = pages.split_off(1);
    run.lose(pages);
    run.end(gone);
    run.now += SECOND;
    // The chance of the first is anybody's, until it is known who comes.
    assert_eq!(run.pages(2..4).len(), 2);
    assert_eq!(run.pages(1..2).len(), 1);
    assert!(run.crowd(1).is_empty());
}

#[test]
fn a_page_whose_connection_was_lost_may_connect_now() {
    let run = Run::new();
    let mut pages = run.pages(1..4);
    let last = pages.split_off(2);
    run.end(last);
    assert_eq!(run.connect_time(UserId([3; 16])), ConnectTime::Now);
    assert_eq!(
        run.connect_time(UserId([9; 16])),
        ConnectTime::After(300 * SECOND)
    );
    run.lose(pages);
    assert_eq!(run.connect_time(UserId([9; 16])), ConnectTime::Now);
    assert_eq!(
        run.connect_time(UserId([8; 16])),
        ConnectTime::Now,
        "there are two chances"
    );
    assert_eq!(
        run.connect_time(UserId([7; 16])),
        ConnectTime::After(300 * SECOND)
    );
}

#[test]
fn users_beyond_their_own_limit_wait_for_that_of_their_address() {
    let run = Run::new();
    let key = Some(address("192.0.2.1"));
    let connect_time = || run.limits.connect_time_of_user(key, ONE, run.now);
    for _ in 0..4 {
        assert_eq!(connect_time(), ConnectTime::Now);
        run.open(Some(ONE));
    }
    assert_eq!(connect_time(), ConnectTime::Now);
    for _ in 0..6 {
        run.open(None);
    }
    assert_eq!(connect_time(), ConnectTime::After(15 * SECOND));
}

#[test]
fn sessions_refused_for_concurrency_take_no_token() {
    let mut run = Run::new();
    let mut held = run.crowd(3);
    run.now += Duration::from_secs(900);
    held.extend(run.crowd(2));
    assert!(run.crowd(3).is_empty(), "there are five");
    run.end(held);
    assert_eq!(run.crowd(3).len(), 1, "of three that begin");
}

#[test]
fn signed_in_users_have_limits_of_their_own() {
    let run = Run::new();
    let users: Vec<_> = (0..50).map(|n| run.join(Some(UserId([n; 16])))).collect();
    assert!(users.iter().all(Option::is_some));
    assert_eq!(run.crowd(4).len(), 3, "viewers have all that there is");
    // A viewer is told why, or not even that; a user comes in by what is left.
    assert!(matches!(run.open(None), Admission::Refused(..)));
    for n in 0..50 {
        assert!(run.join(Some(UserId([n; 16]))).is_some());
    }
}

#[test]
fn users_with_a_cookie_take_nothing_of_their_address() {
    let run = Run::new();
    let mut permits: Vec<_> = (0..10).map(|_| run.open(None)).collect();
    permits.retain(|it| !matches!(it, Admission::Flooded(_)));
    assert_eq!(permits.len(), 6);
    for _ in 0..4 {
        let Admission::Opened(mut permit) = run.open(Some(ONE)) else {
            panic!("a user of their own limits");
        };
        assert_eq!(permit.admit(Some(ONE), true, run.now), Ok(()));
        permit.joined(ONE, true, run.now);
    }
    // Beyond their own limits they are one of the crowd.
    assert!(matches!(run.open(Some(ONE)), Admission::Flooded(_)));
}

#[test]
fn a_session_of_a_user_that_a_viewer_joins_counts_for_the_address() {
    let run = Run::new();
    let join = || {
        let Admission::Opened(mut permit) = run.open(Some(ONE)) else {
            return None;
        };
        permit.admit(None, false, run.now).ok()?;
        permit.joined(OTHER, false, run.now);
        Some(permit)
    };
    let joined: Vec<_> = (0..4).map(|_| join()).collect();
    assert_eq!(joined.iter().flatten().count(), 3);
}

#[test]
fn an_address_has_a_limit_of_concurrent_sessions_however_they_started() {
    let mut run = Run::new();
    let mut held = run.crowd(3);
    run.now += Duration::from_secs(900);
    held.extend(run.crowd(3));
    assert_eq!(held.len(), 5);
    run.lose(held.drain(..3).collect());
    held.extend(run.crowd(10));
    assert_eq!(held.len(), 5);
    assert_eq!(run.connect_time(ONE), ConnectTime::Unknown);
}

#[test]
fn each_page_that_waits_has_its_own_connect_time() {
    let mut run = Run::new();
    assert_eq!(run.connect_time(ONE), ConnectTime::Now);
    let _held = run.crowd(3);
    assert_eq!(run.connect_time(ONE), ConnectTime::After(300 * SECOND));
    assert_eq!(run.connect_time(OTHER), ConnectTime::After(600 * SECOND));
    assert_eq!(run.connect_time(ONE), ConnectTime::After(300 * SECOND));
    for _ in 0..30 {
        run.now += 10 * SECOND;
        run.connect_time(ONE);
        run.connect_time(OTHER);
    }
    assert_eq!(run.connect_time(OTHER), ConnectTime::After(300 * SECOND));
    assert_eq!(run.connect_time(ONE), ConnectTime::Now);
    let Admission::Opened(mut permit) = run.open(None) else {
        panic!("it was told that it may");
    };
    permit.joined(ONE, false, run.now);
    assert_eq!(run.connect_time(OTHER), ConnectTime::After(300 * SECOND));
}

#[test]
fn nothing_is_stored_of_quiet_clients() {
    let mut run = Run::new();
    let mut sessions = run.crowd(3);
    drop(sessions.pop());
    run.lose(sessions);
    run.connect_time(ONE);
    run.open(Some(ONE));
    run.now += Duration::from_secs(1000);
    run.limits.forget_quiet(run.now);
    assert!(run.limits.replaceable.is_empty());
    assert_eq!(run.limits.started.len() + run.limits.attempts.len(), 0);
    assert_eq!(run.limits.users.len(), 0);
}
