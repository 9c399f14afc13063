//! How many sessions an address may begin, and how many it may have at once.
//!
//! Three kinds of sessions do not count for their address, because a crowd behind one
//! address is no attack:
//! - those of signed-in users, who have limits of their own. Whoever shows who they are
//!   only when a client joins is counted first, and what was taken is then given back;
//! - one for each that replaces another: when a network fails for a moment, all of its
//!   clients come back at once. See [`Replaceable`];
//! - those of addresses in `limits.allow`.
//!
//! Of the second kind nobody gains: only a session by which a client had joined can be
//! replaced, once, and only one that was itself counted, or has held for as long as a good
//! connection does. So whoever ends sessions on purpose begins at most twice as many,
//! and never has more of them at once.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Place, Places, Reason,
    buckets::Buckets,
    replaceable::{Ended, Replaceable},
    waiting::Waiting,
};
use crate::{board::UserId, config::LimitsTable};

/// A session that replaces another can be replaced itself once it has held for so long;
/// to the page, too, a connection is good from then on (`app/src/connection/session.rs`).
const GOOD_AFTER: Duration = Duration::from_secs(10);

/// The limits of all addresses.
#[derive(Debug)]
pub(super) struct SessionLimits {
    begun: Buckets<IpAddr>,
    /// Twice as many: beyond these an address is not even told why.
    attempts: Buckets<IpAddr>,
    at_once: Places<IpAddr>,
    of_user: Buckets<UserId>,
    replaceable: Replaceable,
    waiting: Waiting,
}

/// For whom a session counts, if it may be one at all. What it holds is given back when
/// it is dropped.
#[derive(Debug)]
pub struct SessionPermit {
    limits: Arc<SessionLimits>,
    counts: Counts,
}

#[derive(Debug)]
enum Counts {
    /// Its address is not limited.
    Nowhere,
    OfAddress {
        key: IpAddr,
        _place: Place<IpAddr>,
        /// The session that it replaces; without one it counts.
        replaced: Option<Ended>,
        /// Whose client has joined by it, and from when on it may be replaced itself.
        joined: Option<(UserId, Instant)>,
    },
    /// It was opened in the name of a signed-in user.
    OfUser { key: IpAddr },
    /// Its address is over its limits.
    Refused { key: IpAddr },
}

/// What becomes of a request to open a session.
#[derive(Debug)]
pub enum Admission {
    /// There is one; whether a client may join by it, the permit says.
    Opened(SessionPermit),
    /// There is one, by which its client is told that its address is over its limits,
    /// unless a signed-in user joins by it.
    Refused(SessionPermit, Reason),
    /// The address is so far over its limits that, for this long, an answer is too much.
    Flooded(Duration),
}

/// When a page may connect, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Now,
    /// After this time, about.
    After(Duration),
    /// When others of its address have gone.
    Unknown,
}

impl SessionLimits {
    pub(super) fn new(table: &LimitsTable) -> SessionLimits {
        let size = table.connections_per_ip;
        let twice = size.saturating_mul(const { NonZeroU32::new(2).unwrap() });
        SessionLimits {
            begun: Buckets::new(size, table.connections_window),
            attempts: Buckets::new(twice, table.connections_window),
            at_once: Places::new(table.sockets_per_ip),
            of_user: Buckets::new(table.events_per_minute, Duration::from_secs(60)),
            replaceable: Replaceable::new(size.get() as usize),
            waiting: Waiting::default(),
        }
    }

    /// Opens a session of an address, in the name of a user if one is signed in.
    pub(super) fn open(
        self: &Arc<Self>,
        key: Option<IpAddr>,
        signed_in: Option<UserId>,
        now: Instant,
    ) -> Admission {
        let Some(key) = key else {
            return Admission::Opened(self.permit(Counts::Nowhere));
        };
        if let Some(user) = signed_in
            && self.of_user.take(user, now).is_ok()
        {
            return Admission::Opened(self.permit(Counts::OfUser { key }));
        }
        let place = self.at_once.take(key);
        if let Some(place) = place {
            if let Some(broken) = self.replaceable.take_broken(key, now) {
                return Admission::Opened(self.of_address(key, place, Some(broken)));
            }
            return match self.attempts.take(key, now) {
                Err(wait) => Admission::Flooded(wait),
                Ok(()) if self.begun.take(key, now).is_ok() => {
                    Admission::Opened(self.of_address(key, place, None))
                }
                Ok(()) => self.refuse(key, Reason::Sessions),
            };
        }
        match self.attempts.take(key, now) {
            Err(wait) => Admission::Flooded(wait),
            Ok(()) => self.refuse(key, Reason::SessionsAtOnce),
        }
    }

