//! How many files this process may have open: each connection is one.

use std::num::NonZeroU32;

/// Files that are no connections of clients: the store, the log, the page's files and the
/// connections to Redis.
const RESERVE: u64 = 128;

/// The fewest connections that a server is worth running for.
const FEWEST: u64 = 64;

/// Raises the soft limit of open files to the hard one, and says how many connections
/// may be open at once. On systems that have no such limit, any number.
pub fn raise_limit() -> NonZeroU32 {
    let limit = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            rlimit::Resource::NOFILE
                .get_soft()
                .unwrap_or(RESERVE + FEWEST)
        }
    };
    let connections = limit.saturating_sub(RESERVE).max(FEWEST);
    u32::try_from(connections)
        .ok()
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MAX)
}
