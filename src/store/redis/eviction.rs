//! Does Redis evict keys? A board whose keys may go at any time must not be written to: an
//! id of an action that is gone would count again.
//!
//! It decides by what servers report and does no I/O.

use std::sync::Arc;

use super::connect::Info;
use crate::store::Health;

/// What is known of evictions on the server that has the board.
#[derive(Default)]
pub(super) struct Evictions {
    /// How many keys the server had evicted when the whole board was last found complete.
    whole_at: u64,
    state: State,
}

#[derive(Default)]
enum State {
    /// No key is evicted.
    #[default]
    Never,
    /// Any key may be evicted now, for the reason that this text gives.
    Possible(Arc<str>),
    /// So many keys were evicted, maybe of the board: it is looked at from its beginning.
    Checking(u64),
}

impl Evictions {
    /// Takes notice of what the server reports about itself. The board is to be looked at from its
    /// beginning if this gives `true`.
    pub(super) fn observe(&mut self, info: &Info) -> bool {
        if let Some(why) = possible(info) {
            self.state = State::Possible(why.into());
            return false;
        }
        // None since the server was started, or none that was not looked for.
        let evicted = evicted(info);
        if evicted == 0 || evicted == self.whole_at {
            self.state = State::Never;
            return false;
        }
        let is_known = matches!(self.state, State::Checking(known) if known == evicted);
        self.state = State::Checking(evicted);
        !is_known
    }

    /// All of the board was looked at, and nothing is missing.
    pub(super) fn found_whole(&mut self) {
        if let State::Checking(evicted) = self.state {
            self.whole_at = evicted;
            self.state = State::Never;
        }
    }

    /// Is the board to be looked at without a pause?
    pub(super) fn is_checking(&self) -> bool {
        matches!(self.state, State::Checking(_))
    }

    /// What a store is like that has met nothing else.
    pub(super) fn health(&self) -> Health {
        self.reason().map_or(Health::Open, Health::Unwritable)
    }

    /// Why nothing may be written, if that is so; the words follow "because".
    pub(super) fn reason(&self) -> Option<Arc<str>> {
        match &self.state {
            State::Never => None,
            State::Possible(why) => Some(why.clone()),
            State::Checking(_) => Some(
                "Redis has evicted keys, and all keys of the board are looked for: it goes on \
                 when they are found"
                    .into(),
            ),
        }
    }
}

/// Why keys of a board may be evicted now, if they may; the words follow "because". Any
/// policy but `noeviction` takes them: the ids of actions expire, so the policies that evict
/// only what expires take those.
pub(super) fn possible(info: &Info) -> Option<String> {
    let policy = policy(info)?;
    let has_limit = info.field("maxmemory").parse() != Ok(0_u64);
    (policy != "noeviction" && has_limit).then(|| {
        format!(
            "Redis evicts keys when its memory is full (maxmemory-policy {policy} with \
             maxmemory), and parts of the board with them: set maxmemory-policy noeviction, and \
             it goes on"
        )
    })
}

/// The `maxmemory-policy`, if the server reports it.
pub(super) fn policy(info: &Info) -> Option<&str> {
    Some(info.field("maxmemory_policy")).filter(|policy| !policy.is_empty())
}

/// How many keys were evicted since the server was started; 0 if it does not report it.
pub(super) fn evicted(info: &Info) -> u64 {
    info.field("evicted_keys").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(maxmemory: &str, policy: &str, evicted: u64) -> Info {
        Info::read(&format!(
            "# Memory\r\nmaxmemory:{maxmemory}\r\nmaxmemory_policy:{policy}\r\n\
             # Stats\r\nevicted_keys:{evicted}\r\n"
        ))
    }

    #[test]
    fn every_policy_but_noeviction_evicts_where_memory_is_limited() {
        for (maxmemory, policy, is_possible) in [
            ("0", "noeviction", false),
            ("1000", "noeviction", false),
            ("0", "allkeys-lru", false),
            ("1000", "allkeys-lru", true),
            ("1000", "volatile-ttl", true),
            // Of a later version of Redis.
            ("1000", "volatile-lrm", true),
            // A server that hides it does not stop the board.
            ("1000", "", false),
        ] {
            let found = possible(&info(maxmemory, policy, 0));
            assert_eq!(found.is_some(), is_possible, "{maxmemory} {policy}");
        }
        assert_eq!(possible(&Info::read("")), None);
    }

    #[test]
    fn it_is_over_when_the_setting_is_mended_and_nothing_was_evicted() {
        let mut evictions = Evictions::default();
        assert!(!evictions.observe(&info("1000", "allkeys-lru", 0)));
        assert!(evictions.reason().unwrap().contains("allkeys-lru"));
        assert!(!evictions.observe(&info("1000", "noeviction", 0)));
        assert_eq!(evictions.reason(), None);
    }

    #[test]
    fn after_evictions_the_whole_board_is_looked_at_once() {
        let mut evictions = Evictions::default();
        assert!(!evictions.observe(&info("1000", "volatile-lru", 7)));
        assert!(!evictions.is_checking());
        // It may have been set and set back between two looks, too.
        for count in [7, 8] {
            assert!(evictions.observe(&info("1000", "noeviction", count)));
            assert!(!evictions.observe(&info("1000", "noeviction", count)));
            assert!(evictions.is_checking());
            assert!(evictions.reason().unwrap().contains("looked for"));
        }
        evictions.found_whole();
        assert_eq!(evictions.reason(), None);
        assert!(!evictions.observe(&info("1000", "noeviction", 8)));
        assert_eq!(evictions.reason(), None);
        // The server was started again.
        assert!(!evictions.observe(&info("1000", "noeviction", 0)));
        assert!(evictions.observe(&info("1000", "noeviction", 1)));
    }
}
