//! Where a store is.

use std::{fmt, path::PathBuf, str::FromStr};

use super::redis;

/// Where a store is. Passwords are not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// Redis, or Valkey.
    Redis(redis::Servers),
}

/// An address names no store that we know. It is not shown, because it may hold a
/// password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "give a file, as in sqlite:podium.db, or servers, as in redis://127.0.0.1:6379, \
     rediss://USER:PASSWORD@HOST:PORT or redis://HOST:PORT,HOST:PORT"
)]
pub struct UnknownUrl;

impl FromStr for StoreUrl {
    type Err = UnknownUrl;

    fn from_str(url: &str) -> Result<StoreUrl, UnknownUrl> {
        let Some(path) = url.strip_prefix("sqlite:") else {
            return redis::Servers::parse(url).map(StoreUrl::Redis);
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        // SQLite's names for what is in memory or temporary store nothing.
        if path.trim_matches('/').is_empty()
            || path.starts_with([':', '?'])
            || path.starts_with("file:")
        {
            return Err(UnknownUrl);
        }
        Ok(StoreUrl::Sqlite(path.into()))
    }
}

/// Without passwords.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            StoreUrl::Redis(servers) => servers.fmt(f),
        }
    }
}
