//! What crosses between server and page: the only types that both share, in the shapes and
//! names of the Socket.IO contract.

mod boards;
mod delta;
mod history;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use boards::{BoardInfo, BoardSummary, PlayerBoard, ScoreFormat, ScoreStyle, SeasonInfo};
pub use delta::{Profile, RowChange, ScoreboardDelta};
pub use history::{FoundUser, FoundUsers, HistoryPoint, Race, RaceLine, RecentAction, UserHistory};

use crate::{base_path::BasePath, texts::Locale};

/// The event that carries a [`LeaderboardData`].
pub const LEADERBOARD_REFRESH: &str = "leaderboard_refresh";
/// The event that carries a [`ScoreboardDelta`].
pub const SCOREBOARD_DELTA: &str = "scoreboard_delta";
/// The event that carries one [`ScoreboardUpdate`].
pub const SCOREBOARD_UPDATE: &str = "scoreboard_update";
/// The event that carries several, as an array.
pub const BATCH_UPDATE: &str = "batch_update";
/// The event that carries a [`UserScoreUpdate`].
pub const USER_SCORE_UPDATE: &str = "user_score_update";
/// The event that carries a [`SystemNotification`].
pub const SYSTEM_NOTIFICATION: &str = "system_notification";
/// The event that carries a [`Heartbeat`].
pub const HEARTBEAT: &str = "heartbeat";
/// The event before a socket is closed whose token has expired.
pub const SESSION_EXPIRED: &str = "session_expired";
/// The event by which a client joins the visible board.
pub const SUBSCRIBE_SCOREBOARD: &str = "subscribe_scoreboard";
/// The event by which a client leaves it.
pub const UNSUBSCRIBE_SCOREBOARD: &str = "unsubscribe_scoreboard";
/// The event by which a client sends a later token of the same user.
pub const REFRESH_TOKEN: &str = "refresh_token";
/// The event that is acknowledged at once, with the server's time.
pub const PING: &str = "ping";
/// The event by which a client asks for its own score.
pub const SUBSCRIBE_USER_SCORE: &str = "subscribe_user_score";

/// The board where none is named.
pub const MAIN: &str = "main";

/// The header of `/page/rows` that says after how many seconds the page may connect: 0
/// for now, and no number where that is unknown.
pub const LIVE_IN: &str = "live-in";

/// Rows of a page of the board.
pub const PAGE: usize = 50;

/// Rows of a board, as of one entry of its log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaderboardData {
    /// The rows, in order.
    pub top_scores: Vec<ScoreRow>,
    /// How many users are ranked on the whole board.
    pub total_users: u64,
    /// When the last entry was written: ISO 8601.
    pub last_updated: String,
    /// The epoch of the log that `seq` counts in.
    pub epoch: String,
    /// How many facts the board holds: the rows are as of the last of them.
    pub seq: u64,
    /// Which page of the board the rows are, if they are not the visible board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u64>,
    /// Which board, if it is not [`MAIN`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// What a client asks for by [`SUBSCRIBE_SCOREBOARD`] that wants changes alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// [`DELTA`](Subscription::DELTA).
    pub mode: String,
    /// The epoch of the log that `seq` counts in.
    pub epoch: String,
    /// The last entry that the client's rows hold.
    pub seq: u64,
    /// Is a [`Heartbeat`] sent when nothing else is?
    #[serde(default, skip_serializing_if = "is_false")]
    pub heartbeat: bool,
    /// Which board, if it is not [`MAIN`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
}

impl Subscription {
    /// The mode in which changes are sent instead of boards.
    pub const DELTA: &str = "delta";
}

/// What a socket is sent that asked for it ([`Subscription::heartbeat`]), whenever nothing
/// else was sent to it for 5 s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The server's time: ISO 8601.
    pub time: String,
    /// The epoch of the log that `seqs` count in.
    pub epoch: String,
    /// The last entry of each board that the socket watches.
    pub seqs: BTreeMap<String, u64>,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoreRow {
    /// A UUID, on a board of teams the team's.
    pub user_id: String,
    /// The name to show.
    pub username: String,
    /// Points, within ±(2^53 − 1).
    pub score: i64,
    /// 1 or more.
    pub rank: u64,
    /// The address of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// The second score, on a board that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiebreak: Option<i64>,
}

/// A user by name, with score and rank; both are `null` without a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserScore {
    /// A UUID.
    pub user_id: String,
    /// The name to show.
    pub username: String,
    /// The address of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// Points, within ±(2^53 − 1).
    pub score: Option<i64>,
    /// The second score, on a board that has one; `null` without a result. Pages do not show
    /// it.
    #[cfg(feature = "ssr")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiebreak: Option<Option<i64>>,
    /// 1 or more.
    pub rank: Option<u64>,
    /// The epoch of the log that `seq` counts in.
    pub epoch: String,
    /// The last entry that this holds.
    pub seq: u64,
    /// Which board, if it is not [`MAIN`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
}

