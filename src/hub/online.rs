//! Users who are here, and the rank that each was told last.

use std::collections::{HashMap, HashSet};

use socketioxide::socket::Sid;
use tokio::time::{Duration, Instant};

use crate::board::UserId;

/// Between two looks at everybody: the longest that anybody waits to hear of a
/// new rank.
const SWEEP: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Default)]
pub(super) struct Online {
    users: HashMap<UserId, Here>,
    swept: Option<Instant>,
    due: Option<Instant>,
}

struct Here {
    sockets: HashSet<Sid>,
    told: Option<u64>,
}

impl Online {
    /// A socket of this user, whose rank this is, was let in.
    pub(super) fn came(&mut self, sid: Sid, user: UserId, rank: Option<u64>) {
        let here = self.users.entry(user).or_insert_with(|| Here {
            sockets: HashSet::new(),
            told: rank,
        });
        here.sockets.insert(sid);
    }

    /// A socket of this user has gone.
    pub(super) fn left(&mut self, sid: Sid, user: UserId) {
        if let Some(here) = self.users.get_mut(&user) {
            here.sockets.remove(&sid);
            if here.sockets.is_empty() {
                self.users.remove(&user);
            }
        }
    }

    /// Has this user a socket?
    pub(super) fn is_here(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    /// Notes that a user is told this rank.
    pub(super) fn told(&mut self, user: UserId, rank: Option<u64>) {
        if let Some(here) = self.users.get_mut(&user) {
            here.told = rank;
        }
    }

    /// Who of these is here and has another rank than they were told. They
    /// count as told.
    pub(super) fn moved(
        &mut self,
        users: impl Iterator<Item = UserId>,
        rank: impl Fn(UserId) -> Option<u64>,
    ) -> Vec<UserId> {
        let mut moved = Vec::new();
        for user in users {
            if let Some(here) = self.users.get_mut(&user) {
                let now = rank(user);
                if here.told != now {
                    here.told = now;
                    moved.push(user);
                }
            }
        }
        moved
    }

    /// Somebody's rank may be another from now on.
    pub(super) fn changed(&mut self) {
        if self.due.is_none() && !self.users.is_empty() {
            let now = Instant::now();
            self.due = Some(self.swept.map_or(now, |swept| now.max(swept + SWEEP)));
        }
    }

    /// When to look at everybody.
    pub(super) fn sweep_due(&self) -> Option<Instant> {
        self.due
    }

    /// Is it time to look at everybody?
    pub(super) fn is_sweep_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Looks at everybody who is here; answers as [`Online::moved`] does.
    pub(super) fn sweep(&mut self, rank: impl Fn(UserId) -> Option<u64>) -> Vec<UserId> {
        self.due = None;
        self.swept = Some(Instant::now());
        let mut moved = Vec::new();
        for (&user, here) in &mut self.users {
            let now = rank(user);
            if here.told != now {
                here.told = now;
                moved.push(user);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u8) -> UserId {
        UserId([n; 16])
    }

    #[test]
    fn who_moved_is_told_once() {
        let mut online = Online::default();
        online.came(Sid::new(), user(1), Some(1));
        online.came(Sid::new(), user(2), Some(2));
        let swapped = |who: UserId| Some(if who == user(1) { 2 } else { 1 });
        online.told(user(2), Some(1));
        let both = [user(1), user(2), user(3)];
        assert_eq!(online.moved(both.into_iter(), swapped), [user(1)]);
        assert_eq!(online.sweep(swapped), []);
    }

    #[test]
    fn a_user_is_here_until_the_last_socket_has_gone() {
        let mut online = Online::default();
        let (one, other) = (Sid::new(), Sid::new());
        online.came(one, user(1), None);
        online.came(other, user(1), None);
        online.left(one, user(1));
        online.left(one, user(1));
        assert!(online.is_here(user(1)));
        online.left(other, user(1));
        assert!(!online.is_here(user(1)));
        online.left(other, user(1));
        online.changed();
        assert_eq!(online.sweep_due(), None);
    }
}
