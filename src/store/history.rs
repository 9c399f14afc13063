//! Histories: what a store knows of one user's past, and how many actions
//! become few points.

use std::time::Duration;

use crate::board::{Score, Scores, Seq, Timestamp};

/// The most points in a [`History`].
pub const MAX_POINTS: usize = 1000;

/// Actions that a [`History`] has in full.
pub const RECENT: usize = 20;

/// How long a store reads for one [`History`]: nobody waits for longer, and others are to
/// have their turn.
pub const LONGEST_READ: Duration = Duration::from_secs(2);

/// What a user has done; see [`Store::history`](super::Store::history).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The score over time, oldest first.
    pub points: Vec<HistoryPoint>,
    /// The latest actions, latest first: [`RECENT`] of them at most.
    pub recent: Vec<RecentAction>,
    /// How many actions were counted.
    pub actions: u64,
    /// The best rank after an action of the user's own.
    pub best: Option<u64>,
    /// When the first action was taken.
    pub first: Option<Timestamp>,
    /// When the latest action was taken.
    pub last: Option<Timestamp>,
}

/// How a user stood after an action of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HistoryPoint {
    /// How many facts the board held with the action, 1 or more; not known of a derived board.
    pub seq: Option<Seq>,
    /// When it was taken.
    pub at: Timestamp,
    /// The score after it.
    pub score: Score,
    /// The second score after it, 0 on a board without; not known of a derived board.
    pub tiebreak: Option<Score>,
    /// The rank after it, if it is known already.
    pub rank: Option<u64>,
}

impl HistoryPoint {
    /// Both scores after it, as far as they are known.
    pub(super) fn scores(&self) -> Scores {
        Scores {
            score: self.score,
            tiebreak: self.tiebreak.unwrap_or_default(),
        }
    }
}

/// One of the latest actions of a user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecentAction {
    /// Its type.
    pub action_type: Box<str>,
    /// The points it was worth.
    pub increase: i64,
    /// How the user stood after it.
    pub after: HistoryPoint,
}

/// Chooses few of many entries, evenly in time: of each stretch of time the
/// last, and always the very first and the very last. It holds no more than it
/// chooses.
pub(super) struct Thinning<T> {
    count: u64,
    earliest: Timestamp,
    latest: Timestamp,
    added: u64,
    /// One for each point: the first entry, stretches of equal length, the last
    /// entry; or one for each entry, if these are not more.
    chosen: Vec<Option<(u64, T)>>,
}

impl<T> Thinning<T> {
    /// A choice of at most `points` of as many entries as `count` is, which were
    /// taken between these two moments.
    pub(super) fn new(
        points: usize,
        count: u64,
        earliest: Timestamp,
        latest: Timestamp,
    ) -> Thinning<T> {
        let points = points.clamp(1, MAX_POINTS);
        let length = usize::try_from(count).map_or(points, |count| count.min(points));
        Thinning {
            count,
            earliest,
            latest,
            added: 0,
            chosen: std::iter::repeat_with(|| None).take(length).collect(),
        }
    }

    /// Adds the next entry, in the order of the log.
    pub(super) fn add(&mut self, at: Timestamp, entry: T) {
        let number = self.added;
        self.added += 1;
        if let Some(place) = self.place(number, at)
            && let Some(chosen) = self.chosen.get_mut(place)
        {
            *chosen = Some((number, entry));
        }
    }

    fn place(&self, number: u64, at: Timestamp) -> Option<usize> {
        let places = self.chosen.len() as u64;
        let place = if self.count <= places {
            number
        } else if number + 1 >= self.count {
            places - 1
        } else if number == 0 {
            0
        } else {
            let stretches = places.checked_sub(2).filter(|stretches| *stretches > 0)?;
            let whole = self.latest.0.saturating_sub(self.earliest.0) + 1;
            let since = at.0.saturating_sub(self.earliest.0).min(whole - 1);
            // Milliseconds times a thousand stretches fit for half a million years.
            1 + since.saturating_mul(stretches) / whole
        };
        usize::try_from(place).ok()
    }

    /// What was chosen, in the order of the log.
    pub(super) fn chosen(self) -> Vec<T> {
        let mut chosen: Vec<(u64, T)> = self.chosen.into_iter().flatten().collect();
        // Where a clock was set back, time has another order than the log.
        chosen.sort_unstable_by_key(|(number, _)| *number);
        chosen.into_iter().map(|(_, entry)| entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers, from 0, of the entries that are chosen of those at these times.
    fn chosen(points: usize, times: &[u64]) -> Vec<usize> {
        let bound = |bound: Option<&u64>| Timestamp(bound.copied().unwrap_or_default());
        let (earliest, latest) = (bound(times.iter().min()), bound(times.iter().max()));
        let mut thinning = Thinning::new(points, times.len() as u64, earliest, latest);
        for (number, &at) in times.iter().enumerate() {
            thinning.add(Timestamp(at), number);
        }
        thinning.chosen()
    }

    #[test]
    fn few_entries_are_all_there() {
        assert!(chosen(3, &[]).is_empty());
        assert_eq!(chosen(3, &[5]), [0]);
        assert_eq!(chosen(3, &[5, 5, 5]), [0, 1, 2]);
    }

    #[test]
    fn of_many_the_last_of_each_stretch_is_there() {
        // The stretches between first and last are 0 to 4 and 5 to 9.
        assert_eq!(chosen(4, &[0, 1, 2, 3, 6, 8, 9]), [0, 3, 5, 6]);
        // Nothing happened for long.
        assert_eq!(chosen(6, &[0, 1, 2, 3, 4, 5, 1000]), [0, 5, 6]);
        assert_eq!(chosen(4, &[7, 7, 7, 7, 7]), [0, 3, 4]);
    }

    #[test]
    fn first_and_last_are_always_there() {
        let times: Vec<u64> = (0..5000).collect();
        assert_eq!(chosen(1, &times), [4999]);
        assert_eq!(chosen(0, &times), [4999]);
        assert_eq!(chosen(2, &times), [0, 4999]);
        assert_eq!(chosen(3, &times), [0, 4998, 4999]);
        assert_eq!(chosen(usize::MAX, &times).len(), MAX_POINTS);
    }

    #[test]
    fn a_clock_that_was_set_back_changes_no_order() {
        let chosen = chosen(5, &[500, 900, 100, 200, 300, 400, 450]);
        // Stretches: 100 to 366, 367 to 633, 634 to 900.
        assert_eq!(chosen, [0, 1, 4, 5, 6]);
    }
}
