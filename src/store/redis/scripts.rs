//! The scripts that Redis runs. They are sent as they are and known by their hash, so
//! nodes of two versions do not replace each other's.

use redis::Script;

pub(super) struct Scripts {
    /// Decides about commands and writes ranks.
    pub(super) append: Script,
    /// Notes how many are connected to a node.
    pub(super) presence: Script,
    /// Begins a new epoch of what is left of a board.
    pub(super) adopt: Script,
    /// Claims a place for a board that is moved there.
    pub(super) claim: Script,
    /// Begins a log where there is none, and takes over what an early program has left.
    pub(super) create: Script,
    /// Reads a derived board.
    pub(super) board: Script,
    /// Reads all boards without those who stand on them.
    pub(super) heads: Script,
    /// Returns what is known of a board.
    pub(super) find: Script,
    /// Starts new histories where they are gone.
    pub(super) forget: Script,
    /// Lets others open a board that was moved.
    pub(super) free: Script,
    /// Notes why nothing may be written.
    pub(super) halt: Script,
    /// Reads a user's past.
    pub(super) history: Script,
    /// Looks whether a board is as scripts left it.
    pub(super) inspect: Script,
    /// Has others wait while a derived board is finished.
    pub(super) pause: Script,
    /// Writes a part of a board that is moved there.
    pub(super) restore: Script,
}

impl Scripts {
    pub(super) fn new() -> Scripts {
        Scripts {
            append: script("", include_str!("scripts/append.lua")),
            presence: script("", include_str!("scripts/presence.lua")),
            adopt: script(ALLOW_OOM, include_str!("scripts/adopt.lua")),
            claim: script("", include_str!("scripts/claim.lua")),
            create: script("", include_str!("scripts/begin.lua")),
            board: script(NO_WRITES, include_str!("scripts/board.lua")),
            heads: script(NO_WRITES, include_str!("scripts/heads.lua")),
            find: script(NO_WRITES, include_str!("scripts/begin.lua")),
            forget: script(ALLOW_OOM, include_str!("scripts/forget.lua")),
            free: script(ALLOW_OOM, include_str!("scripts/free.lua")),
            halt: script(ALLOW_OOM, include_str!("scripts/halt.lua")),
            history: script(NO_WRITES, include_str!("scripts/history.lua")),
            inspect: script(NO_WRITES, include_str!("scripts/inspect.lua")),
            pause: script("", include_str!("scripts/pause.lua")),
            restore: script("", include_str!("scripts/restore.lua")),
        }
    }
}

/// Also while Redis cannot write.
const NO_WRITES: &str = " flags=no-writes";
/// Also while its memory is full.
const ALLOW_OOM: &str = " flags=allow-oom";

/// A script after what all of them begin with.
fn script(flags: &str, text: &str) -> Script {
    let check = include_str!("scripts/check.lua");
    Script::new(&format!("#!lua{flags}\n{check}\n{text}"))
}
