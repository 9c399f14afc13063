use super::*;

const HOUR: u64 = 3_600;

fn user(name: &str) -> Option<String> {
    Some(name.to_owned())
}

/// A session with a clock.
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

    /// The steps when the session next wakes, and how long that took.
    fn wake(&mut self) -> (f64, Vec<Step>) {
        let at = self.session.wake_at(self.now);
        let wait = at - self.now;
        assert!(wait >= 0.0 && wait.is_finite(), "{:?}", self.session);
        self.now = at;
        (wait, self.steps())
    }

    fn close(&mut self, reason: CloseReason) {
        self.session.closed(reason, self.now, self.random);
        assert_eq!(self.steps(), []);
    }

    /// Closes the connection, and all attempts until the longest wait.
    fn close_often(&mut self, reason: CloseReason) {
        for _ in 0..6 {
            self.close(reason);
            self.wake();
        }
        self.close(reason);
    }

    fn renew(&mut self, token: Option<(Option<String>, u64)>) -> Vec<Step> {
        self.session.renewed(token, self.now, self.random);
        self.steps()
    }
}

#[test]
fn a_later_token_of_the_same_user_is_sent_on_the_same_connection() {
    for user in [None, user("a")] {
        let mut run = Run::connected(user.clone(), HOUR);
        assert_eq!(run.wake().1, [Step::RenewToken]);
        assert!(run.now < 3_600_000.0 * 0.81);
        assert_eq!(run.renew(Some((user, HOUR))), [Step::SendToken]);
        assert_eq!(run.steps(), []);
    }
}

#[test]
fn a_token_of_another_user_needs_a_new_connection() {
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
    run.close(CloseReason::Lost);
    assert_eq!(run.wake().1, [Step::Connect]);
    assert_eq!(run.renew(Some((user("a"), 10))), []);
    run.session.connected(run.now);
    assert_eq!(run.steps(), [Step::SendToken]);
    // No connection is opened with the token of the user before.
    run.close(CloseReason::Lost);
    assert_eq!(run.wake().1, [Step::Connect]);
    run.now += 7_500.0;
    assert_eq!(run.steps(), [Step::RenewToken]);
    let steps = run.renew(Some((user("b"), HOUR)));
    assert_eq!(steps, [Step::Close, Step::Connect]);
}

#[test]
fn a_renewal_that_fails_is_tried_again_connected_or_not() {
    for is_connected in [true, false] {
        let mut run = Run::connected(user("a"), HOUR);
        run.wake();
        if !is_connected {
            run.close(CloseReason::Lost);
        }
        let mut waits = Vec::new();
        for _ in 0..6 {
            run.renew(None);
            loop {
                let (wait, steps) = run.wake();
                if steps.contains(&Step::RenewToken) {
                    waits.push(wait);
                    break;
                }
                if steps.contains(&Step::Connect) {
                    run.close(CloseReason::Lost);
                }
            }
        }
        assert!(run.now < 3_600_000.0, "there was time left");
        assert!(waits.iter().all(|wait| *wait <= LONGEST_WAIT));
        run.renew(Some((user("a"), HOUR)));
        let lifetime_left = run.session.token.expires_at - run.now;
        assert_eq!(lifetime_left, 3_600_000.0);
    }
}

#[test]
fn a_connection_gets_a_new_token_before_the_old_one_expires() {
    let mut run = Run::connected(user("a"), 10);
    run.wake();
    run.close(CloseReason::Lost);
    run.renew(None);
    assert_eq!(run.wake().1, [Step::RenewToken, Step::Connect]);
    run.session.connected(run.now);
    assert_eq!(run.renew(Some((user("a"), 10))), [Step::SendToken]);
    assert!(run.now < 10_000.0, "the first token has not ended");
}

#[test]
fn an_expired_session_reconnects_with_another_token_after_a_while() {
    for random in [0.0, 0.5, 1.0] {
        let mut run = Run::connected(user("a"), HOUR);
        run.random = random;
        run.now = 20_000.0;
        run.session.expired();
        run.close(CloseReason::ByServer);
        let (wait, steps) = run.wake();
        assert_eq!(
            (wait, steps),
            (500.0 + 500.0 * random, vec![Step::RenewToken])
        );
        assert_eq!(run.renew(Some((None, HOUR))), [Step::Connect]);
    }
}

#[test]
fn a_rejected_token_is_not_used_again() {
    let mut run = Run::new(user("a"), HOUR);
    assert_eq!(run.steps(), [Step::Connect]);
    run.close(CloseReason::TokenRejected);
    for _ in 0..20 {
        assert_eq!(run.wake().1, [Step::RenewToken]);
        assert_eq!(run.renew(None), []);
    }
    run.wake();
    assert_eq!(run.renew(Some((user("a"), HOUR))), [Step::Connect]);
    for message in TOKEN_REJECTIONS {
        run.close(CloseReason::rejected(message));
        assert_eq!(run.wake().1, [Step::RenewToken], "{message}");
        assert_eq!(run.renew(Some((user("a"), HOUR))), [Step::Connect]);
    }
}

