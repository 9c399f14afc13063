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
/// How long a silent link may take to speak when the server has answered another request,
/// before another one takes its place, beside a part of [`SPREAD`]: a network that fails
/// silences all of its pages at once. It doubles with each that was replaced in vain.
const GRACE: f64 = 500.0;
/// How long an attempt may take when the server has answered a request that was begun
/// later, beside four times as long as that took: as many ways there and back it takes.
/// It doubles too.
const PATIENCE: f64 = 2_000.0;
/// No time is doubled more often.
const MOST_DOUBLINGS: i32 = 6;
/// Within this time pages try again that were all waiting for the same server.
const SPREAD: f64 = 300.0;
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
    /// The server ended the connection.
    ByServer,
    /// The server did not let the page in for now.
    SentAway,
    /// The server did not take the token.
    TokenRefused,
}

impl Closed {
    /// Why the server did not let the page in, by its message.
    pub(crate) fn refused(message: &str) -> Closed {
        if TOKEN_REFUSALS.contains(&message) {
            Closed::TokenRefused
        } else {
            Closed::SentAway
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
    Down {
        retry_at: f64,
        why: Closed,
    },
    Up {
        shown: Shown,
        since: f64,
        /// Has the server let the socket in?
        is_connected: bool,
        /// When another takes its place.
        replace_at: f64,
    },
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
    /// Has the server sent the page away?
    is_sent_away: bool,
    /// Has the page tried because the server had said that it may, and was not let in
    /// since?
    has_tried: bool,
    link: Link,
    /// Links that were replaced since the server was heard last.
    replaced: i32,
    /// Has a request not been answered since the last one that was?
    is_unreachable: bool,
    attempts: Backoff,
    refusals: Backoff,
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
            is_sent_away: false,
            has_tried: false,
            link: Link::Down {
                retry_at: now,
                why: Closed::Lost,
            },
            replaced: 0,
            is_unreachable: false,
            attempts: Backoff::default(),
            refusals: Backoff::default(),
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
            Link::Down { retry_at, .. } if *retry_at <= now && !is_void => {
                self.link = Link::Up {
                    shown: self.token.clone(),
                    since: now,
                    is_connected: false,
                    replace_at: f64::INFINITY,
                };
                Some(Step::Connect)
            }
            Link::Up { shown, .. } if shown.user != self.token.user => {
                self.reconnect(now);
                Some(Step::Close)
            }
            Link::Up { replace_at, .. } if *replace_at <= now => {
                self.replaced = (self.replaced + 1).min(MOST_DOUBLINGS);
                self.reconnect(now);
                Some(Step::Close)
            }
            Link::Up {
                since,
                is_connected: false,
                ..
            } if *since + CONNECT_WITHIN <= now => {
                self.closed(Closed::Lost, now, random);
                Some(Step::Close)
            }
            Link::Up {
                shown,
                is_connected: true,
                ..
            } if shown.number != self.token.number => {
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
            Link::Down { retry_at, .. } if !self.is_void(now) => retry_at,
            Link::Up {
                since,
                is_connected: false,
                replace_at,
                ..
            } => replace_at.min(since + CONNECT_WITHIN),
            Link::Up { replace_at, .. } => replace_at,
            Link::Down { .. } => f64::INFINITY,
        };
        renew_at.min(link)
    }

    /// The server has let the socket in.
    pub(crate) fn connected(&mut self, now: f64) {
        self.is_sent_away = false;
        self.has_tried = false;
        if let Link::Up {
            since,
            is_connected,
            replace_at,
            ..
        } = &mut self.link
            && !*is_connected
        {
            (*since, *is_connected, *replace_at) = (now, true, f64::INFINITY);
        }
    }

    /// Something came by the connection: it is alive.
    pub(crate) fn heard(&mut self) {
        self.replaced = 0;
        self.is_unreachable = false;
        if let Link::Up { replace_at, .. } = &mut self.link {
            *replace_at = f64::INFINITY;
        }
    }

    /// The link is from before the machine slept, and nobody believes in it: another one
    /// takes its place now.
    pub(crate) fn replace(&mut self, now: f64) {
        if let Link::Up { replace_at, .. } = &mut self.link {
            *replace_at = now;
        }
    }

    /// Is it worth trying whether the server can be reached? Not where it has sent the
    /// page away, and not yet where an attempt has just begun.
    pub(crate) fn wants_probes(&self, now: f64) -> bool {
        match self.link {
            Link::Down { why, .. } => why == Closed::Lost,
            Link::Up {
                is_connected: false,
                since,
                ..
            } => since + PATIENCE <= now,
            Link::Up { .. } => false,
        }
    }

    /// The server has answered a request that was begun at that time, by another way than
    /// the connection, which `is_doubtful` if it has not been heard since.
    pub(crate) fn reachable(&mut self, begun: f64, is_doubtful: bool, now: f64, random: f64) {
        let is_back = std::mem::take(&mut self.is_unreachable);
        let times = 2f64.powi(self.replaced);
        match &mut self.link {
            // An attempt that the server fails though it can be reached comes later and
            // later, as ever.
            Link::Down { .. } if is_back => self.hurry(SPREAD, now, random),
            Link::Down { .. } => {}
            Link::Up {
                is_connected: true,
                replace_at,
                ..
            } => {
                if is_doubtful {
                    let grace = (GRACE + SPREAD * random) * times;
                    *replace_at = replace_at.min(now + grace);
                }
            }
            // One that began before the link was back may have lost what it sent.
            Link::Up {
                since, replace_at, ..
            } => {
                if *since <= begun {
                    let patience = PATIENCE * times + 4.0 * (now - begun);
                    *replace_at = replace_at.min(*since + patience);
                }
            }
        }
        // As may have a request for a token.
        if is_back && self.is_void(now) {
            self.is_fetching = false;
            self.renew_at = now;
        }
    }

    /// The server has not answered a request.
    pub(crate) fn unreachable(&mut self) {
        self.is_unreachable = true;
    }

    /// The server has said that the token's time is over, and will end the connection.
    pub(crate) fn expired(&mut self) {
        self.is_refused = true;
    }

    /// There is no connection any more, or none came about.
    pub(crate) fn closed(&mut self, why: Closed, now: f64, random: f64) {
        match self.link {
            Link::Down { .. } => return,
            Link::Up {
                is_connected: true,
                since,
                ..
            } if now - since >= GOOD_AFTER => {
                self.attempts.reset();
                self.refusals.reset();
            }
            Link::Up { .. } => {}
        }
        let wait = match why {
            Closed::Lost => self.attempts.next(UNREACHABLE_WAIT, random),
            Closed::ByServer | Closed::SentAway | Closed::TokenRefused => {
                self.refusals.next(REFUSED_WAIT, random)
            }
        };
        self.is_refused |= why == Closed::TokenRefused;
        self.is_sent_away |= why == Closed::SentAway;
        self.retry_at(now + wait, why, now);
    }

    /// Has the server sent the page away, and not let it in since?
    pub(crate) fn is_sent_away(&self) -> bool {
        self.is_sent_away
    }

    /// The server has said after how many seconds the page may connect: so it does then,
    /// and not before. One that was told that it may, and was refused all the same, comes
    /// later and later, as ever.
    pub(crate) fn told(&mut self, live_in: f64, now: f64, random: f64) {
        let Link::Down { retry_at, why } = self.link else {
            return;
        };
        if live_in > 0.0 {
            self.is_sent_away = true;
            self.has_tried = false;
            let at = now + live_in * 1_000.0 + FIRST_WAIT * random;
            self.retry_at(at, Closed::SentAway, now);
        } else if self.is_sent_away && !std::mem::replace(&mut self.has_tried, true) {
            self.retry_at(retry_at.min(now), why, now);
        }
    }

    /// The browser has a network again, as perhaps many others have at this moment, or
    /// somebody looks at the page again.
    pub(crate) fn look_again(&mut self, now: f64, random: f64) {
        self.hurry(FIRST_WAIT, now, random);
    }

    /// Tries again within this time, unless the server has sent the page away.
    fn hurry(&mut self, within: f64, now: f64, random: f64) {
        if let Link::Down {
            retry_at,
            why: why @ Closed::Lost,
        } = self.link
        {
            self.retry_at(retry_at.min(now + within * random), why, now);
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

    /// Another connection takes the place of this one.
    fn reconnect(&mut self, now: f64) {
        self.retry_at(now, Closed::Lost, now);
    }

    /// A token that is good for nothing is renewed then.
    fn retry_at(&mut self, at: f64, why: Closed, now: f64) {
        self.link = Link::Down { retry_at: at, why };
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
        run.session.look_again(run.now, 0.0);
        assert_eq!(run.steps(), []);
        run.session.connected(run.now);
        run.session.look_again(run.now, 0.0);
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
        run.session.look_again(run.now, 0.25);
        assert_eq!(run.wake(), (250.0, vec![Step::Connect]));
    }

    #[test]
    fn somebody_who_looks_again_waits_for_nothing_but_refusals() {
        for (why, waits) in [(Closed::Lost, false), (Closed::ByServer, true)] {
            let mut run = Run::new(None, HOUR);
            run.random = 1.0;
            run.steps();
            for _ in 0..6 {
                run.close(why);
                run.wake();
            }
            run.close(why);
            run.session.look_again(run.now, 0.5);
            assert_eq!(run.wake().0 > 500.0, waits, "{why:?}");
        }
    }

    #[test]
    fn a_server_that_is_reachable_again_is_not_waited_for() {
        let mut run = Run::new(None, HOUR);
        run.random = 1.0;
        run.steps();
        for _ in 0..6 {
            run.close(Closed::Lost);
            run.wake();
        }
        run.close(Closed::Lost);
        assert!(run.session.wants_probes(run.now));
        run.session.unreachable();
        run.session.reachable(run.now, false, run.now, run.random);
        assert_eq!(run.wake(), (SPREAD, vec![Step::Connect]));
        // It was reachable before, and no connection came about: that is no news.
        run.close(Closed::Lost);
        run.session.reachable(run.now, false, run.now, run.random);
        assert_eq!(run.wake().0, UNREACHABLE_WAIT);
        // Nor where it has sent the page away.
        run.close(Closed::ByServer);
        assert!(!run.session.wants_probes(run.now));
        run.session.unreachable();
        run.session.reachable(run.now, false, run.now, run.random);
        assert_eq!(run.wake().0, 1_000.0);
    }

    #[test]
    fn a_silent_link_is_replaced_when_the_server_answers_elsewhere() {
        let mut run = Run::connected(None, HOUR);
        run.now = 100_000.0;
        run.session.reachable(run.now, false, run.now, 0.5);
        assert_eq!(run.session.wake_at(run.now), run.session.renew_at);
        run.session.reachable(run.now, true, run.now, 0.5);
        run.session
            .reachable(run.now + 400.0, true, run.now + 450.0, 0.5);
        let wait = run.wake();
        assert_eq!(
            wait,
            (GRACE + SPREAD / 2.0, vec![Step::Close, Step::Connect])
        );
        // One that speaks meanwhile is not.
        run.session.connected(run.now);
        run.session.heard();
        run.session.reachable(run.now, true, run.now, 0.5);
        run.session.heard();
        assert_eq!(run.session.wake_at(run.now), run.session.renew_at);
    }

    #[test]
    fn a_link_from_before_a_sleep_is_replaced_at_once() {
        let mut run = Run::connected(None, HOUR);
        run.now = 1_000.0;
        run.session.replace(run.now);
        assert_eq!(run.steps(), [Step::Close, Step::Connect]);
        // So is an attempt, and what has none is not.
        run.now = 2_000.0;
        run.session.replace(run.now);
        assert_eq!(run.steps(), [Step::Close, Step::Connect]);
        run.close(Closed::ByServer);
        let at = run.session.wake_at(run.now);
        run.session.replace(run.now);
        assert_eq!(run.session.wake_at(run.now), at);
    }

    #[test]
    fn links_that_are_replaced_in_vain_are_replaced_later_and_later() {
        let mut run = Run::connected(None, HOUR);
        let mut waits = Vec::new();
        for _ in 0..8 {
            run.session.reachable(run.now, true, run.now, 0.5);
            waits.push(run.wake().0);
            run.session.connected(run.now);
        }
        assert!(waits.is_sorted());
        assert_eq!(waits[7], (GRACE + SPREAD / 2.0) * 64.0);
    }

    #[test]
    fn an_attempt_from_before_the_link_came_back_is_replaced() {
        let mut run = Run::new(None, HOUR);
        run.steps();
        assert!(!run.session.wants_probes(1_999.0));
        assert!(run.session.wants_probes(2_000.0));
        // On a slow network all takes long.
        run.session.reachable(2_000.0, false, 3_000.0, 0.5);
        assert_eq!(run.session.wake_at(3_000.0), PATIENCE + 4_000.0);
        run.session.reachable(4_000.0, false, 4_010.0, 0.5);
        run.now = 4_010.0;
        assert_eq!(run.steps(), [Step::Close, Step::Connect]);
        // What was asked before the attempt began says nothing of it.
        run.session.reachable(4_000.0, false, 4_500.0, 0.5);
        assert_eq!(run.session.wake_at(4_500.0), 4_010.0 + CONNECT_WITHIN);
    }

    #[test]
    fn a_token_that_was_asked_for_before_the_link_came_back_is_asked_for_again() {
        let mut run = Run::connected(user("a"), 10);
        run.wake();
        run.close(Closed::Lost);
        run.now = 3_600_000.0;
        assert_eq!(run.steps(), [], "a token is on its way");
        run.session.unreachable();
        run.session.reachable(run.now, false, run.now, 0.0);
        assert_eq!(run.steps(), [Step::Fetch]);
        assert_eq!(run.renew(Some((user("a"), HOUR))), [Step::Connect]);
    }

    #[test]
    fn who_was_sent_away_comes_when_the_server_has_said() {
        let mut run = Run::new(None, HOUR);
        run.steps();
        run.close(Closed::refused("Too many connection attempts from this IP"));
        assert!(run.session.is_sent_away());
        run.session.told(120.0, run.now, run.random);
        assert_eq!(run.wake(), (120_500.0, vec![Step::Connect]));
        run.close(Closed::refused("Too many connection attempts from this IP"));
        // Its turn has come sooner.
        run.session.told(60.0, run.now, run.random);
        run.now += 5_000.0;
        run.session.told(0.0, run.now, run.random);
        assert_eq!(run.steps(), [Step::Connect]);
        run.session.connected(run.now);
        assert!(!run.session.is_sent_away());
        // Nobody is sent away by an answer that comes late.
        run.session.told(60.0, run.now, run.random);
        assert_eq!(run.steps(), []);
        assert!(!run.session.is_sent_away());
    }

    #[test]
    fn who_is_refused_though_the_server_said_come_comes_later_and_later() {
        let mut run = Run::new(None, HOUR);
        run.steps();
        run.close(Closed::SentAway);
        run.session.told(0.0, run.now, run.random);
        assert_eq!(run.steps(), [Step::Connect]);
        for expected in [1_500.0, 3_000.0, 6_000.0, 12_000.0] {
            run.close(Closed::SentAway);
            run.session.told(0.0, run.now, run.random);
            assert_eq!(run.wake(), (expected, vec![Step::Connect]));
        }
        run.close(Closed::SentAway);
        run.session.told(5.0, run.now, run.random);
        run.now += 1_000.0;
        run.session.told(0.0, run.now, run.random);
        assert_eq!(run.steps(), [Step::Connect], "a turn of its own");
    }

    #[test]
    fn who_has_lost_the_link_does_not_come_sooner_for_being_welcome() {
        let mut run = Run::new(None, HOUR);
        run.steps();
        run.close(Closed::Lost);
        let at = run.session.wake_at(run.now);
        run.session.told(0.0, run.now, run.random);
        assert_eq!(run.session.wake_at(run.now), at);
        // It is refused before a session is opened.
        run.session.told(9.0, run.now, run.random);
        assert_eq!(run.wake(), (9_500.0, vec![Step::Connect]));
    }

    #[test]
    fn an_attempt_that_hangs_is_given_up() {
        let mut run = Run::new(None, HOUR);
        run.steps();
        assert_eq!(run.wake(), (CONNECT_WITHIN, vec![Step::Close]));
        assert_eq!(run.wake().1, [Step::Connect]);
    }
}