    /// When the page of this viewer may connect from an address.
    pub(super) fn turn(&self, key: Option<IpAddr>, viewer: UserId, now: Instant) -> Turn {
        let Some(key) = key else {
            return Turn::Now;
        };
        if self.at_once.is_full(key) {
            return Turn::Unknown;
        }
        let (is_own, broken) = self.replaceable.count(key, viewer, now);
        if is_own {
            return after(self.attempts.wait(key, 1, now));
        }
        let before = self.waiting.position(key, viewer, now);
        let turn = if before < broken {
            Turn::Now
        } else {
            let count = u32::try_from(before - broken).unwrap_or(u32::MAX);
            let count = count.saturating_add(1);
            let begun = self.begun.wait(key, count, now);
            after(begun.max(self.attempts.wait(key, count, now)))
        };
        self.waiting.told(key, viewer, turn == Turn::Now, now);
        turn
    }

    /// When the page of this user may connect from an address, who is signed in: by what
    /// is theirs, or by what is left of their address.
    pub(super) fn turn_of_user(&self, key: Option<IpAddr>, user: UserId, now: Instant) -> Turn {
        key.map_or(Turn::Now, |key| {
            let own = self.of_user.wait(user, 1, now);
            after(own.min(self.attempts.wait(key, 1, now)))
        })
    }

    pub(super) fn forget_quiet(&self, now: Instant) {
        self.begun.forget_full(now);
        self.attempts.forget_full(now);
        self.of_user.forget_full(now);
        self.waiting.forget_gone(now);
        self.replaceable.forget_old(now);
    }

    fn count(&self, key: IpAddr, now: Instant) -> Result<Place<IpAddr>, Reason> {
        let place = self.at_once.take(key).ok_or(Reason::SessionsAtOnce)?;
        self.begun.take(key, now).map_err(|_| Reason::Sessions)?;
        Ok(place)
    }

    fn permit(self: &Arc<Self>, counts: Counts) -> SessionPermit {
        SessionPermit {
            limits: self.clone(),
            counts,
        }
    }

    fn of_address(
        self: &Arc<Self>,
        key: IpAddr,
        place: Place<IpAddr>,
        replaced: Option<Ended>,
    ) -> SessionPermit {
        self.permit(Counts::OfAddress {
            key,
            _place: place,
            replaced,
            joined: None,
        })
    }

    fn refuse(self: &Arc<Self>, key: IpAddr, reason: Reason) -> Admission {
        Admission::Refused(self.permit(Counts::Refused { key }), reason)
    }
}

fn after(wait: Duration) -> Turn {
    if wait.is_zero() {
        Turn::Now
    } else {
        Turn::After(wait)
    }
}

impl SessionPermit {
    /// May a client join by it: the one of this viewer, or of a signed-in user, or of
    /// somebody who is none of them?
    ///
    /// # Errors
    /// Why they may not.
    pub fn admit(
        &mut self,
        user: Option<UserId>,
        is_signed_in: bool,
        now: Instant,
    ) -> Result<(), Reason> {
        if is_signed_in {
            return Ok(());
        }
        let limits = self.limits.clone();
        let own = |key| limits.replaceable.take_own(key, user?, now);
        match &mut self.counts {
            Counts::Nowhere => Ok(()),
            Counts::OfAddress { key, replaced, .. } => {
                let key = *key;
                let Some(own) = own(key) else {
                    return Ok(());
                };
                match replaced.replace(own) {
                    Some(of_other) => limits.replaceable.add(key, of_other, now),
                    None => {
                        limits.begun.give_back(key, now);
                        limits.attempts.give_back(key, now);
                    }
                }
                Ok(())
            }
            // Opened in the name of a user, and used by nobody in particular.
            Counts::OfUser { key } => {
                let place = limits.count(*key, now)?;
                *self = limits.of_address(*key, place, None);
                Ok(())
            }
            Counts::Refused { key } => {
                let key = *key;
                let place = limits.at_once.take(key).ok_or(Reason::SessionsAtOnce)?;
                let own = own(key).ok_or(Reason::Sessions)?;
                limits.attempts.give_back(key, now);
                *self = limits.of_address(key, place, Some(own));
                Ok(())
            }
        }
    }