#[test]
fn a_token_is_used_again_after_other_rejections() {
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
            run.close(CloseReason::rejected(message));
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
    run.close(CloseReason::Lost);
    run.now = 11_000.0;
    assert_eq!(run.steps(), [], "a request for a token is pending");
    assert_eq!(run.renew(Some((user("a"), 10))), [Step::Connect]);
}

#[test]
fn connections_that_are_soon_closed_come_later_and_later() {
    let mut run = Run::new(None, 1_000 * HOUR);
    run.random = 1.0;
    assert_eq!(run.steps(), [Step::Connect]);
    let mut waits = Vec::new();
    for _ in 0..7 {
        // The server accepts it and closes it after a second, as after too many packets.
        run.session.connected(run.now);
        run.now += 1_000.0;
        run.close(CloseReason::ByServer);
        let (wait, steps) = run.wake();
        assert_eq!(steps, [Step::Connect]);
        waits.push(wait / 1_000.0);
    }
    assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
    run.session.connected(run.now);
    run.now += GOOD_AFTER;
    run.close(CloseReason::Lost);
    assert_eq!(run.wake(), (1_000.0, vec![Step::Connect]));
}

#[test]
fn there_is_one_attempt_at_a_time() {
    let mut run = Run::new(None, HOUR);
    assert_eq!(run.steps(), [Step::Connect]);
    run.session.retry_soon(run.now, 0.0);
    assert_eq!(run.steps(), []);
    run.session.connected(run.now);
    run.session.retry_soon(run.now, 0.0);
    assert_eq!(run.steps(), []);
    // What the page closes, and then the transport, is closed once.
    run.close(CloseReason::Lost);
    let at = run.session.wake_at(run.now);
    run.close(CloseReason::Lost);
    assert_eq!(run.session.wake_at(run.now), at);
}

#[test]
fn a_network_that_is_back_is_used_soon() {
    let mut run = Run::new(None, HOUR);
    run.random = 1.0;
    run.steps();
    run.close_often(CloseReason::Lost);
    run.session.retry_soon(run.now, 0.25);
    assert_eq!(run.wake(), (250.0, vec![Step::Connect]));
}

#[test]
fn a_visible_page_retries_soon_but_not_after_the_server_closed() {
    for (reason, waits) in [(CloseReason::Lost, false), (CloseReason::ByServer, true)] {
        let mut run = Run::new(None, HOUR);
        run.random = 1.0;
        run.steps();
        run.close_often(reason);
        run.session.retry_soon(run.now, 0.5);
        assert_eq!(run.wake().0 > 500.0, waits, "{reason:?}");
    }
}

#[test]
fn a_server_that_is_reachable_again_is_connected_to_soon() {
    let mut run = Run::new(None, HOUR);
    run.random = 1.0;
    run.steps();
    run.close_often(CloseReason::Lost);
    assert!(run.session.wants_probes(run.now));
    run.session.unreachable();
    run.session.reachable(run.now, false, run.now, run.random);
    assert_eq!(run.wake(), (SPREAD, vec![Step::Connect]));
    // It was reachable before, and the connection failed: nothing has changed.
    run.close(CloseReason::Lost);
    run.session.reachable(run.now, false, run.now, run.random);
    assert_eq!(run.wake().0, LONGEST_WAIT);
    // Nor where the server has closed the connection.
    run.close(CloseReason::ByServer);
    assert!(!run.session.wants_probes(run.now));
    run.session.unreachable();
    run.session.reachable(run.now, false, run.now, run.random);
    assert_eq!(run.wake().0, 1_000.0);
}

#[test]
fn a_silent_link_is_replaced_when_the_server_answers_a_probe() {
    let mut run = Run::connected(None, HOUR);
    run.now = 100_000.0;
    run.session.reachable(run.now, false, run.now, 0.5);
    assert_eq!(run.session.wake_at(run.now), run.session.token.renew_at);
    run.session.reachable(run.now, true, run.now, 0.5);
    run.session
        .reachable(run.now + 400.0, true, run.now + 450.0, 0.5);
    let wait = run.wake();
    assert_eq!(
        wait,
        (GRACE + SPREAD / 2.0, vec![Step::Close, Step::Connect])
    );
    // One that receives something meanwhile is not.
    run.session.connected(run.now);
    run.session.received();
    run.session.reachable(run.now, true, run.now, 0.5);
    run.session.received();
    assert_eq!(run.session.wake_at(run.now), run.session.token.renew_at);
}

