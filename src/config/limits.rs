//! `[limits]`: how much one client may do, and all of them.

use std::{
    net::IpAddr,
    num::{NonZeroU32, NonZeroUsize},
    thread::available_parallelism,
    time::Duration,
};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{ConfigError, error::require};

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsTable {
    /// Addresses and networks that the limits per IP do not touch.
    #[serde(deserialize_with = "networks")]
    pub allow: Vec<IpNet>,
    /// Proxies that are believed when they say for whom a request is.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Connections from one address in `connections_window`.
    pub connections_per_ip: NonZeroU32,
    /// See `connections_per_ip`.
    #[serde(with = "humantime_serde")]
    pub connections_window: Duration,
    /// Sockets of one address at once.
    pub sockets_per_ip: NonZeroU32,
    /// Sockets of one user at once.
    pub sockets_per_user: NonZeroU32,
    /// Socket.IO events of one user in a minute.
    pub events_per_minute: NonZeroU32,
    /// TCP connections of one address at once.
    pub connections_at_once_per_ip: NonZeroU32,
    /// Packets of one session in a second, ten times as many at once.
    pub packets_per_second: NonZeroU32,
    /// Packets of all sessions of one address.
    pub packets_per_second_per_ip: NonZeroU32,
    /// Packets of all sessions.
    pub packets_per_second_in_all: NonZeroU32,
    /// Bytes of one session in a second, ten times as many at once.
    pub bytes_per_second: NonZeroU32,
    /// Bytes of all sessions of one address.
    pub bytes_per_second_per_ip: NonZeroU32,
    /// Bytes of all sessions.
    pub bytes_per_second_in_all: NonZeroU32,
    /// Boards of the server.
    pub boards: NonZeroUsize,
    /// Searches that are computed at once.
    pub concurrent_searches: NonZeroUsize,
    /// Histories that are read at once.
    pub concurrent_histories: NonZeroUsize,
    /// Pages that are rendered at once, and lists that are made; 0 stands for the number of cores.
    pub concurrent_renders: usize,
}

impl Default for LimitsTable {
    fn default() -> Self {
        LimitsTable {
            allow: Vec::new(),
            trusted_proxies: Vec::new(),
            connections_per_ip: const { NonZeroU32::new(100).unwrap() },
            connections_window: Duration::from_secs(15 * 60),
            sockets_per_ip: const { NonZeroU32::new(200).unwrap() },
            sockets_per_user: const { NonZeroU32::new(50).unwrap() },
            events_per_minute: const { NonZeroU32::new(60).unwrap() },
            connections_at_once_per_ip: const { NonZeroU32::new(1000).unwrap() },
            packets_per_second: const { NonZeroU32::new(50).unwrap() },
            packets_per_second_per_ip: const { NonZeroU32::new(2000).unwrap() },
            packets_per_second_in_all: const { NonZeroU32::new(50_000).unwrap() },
            bytes_per_second: const { NonZeroU32::new(64 * 1024).unwrap() },
            bytes_per_second_per_ip: const { NonZeroU32::new(1024 * 1024).unwrap() },
            bytes_per_second_in_all: const { NonZeroU32::new(32 * 1024 * 1024).unwrap() },
            boards: const { NonZeroUsize::new(1000).unwrap() },
            concurrent_searches: const { NonZeroUsize::new(2).unwrap() },
            concurrent_histories: const { NonZeroUsize::new(2).unwrap() },
            concurrent_renders: 0,
        }
    }
}

impl LimitsTable {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        require(
            !self.connections_window.is_zero(),
            "limits.connections_window",
            "give a time longer than 0",
        )?;
        require(
            self.trusted_proxies.iter().all(|net| net.prefix_len() > 0),
            "limits.trusted_proxies",
            "everybody would be believed: name the networks of your proxies",
        )
    }

    /// Pages that are rendered at once, and lists that are made.
    pub fn renders(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.concurrent_renders)
            .or_else(|| available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN)
    }

    /// The most bytes that one session may send at once.
    pub(super) fn burst_bytes(&self) -> u64 {
        10 * u64::from(self.bytes_per_second.get())
    }
}

/// Networks, and addresses, which are networks of one.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let texts = texts
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty());
    texts
        .map(|text| {
            let address = text.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| text.parse()).map_err(|_| {
                D::Error::custom(format!(
                    "{text:?} is not an address, or a network such as 192.0.2.0/24"
                ))
            })
        })
        .collect()
}
