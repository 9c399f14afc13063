//! `[auth]`: which tokens and tickets are valid.

use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, error::require};

/// The most by which clocks may differ from ours: the answer to a revocation waits for
/// so long, and proxies wait a minute for an answer.
const MAX_LEEWAY: Duration = Duration::from_secs(30);

/// The shortest life of a page's token: its page has to connect with it.
const MIN_PAGE_TOKEN_TTL: Duration = Duration::from_secs(10);

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthTable {
    /// The `iss` that a token must have; any if empty.
    pub issuer: String,
    /// The `aud` that a token must have; any if empty.
    pub audience: String,
    /// How long the token of a page's viewer is valid.
    #[serde(with = "humantime_serde")]
    pub page_token_ttl: Duration,
    /// The longest time that a ticket may be valid from now.
    #[serde(with = "humantime_serde")]
    pub ticket_max_ttl: Duration,
    /// By how much the clock that tokens and tickets are signed by may differ from ours.
    #[serde(with = "humantime_serde")]
    pub leeway: Duration,
}

impl Default for AuthTable {
    fn default() -> Self {
        AuthTable {
            issuer: String::new(),
            audience: String::new(),
            page_token_ttl: Duration::from_secs(3600),
            ticket_max_ttl: Duration::from_secs(24 * 3600),
            leeway: Duration::from_secs(5),
        }
    }
}

impl AuthTable {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        require(
            self.page_token_ttl >= MIN_PAGE_TOKEN_TTL,
            "auth.page_token_ttl",
            "give at least 10s",
        )?;
        require(
            self.leeway <= MAX_LEEWAY,
            "auth.leeway",
            "give a time from 0s to 30s: whoever revokes tokens waits as long",
        )?;
        require(
            !self.ticket_max_ttl.is_zero(),
            "auth.ticket_max_ttl",
            "give a time longer than 0",
        )
    }
}
