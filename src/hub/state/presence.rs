//! Presence: which users are online, and by which sockets.

use std::collections::HashMap;

use socketioxide::socket::Sid;

use crate::board::UserId;

/// See the module.
#[derive(Default)]
pub(super) struct Presence {
    /// The sockets of each, at least one.
    users: HashMap<UserId, Vec<Sid>>,
    sockets: usize,
}

impl Presence {
    /// A socket of this user is connected. Is it the user's first?
    pub(super) fn add(&mut self, sid: Sid, user: UserId) -> bool {
        self.sockets += 1;
        let sockets = self.users.entry(user).or_default();
        sockets.push(sid);
        sockets.len() == 1
    }

    /// A socket of this user has disconnected. Was it the user's last?
    pub(super) fn remove(&mut self, sid: Sid, user: UserId) -> bool {
        let Some(sockets) = self.users.get_mut(&user) else {
            return false;
        };
        let before = sockets.len();
        sockets.retain(|known| *known != sid);
        self.sockets -= before - sockets.len();
        let is_last = sockets.is_empty();
        if is_last {
            self.users.remove(&user);
        }
        is_last
    }

    /// The sockets of a user.
    pub(super) fn sockets_of(&self, user: UserId) -> &[Sid] {
        self.users.get(&user).map_or(&[], Vec::as_slice)
    }

    /// All users who are online.
    pub(super) fn users(&self) -> impl ExactSizeIterator<Item = UserId> + '_ {
        self.users.keys().copied()
    }

    /// How many sockets are connected.
    pub(super) fn sockets(&self) -> usize {
        self.sockets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_online_until_the_last_socket_has_disconnected() {
        let mut presence = Presence::default();
        let user = UserId([3; 16]);
        let [first, second] = [Sid::new(), Sid::new()];
        assert!(presence.add(first, user));
        assert!(!presence.add(second, user));
        assert!(presence.add(Sid::new(), UserId([4; 16])));
        assert_eq!((presence.users().len(), presence.sockets()), (2, 3));
        assert!(!presence.remove(first, user));
        assert!(!presence.remove(first, user));
        assert_eq!(presence.sockets_of(user), [second]);
        assert!(presence.remove(second, user));
        assert!(presence.sockets_of(user).is_empty());
        assert!(!presence.remove(second, user));
        assert_eq!((presence.users().len(), presence.sockets()), (1, 1));
    }
}