    /// A client has joined by it. What was counted for its address is given back if it
    /// is of a signed-in user.
    pub fn joined(&mut self, user: UserId, is_signed_in: bool, now: Instant) {
        let limits = self.limits.clone();
        let key = match self.counts {
            Counts::OfAddress { key, .. } | Counts::Refused { key } => key,
            Counts::OfUser { .. } | Counts::Nowhere => return,
        };
        limits.waiting.remove(key, user);
        match &mut self.counts {
            Counts::OfAddress {
                replaced, joined, ..
            } if !is_signed_in => {
                let good_at = replaced.as_ref().map_or(now, |_| now + GOOD_AFTER);
                *joined = Some((user, good_at));
                return;
            }
            _ if !is_signed_in => return,
            Counts::OfAddress { replaced, .. } => match replaced.take() {
                Some(broken) => limits.replaceable.add(key, broken, now),
                None => {
                    limits.begun.give_back(key, now);
                    limits.attempts.give_back(key, now);
                }
            },
            _ => limits.attempts.give_back(key, now),
        }
        self.counts = Counts::OfUser { key };
    }

    /// The session has ended. If a client had joined by it, another one of its user may
    /// replace it, and anybody's if its link broke.
    pub fn ended(self, has_broken: bool, now: Instant) {
        if let Counts::OfAddress {
            key,
            joined: Some((user, good_at)),
            ..
        } = self.counts
            && good_at <= now
        {
            let ended = Ended {
                user,
                at: now,
                has_broken,
            };
            self.limits.replaceable.add(key, ended, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{
        replaceable::REPLACED_WITHIN,
        tests::{address, number},
    };

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
            let (Admission::Opened(mut permit) | Admission::Refused(mut permit, _)) =
                self.open(None)
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

        fn leave(&self, sessions: Vec<SessionPermit>) {
            for session in sessions {
                session.ended(false, self.now);
            }
        }

        fn break_links(&self, sessions: Vec<SessionPermit>) {
            for session in sessions {
                session.ended(true, self.now);
            }
        }

        fn turn(&self, user: UserId) -> Turn {
            let key = Some(address("192.0.2.1"));
            self.limits.turn(key, user, self.now)
        }
    }

    #[test]
    fn all_whose_links_break_at_once_come_back() {
        let mut run = Run::new();
        let mut sessions = run.crowd(5);
        assert_eq!(sessions.len(), 3);
        for _ in 0..20 {
            run.break_links(sessions);
            run.now += SECOND;
            sessions = run.crowd(5);
            assert_eq!(sessions.len(), 3, "they and nobody else");
            run.now += GOOD_AFTER;
        }
    }

    #[test]
    fn whoever_breaks_links_on_purpose_begins_twice_as_many_at_most() {
        let mut run = Run::new();
        let mut begun = 0;
        for _ in 0..100 {
            let sessions = run.crowd(10);
            begun += sessions.len();
            run.break_links(sessions);
            run.now += Duration::from_millis(10);
        }
        assert_eq!(begun, 6);
    }

    #[test]
    fn a_session_that_nobody_joined_is_not_replaced_and_a_chance_lasts_a_minute() {
        let mut run = Run::new();
        let opened: Vec<_> = (0..3).map(|_| run.open(None)).collect();
        drop(opened);
        assert!(run.crowd(1).is_empty());
        let mut run_again = Run::new();
        let sessions = run_again.crowd(3);
        run_again.break_links(sessions);
        run_again.now += REPLACED_WITHIN;
        assert!(run_again.crowd(3).is_empty());
        run.now += Duration::from_secs(300);
        assert_eq!(run.crowd(3).len(), 1);
    }

    #[test]
    fn a_session_that_ended_otherwise_counts() {
        let run = Run::new();
        run.leave(run.crowd(3));
        assert!(run.crowd(1).is_empty());
    }

    #[test]
    fn pages_that_said_goodbye_come_back_and_nobody_else() {
        let mut run = Run::new();
        let mut pages = run.pages(1..4);
        assert_eq!(pages.len(), 3);
        for _ in 0..20 {
            run.leave(pages);
            run.now += SECOND;
            pages = run.pages(1..4);
            assert_eq!(pages.len(), 3);
            run.now += GOOD_AFTER;
        }
        run.leave(pages);
        assert!(run.crowd(1).is_empty());
        run.now += REPLACED_WITHIN;
        assert!(run.pages(1..4).is_empty());
    }

    #[test]
    fn pages_that_come_back_and_do_not_hold_come_twice_as_often_at_most() {
        let mut run = Run::new();
        let mut begun = 0;
        for _ in 0..100 {
            let pages = run.pages(1..4);
            begun += pages.len();
            run.leave(pages);
            run.now += Duration::from_millis(10);
        }
        assert_eq!(begun, 6);
    }

    #[test]
    fn whoever_comes_back_takes_no_chance_of_another() {
        let mut run = Run::new();
        let mut pages = run.pages(1..4);
        let gone = pages.split_off(1);
        run.break_links(pages);
        run.leave(gone);
        run.now += SECOND;
        // The chance of the first is anybody's, until it is known who comes.
        assert_eq!(run.pages(2..4).len(), 2);
        assert_eq!(run.pages(1..2).len(), 1);
        assert!(run.crowd(1).is_empty());
    }

    #[test]
    fn a_page_whose_link_broke_is_told_that_it_may_come() {
        let run = Run::new();
        let mut pages = run.pages(1..4);
        let last = pages.split_off(2);
        run.leave(last);
        assert_eq!(run.turn(UserId([3; 16])), Turn::Now);
        assert_eq!(run.turn(UserId([9; 16])), Turn::After(300 * SECOND));
        run.break_links(pages);
        assert_eq!(run.turn(UserId([9; 16])), Turn::Now);
        assert_eq!(
            run.turn(UserId([8; 16])),
            Turn::Now,
            "there are two chances"
        );
        assert_eq!(run.turn(UserId([7; 16])), Turn::After(300 * SECOND));
    }

    #[test]
    fn users_beyond_what_is_theirs_wait_for_what_is_left_of_their_address() {
        let run = Run::new();
        let key = Some(address("192.0.2.1"));
        let turn = || run.limits.turn_of_user(key, ONE, run.now);
        for _ in 0..4 {
            assert_eq!(turn(), Turn::Now);
            run.open(Some(ONE));
        }
        assert_eq!(turn(), Turn::Now);
        for _ in 0..6 {
            run.open(None);
        }
        assert_eq!(turn(), Turn::After(15 * SECOND));
    }

    #[test]
    fn too_many_at_once_take_nothing_of_what_may_begin() {
        let mut run = Run::new();
        let mut held = run.crowd(3);
        run.now += Duration::from_secs(900);
        held.extend(run.crowd(2));
        assert!(run.crowd(3).is_empty(), "there are five");
        run.leave(held);
        assert_eq!(run.crowd(3).len(), 1, "of three that begin");
    }

    #[test]
    fn signed_in_users_count_for_themselves() {
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
    fn whose_cookie_says_who_they_are_never_touch_their_address() {
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
    fn who_opens_as_a_user_and_joins_as_nobody_counts_for_the_address() {
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
    fn an_address_has_so_many_sessions_at_once_however_they_came() {
        let mut run = Run::new();
        let mut held = run.crowd(3);
        run.now += Duration::from_secs(900);
        held.extend(run.crowd(3));
        assert_eq!(held.len(), 5);
        run.break_links(held.drain(..3).collect());
        held.extend(run.crowd(10));
        assert_eq!(held.len(), 5);
        assert_eq!(run.turn(ONE), Turn::Unknown);
    }

    #[test]
    fn each_page_that_waits_is_told_its_own_turn() {
        let mut run = Run::new();
        assert_eq!(run.turn(ONE), Turn::Now);
        let _held = run.crowd(3);
        assert_eq!(run.turn(ONE), Turn::After(300 * SECOND));
        assert_eq!(run.turn(OTHER), Turn::After(600 * SECOND));
        assert_eq!(run.turn(ONE), Turn::After(300 * SECOND));
        for _ in 0..30 {
            run.now += 10 * SECOND;
            run.turn(ONE);
            run.turn(OTHER);
        }
        assert_eq!(run.turn(OTHER), Turn::After(300 * SECOND));
        assert_eq!(run.turn(ONE), Turn::Now);
        let Admission::Opened(mut permit) = run.open(None) else {
            panic!("it was told that it may");
        };
        permit.joined(ONE, false, run.now);
        assert_eq!(run.turn(OTHER), Turn::After(300 * SECOND));
    }

    #[test]
    fn nothing_is_kept_of_those_who_are_quiet() {
        let mut run = Run::new();
        let mut sessions = run.crowd(3);
        drop(sessions.pop());
        run.break_links(sessions);
        run.turn(ONE);
        run.open(Some(ONE));
        run.now += Duration::from_secs(1000);
        run.limits.forget_quiet(run.now);
        assert!(run.limits.replaceable.is_empty());
        assert_eq!(run.limits.begun.len() + run.limits.attempts.len(), 0);
        assert_eq!(run.limits.of_user.len(), 0);
    }
}
