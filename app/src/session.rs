//! The page's session with the hub: which token it has, in whose name its socket is
//! connected, and what comes next. It alone decides when to connect, so there is one
//! attempt at a time, each on a transport of its own, with the token of its moment. Pure:
//! times are in milliseconds, of a clock that never goes back.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "the socket is the browser's alone")
)]

use crate::backoff::{Backoff, FIRST_WAIT};

/// The longest wait before a server that cannot be reached is tried again: whoever looks
/// at the board waits for it.
const UNREACHABLE_WAIT: f64 = 10_000.0;
/// The longest wait before a server that has sent the page away is tried again.
const REFUSED_WAIT: f64 = 30_000.0;
/// A connection that held so long was good: after it, waits begin anew. One that ends
/// sooner may be ended by the server, whatever was sent before.
const GOOD_AFTER: f64 = 10_000.0;
/// The longest that opening a connection may take; the transport itself gives up after
/// 20 s.
const CONNECT_WITHIN: f64 = 30_000.0;
/// The shortest wait before a token is renewed.
const SHORTEST_RENEWAL: f64 = 5_000.0;
/// The part of a token's life after which it is renewed, and what is added to it at
/// random: pages that were opened together do not ask together.
const RENEW_AT: (f64, f64) = (0.7, 0.1);

/// With which messages the server refuses a token. It refuses connections for other
/// reasons too, of which another token changes nothing.
const TOKEN_REFUSALS: [&str; 3] = [
    "Authentication token required",
    "Authentication failed",
    "User not found",
];

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Fetch another token, and say what came of it by [`Session::renewed`].
    Fetch,
    /// Connect with the newest token.
    Connect,
    /// Send the newest token to the server: it is of the same user as the last.
    Refresh,
    /// End the connection.
    Close,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The transport was lost, or never opened.
    Lost,
    /// The server ended the connection, or did not let the page in for now.
    ByServer,
    /// The server did not take the token.
    TokenRefused,
}

impl Closed {
    /// Why the server did not let the page in, by its message.
    pub(crate) fn refused(message: &str) -> Closed {
        if TOKEN_REFUSALS.contains(&message) {
            Closed::TokenRefused
        } else {
            Closed::ByServer
        }
    }
}

/// A token that the server has seen: whose it is, and which one of the page's it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    user: Option<String>,
    number: u32,
}

#[derive(Debug)]
enum Link {
    Down { retry_at: f64 },
    Connecting { shown: Shown, until: f64 },
    Connected { shown: Shown, since: f64 },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    /// The newest token.
    token: Shown,
    renew_at: f64,
    expires_at: f64,
    /// Has the server refused it?
    is_refused: bool,
    is_fetching: bool,
    link: Link,
    connections: Backoff,
    renewals: Backoff,
}

impl Session {
    /// A session with a first token: of this user, or of a viewer who is nobody, and for
    /// so many seconds.
    pub(crate) fn new(user: Option<String>, expires_in: u64, now: f64, random: f64) -> Session {
        let mut session = Session {
            token: Shown { user, number: 0 },
            renew_at: now,
            expires_at: now,
            is_refused: false,
            is_fetching: false,
            link: Link::Down { retry_at: now },
            connections: Backoff::default(),
            renewals: Backoff::default(),
        };
        session.begin_life(expires_in, now, random);
        session
    }

    /// What is to be done now, one step after the other. What it says counts as done.
    pub(crate) fn next(&mut self, now: f64, random: f64) -> Option<Step> {
        if !self.is_fetching && self.renew_at <= now {
            self.is_fetching = true;
            return Some(Step::Fetch);
        }
        let is_void = self.is_void(now);
        match &mut self.link {
            Link::Down { retry_at } if *retry_at <= now && !is_void => {
                self.link = Link::Connecting {
                    shown: self.token.clone(),
                    until: now + CONNECT_WITHIN,
                };
                Some(Step::Connect)
            }
            Link::Connecting { shown, .. } | Link::Connected { shown, .. }
                if shown.user != self.token.user =>
            {
                self.link = Link::Down { retry_at: now };
                Some(Step::Close)
            }
            Link::Connecting { until, .. } if *until <= now => {
                self.closed(Closed::Lost, now, random);
                Some(Step::Close)
            }
            Link::Connected { shown, .. } if shown.number != self.token.number => {
                shown.number = self.token.number;
                Some(Step::Refresh)
            }
            _ => None,
        }
    }