/// A new score or rank of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserScoreUpdate {
    /// A UUID.
    pub user_id: String,
    /// The score now; `null` without a result.
    pub score: Option<i64>,
    /// The second score, on a board that has one; `null` without a result. Pages do not show
    /// it.
    #[cfg(feature = "ssr")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiebreak: Option<Option<i64>>,
    /// The rank now; `null` without a result.
    pub rank: Option<u64>,
    /// The type of the latest action, [`CURRENT`](UserScoreUpdate::CURRENT) for
    /// a user who only asked, or [`RANK_CHANGE`](UserScoreUpdate::RANK_CHANGE)
    /// where others acted.
    pub action_type: String,
    /// The points of all the actions since the last update.
    pub score_increase: i64,
    /// When the latest was taken: ISO 8601.
    pub timestamp: String,
    /// How many actions there were since the last update.
    pub merged: u32,
    /// The epoch of the log that `seq` counts in.
    pub epoch: String,
    /// The last entry that this holds.
    pub seq: u64,
    /// Which board, if it is not [`MAIN`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
}

impl UserScoreUpdate {
    /// The response to a user who asked.
    pub const CURRENT: &str = "CURRENT";
    /// Others acted, and the rank is another.
    pub const RANK_CHANGE: &str = "RANK_CHANGE";
}

/// What happened to one user on the visible board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoreboardUpdate {
    /// What it was.
    #[serde(rename = "type")]
    pub kind: ChangeKind,
    /// A UUID.
    pub user_id: String,
    /// The score now, within ±(2^53 − 1).
    pub new_score: i64,
    /// The second score now, on a board that has one.
    #[cfg(feature = "ssr")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_tiebreak: Option<i64>,
    /// The rank now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_rank: Option<u64>,
    /// The rank before; absent for a user who was not on the visible board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_rank: Option<u64>,
    /// When the last entry that this holds was taken: ISO 8601.
    pub timestamp: String,
    /// The epoch of the log that `seq` counts in.
    pub epoch: String,
    /// The last entry that this holds.
    pub seq: u64,
    /// Which board, if it is not [`MAIN`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
}

/// What a [`ScoreboardUpdate`] is about; of two changes that become one, the
/// later in this order names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangeKind {
    /// Others acted, and the rank is another.
    RankChange,
    /// The score is another.
    ScoreUpdate,
    /// The user has taken the lead.
    NewLeader,
}

/// A banner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemNotification {
    /// The same notification always has the same id.
    pub id: String,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: NotificationKind,
    /// What to show.
    pub message: String,
    /// How serious it is.
    pub severity: Severity,
    /// When it was made: ISO 8601.
    pub timestamp: String,
    /// How long it holds, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// The id of one that does not hold any more because of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// What a [`SystemNotification`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NotificationKind {
    /// The server shuts down, or is available again.
    Maintenance,
    /// A user achieved something.
    Achievement,
    /// Everything else.
    SystemAlert,
}

/// How serious a [`SystemNotification`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// The state of a page before its first event. The server renders from it, and the
/// browser hydrates from the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageSnapshot {
    /// Under which path the board is found.
    #[serde(default, skip_serializing_if = "BasePath::is_empty")]
    pub base: BasePath,
    /// The board that it shows.
    pub info: BoardInfo,
    /// The boards that it leads to, with this one: none where there is no other. The
    /// document has them, so scripts do not get them too.
    #[serde(skip)]
    pub boards: Vec<BoardInfo>,
    /// How the page is viewed.
    pub view: View,
    /// Its language.
    pub locale: Locale,
    /// The visible board, or the page of the board that was requested.
    pub board: LeaderboardData,
    /// The signed-in user.
    pub you: Option<UserScore>,
    /// The rows around the signed-in user, with their own.
    pub around: Vec<ScoreRow>,
    /// By how many points a user must be ahead to rank higher: 0 where equal
    /// scores share a rank.
    pub margin: u64,
    /// The token with which the page connects.
    pub token: String,
    /// How long the token is valid, in seconds.
    pub expires_in: u64,
    /// Was the page opened by a sign-in link that is not valid?
    pub link_failed: bool,
    /// The origins from which pictures are shown, beside our own: see
    /// [`pictures`](crate::pictures).
    pub avatar_origins: Vec<String>,
}

/// How a page is viewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// By a user, in a window of its own.
    #[default]
    Whole,
    /// On a wall: large, and without controls.
    Kiosk,
    /// In a frame of another page.
    Embed,
}

/// A new token for a page whose own expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageToken {
    /// The token with which the page connects.
    pub token: String,
    /// How long it is valid, in seconds.
    pub expires_in: u64,
    /// Whose it is; absent if the user is not signed in any more.
    pub you: Option<UserScore>,
}
