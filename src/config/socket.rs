//! `[socket]`: Socket.IO.

use std::{num::NonZeroUsize, time::Duration};

use serde::Deserialize;

use super::{ConfigError, error::require};

/// `[socket]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SocketTable {
    /// Between two pings.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// How long a pong may take.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
    /// The largest message of a client, in bytes.
    pub max_message: NonZeroUsize,
    /// How much may be queued for a client before it counts as slow, in bytes.
    pub send_queue: NonZeroUsize,
}

impl Default for SocketTable {
    fn default() -> Self {
        SocketTable {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(60),
            max_message: const { NonZeroUsize::new(16 * 1024).unwrap() },
            send_queue: const { NonZeroUsize::new(128 * 1024).unwrap() },
        }
    }
}

impl SocketTable {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        require(
            !self.ping_interval.is_zero() && !self.ping_timeout.is_zero(),
            "socket.ping_interval, socket.ping_timeout",
            "give times longer than 0",
        )
    }
}
