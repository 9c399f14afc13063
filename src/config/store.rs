//! `[store]`: where the log is stored, and how much of it Redis keeps.

use std::{env, num::NonZeroU64, ops::RangeInclusive, time::Duration};

use serde::Deserialize;

use super::{ConfigError, error::require, values::from_text, variables::variable};
use crate::store::{StoreUrl, redis::Retention};

/// Chooses a store, unless the variable of the key itself does.
const REDIS_URL: &str = "REDIS_URL";
const STORE_URL: &str = "PODIUM_STORE__URL";

/// The fewest points of a history, and the most: Redis would be busy with one user for
/// long if there were more.
const HISTORY: RangeInclusive<u64> = 100..=20_000;

/// The fewest entries of a log in Redis: a node reads some hundred at once.
const MIN_ENTRIES: u64 = 1000;

/// For how long action ids can be remembered in Redis: 10 years at most.
const REMEMBERED: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(10 * 365 * 24 * 3600);

/// `[store]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreTable {
    /// `sqlite:FILE`, or `redis://HOST:PORT`.
    #[serde(deserialize_with = "from_text")]
    pub url: StoreUrl,
    /// How long Redis knows the id of an action.
    #[serde(with = "humantime_serde")]
    pub remember_actions: Duration,
    /// How many entries of the log Redis keeps, about.
    pub keep_entries: NonZeroU64,
    /// How many points of a user's history Redis keeps.
    pub history: NonZeroU64,
}

impl Default for StoreTable {
    fn default() -> Self {
        let Retention {
            actions,
            entries,
            history,
        } = Retention::default();
        StoreTable {
            url: StoreUrl::Sqlite("podium.db".into()),
            remember_actions: actions,
            keep_entries: entries,
            history,
        }
    }
}

impl StoreTable {
    /// Takes the store of `REDIS_URL`, if that is set and nothing else chooses one, and
    /// gives the store its retention.
    pub(super) fn complete(&mut self) -> Result<(), ConfigError> {
        if env::var_os(STORE_URL).is_none()
            && let Some(url) = variable(REDIS_URL)?
        {
            self.url = redis_url(&url)?;
        }
        self.url = self.with_retention(self.url.clone());
        Ok(())
    }

    /// A store with the retention of this section.
    pub fn with_retention(&self, mut url: StoreUrl) -> StoreUrl {
        if let StoreUrl::Redis(redis) = &mut url {
            redis.retention = Retention {
                actions: self.remember_actions,
                entries: self.keep_entries,
                history: self.history,
            };
        }
        url
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        require(
            REMEMBERED.contains(&self.remember_actions),
            "store.remember_actions",
            "give a time from 1m to 10y",
        )?;
        require(
            self.keep_entries.get() >= MIN_ENTRIES,
            "store.keep_entries",
            "give at least 1000",
        )?;
        require(
            HISTORY.contains(&self.history.get()),
            "store.history",
            "give a number from 100 to 20000",
        )
    }

    /// Checks that a store counts each ticket once, where tickets are valid for
    /// `ticket_ttl` at most.
    ///
    /// # Errors
    /// If it would forget the ids of actions while tickets for them are valid.
    pub(super) fn check_tickets(
        &self,
        url: &StoreUrl,
        ticket_ttl: Duration,
    ) -> Result<(), ConfigError> {
        match url {
            // A file knows all ids for ever.
            StoreUrl::Sqlite(_) => Ok(()),
            StoreUrl::Redis(_) if self.remember_actions >= ticket_ttl => Ok(()),
            StoreUrl::Redis(_) => Err(ConfigError::value(
                "store.remember_actions, auth.ticket_max_ttl",
                format!(
                    "Redis would know an action for {}, and count its ticket again, which may be \
                     valid for {}: set remember_actions to as much as ticket_max_ttl and \
                     auth.leeway together, or more",
                    humantime::format_duration(self.remember_actions),
                    humantime::format_duration(ticket_ttl),
                ),
            )),
        }
    }
}

fn redis_url(url: &str) -> Result<StoreUrl, ConfigError> {
    match url.trim().parse() {
        Ok(url @ StoreUrl::Redis(_)) => Ok(url),
        // It is not shown, because it may hold a password.
        Ok(StoreUrl::Sqlite(_)) | Err(_) => Err(ConfigError::value(
            REDIS_URL,
            "is no address of Redis: write redis://USER:PASSWORD@HOST:PORT, or rediss:// for TLS",
        )),
    }
}
