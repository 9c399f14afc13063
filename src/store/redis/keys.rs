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
    pub(super) fn new() -> Keys {
        // Named as when a server had one board.
        let key = |name| format!("podium:{{main}}:{name}");
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

    /// A list: what a user did on a board that a migration writes, as far as ranks are known.
    pub(super) fn history(&self, board: &BoardId, user: UserId) -> Vec<u8> {
        let mut key = self.histories(board, "0");
        key.extend(user.0);
        key
    }

    /// What the keys of all histories of a board begin with that was created by this entry.
    pub(super) fn histories(&self, board: &BoardId, created: &str) -> Vec<u8> {
        if *board == BoardId::default() {
            self.key("history:", &[])
        } else {
            self.key("histories:", format!("{board}:{created}:").as_bytes())
        }
    }

    /// A hash by user: what people have on a board, but for `main`, where it stands in their
    /// records.
    pub(super) fn standings(&self, board: &BoardId) -> String {
        self.of("standings", board)
    }

    /// A hash by user and team: what people have on a board of teams.
    pub(super) fn members(&self, board: &BoardId) -> String {
        self.of("members", board)
    }

    /// A hash by number and part: the standings with which seasons of a board have ended.
    pub(super) fn finals(&self, board: &BoardId) -> String {
        self.of("finals", board)
    }

    /// A key of a derived board that is being made, under this name.
    pub(super) fn making(&self, making: &str, kind: &str) -> String {
        format!("{}making:{making}:{kind}:", self.prefix)
    }

    /// A list: when a user was given a team and groups, of the latest entries.
    pub(super) fn groupings(&self, user: UserId) -> Vec<u8> {
        self.key("groupings:", &user.0)
    }

    /// A hash of this name: `teams` by id, `boards`, `rules` and `seasons` by board,
    /// `membership` and `hidden` by user, `deleted` by the id of a board that is gone.
    pub(super) fn hash(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn of(&self, kind: &str, board: &BoardId) -> String {
        format!("{}{kind}:{board}", self.prefix)
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
