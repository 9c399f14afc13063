//! Which version of a board costly answers show. There may be thousands of entries a
//! second; a page, a search or a history that is as old as one tick is as good, and one
//! for each version serves all clients.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;

use crate::board::{BoardId, State};

/// The least time between two versions, when there are many: a tick of the hub.
pub(super) const PERIOD: Duration = Duration::from_millis(100);

/// Versions that may follow each other at once after a quiet time, so that who writes
/// now and then and reads what was written sees it.
pub(super) const BURST: u32 = 10;

/// A version of a board. It has all facts up to some `seq`, and perhaps more; users who
/// were deleted or hidden before it was asked for are not in it. Of two boards, and of two
/// that had the same name one after the other, no versions are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Version(u64);

/// What makes what is shown of a board another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// How many facts were folded into it, or of all boards how many entries were.
    pub(super) seq: u64,
    /// How often the log was replaced.
    pub(super) reloads: u64,
    /// How often something changed that is shown on any board: people, teams, and which
    /// boards there are.
    pub(super) shared: u64,
    /// How often that has to be seen at once: somebody was deleted or hidden, or a board
    /// was, or may be.
    pub(super) urgent: u64,
}

/// Numbers the versions of boards: of each so many at once, then one each period (GCRA).
/// What is urgent always makes one at once.
#[derive(Debug)]
pub struct Versions {
    period: Duration,
    burst: u32,
    boards: Mutex<Boards>,
}

#[derive(Debug, Default)]
struct Boards {
    /// The latest version of any board.
    latest: u64,
    /// Of boards that there are; of those that were deleted until the next one is added.
    boards: HashMap<BoardId, Latest>,
    /// Of all boards together.
    together: Option<Latest>,
}

/// Which boards there are, what each is and in which season; of no two logs the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BoardsVersion {
    pub(super) reloads: u64,
    pub(super) boards: u64,
}

#[derive(Clone, Copy, Debug)]
struct Latest {
    shown: Shown,
    version: Version,
    /// Until then all versions are used up that were saved, by the clock of the caller.
    used_until: Duration,
}

impl Versions {
    /// At most `burst` versions of a board at once, 1 or more, and then one each `period`.
    pub fn new(period: Duration, burst: u32) -> Versions {
        Versions {
            period,
            burst,
            boards: Mutex::default(),
        }
    }

    /// The version of a board to show at `now`, which is the time since any fixed instant.
    /// So is the board now, and these are all boards.
    pub(super) fn at(&self, now: Duration, board: &BoardId, shown: Shown, all: &State) -> Version {
        let Boards { latest, boards, .. } = &mut *self.boards.lock();
        if let Some(it) = boards.get_mut(board) {
            return self.next(latest, it, now, shown);
        }
        boards.retain(|id, _| all.board(id).is_some());
        let first = self.first(latest, now, shown);
        boards.insert(board.clone(), first);
        first.version
    }

    /// The version of all boards together. What is shown of them has so many facts.
    pub(super) fn of_all(&self, now: Duration, shown: Shown) -> Version {
        let Boards {
            latest, together, ..
        } = &mut *self.boards.lock();
        match together {
            Some(it) => self.next(latest, it, now, shown),
            None => together.insert(self.first(latest, now, shown)).version,
        }
    }

    fn first(&self, latest: &mut u64, now: Duration, shown: Shown) -> Latest {
        *latest += 1;
        Latest {
            shown,
            version: Version(*latest),
            used_until: now + self.period,
        }
    }

    fn next(&self, latest: &mut u64, it: &mut Latest, now: Duration, shown: Shown) -> Version {
        if it.shown == shown {
            return it.version;
        }
        let is_urgent = it.shown.reloads != shown.reloads || it.shown.urgent != shown.urgent;
        let saved = self.period * self.burst.saturating_sub(1);
        if is_urgent || it.used_until <= now + saved {
            *latest += 1;
            *it = Latest {
                shown,
                version: Version(*latest),
                used_until: it.used_until.max(now) + self.period,
            };
        }
        it.version
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn entry(seq: u64) -> Shown {
        Shown {
            seq,
            ..Shown::default()
        }
    }

    /// Of `main`.
    fn version(versions: &Versions, now: Duration, shown: Shown) -> u64 {
        let all = State::default();
        versions.at(now, &BoardId::default(), shown, &all).0
    }

    #[test]
    fn the_first_change_after_a_quiet_time_shows_at_once() {
        let versions = Versions::new(100 * MS, 1);
        let at = |ms: u32, seq| version(&versions, ms * MS, entry(seq));
        assert_eq!((at(0, 1), at(0, 1)), (1, 1));
        assert_eq!((at(50, 2), at(99, 3)), (1, 1));
        assert_eq!((at(100, 3), at(150, 4)), (2, 2));
        assert_eq!((at(1000, 4), at(1001, 5)), (3, 3));
    }

    #[test]
    fn a_few_in_a_row_show_at_once_too() {
        let versions = Versions::new(100 * MS, 3);
        let at = |ms: u32, seq| version(&versions, ms * MS, entry(seq));
        let shown: Vec<u64> = (1..6).map(|seq| at(1000, seq)).collect();
        assert_eq!(shown, [1, 2, 3, 3, 3]);
        assert_eq!((at(1099, 7), at(1100, 8), at(1150, 9)), (3, 4, 4));
    }

    #[test]
    fn what_is_urgent_makes_a_version_at_once() {
        let versions = Versions::new(100 * MS, 1);
        let at = |shown| version(&versions, Duration::ZERO, shown);
        assert_eq!(at(entry(1)), 1);
        let removed = Shown {
            urgent: 1,
            ..entry(2)
        };
        assert_eq!(at(removed), 2);
        assert_eq!(at(Shown { seq: 3, ..removed }), 2);
        let replaced = Shown {
            reloads: 1,
            ..removed
        };
        assert_eq!((at(replaced), at(replaced)), (3, 3));
    }

    /// However many boards come and go, those are known that there are; one that comes back
    /// has another version.
    #[test]
    fn versions_of_boards_that_were_deleted_are_forgotten() {
        use crate::live::testing::board;
        let versions = Versions::new(100 * MS, 1);
        let ids: Vec<BoardId> = (0..9)
            .map(|n| BoardId::new(&format!("b{n}")).unwrap())
            .collect();
        let at = |id: &BoardId, all: &State| versions.at(Duration::ZERO, id, entry(1), all);
        let mut seen = std::collections::HashSet::new();
        for round in ids.windows(2).chain(ids[..2].windows(2)) {
            let mut all = State::default();
            for id in round {
                all.put_board(board(id.as_str()));
            }
            assert!(seen.insert(at(&round[1], &all)));
            assert!(versions.boards.lock().boards.len() <= 2);
        }
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
            let mut last = version(&versions, now, entry(seq));
            let first = last;
            for (gap, changes) in gaps {
                now += gap * MS;
                seq += u64::from(changes);
                let next = version(&versions, now, entry(seq));
                let shown = versions.boards.lock().boards[&BoardId::default()].shown;
                let is_newest = shown == entry(seq);
                stale_since = (!is_newest).then(|| stale_since.unwrap_or(now));
                if let Some(since) = stale_since {
                    prop_assert!(now - since < 100 * MS);
                }
                prop_assert!(next >= last);
                last = next;
            }
            let most = u64::from(burst) + (now.as_millis() / 100) as u64;
            prop_assert!(last - first < most + 1);
        }
    }
}
