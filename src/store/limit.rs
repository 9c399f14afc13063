//! How often one user's actions of a declared type count: in any minute, and in
//! any day, by the store's own clock. The store remembers when actions with
//! limits were counted; this decides what follows from it, and asks no clock.

use std::{fmt, num::NonZeroU32};

use crate::board::Timestamp;

/// How many actions of its type count for one user. Those that would be more are
/// refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionLimits {
    /// In any 60 seconds.
    pub per_minute: Option<NonZeroU32>,
    /// In any 24 hours.
    pub per_day: Option<NonZeroU32>,
}

impl ActionLimits {
    /// The limits that there are, each with the window that it is for.
    pub fn windows(self) -> impl Iterator<Item = (Window, NonZeroU32)> {
        let limits = [
            (Window::Minute, self.per_minute),
            (Window::Day, self.per_day),
        ];
        limits
            .into_iter()
            .filter_map(|(window, limit)| Some((window, limit?)))
    }
}

/// The time that a limit looks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// 60 seconds.
    Minute,
    /// 24 hours.
    Day,
}

impl Window {
    /// Its length, in milliseconds.
    pub const fn millis(self) -> u64 {
        match self {
            Window::Minute => 60_000,
            Window::Day => 86_400_000,
        }
    }

    /// The moment after which actions are in the window that ends now.
    pub fn start(self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_sub(self.millis()))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Window::Minute => "minute",
            Window::Day => "day",
        })
    }
}

/// A limit that keeps an action from counting now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReached {
    /// How many count.
    pub limit: NonZeroU32,
    /// In which time.
    pub window: Window,
    /// After how many seconds the next one counts, 1 or more.
    pub retry_after: u64,
}

impl LimitReached {
    /// The limit, when its window is full until the action leaves it that was
    /// counted at `oldest`.
    pub fn until_left_by(
        oldest: Timestamp,
        limit: NonZeroU32,
        window: Window,
        now: Timestamp,
    ) -> LimitReached {
        let left = oldest.0.saturating_add(window.millis());
        let retry_after = left.saturating_sub(now.0).div_ceil(1000).max(1);
        LimitReached {
            limit,
            window,
            retry_after,
        }
    }
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitReached { limit, window, .. } = self;
        match limit.get() {
            1 => write!(f, "counts at most once a {window} for one user"),
            n => write!(f, "counts at most {n} times a {window} for one user"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: NonZeroU32 = NonZeroU32::new(2).unwrap();

    #[test]
    fn the_wait_ends_when_the_oldest_has_left_and_never_before() {
        let wait = |oldest, now| {
            let (oldest, now) = (Timestamp(oldest), Timestamp(now));
            LimitReached::until_left_by(oldest, TWO, Window::Minute, now).retry_after
        };
        assert_eq!(wait(100_000, 100_000), 60);
        assert_eq!(wait(100_000, 100_001), 60);
        assert_eq!(wait(100_000, 101_000), 59);
        assert_eq!(wait(100_000, 159_999), 1);
        // A clock that was set back makes the wait longer, not shorter.
        assert_eq!(wait(100_000, 90_000), 70);
        assert_eq!(wait(100_000, 500_000), 1);
    }

    #[test]
    fn limits_are_displayed_with_their_numbers() {
        let reached = |limit, window| {
            let limit = NonZeroU32::new(limit).unwrap();
            LimitReached::until_left_by(Timestamp(0), limit, window, Timestamp(0)).to_string()
        };
        assert_eq!(
            reached(6, Window::Minute),
            "counts at most 6 times a minute for one user"
        );
        assert_eq!(
            reached(1, Window::Day),
            "counts at most once a day for one user"
        );
    }

    #[test]
    fn a_window_that_began_before_time_did_begins_with_it() {
        assert_eq!(Window::Day.start(Timestamp(5)), Timestamp(0));
        assert_eq!(Window::Minute.start(Timestamp(60_005)), Timestamp(5));
    }
}
