//! What a board is, as far as a page needs to know it.

use serde::{Deserialize, Serialize};

use super::{MAIN, is_false};

/// What a page knows of a board before it shows rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardInfo {
    /// Its id, such as `main`.
    pub id: String,
    /// What people read above it.
    pub title: String,
    /// How scores are written.
    #[serde(default, skip_serializing_if = "ScoreFormat::is_plain")]
    pub format: ScoreFormat,
    /// Do teams stand on it, instead of people?
    #[serde(default, skip_serializing_if = "is_false")]
    pub teams: bool,
    /// Does a second score decide where the first is equal?
    #[serde(default, skip_serializing_if = "is_false")]
    pub tiebreak: bool,
    /// The season that runs, if it begins anew in each period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub season: Option<SeasonInfo>,
    /// How many seasons have ended, which have pages; for the server alone.
    #[serde(skip)]
    pub ended_seasons: u32,
    /// When it starts, if that is announced: ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<String>,
    /// When it ends, if that is known: ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
}

impl BoardInfo {
    /// Its id, unless it is [`MAIN`], which is meant where no board is named.
    pub fn other_id(&self) -> Option<&str> {
        Some(&*self.id).filter(|id| !id.is_empty() && *id != MAIN)
    }

    /// The path of the board itself, below the base path: `/b/weekly`, and `/` for [`MAIN`].
    pub fn home(&self) -> String {
        self.path(if self.other_id().is_some() { "" } else { "/" })
    }

    /// The path of a page of the board, below the base path: `/b/weekly/players/…`, and plain
    /// for [`MAIN`]. `path` begins with a slash.
    pub fn path(&self, path: &str) -> String {
        let mut whole = String::new();
        if let Some(id) = self.other_id() {
            whole.push_str("/b/");
            whole.push_str(id);
        }
        whole.push_str(path);
        whole
    }
}

/// A board in the list of all boards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BoardSummary {
    /// What it is.
    pub info: BoardInfo,
    /// How many stand on it.
    pub total: u64,
    /// The name and the score of the first.
    pub leader: Option<(String, i64)>,
}

/// How a player stands on one of the boards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PlayerBoard {
    /// What it is.
    pub info: BoardInfo,
    /// The score there.
    pub score: i64,
    /// The rank there, 1 or more.
    pub rank: u64,
}

/// A season of a board with a period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeasonInfo {
    /// 1 for the first.
    pub number: u32,
    /// What people call it: `2026-10-24`, `2026-W43` or `2026-10`.
    pub name: String,
    /// When it ends, or has ended: ISO 8601.
    pub ends: String,
}

/// How scores are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoreFormat {
    /// As what.
    #[serde(default)]
    pub style: ScoreStyle,
    /// Digits after the point: a score is in units of the last one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub decimals: u8,
    /// What is counted, such as `km`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// As what scores are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScoreStyle {
    /// Whole points.
    #[default]
    Points,
    /// A decimal number.
    Decimal,
    /// A time such as 1:23.456.
    Duration,
}

impl ScoreFormat {
    /// Is it whole points without a unit?
    pub fn is_plain(&self) -> bool {
        *self == ScoreFormat::default()
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &u8) -> bool {
    *value == 0
}
