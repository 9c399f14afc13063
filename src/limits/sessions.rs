//! How many sessions an address may begin, and how many it may have at once.
//!
//! Three kinds of sessions do not count for their address, because a crowd behind one
//! address is no attack:
//! - those of signed-in users, who have limits of their own. Whoever shows who they are
//!   only when a client joins is counted first, and what was taken is then given back;
//! - one for each session whose link broke less than a minute ago: when a network fails
//!   for a moment, all of its clients come back at once;
//! - those of addresses in `limits.allow`.
//!
//! Of the second kind nobody gains: only a session by which a client had joined can be
//! replaced, and only one that was itself counted, or has held for as long as a good
//! connection does. So whoever breaks links on purpose begins at most twice as many
//! sessions, and never has more of them at once.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{Place, Places, Reason, buckets::Buckets, waiting::Waiting};
use crate::{board::UserId, config::LimitsTable};

/// For how long a session whose link broke can be replaced.
const REPLACED_WITHIN: Duration = Duration::from_secs(60);
/// A session that replaces another can be replaced itself once it has held for so long;
/// to the page, too, a connection is good from then on (`app/src/session.rs`).
const GOOD_AFTER: Duration = Duration::from_secs(10);

/// The limits of all addresses.
#[derive(Debug)]
pub(super) struct SessionLimits {
    begun: Buckets<IpAddr>,
    /// Twice as many: beyond these an address is not even told why.
    attempts: Buckets<IpAddr>,
    at_once: Places<IpAddr>,
    of_user: Buckets<UserId>,
    /// When links broke by which sessions went that have not been replaced yet.
    lost: Mutex<HashMap<IpAddr, VecDeque<Instant>>>,
    /// How many of one address are remembered.
    most_lost: usize,
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
        /// Does it count, or replace one that was lost?
        replaces: bool,
        since: Instant,
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
            lost: Mutex::default(),
            most_lost: size.get() as usize,
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
        if self.replace(key, now) {
            return match self.at_once.take(key) {
                Some(place) => Admission::Opened(self.of_address(key, place, true, now)),
                None => self.refuse(key, Reason::SessionsAtOnce),
            };
        }
        if let Err(wait) = self.attempts.take(key, now) {
            return Admission::Flooded(wait);
        }
        match self.count(key, now) {
            Ok(place) => Admission::Opened(self.of_address(key, place, false, now)),
            Err(reason) => self.refuse(key, reason),
        }
    }

    /// When the page of this user may connect from an address.
    pub(super) fn turn(&self, key: Option<IpAddr>, user: UserId, now: Instant) -> Turn {
        let Some(key) = key else {
            return Turn::Now;
        };
        if self.at_once.is_full(key) {
            return Turn::Unknown;
        }
        let before = self.waiting.position(key, user, now);
        let count = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
        let begun = self.begun.wait(key, count, now);
        match begun.max(self.attempts.wait(key, count, now)) {
            Duration::ZERO => Turn::Now,
            wait => Turn::After(wait),
        }
    }

    pub(super) fn forget_quiet(&self, now: Instant) {
        self.begun.forget_full(now);
        self.attempts.forget_full(now);
        self.of_user.forget_full(now);
        self.waiting.forget_gone(now);
        let mut lost = self.lost.lock();
        lost.retain(|_, moments| {
            forget_old(moments, now);
            !moments.is_empty()
        });
        lost.shrink_to_fit();
    }

    fn count(&self, key: IpAddr, now: Instant) -> Result<Place<IpAddr>, Reason> {
        self.begun.take(key, now).map_err(|_| Reason::Sessions)?;
        self.at_once.take(key).ok_or(Reason::SessionsAtOnce)
    }

    /// Is there a session that was lost, for another to replace it?
    fn replace(&self, key: IpAddr, now: Instant) -> bool {
        let mut lost = self.lost.lock();
        let Some(moments) = lost.get_mut(&key) else {
            return false;
        };
        forget_old(moments, now);
        let found = moments.pop_front().is_some();
        if moments.is_empty() {
            lost.remove(&key);
        }
        found
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
        replaces: bool,
        since: Instant,
    ) -> SessionPermit {
        self.permit(Counts::OfAddress {
            key,
            _place: place,
            replaces,
            since,
        })
    }

    fn refuse(self: &Arc<Self>, key: IpAddr, reason: Reason) -> Admission {
        Admission::Refused(self.permit(Counts::Refused { key }), reason)
    }
}