    /// When [`next`](Session::next) is to be called, if nothing happens before.
    pub(crate) fn wake_at(&self, now: f64) -> f64 {
        let renew_at = if self.is_fetching {
            f64::INFINITY
        } else {
            self.renew_at
        };
        let link = match self.link {
            Link::Down { retry_at } if !self.is_void(now) => retry_at,
            Link::Connecting { until, .. } => until,
            Link::Down { .. } | Link::Connected { .. } => f64::INFINITY,
        };
        renew_at.min(link)
    }

    /// The server has let the socket in.
    pub(crate) fn connected(&mut self, now: f64) {
        if let Link::Connecting { shown, .. } = &self.link {
            self.link = Link::Connected {
                shown: shown.clone(),
                since: now,
            };
        }
    }

    /// The server has said that the token's time is over, and will end the connection.
    pub(crate) fn expired(&mut self) {
        self.is_refused = true;
    }

    /// There is no connection any more, or none came about.
    pub(crate) fn closed(&mut self, why: Closed, now: f64, random: f64) {
        match self.link {
            Link::Down { .. } => return,
            Link::Connected { since, .. } if now - since >= GOOD_AFTER => self.connections.reset(),
            Link::Connected { .. } | Link::Connecting { .. } => {}
        }
        let longest = match why {
            Closed::Lost => UNREACHABLE_WAIT,
            Closed::ByServer | Closed::TokenRefused => REFUSED_WAIT,
        };
        self.is_refused |= why == Closed::TokenRefused;
        let wait = self.connections.next(longest, random);
        self.retry_at(now + wait, now);
    }

    /// The browser has a network again, as perhaps many others have at this moment.
    pub(crate) fn online(&mut self, now: f64, random: f64) {
        if let Link::Down { retry_at } = self.link {
            self.retry_at(retry_at.min(now + FIRST_WAIT * random), now);
        }
    }

    /// A token came: of this user, and for so many seconds; or none did.
    pub(crate) fn renewed(&mut self, token: Option<(Option<String>, u64)>, now: f64, random: f64) {
        self.is_fetching = false;
        let Some((user, expires_in)) = token else {
            self.renew_at = now + self.renewals.next(UNREACHABLE_WAIT, random);
            return;
        };
        self.token = Shown {
            user,
            number: self.token.number.wrapping_add(1),
        };
        self.is_refused = false;
        self.renewals.reset();
        self.begin_life(expires_in, now, random);
    }

    fn begin_life(&mut self, expires_in: u64, now: f64, random: f64) {
        let life = expires_in as f64 * 1000.0;
        let (part, more) = RENEW_AT;
        self.renew_at = now + (life * (part + more * random)).max(SHORTEST_RENEWAL);
        self.expires_at = now + life;
    }

    /// A token that is good for nothing is renewed then.
    fn retry_at(&mut self, at: f64, now: f64) {
        self.link = Link::Down { retry_at: at };
        if self.is_void(now) {
            self.renew_at = at;
        }
    }

