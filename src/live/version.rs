//! Which version of the board costly answers show. There may be thousands of entries a
//! second; a page, a search or a history that is as old as one tick is as good, and one
//! for each version serves all clients.

use std::time::Duration;

use parking_lot::Mutex;

/// The least time between two versions, when there are many: a tick of the hub.
pub(super) const PERIOD: Duration = Duration::from_millis(100);

/// Versions that may follow each other at once after a quiet time, so that who writes
/// now and then and reads what was written sees it.
pub(super) const BURST: u32 = 10;

/// A version of the board. It has all entries up to some `seq`, and perhaps more; users
/// who were deleted before it was asked for are not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Version(u64);

/// What makes a board another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The last entry.
    pub(super) seq: u64,
    /// How often the board was replaced.
    pub(super) reloads: u64,
    /// How often a user was deleted.
    pub(super) removals: u64,
}

/// Numbers the versions of one board: so many at once, then one each period (GCRA). A
/// removal and a reload always make one at once.
#[derive(Debug)]
pub struct Versions {
    period: Duration,
    burst: u32,
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    state: Option<State>,
    version: Version,
    /// Until then all versions are used up that were saved, by the clock of the caller.
    used_until: Duration,
}

impl Versions {
    /// At most `burst` versions at once, 1 or more, and then one each `period`.
    pub const fn new(period: Duration, burst: u32) -> Versions {
        Versions {
            period,
            burst,
            latest: Mutex::new(Latest {
                state: None,
                version: Version(0),
                used_until: Duration::ZERO,
            }),
        }
    }

    /// The version to show at `now`, which is the time since any fixed instant, of the
    /// board as it is now.
    pub(super) fn at(&self, now: Duration, state: State) -> Version {
        let mut latest = self.latest.lock();
        if latest.state == Some(state) {
            return latest.version;
        }
        let is_urgent = latest
            .state
            .is_none_or(|shown| shown.reloads != state.reloads || shown.removals != state.removals);
        let saved = self.period * self.burst.saturating_sub(1);
        if is_urgent || latest.used_until <= now + saved {
            latest.state = Some(state);
            latest.version.0 += 1;
            latest.used_until = latest.used_until.max(now) + self.period;
        }
        latest.version
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn entry(seq: u64) -> State {
        State {
            seq,
            ..State::default()
        }
    }

    #[test]
    fn the_first_change_after_a_quiet_time_shows_at_once() {
        let versions = Versions::new(100 * MS, 1);
        let at = |ms: u32, seq| versions.at(ms * MS, entry(seq)).0;
        assert_eq!((at(0, 1), at(0, 1)), (1, 1));
        assert_eq!((at(50, 2), at(99, 3)), (1, 1));
        assert_eq!((at(100, 3), at(150, 4)), (2, 2));
        assert_eq!((at(1000, 4), at(1001, 5)), (3, 3));
    }

    #[test]
    fn a_few_in_a_row_show_at_once_too() {
        let versions = Versions::new(100 * MS, 3);
        let at = |ms: u32, seq| versions.at(ms * MS, entry(seq)).0;
        let shown: Vec<u64> = (1..6).map(|seq| at(1000, seq)).collect();
        assert_eq!(shown, [1, 2, 3, 3, 3]);
        assert_eq!((at(1099, 7), at(1100, 8), at(1150, 9)), (3, 4, 4));
    }

    #[test]
    fn a_deletion_makes_a_version_at_once() {
        let versions = Versions::new(100 * MS, 1);
        let at = |state| versions.at(Duration::ZERO, state).0;
        assert_eq!(at(entry(1)), 1);
        let removed = State {
            removals: 1,
            ..entry(2)
        };
        assert_eq!(at(removed), 2);
        assert_eq!(at(State { seq: 3, ..removed }), 2);
        let replaced = State {
            reloads: 1,
            ..removed
        };
        assert_eq!((at(replaced), at(replaced)), (3, 3));
    }

    proptest! {
        /// Whatever happens when: what is shown is as old as one period at most, and there
        /// are not more versions than that allows.
        #[test]
        fn versions_are_few_and_young(
            burst in 1..4_u32,
            gaps in vec((0..200_u32, any::<bool>()), 1..200),
        ) {
            let versions = Versions::new(100 * MS, burst);
            let (mut now, mut seq) = (Duration::ZERO, 0);
            let mut stale_since: Option<Duration> = None;
            let mut last = versions.at(now, entry(seq));
            let first = last;
            for (gap, changes) in gaps {
                now += gap * MS;
                seq += u64::from(changes);
                let version = versions.at(now, entry(seq));
                let is_newest = versions.latest.lock().state == Some(entry(seq));
                stale_since = (!is_newest).then(|| stale_since.unwrap_or(now));
                if let Some(since) = stale_since {
                    prop_assert!(now - since < 100 * MS);
                }
                prop_assert!(version.0 >= last.0);
                last = version;
            }
            let most = u64::from(burst) + (now.as_millis() / 100) as u64;
            prop_assert!(last.0 - first.0 < most + 1);
        }
    }
}
