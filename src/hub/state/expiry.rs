//! When the tokens of sockets expire.

use std::collections::{BTreeSet, HashMap};

use socketioxide::socket::Sid;
use tokio::time::Duration;

/// The longest wait at a time, in seconds: tokens may expire at any time at all.
const LONGEST_WAIT: u64 = 24 * 3600;

/// Sockets by the second, since 1970-01-01T00:00:00Z, at which their tokens expire.
#[derive(Default)]
pub(super) struct TokenExpiry {
    sockets: HashMap<Sid, u64>,
    /// The same, in order.
    queue: BTreeSet<(u64, Sid)>,
}

impl TokenExpiry {
    /// The token of this socket, which may have had another before, expires then.
    pub(super) fn set(&mut self, sid: Sid, expires: u64) {
        self.remove(sid);
        self.sockets.insert(sid, expires);
        self.queue.insert((expires, sid));
    }

    /// The socket has disconnected.
    pub(super) fn remove(&mut self, sid: Sid) {
        if let Some(expires) = self.sockets.remove(&sid) {
            self.queue.remove(&(expires, sid));
        }
    }

    /// How long to wait from `now` until the next token may have expired, if there is one.
    pub(super) fn wait(&self, now: u64) -> Option<Duration> {
        let (expires, _) = self.queue.first()?;
        let wait = expires.saturating_sub(now).min(LONGEST_WAIT);
        Some(Duration::from_secs(wait))
    }

    /// Takes the sockets whose tokens have expired by `now`.
    pub(super) fn take_expired(&mut self, now: u64) -> Vec<Sid> {
        let mut expired = Vec::new();
        while let Some(&(_, sid)) = self.queue.first().filter(|(expires, _)| *expires <= now) {
            self.remove(sid);
            expired.push(sid);
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_token_of_a_socket_counts() {
        let [one, two, three] = [Sid::new(), Sid::new(), Sid::new()];
        let mut expiry = TokenExpiry::default();
        expiry.set(one, 5);
        expiry.set(two, 5);
        expiry.set(three, 7);
        expiry.set(two, 9);
        assert_eq!(expiry.take_expired(4), []);
        assert_eq!(expiry.take_expired(6), [one]);
        expiry.remove(three);
        assert_eq!(expiry.take_expired(8), []);
        assert_eq!(expiry.take_expired(u64::MAX), [two]);
        assert!(expiry.wait(0).is_none());
    }

    #[test]
    fn a_token_may_never_expire() {
        let mut expiry = TokenExpiry::default();
        expiry.set(Sid::new(), u64::MAX);
        assert!(expiry.wait(0).is_some());
    }
}
