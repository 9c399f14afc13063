//! The names of a board's keys. They share a hash tag, so that a cluster stores all of
//! them in one slot; those that scripts make by themselves begin in the same way.

use crate::board::{BoardId, UserId};

pub(super) struct Keys {
    prefix: String,
    /// A hash: schema, epoch, rule, seq, ranked_through; what was there after which entry
    /// (`counted`, `indexed`), from which entry on what belongs to entries is looked for
    /// (`audited`), when an operator began the epoch (`decided`), and why nothing may be
    /// written until one has decided (`halted`).
    pub(super) meta: String,
    /// A stream. An entry's id begins with its seq.
    pub(super) log: String,
    /// A hash of records by user.
    pub(super) users: String,
    /// A hash by id of those that may still be valid.
    pub(super) announcements: String,
    /// A hash by user of seconds up to which tokens are void.
    pub(super) revoked: String,
    /// Two hashes by action id of when what was decided about it may be forgotten: one is
    /// filled, the other has the ids before. They show that the key of an id is missing,
    /// and cannot be evicted unnoticed, because their sizes are known.
    pub(super) ids: [String; 2],
    /// A hash by node of how many are connected to it.
    pub(super) nodes: String,
}

impl Keys {
    pub(super) fn new(board: &BoardId) -> Keys {
        let key = |name| format!("podium:{{{board}}}:{name}");
        Keys {
            prefix: key(""),
            meta: key("meta"),
            log: key("log"),
            users: key("users"),
            announcements: key("announcements"),
            revoked: key("revoked"),
            ids: [key("ids:1"), key("ids:2")],
            nodes: key("nodes"),
        }
    }

    /// What a board is made of, in the order in which scripts take it.
    pub(super) fn all(&self) -> [&str; 7] {
        [
            &self.meta,
            &self.log,
            &self.users,
            &self.announcements,
            &self.revoked,
            &self.ids[0],
            &self.ids[1],
        ]
    }

    /// What all of them begin with.
    pub(super) fn prefix(&self) -> &[u8] {
        self.prefix.as_bytes()
    }

    /// A list: what a user did, as far as ranks are known.
    pub(super) fn history(&self, user: UserId) -> Vec<u8> {
        self.key("history:", &user.0)
    }

    /// What the keys of all histories begin with.
    pub(super) fn histories(&self) -> Vec<u8> {
        self.key("history:", &[])
    }

    /// A text: what was decided about an action id. Of an empty one, what all begin with.
    pub(super) fn action(&self, id: &str) -> Vec<u8> {
        self.key("action:", id.as_bytes())
    }

    /// A sorted set: when actions of a type that has limits were counted for a user.
    pub(super) fn limited(&self, user: UserId, action_type: &str) -> Vec<u8> {
        let mut key = self.key("limited:", &user.0);
        key.push(b':');
        key.extend(action_type.as_bytes());
        key
    }

    /// What the keys of all limits begin with.
    pub(super) fn limits(&self) -> Vec<u8> {
        self.key("limited:", &[])
    }

    fn key(&self, kind: &str, name: &[u8]) -> Vec<u8> {
        let mut key = format!("{}{kind}", self.prefix).into_bytes();
        key.extend(name);
        key
    }
}
