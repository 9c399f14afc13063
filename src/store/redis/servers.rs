//! Which servers of Redis have a board, and how much of it they retain.

use std::{fmt, num::NonZeroU64, time::Duration};

use redis::{ConnectionInfo, IntoConnectionInfo};

use crate::store::UnknownUrl;

/// Servers of Redis, and what they retain of a board.
#[derive(Clone)]
pub struct Servers {
    /// As it was given, with the password.
    url: Box<str>,
    addresses: Vec<ConnectionInfo>,
    /// How much is retained.
    pub retention: Retention,
}

/// How much a store retains beside what is needed to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long the id of an action is known after it was counted.
    pub actions: Duration,
    /// Entries of the log, about; those that have no ranks yet are retained in any case.
    pub entries: NonZeroU64,
    /// Points of each user's history. Of more, older ones are thinned out.
    pub history: NonZeroU64,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            actions: Duration::from_secs(7 * 24 * 3600),
            entries: const { NonZeroU64::new(100_000).unwrap() },
            history: const { NonZeroU64::new(4096).unwrap() },
        }
    }
}

impl Servers {
    /// Reads `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss://` for TLS, with
    /// one server or several, separated by commas: nodes of one cluster, or a primary
    /// and its replicas. What is retained is the default.
    ///
    /// # Errors
    /// If it is no such address.
    pub fn parse(url: &str) -> Result<Servers, UnknownUrl> {
        let (scheme, rest) = url.split_once("://").ok_or(UnknownUrl)?;
        if !matches!(scheme, "redis" | "rediss" | "valkey" | "valkeys") {
            return Err(UnknownUrl);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // A query would choose another protocol, or nothing that we know.
        if path.contains(['?', '#']) {
            return Err(UnknownUrl);
        }
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let addresses = hosts
            .split(',')
            .map(|host| format!("{scheme}://{login}{host}{path}").into_connection_info())
            .collect::<Result<_, _>>()
            .map_err(|_| UnknownUrl)?;
        Ok(Servers {
            url: url.into(),
            addresses,
            retention: Retention::default(),
        })
    }

    pub(super) fn addresses(&self) -> &[ConnectionInfo] {
        &self.addresses
    }
}

impl PartialEq for Servers {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url && self.retention == other.retention
    }
}

impl Eq for Servers {}

/// Without the password.
impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, _) = self.url.split_once("://").unwrap_or_default();
        write!(f, "{scheme}://")?;
        for (number, server) in self.addresses.iter().enumerate() {
            match (number, server.redis_settings().username()) {
                (0, Some(user)) => write!(f, "{user}@")?,
                (0, None) => {}
                _ => f.write_str(",")?,
            }
            write!(f, "{}", server.addr())?;
        }
        match self
            .addresses
            .first()
            .map(|server| server.redis_settings().db())
        {
            None | Some(0) => Ok(()),
            Some(database) => write!(f, "/{database}"),
        }
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, shown) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379"),
            ("redis://:secret@h/3", "redis://h:6379/3"),
            (
                "rediss://podium:s%40cret@a:1,b:2,[::1]:3/0",
                "rediss://podium@a:1,b:2,::1:3",
            ),
        ] {
            let servers = Servers::parse(url).expect("an address");
            assert_eq!(format!("{servers:?}"), shown);
        }
        let servers = Servers::parse("redis://podium:s%40cret@a,b").expect("an address");
        for server in servers.addresses() {
            assert_eq!(server.redis_settings().password(), Some("s@cret"));
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for url in [
            "redis:",
            "redis://",
            "redis://a,,b",
            "redis://a:port",
            "redis://a/database",
            "http://a",
        ] {
            assert!(Servers::parse(url).is_err(), "{url}");
        }
    }
}