fn forget_old(moments: &mut VecDeque<Instant>, now: Instant) {
    moments.retain(|lost_at| now.saturating_duration_since(*lost_at) < REPLACED_WITHIN);
}

impl SessionPermit {
    /// May a client join by it: a signed-in user's, or anybody's?
    ///
    /// # Errors
    /// Why they may not.
    pub fn admit(&mut self, is_signed_in: bool, now: Instant) -> Result<(), Reason> {
        match (&self.counts, is_signed_in) {
            (Counts::Refused { .. }, false) => Err(Reason::Sessions),
            // Opened in the name of a user, and used by nobody in particular.
            (Counts::OfUser { key }, false) => {
                let place = self.limits.count(*key, now)?;
                *self = self.limits.of_address(*key, place, false, now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A client has joined by it. What was counted for its address is given back if it
    /// is of a signed-in user.
    pub fn joined(&mut self, user: UserId, is_signed_in: bool, now: Instant) {
        let limits = &self.limits;
        let key = match self.counts {
            Counts::OfAddress { key, .. } | Counts::Refused { key } => key,
            Counts::OfUser { .. } | Counts::Nowhere => return,
        };
        limits.waiting.remove(key, user);
        if !is_signed_in {
            return;
        }
        match self.counts {
            Counts::OfAddress { replaces: true, .. } => limits.note_lost(key, now),
            Counts::OfAddress { .. } => {
                limits.begun.give_back(key, now);
                limits.attempts.give_back(key, now);
            }
            _ => limits.attempts.give_back(key, now),
        }
        self.counts = Counts::OfUser { key };
    }

    /// The link broke by which a client had joined: another session may replace this one.
    pub fn lost(self, now: Instant) {
        if let Counts::OfAddress {
            key,
            replaces,
            since,
            ..
        } = self.counts
            && (!replaces || now.saturating_duration_since(since) >= GOOD_AFTER)
        {
            self.limits.note_lost(key, now);
        }
    }
}

impl SessionLimits {
    fn note_lost(&self, key: IpAddr, now: Instant) {
        let mut lost = self.lost.lock();
        let moments = lost.entry(key).or_default();
        forget_old(moments, now);
        if moments.len() < self.most_lost {
            moments.push_back(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::tests::{address, number};

    const ONE: UserId = UserId([1; 16]);
    const OTHER: UserId = UserId([2; 16]);
    const SECOND: Duration = Duration::from_secs(1);

    /// A clock, and the limits of one address.
    struct Run {
        limits: Arc<SessionLimits>,
        now: Instant,
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
            }
        }

        fn open(&self, signed_in: Option<UserId>) -> Admission {
            let key = Some(address("192.0.2.1"));
            self.limits.open(key, signed_in, self.now)
        }

        /// A session by which this user has joined, or nobody in particular.
        fn join(&self, signed_in: Option<UserId>) -> Option<SessionPermit> {
            let (Admission::Opened(mut permit) | Admission::Refused(mut permit, _)) =
                self.open(None)
            else {
                return None;
            };
            permit.admit(signed_in.is_some(), self.now).ok()?;
            let user = signed_in.unwrap_or(OTHER);
            permit.joined(user, signed_in.is_some(), self.now);
            Some(permit)
        }

        /// How many of so many viewers are let in who come now.
        fn crowd(&self, count: usize) -> Vec<SessionPermit> {
            (0..count).filter_map(|_| self.join(None)).collect()
        }

        fn break_links(&self, sessions: Vec<SessionPermit>) {
            for session in sessions {
                session.lost(self.now);
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
        drop(run.crowd(3));
        assert!(run.crowd(1).is_empty());
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
            assert_eq!(permit.admit(true, run.now), Ok(()));
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
            permit.admit(false, run.now).ok()?;
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
        let sessions = run.crowd(3);
        run.break_links(sessions);
        run.turn(ONE);
        run.open(Some(ONE));
        run.now += Duration::from_secs(1000);
        run.limits.forget_quiet(run.now);
        assert!(run.limits.lost.lock().is_empty());
        assert_eq!(run.limits.begun.len() + run.limits.attempts.len(), 0);
        assert_eq!(run.limits.of_user.len(), 0);
    }
}