    /// Would the server refuse the token?
    fn is_void(&self, now: f64) -> bool {
        self.is_refused || self.expires_at <= now
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;

    fn user(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    /// A clock and a session, whose steps are noted.
    struct Run {
        session: Session,
        now: f64,
        random: f64,
    }

    impl Run {
        fn new(name: Option<String>, expires_in: u64) -> Run {
            let session = Session::new(name, expires_in, 0.0, 0.5);
            let (now, random) = (0.0, 0.5);
            Run {
                session,
                now,
                random,
            }
        }

        fn connected(name: Option<String>, expires_in: u64) -> Run {
            let mut run = Run::new(name, expires_in);
            assert_eq!(run.steps(), [Step::Connect]);
            run.session.connected(0.0);
            run
        }

        fn steps(&mut self) -> Vec<Step> {
            std::iter::from_fn(|| self.session.next(self.now, self.random)).collect()
        }

        /// What is done when the session next wakes, and how long that took.
        fn wake(&mut self) -> (f64, Vec<Step>) {
            let at = self.session.wake_at(self.now);
            let wait = at - self.now;
            assert!(wait >= 0.0 && wait.is_finite(), "{:?}", self.session);
            self.now = at;
            (wait, self.steps())
        }

        fn close(&mut self, why: Closed) {
            self.session.closed(why, self.now, self.random);
            assert_eq!(self.steps(), []);
        }

        fn renew(&mut self, token: Option<(Option<String>, u64)>) -> Vec<Step> {
            self.session.renewed(token, self.now, self.random);
            self.steps()
        }
    }

    #[test]
    fn a_later_token_of_the_same_user_is_sent_on_the_same_connection() {
        for who in [None, user("a")] {
            let mut run = Run::connected(who.clone(), HOUR);
            assert_eq!(run.wake().1, [Step::Fetch]);
            assert!(run.now < 3_600_000.0 * 0.81);
            assert_eq!(run.renew(Some((who, HOUR))), [Step::Refresh]);
            assert_eq!(run.steps(), []);
        }
    }

    #[test]
    fn a_token_of_somebody_else_connects_anew() {
        let (a, b) = (user("a"), user("b"));
        for (before, after) in [(&a, &b), (&a, &None), (&None, &a)] {
            let mut run = Run::connected(before.clone(), HOUR);
            run.wake();
            let steps = run.renew(Some((after.clone(), HOUR)));
            assert_eq!(steps, [Step::Close, Step::Connect]);
            run.session.connected(run.now);
            assert_eq!(run.steps(), []);
        }
    }

    #[test]
    fn a_token_that_comes_while_connecting_is_sent_once_connected() {
        let mut run = Run::connected(user("a"), 10);
        run.wake();
        run.close(Closed::Lost);
        assert_eq!(run.wake().1, [Step::Connect]);
        assert_eq!(run.renew(Some((user("a"), 10))), []);
        run.session.connected(run.now);
        assert_eq!(run.steps(), [Step::Refresh]);
        // A connection is not begun in the name of whoever was signed in before.
        run.close(Closed::Lost);
        assert_eq!(run.wake().1, [Step::Connect]);
        run.now += 7_500.0;
        assert_eq!(run.steps(), [Step::Fetch]);
        let steps = run.renew(Some((user("b"), HOUR)));
        assert_eq!(steps, [Step::Close, Step::Connect]);
    }

    #[test]
    fn a_renewal_that_fails_is_tried_again_connected_or_not() {
        for is_connected in [true, false] {
            let mut run = Run::connected(user("a"), HOUR);
            run.wake();
            if !is_connected {
                run.close(Closed::Lost);
            }
            let mut waits = Vec::new();
            for _ in 0..6 {
                run.renew(None);
                loop {
                    let (wait, steps) = run.wake();
                    if steps.contains(&Step::Fetch) {
                        waits.push(wait);
                        break;
                    }
                    if steps.contains(&Step::Connect) {
                        run.close(Closed::Lost);
                    }
                }
            }
            assert!(run.now < 3_600_000.0, "there was time left");
            assert!(waits.iter().all(|wait| *wait <= UNREACHABLE_WAIT));
            run.renew(Some((user("a"), HOUR)));
            let life_left = run.session.expires_at - run.now;
            assert_eq!(life_left, 3_600_000.0);
        }
    }

    #[test]
    fn a_connection_before_the_end_is_given_a_token_that_lives() {
        let mut run = Run::connected(user("a"), 10);
        run.wake();
        run.close(Closed::Lost);
        run.renew(None);
        assert_eq!(run.wake().1, [Step::Fetch, Step::Connect]);
        run.session.connected(run.now);
        assert_eq!(run.renew(Some((user("a"), 10))), [Step::Refresh]);
        assert!(run.now < 10_000.0, "the first token has not ended");
    }

    #[test]
    fn an_ended_session_comes_back_with_another_token_and_not_at_once() {
        for random in [0.0, 0.5, 1.0] {
            let mut run = Run::connected(user("a"), HOUR);
            run.random = random;
            run.now = 20_000.0;
            run.session.expired();
            run.close(Closed::ByServer);
            let (wait, steps) = run.wake();
            assert_eq!((wait, steps), (500.0 + 500.0 * random, vec![Step::Fetch]));
            assert_eq!(run.renew(Some((None, HOUR))), [Step::Connect]);
        }
    }

    #[test]
    fn a_token_that_the_server_refuses_is_not_used_again() {
        let mut run = Run::new(user("a"), HOUR);
        assert_eq!(run.steps(), [Step::Connect]);
        run.close(Closed::TokenRefused);
        for _ in 0..20 {
            assert_eq!(run.wake().1, [Step::Fetch]);
            assert_eq!(run.renew(None), []);
        }
        run.wake();
        assert_eq!(run.renew(Some((user("a"), HOUR))), [Step::Connect]);
        for message in TOKEN_REFUSALS {
            run.close(Closed::refused(message));
            assert_eq!(run.wake().1, [Step::Fetch], "{message}");
            assert_eq!(run.renew(Some((user("a"), HOUR))), [Step::Connect]);
        }
    }

    #[test]
    fn a_token_outlives_refusals_for_other_reasons() {
        for message in [
            "Too many connection attempts from this IP",
            "Rate limit exceeded",
            "",
        ] {
            let mut run = Run::new(user("a"), HOUR);
            assert_eq!(run.steps(), [Step::Connect]);
            run.random = 1.0;
            let mut waits = Vec::new();
            for _ in 0..7 {
                run.close(Closed::refused(message));
                let (wait, steps) = run.wake();
                assert_eq!(steps, [Step::Connect], "{message}");
                waits.push(wait / 1_000.0);
            }
            assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        }
    }

    #[test]
    fn an_expired_token_is_not_used() {
        let mut run = Run::connected(user("a"), 10);
        run.wake();
        run.close(Closed::Lost);
        run.now = 11_000.0;
        assert_eq!(run.steps(), [], "a token is on its way");
        assert_eq!(run.renew(Some((user("a"), 10))), [Step::Connect]);
    }

    #[test]
    fn connections_that_do_not_hold_come_later_and_later() {
        let mut run = Run::new(None, 1_000 * HOUR);
        run.random = 1.0;
        assert_eq!(run.steps(), [Step::Connect]);
        let mut waits = Vec::new();
        for _ in 0..7 {
            // It is let in, and ended after a second, as after too many packets.
            run.session.connected(run.now);
            run.now += 1_000.0;
            run.close(Closed::ByServer);
            let (wait, steps) = run.wake();
            assert_eq!(steps, [Step::Connect]);
            waits.push(wait / 1_000.0);
        }
        assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        run.session.connected(run.now);
        run.now += GOOD_AFTER;
        run.close(Closed::Lost);
        assert_eq!(run.wake(), (1_000.0, vec![Step::Connect]));
    }

    #[test]
    fn there_is_one_attempt_at_a_time() {
        let mut run = Run::new(None, HOUR);
        assert_eq!(run.steps(), [Step::Connect]);
        run.session.online(run.now, 0.0);
        assert_eq!(run.steps(), []);
        run.session.connected(run.now);
        run.session.online(run.now, 0.0);
        assert_eq!(run.steps(), []);
        // What is ended by us, and then by the transport, is ended once.
        run.close(Closed::Lost);
        let at = run.session.wake_at(run.now);
        run.close(Closed::Lost);
        assert_eq!(run.session.wake_at(run.now), at);
    }

    #[test]
    fn a_network_that_is_back_is_used_soon() {
        let mut run = Run::new(None, HOUR);
        run.random = 1.0;
        run.steps();
        for _ in 0..6 {
            run.close(Closed::Lost);
            run.wake();
        }
        run.close(Closed::Lost);
        run.session.online(run.now, 0.25);
        assert_eq!(run.wake(), (250.0, vec![Step::Connect]));
    }

    #[test]
    fn an_attempt_that_hangs_is_given_up() {
        let mut run = Run::new(None, HOUR);
        run.steps();
        assert_eq!(run.wake(), (CONNECT_WITHIN, vec![Step::Close]));
        assert_eq!(run.wake().1, [Step::Connect]);
    }
}
