//! When the tokens of sockets end.

use std::collections::{BTreeSet, HashMap};

use socketioxide::socket::Sid;
use tokio::time::{Duration, Instant};

/// The longest that is waited at a time: tokens may name any moment at all.
const LONGEST_WAIT: u64 = 24 * 3600;

/// Sockets by the second, since 1970-01-01T00:00:00Z, at which their tokens end.
#[derive(Default)]
pub(super) struct Expiring {
    sockets: HashMap<Sid, u64>,
    moments: BTreeSet<(u64, Sid)>,
}

impl Expiring {
    /// The token of this socket, whatever it was before, ends then.
    pub(super) fn set(&mut self, sid: Sid, expires: u64) {
        self.forget(sid);
        self.sockets.insert(sid, expires);
        self.moments.insert((expires, sid));
    }

    /// The socket has gone.
    pub(super) fn forget(&mut self, sid: Sid) {
        if let Some(expires) = self.sockets.remove(&sid) {
            self.moments.remove(&(expires, sid));
        }
    }

    /// When to look again if it is `now`, if any token will end.
    pub(super) fn due(&self, now: u64) -> Option<Instant> {
        let (expires, _) = self.moments.first()?;
        let wait = expires.saturating_sub(now).min(LONGEST_WAIT);
        Some(Instant::now() + Duration::from_secs(wait))
    }

    /// The sockets whose tokens have ended by `now`, who are forgotten.
    pub(super) fn take_until(&mut self, now: u64) -> Vec<Sid> {
        let mut ended = Vec::new();
        while let Some(&(_, sid)) = self.moments.first().filter(|(expires, _)| *expires <= now) {
            self.forget(sid);
            ended.push(sid);
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_token_of_a_socket_counts() {
        let [one, two, three] = [Sid::new(), Sid::new(), Sid::new()];
        let mut expiring = Expiring::default();
        expiring.set(one, 5);
        expiring.set(two, 5);
        expiring.set(three, 7);
        expiring.set(two, 9);
        assert_eq!(expiring.take_until(4), []);
        assert_eq!(expiring.take_until(6), [one]);
        expiring.forget(three);
        assert_eq!(expiring.take_until(8), []);
        assert_eq!(expiring.take_until(u64::MAX), [two]);
        assert!(expiring.due(0).is_none());
    }

    #[test]
    fn a_token_may_hold_for_ever() {
        let mut expiring = Expiring::default();
        expiring.set(Sid::new(), u64::MAX);
        assert!(expiring.due(0).is_some());
    }
}
