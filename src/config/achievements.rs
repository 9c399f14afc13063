//! `[achievements]`: which achievements of players are announced, and to whom.

use std::{num::NonZeroU64, time::Duration};

use serde::Deserialize;

use super::{ConfigError, error::require};

/// `[achievements]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AchievementsTable {
    /// Who is notified of a player who takes first place for the first time.
    pub first_place: Recipients,
    /// Who is notified of a player who gets into the top for the first time.
    pub top: Recipients,
    /// How many places the top has.
    pub top_places: NonZeroU64,
    /// How long the banner stays.
    #[serde(with = "humantime_serde")]
    pub duration: Duration,
}

/// Who is notified of an achievement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recipients {
    /// All users.
    All,
    /// The player alone.
    Player,
    /// Nobody: it is not announced.
    Nobody,
}

impl Default for AchievementsTable {
    fn default() -> Self {
        AchievementsTable {
            first_place: Recipients::All,
            top: Recipients::Player,
            top_places: const { NonZeroU64::new(10).unwrap() },
            duration: Duration::from_secs(8),
        }
    }
}

impl AchievementsTable {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        require(
            self.duration >= Duration::from_secs(1),
            "achievements.duration",
            "give at least 1s",
        )
    }
}
