//! When a socket that keeps sending beyond the limit of events is disconnected.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// How far a client may be beyond the limit, in events. Each is answered with an error;
/// with one more, the socket is disconnected.
const MOST: u32 = 60;

/// How many events beyond the limit a socket has sent, less those that were within it: a
/// steady flood adds up, and a mistake now and then does not.
#[derive(Clone, Default)]
pub(super) struct Excess(Arc<AtomicU32>);

impl Excess {
    /// An event was within the limit.
    pub(super) fn within_limit(&self) {
        let less = |excess: u32| Some(excess.saturating_sub(1));
        _ = self
            .0
            .try_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// An event was beyond the limit. Returns whether it is one too many.
    pub(super) fn beyond_limit(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_in_a_row_are_answered() {
        let excess = Excess::default();
        assert!((0..60).all(|_| !excess.beyond_limit()));
        assert!(excess.beyond_limit());
    }

    #[test]
    fn a_steady_flood_is_ended_though_one_event_a_second_is_within_the_limit() {
        let excess = Excess::default();
        let is_over = |_: &u32| {
            excess.within_limit();
            (0..49).any(|_| excess.beyond_limit())
        };
        assert_eq!((1..=600).find(is_over), Some(2), "in which second");
    }

    #[test]
    fn a_mistake_now_and_then_is_no_flood() {
        let excess = Excess::default();
        for _ in 0..600 {
            excess.within_limit();
            assert!(!excess.beyond_limit());
        }
    }
}
