//! The scripts that Redis runs. They are sent as they are and known by their hash, so
//! nodes of two versions do not replace each other's.

use redis::Script;

pub(super) struct Scripts {
    /// Decides about commands and writes ranks.
    pub(super) append: Script,
    /// Notes how many are connected to a node.
    pub(super) attendance: Script,
    /// Claims a place for a board that is moved there.
    pub(super) claim: Script,
    /// Makes a board, or says what is known of it.
    pub(super) begin: Script,
    /// Reads a user's past.
    pub(super) history: Script,
    /// Begins a new epoch.
    pub(super) renew: Script,
    /// Writes a part of a board that is moved there.
    pub(super) restore: Script,
}

impl Scripts {
    pub(super) fn new() -> Scripts {
        Scripts {
            append: Script::new(include_str!("scripts/append.lua")),
            attendance: Script::new(include_str!("scripts/attendance.lua")),
            claim: Script::new(include_str!("scripts/claim.lua")),
            begin: Script::new(include_str!("scripts/begin.lua")),
            history: Script::new(include_str!("scripts/history.lua")),
            renew: Script::new(include_str!("scripts/renew.lua")),
            restore: Script::new(include_str!("scripts/restore.lua")),
        }
    }
}
