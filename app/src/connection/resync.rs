//! When the page resynchronises: when it requests the changes since the board that it has.
//! It does so once on every connection, and where deltas leave a gap. There is one request
//! at a time, and requests that follow each other closely come later and later, so that a
//! page that misses much does not use up the rate limit of its user.

use super::backoff::{Backoff, LONGEST_WAIT};

/// The longest that the server may take to respond. It drops what does not fit into the
/// buffer of a slow client, also responses.
const RESPONSE_TIMEOUT: f64 = 10_000.0;
/// A board with a gap is out of date after this time.
const GAP: f64 = 4_000.0;
/// A request so long after the last one is not a retry.
const QUIET: f64 = 60_000.0;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Resync {
    /// Since when the board is incomplete; on a new connection, since ever.
    incomplete_since: Option<f64>,
    /// Until when a response is waited for.
    respond_by: Option<f64>,
    /// When the last request was sent.
    sent_at: f64,
    /// Before this nothing is requested.
    not_before: f64,
    backoff: Backoff,
}

impl Resync {
    /// There is a new connection. The server knows nothing of the ones before.
    pub(crate) fn connected(&mut self, now: f64) {
        self.incomplete_since = Some(f64::NEG_INFINITY);
        self.respond_by = None;
        self.not_before = now;
    }

    /// The connection has ended, and with it all requests.
    pub(crate) fn closed(&mut self) {
        self.incomplete_since = None;
        self.respond_by = None;
    }

    /// A delta does not fit the board.
    pub(crate) fn gap(&mut self, now: f64) {
        self.incomplete_since.get_or_insert(now);
    }

    /// Does the board hold everything that the server has sent?
    pub(crate) fn is_complete(&self) -> bool {
        self.incomplete_since.is_none()
    }

    /// Is the board incomplete for longer than a request takes?
    pub(crate) fn is_behind(&self, now: f64) -> bool {
        self.incomplete_since
            .is_some_and(|since| since + GAP <= now)
    }

    /// The board is complete.
    pub(crate) fn complete(&mut self) {
        self.incomplete_since = None;
        self.respond_by = None;
    }

    /// The server rejected an event: that was the request, if there is one.
    pub(crate) fn rejected(&mut self) {
        self.respond_by = None;
    }

    /// Is the request to be sent now? If so, it counts as sent.
    pub(crate) fn next(&mut self, now: f64, random: f64) -> bool {
        let is_waiting = self.respond_by.is_some_and(|until| now < until);
        if self.is_complete() || is_waiting || now < self.not_before {
            return false;
        }
        if now - self.sent_at >= QUIET {
            self.backoff.reset();
        }
        self.sent_at = now;
        self.respond_by = Some(now + RESPONSE_TIMEOUT);
        self.not_before = now + self.backoff.next(LONGEST_WAIT, random);
        true
    }

    /// When [`next`](Resync::next) is to be called, if nothing happens before.
    pub(crate) fn wake_at(&self) -> Option<f64> {
        let until = self.respond_by.unwrap_or(self.not_before);
        let is_needed = !self.is_complete();
        is_needed.then(|| until.max(self.not_before))
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn connected() -> Resync {
        let mut it = Resync::default();
        it.connected(0.0);
        assert!(it.next(0.0, 0.5));
        it
    }

    #[test]
    fn a_gap_is_requested_once_within_a_round_trip() {
        let mut it = connected();
        it.complete();
        for delta in 0..20 {
            it.gap(2_000.0);
            let is_first = delta == 0;
            assert_eq!(it.next(2_000.0 + f64::from(delta) * 100.0, 0.5), is_first);
        }
        it.complete();
        assert_eq!(it.wake_at(), None);
    }

    #[test]
    fn a_lost_response_is_requested_again() {
        let mut it = connected();
        assert_eq!(it.wake_at(), Some(RESPONSE_TIMEOUT));
        assert!(!it.next(RESPONSE_TIMEOUT - 1.0, 0.5));
        assert!(it.next(RESPONSE_TIMEOUT, 0.5));
    }

    #[test]
    fn a_rejected_request_is_retried_later_and_later() {
        let mut it = connected();
        let mut sent = vec![0.0];
        for _ in 0..5 {
            it.rejected();
            let Some(at) = it.wake_at() else {
                panic!("a request is open");
            };
            assert!(!it.next(at - 1.0, 1.0));
            assert!(it.next(at, 1.0));
            sent.push(at);
        }
        assert!(sent.is_sorted());
        assert_eq!(sent[5] - sent[4], LONGEST_WAIT);
        it.complete();
        it.rejected();
        assert_eq!(it.wake_at(), None, "it was another event");
    }

    #[test]
    fn a_page_that_misses_everything_requests_rarely() {
        let mut it = connected();
        let mut sent = 1;
        // Every request is answered at once, and the next delta leaves a gap again.
        for now in (0..60_000).step_by(50) {
            it.complete();
            it.gap(f64::from(now));
            sent += u32::from(it.next(f64::from(now), 0.0));
        }
        assert!(sent <= 16, "{sent} of 60 events a minute");
        it.complete();
        it.gap(180_000.0);
        assert!(it.next(180_000.0, 0.0), "a first gap is requested at once");
    }

    #[test]
    fn a_board_with_a_gap_is_out_of_date_after_a_while() {
        let mut it = Resync::default();
        it.connected(1_000.0);
        assert!(it.is_behind(1_000.0), "nothing is known yet");
        it.complete();
        assert!(!it.is_behind(1e9));
        it.gap(10_000.0);
        it.gap(13_000.0);
        assert!(!it.is_complete());
        assert!(!it.is_behind(13_900.0));
        assert!(it.is_behind(14_000.0));
        it.complete();
        assert!(!it.is_behind(14_000.0));
    }

    #[test]
    fn every_connection_requests_again() {
        let mut it = connected();
        it.closed();
        assert!(!it.next(5_000.0, 0.5));
        it.connected(5_001.0);
        assert!(it.next(5_001.0, 0.5));
    }
}
