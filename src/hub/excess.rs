//! Who goes on beyond the limit of events is disconnected.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// How far an official client may be beyond the limit, in events. It is told of each;
/// with one more, it is disconnected.
const MOST: u32 = 60;

/// How many events beyond the limit a socket has sent, less those that were within it: a
/// steady flood adds up, and whoever errs now and then is forgiven.
#[derive(Clone, Default)]
pub(super) struct Excess(Arc<AtomicU32>);

impl Excess {
    /// An event was within the limit.
    pub(super) fn within(&self) {
        let less = |excess: u32| Some(excess.saturating_sub(1));
        _ = self
            .0
            .try_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// An event was beyond the limit. Answers whether it is one too many.
    pub(super) fn beyond(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_row_are_answered() {
        let excess = Excess::default();
        assert!((0..60).all(|_| !excess.beyond()));
        assert!(excess.beyond());
    }

    #[test]
    fn a_steady_flood_ends_though_an_event_a_second_is_within_the_limit() {
        let excess = Excess::default();
        let is_over = |_: &u32| {
            excess.within();
            (0..49).any(|_| excess.beyond())
        };
        assert_eq!((1..=600).find(is_over), Some(2), "in which second");
    }

    #[test]
    fn who_errs_now_and_then_stays() {
        let excess = Excess::default();
        for _ in 0..600 {
            excess.within();
            assert!(!excess.beyond());
        }
    }
}
