//! `[shutdown]`: how the server stops.

use std::time::Duration;

use serde::Deserialize;

/// `[shutdown]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShutdownTable {
    /// Between the notice to all clients and the end.
    #[serde(with = "humantime_serde")]
    pub notice: Duration,
}

impl Default for ShutdownTable {
    fn default() -> Self {
        ShutdownTable {
            notice: Duration::from_secs(30),
        }
    }
}