#[test]
fn a_link_from_before_a_sleep_is_replaced_at_once() {
    let mut run = Run::connected(None, HOUR);
    run.now = 1_000.0;
    run.session.replace(run.now);
    assert_eq!(run.steps(), [Step::Close, Step::Connect]);
    // So is an attempt; without a link nothing is replaced.
    run.now = 2_000.0;
    run.session.replace(run.now);
    assert_eq!(run.steps(), [Step::Close, Step::Connect]);
    run.close(CloseReason::ByServer);
    let at = run.session.wake_at(run.now);
    run.session.replace(run.now);
    assert_eq!(run.session.wake_at(run.now), at);
}

#[test]
fn links_that_stay_silent_are_replaced_later_and_later() {
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
fn an_attempt_from_before_the_network_was_back_is_replaced() {
    let mut run = Run::new(None, HOUR);
    run.steps();
    assert!(!run.session.wants_probes(1_999.0));
    assert!(run.session.wants_probes(2_000.0));
    // On a slow network every round trip takes long.
    run.session.reachable(2_000.0, false, 3_000.0, 0.5);
    assert_eq!(run.session.wake_at(3_000.0), PATIENCE + 4_000.0);
    run.session.reachable(4_000.0, false, 4_010.0, 0.5);
    run.now = 4_010.0;
    assert_eq!(run.steps(), [Step::Close, Step::Connect]);
    // A probe that was sent before the attempt says nothing about it.
    run.session.reachable(4_000.0, false, 4_500.0, 0.5);
    assert_eq!(run.session.wake_at(4_500.0), 4_010.0 + CONNECT_TIMEOUT);
}

#[test]
fn a_token_requested_before_the_network_was_back_is_requested_again() {
    let mut run = Run::connected(user("a"), 10);
    run.wake();
    run.close(CloseReason::Lost);
    run.now = 3_600_000.0;
    assert_eq!(run.steps(), [], "a request for a token is pending");
    run.session.unreachable();
    run.session.reachable(run.now, false, run.now, 0.0);
    assert_eq!(run.steps(), [Step::RenewToken]);
    assert_eq!(run.renew(Some((user("a"), HOUR))), [Step::Connect]);
}

#[test]
fn a_rejected_page_connects_when_the_server_allows_it() {
    let mut run = Run::new(None, HOUR);
    run.steps();
    run.close(CloseReason::rejected(
        "Too many connection attempts from this IP",
    ));
    assert!(run.session.is_rejected());
    run.session.connect_in(120.0, run.now, run.random);
    assert_eq!(run.wake(), (120_500.0, vec![Step::Connect]));
    run.close(CloseReason::rejected(
        "Too many connection attempts from this IP",
    ));
    // The server allows it sooner.
    run.session.connect_in(60.0, run.now, run.random);
    run.now += 5_000.0;
    run.session.connect_in(0.0, run.now, run.random);
    assert_eq!(run.steps(), [Step::Connect]);
    run.session.connected(run.now);
    assert!(!run.session.is_rejected());
    // A late response rejects nobody.
    run.session.connect_in(60.0, run.now, run.random);
    assert_eq!(run.steps(), []);
    assert!(!run.session.is_rejected());
}

#[test]
fn a_page_that_is_rejected_though_it_was_allowed_retries_later_and_later() {
    let mut run = Run::new(None, HOUR);
    run.steps();
    run.close(CloseReason::Rejected);
    run.session.connect_in(0.0, run.now, run.random);
    assert_eq!(run.steps(), [Step::Connect]);
    for expected in [1_500.0, 3_000.0, 6_000.0, 12_000.0] {
        run.close(CloseReason::Rejected);
        run.session.connect_in(0.0, run.now, run.random);
        assert_eq!(run.wake(), (expected, vec![Step::Connect]));
    }
    run.close(CloseReason::Rejected);
    run.session.connect_in(5.0, run.now, run.random);
    run.now += 1_000.0;
    run.session.connect_in(0.0, run.now, run.random);
    assert_eq!(run.steps(), [Step::Connect], "it was allowed anew");
}

#[test]
fn a_lost_link_is_not_retried_sooner_because_the_server_allows_it() {
    let mut run = Run::new(None, HOUR);
    run.steps();
    run.close(CloseReason::Lost);
    let at = run.session.wake_at(run.now);
    run.session.connect_in(0.0, run.now, run.random);
    assert_eq!(run.session.wake_at(run.now), at);
    // It is rejected before a session is opened.
    run.session.connect_in(9.0, run.now, run.random);
    assert_eq!(run.wake(), (9_500.0, vec![Step::Connect]));
}

#[test]
fn an_attempt_that_hangs_is_given_up() {
    let mut run = Run::new(None, HOUR);
    run.steps();
    assert_eq!(run.wake(), (CONNECT_TIMEOUT, vec![Step::Close]));
    assert_eq!(run.wake().1, [Step::Connect]);
}
