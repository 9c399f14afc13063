//! When the page asks the server for what happened since the board that it shows: once
//! on every connection, and where deltas leave a gap. There is one question at a time,
//! and questions that follow each other closely come later and later, so that a page
//! that misses much does not use up the events of its user. Pure: times are in
//! milliseconds, of a clock that never goes back.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "the socket is the browser's alone")
)]

use crate::backoff::Backoff;

/// The longest that the server may take to answer. It drops what does not fit into the
/// buffer of a slow client, also answers.
const ANSWER_WITHIN: f64 = 10_000.0;
/// A gap that is not filled within this time makes the board an old one.
const GAP: f64 = 4_000.0;
/// The longest wait between two questions.
const LONGEST_WAIT: f64 = 10_000.0;
/// A question that comes so long after the last one is the first again.
const QUIET: f64 = 60_000.0;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Resync {
    /// Since when the board is known to be incomplete; on a new connection, since ever.
    incomplete_since: Option<f64>,
    /// Until when the answer to a question is waited for.
    answer_by: Option<f64>,
    /// When the last question was asked.
    asked_at: f64,
    /// Before this nothing is asked.
    not_before: f64,
    backoff: Backoff,
}

impl Resync {
    /// There is a new connection. The server knows nothing of the ones before.
    pub(crate) fn connected(&mut self, now: f64) {
        self.incomplete_since = Some(f64::NEG_INFINITY);
        self.answer_by = None;
        self.not_before = now;
    }

    /// The connection has ended, and with it all questions.
    pub(crate) fn closed(&mut self) {
        self.incomplete_since = None;
        self.answer_by = None;
    }

    /// A delta does not fit the board.
    pub(crate) fn gap(&mut self, now: f64) {
        self.incomplete_since.get_or_insert(now);
    }

    /// Is everything shown that the server has said?
    pub(crate) fn is_complete(&self) -> bool {
        self.incomplete_since.is_none()
    }

    /// Is something not shown that happened longer ago than a question takes?
    pub(crate) fn is_behind(&self, now: f64) -> bool {
        self.incomplete_since
            .is_some_and(|since| since + GAP <= now)
    }

    /// The board is complete.
    pub(crate) fn complete(&mut self) {
        self.incomplete_since = None;
        self.answer_by = None;
    }

    /// The server refused an event: that was the question, if there is one.
    pub(crate) fn refused(&mut self) {
        self.answer_by = None;
    }

    /// Is the question to be asked now? If so, it counts as asked.
    pub(crate) fn next(&mut self, now: f64, random: f64) -> bool {
        let is_waiting = self.answer_by.is_some_and(|until| now < until);
        if self.is_complete() || is_waiting || now < self.not_before {
            return false;
        }
        if now - self.asked_at >= QUIET {
            self.backoff.reset();
        }
        self.asked_at = now;
        self.answer_by = Some(now + ANSWER_WITHIN);
        self.not_before = now + self.backoff.next(LONGEST_WAIT, random);
        true
    }

    /// When [`next`](Resync::next) is to be called, if nothing happens before.
    pub(crate) fn wake_at(&self) -> Option<f64> {
        let until = self.answer_by.unwrap_or(self.not_before);
        let is_asking = !self.is_complete();
        is_asking.then(|| until.max(self.not_before))
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
    fn a_gap_is_asked_for_once_within_a_round_trip() {
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
    fn a_lost_answer_is_asked_for_again() {
        let mut it = connected();
        assert_eq!(it.wake_at(), Some(ANSWER_WITHIN));
        assert!(!it.next(ANSWER_WITHIN - 1.0, 0.5));
        assert!(it.next(ANSWER_WITHIN, 0.5));
    }

    #[test]
    fn a_refused_question_is_asked_again_later_and_later() {
        let mut it = connected();
        let mut asked = vec![0.0];
        for _ in 0..5 {
            it.refused();
            let Some(at) = it.wake_at() else {
                panic!("a question is open");
            };
            assert!(!it.next(at - 1.0, 1.0));
            assert!(it.next(at, 1.0));
            asked.push(at);
        }
        assert!(asked.is_sorted());
        assert_eq!(asked[5] - asked[4], LONGEST_WAIT);
        it.complete();
        it.refused();
        assert_eq!(it.wake_at(), None, "it was another event");
    }

    #[test]
    fn a_page_that_misses_everything_asks_rarely() {
        let mut it = connected();
        let mut asked = 1;
        // Every question is answered at once, and the next delta leaves a gap again.
        for now in (0..60_000).step_by(50) {
            it.complete();
            it.gap(f64::from(now));
            asked += u32::from(it.next(f64::from(now), 0.0));
        }
        assert!(asked <= 16, "{asked} of 60 events a minute");
        it.complete();
        it.gap(180_000.0);
        assert!(it.next(180_000.0, 0.0), "a first gap is asked for at once");
    }

    #[test]
    fn a_board_with_a_gap_is_an_old_one_when_nobody_fills_it() {
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
    fn every_connection_asks_anew() {
        let mut it = connected();
        it.closed();
        assert!(!it.next(5_000.0, 0.5));
        it.connected(5_001.0);
        assert!(it.next(5_001.0, 0.5));
    }
}
