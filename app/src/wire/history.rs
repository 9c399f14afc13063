//! The history of users, the race chart, and search results.

use serde::{Deserialize, Serialize};

use super::UserScore;

/// What a user has done: `GET /api/v1/users/{id}/history`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserHistory {
    /// Who it is, with score and rank. No action until its `seq` is missing from the
    /// rest, which may hold some that came just after.
    #[serde(flatten)]
    pub user: UserScore,
    /// The best rank after an action of the user's own; `null` before the first.
    pub best_rank: Option<u64>,
    /// How many actions of the user were counted.
    pub actions: u64,
    /// When the first was taken: ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_action_at: Option<String>,
    /// When the latest was taken: ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_action_at: Option<String>,
    /// The score over time, oldest first. Of many actions only some are here,
    /// evenly in time, and always the first and the latest.
    pub history: Vec<HistoryPoint>,
    /// The latest actions, latest first.
    pub recent: Vec<RecentAction>,
}

/// How a user stood after an action of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPoint {
    /// The number of the action among the facts of its board; absent on derived boards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Points, within ±(2^53 − 1).
    pub score: i64,
    /// The second score after it, on a board that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiebreak: Option<i64>,
    /// 1 or more; absent while it is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u64>,
    /// When the action was taken: ISO 8601.
    pub timestamp: String,
}

/// One of a user's latest actions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecentAction {
    /// Its number among the facts of its board; absent on derived boards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Its type.
    pub action_type: String,
    /// The points that it was worth.
    pub score_increase: i64,
    /// The score after it.
    pub score: i64,
    /// The second score after it, on a board that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiebreak: Option<i64>,
    /// The rank after it, 1 or more; absent while it is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u64>,
    /// When it was taken: ISO 8601.
    pub timestamp: String,
}

/// The scores of the first users over time, on one axis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Race {
    /// Times at even intervals, oldest first: ISO 8601. None before the first action.
    pub times: Vec<String>,
    /// One for each user, in the order of the board.
    pub lines: Vec<RaceLine>,
}

/// The score of one user at each time of a [`Race`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RaceLine {
    /// A UUID.
    pub user_id: String,
    /// The name to show.
    pub username: String,
    /// As many as there are times; `null` before the user's first action.
    pub scores: Vec<Option<i64>>,
}

/// Users whose names were searched for: `GET /api/v1/users?q=…`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundUsers {
    /// The best of them, by rank; then those without a result.
    pub users: Vec<FoundUser>,
    /// Are there more than these?
    pub more: bool,
}

/// One of [`FoundUsers`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundUser {
    /// A UUID.
    pub user_id: String,
    /// The name to show.
    pub username: String,
    /// The address of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// Points, within ±(2^53 − 1); `null` without a result.
    pub score: Option<i64>,
    /// The second score, on a board that has one; `null` without a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiebreak: Option<Option<i64>>,
    /// 1 or more; `null` without a result.
    pub rank: Option<u64>,
}
