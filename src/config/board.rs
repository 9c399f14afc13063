//! `[board]` and `[ranking]`: what the board is called, and how its rows are ordered.

use std::{num::NonZeroUsize, time::SystemTime};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{ConfigError, error::require};
use crate::board::{Direction, Operator, Ties};

/// The most rows of the visible board.
const MAX_TOP: usize = 1000;

/// `[board]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoardTable {
    /// What the page calls it.
    pub title: String,
    /// Rows of the visible board.
    pub top: NonZeroUsize,
    /// `highest` or `lowest` first.
    #[serde(with = "DirectionText")]
    pub direction: Direction,
    /// `sum`, `best`, `latest` or `count`.
    #[serde(with = "OperatorText")]
    pub operator: Operator,
    /// When it starts, if that is announced.
    #[serde(deserialize_with = "rfc3339")]
    pub starts: Option<SystemTime>,
}

/// `[ranking]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RankingTable {
    /// `earliest`, `competition` or `dense`.
    #[serde(with = "TiesText")]
    pub ties: Ties,
}

// The board is not serialisable, so its enumerations are read here.

#[derive(Deserialize)]
#[serde(remote = "Direction")]
enum DirectionText {
    #[serde(rename = "highest")]
    HighestFirst,
    #[serde(rename = "lowest")]
    LowestFirst,
}

#[derive(Deserialize)]
#[serde(remote = "Operator", rename_all = "lowercase")]
enum OperatorText {
    Sum,
    Best,
    Latest,
    Count,
}

#[derive(Deserialize)]
#[serde(remote = "Ties", rename_all = "lowercase")]
enum TiesText {
    Earliest,
    Competition,
    Dense,
}

impl Default for BoardTable {
    fn default() -> Self {
        BoardTable {
            title: "Podium".into(),
            top: const { NonZeroUsize::new(10).unwrap() },
            direction: Direction::default(),
            operator: Operator::default(),
            starts: None,
        }
    }
}

impl BoardTable {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        require(
            self.top.get() <= MAX_TOP,
            "board.top",
            "the visible board has at most 1000 rows",
        )
    }
}

/// A time as RFC 3339 writes it, or nothing.
fn rfc3339<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.trim() {
        "" => Ok(None),
        text => humantime::parse_rfc3339(text).map(Some).map_err(|_| {
            D::Error::custom("give a moment, as in \"2030-01-31T18:00:00Z\", or nothing")
        }),
    }
}
