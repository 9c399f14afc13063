//! Conversions at the edge: what crosses the wire is `app::wire`'s and JSON's;
//! what the board holds is the board's.

use std::{
    ops::Range,
    time::{Duration, UNIX_EPOCH},
};

use app::wire::{
    FoundUser, HistoryPoint, LeaderboardData, NotificationKind, Race, RaceLine, RecentAction,
    ScoreRow, Severity as Seriousness, SystemNotification, UserHistory, UserScore, UserScoreUpdate,
};

use crate::{
    board::{
        Announcement, AnnouncementKind, Board, Epoch, Row, Score, Severity, Timestamp, UserChange,
        UserId,
    },
    live::Aligned,
    store::{self, History},
};

/// ISO 8601 with milliseconds, in UTC.
pub fn timestamp(at: Timestamp) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(at.0);
    humantime::format_rfc3339_millis(time).to_string()
}

/// A row of a leaderboard. Somebody who is not ranked is in no leaderboard, so
/// their zeros are never seen.
pub fn score_row(row: Row<'_>) -> ScoreRow {
    ScoreRow {
        user_id: row.user.to_string(),
        username: row.profile.username.to_string(),
        score: row.score.map_or(0, Score::points),
        rank: row.rank.unwrap_or(0),
        avatar: row.profile.avatar.as_deref().map(str::to_owned),
    }
}

/// A user with score and rank.
pub fn user_score(epoch: Epoch, board: &Board, user: UserId) -> Option<UserScore> {
    board.user(user).map(|row| UserScore {
        user_id: row.user.to_string(),
        username: row.profile.username.to_string(),
        avatar: row.profile.avatar.as_deref().map(str::to_owned),
        score: row.score.map(Score::points),
        rank: row.rank,
        epoch: epoch.to_string(),
        seq: board.seq(),
    })
}

/// What became of a user's score.
pub fn user_update(
    epoch: Epoch,
    board: &Board,
    user: UserId,
    change: UserChange,
) -> Option<UserScoreUpdate> {
    board.user(user).map(|row| UserScoreUpdate {
        user_id: row.user.to_string(),
        score: row.score.map(Score::points),
        rank: row.rank,
        action_type: change.action_type.into(),
        score_increase: change.increase,
        timestamp: timestamp(change.at),
        merged: change.merged,
        epoch: epoch.to_string(),
        seq: board.seq(),
    })
}

/// The visible board.
pub fn top(epoch: Epoch, board: &Board) -> LeaderboardData {
    leaderboard(epoch, board, 0..board.rules().top)
}

/// The rows at these places, counted from 0.
pub fn leaderboard(epoch: Epoch, board: &Board, places: Range<usize>) -> LeaderboardData {
    LeaderboardData {
        top_scores: board.rows(places).map(score_row).collect(),
        total_users: board.len() as u64,
        last_updated: timestamp(board.changed()),
        epoch: epoch.to_string(),
        seq: board.seq(),
        page: None,
    }
}

/// What a user has done, with how the user stands now.
pub fn user_history(now: UserScore, history: History) -> UserHistory {
    UserHistory {
        user: now,
        best_rank: history.best,
        actions: history.actions,
        first_action_at: history.first.map(timestamp),
        last_action_at: history.last.map(timestamp),
        history: history.points.into_iter().map(history_point).collect(),
        recent: history.recent.into_iter().map(recent_action).collect(),
    }
}

fn history_point(point: store::HistoryPoint) -> HistoryPoint {
    HistoryPoint {
        seq: point.seq.get(),
        score: point.score.points(),
        rank: point.rank,
        timestamp: timestamp(point.at),
    }
}

fn recent_action(action: store::RecentAction) -> RecentAction {
    RecentAction {
        seq: action.after.seq.get(),
        action_type: action.action_type.into(),
        score_increase: action.increase,
        score: action.after.score.points(),
        rank: action.after.rank,
        timestamp: timestamp(action.after.at),
    }
}

/// The scores over time of these users, in their order.
pub fn race(users: Vec<(UserId, String)>, aligned: Aligned) -> Race {
    let points = |score: Option<Score>| score.map(Score::points);
    Race {
        times: aligned.times.into_iter().map(timestamp).collect(),
        lines: users
            .into_iter()
            .zip(aligned.scores)
            .map(|((user, username), scores)| RaceLine {
                user_id: user.to_string(),
                username,
                scores: scores.into_iter().map(points).collect(),
            })
            .collect(),
    }
}

/// A user who was looked for.
pub fn found_user(row: Row<'_>) -> FoundUser {
    FoundUser {
        user_id: row.user.to_string(),
        username: row.profile.username.to_string(),
        avatar: row.profile.avatar.as_deref().map(str::to_owned),
        score: row.score.map(Score::points),
        rank: row.rank,
    }
}

/// A banner.
pub fn notification(announcement: &Announcement) -> SystemNotification {
    SystemNotification {
        id: announcement.id.to_string(),
        kind: match announcement.kind {
            AnnouncementKind::Maintenance => NotificationKind::Maintenance,
            AnnouncementKind::Achievement => NotificationKind::Achievement,
            AnnouncementKind::SystemAlert => NotificationKind::SystemAlert,
        },
        message: announcement.message.to_string(),
        severity: match announcement.severity {
            Severity::Info => Seriousness::Info,
            Severity::Warning => Seriousness::Warning,
            Severity::Error => Seriousness::Error,
        },
        timestamp: timestamp(announcement.from),
        duration: announcement.duration,
        replaces: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_iso_8601() {
        assert_eq!(
            timestamp(Timestamp(1_669_046_400_123)),
            "2022-11-21T16:00:00.123Z"
        );
    }
}
