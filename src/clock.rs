//! The clock of this machine.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::board::Timestamp;

/// The time now.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(since.unwrap_or_default().as_millis() as u64)
}
