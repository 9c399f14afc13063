//! Conversions at the edge: what crosses the wire is `app::wire`'s and JSON's;
//! what the board holds is the board's.

use std::{
    ops::Range,
    time::{Duration, UNIX_EPOCH},
};

use app::wire::{
    FoundUser, FoundUsers, HistoryPoint, LeaderboardData, NotificationKind, PAGE, Race, RaceLine,
    RecentAction, ScoreRow, Severity as Seriousness, SystemNotification, UserHistory, UserScore,
    UserScoreUpdate,
};

use crate::{
    board::{
        Announcement, AnnouncementKind, Board, Epoch, Row, Score, Severity, Timestamp, UserChange,
        UserId,
    },
    live::{self, Found, RaceChart, UserState},
    store,
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
pub fn user_score(user: &UserState) -> UserScore {
    UserScore {
        user_id: user.id.to_string(),
        username: user.profile.username.to_string(),
        avatar: user.profile.avatar.as_deref().map(str::to_owned),
        score: user.score.map(Score::points),
        rank: user.rank,
        epoch: user.epoch.to_string(),
        seq: user.seq,
    }
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

/// The visible board, or one page of it, counted from 0.
pub fn board_page(epoch: Epoch, board: &Board, page: Option<u64>) -> LeaderboardData {
    let Some(page) = page else {
        return leaderboard(epoch, board, 0..board.rules().top);
    };
    let start = usize::try_from(page)
        .unwrap_or(usize::MAX)
        .saturating_mul(PAGE);
    LeaderboardData {
        page: Some(page),
        ..leaderboard(epoch, board, start..start.saturating_add(PAGE))
    }
}

/// The rows at these positions, counted from 0.
pub fn leaderboard(epoch: Epoch, board: &Board, positions: Range<usize>) -> LeaderboardData {
    LeaderboardData {
        top_scores: board.rows(positions).map(score_row).collect(),
        total_users: board.len() as u64,
        last_updated: timestamp(board.changed()),
        epoch: epoch.to_string(),
        seq: board.seq(),
        page: None,
    }
}

/// What a user has done, and how the user stands.
pub fn user_history(live::UserHistory { user, history }: &live::UserHistory) -> UserHistory {
    UserHistory {
        user: user_score(user),
        best_rank: history.best,
        actions: history.actions,
        first_action_at: history.first.map(timestamp),
        last_action_at: history.last.map(timestamp),
        history: history.points.iter().map(history_point).collect(),
        recent: history.recent.iter().map(recent_action).collect(),
    }
}

fn history_point(point: &store::HistoryPoint) -> HistoryPoint {
    HistoryPoint {
        seq: point.seq.get(),
        score: point.score.points(),
        rank: point.rank,
        timestamp: timestamp(point.at),
    }
}

fn recent_action(action: &store::RecentAction) -> RecentAction {
    RecentAction {
        seq: action.after.seq.get(),
        action_type: action.action_type.to_string(),
        score_increase: action.increase,
        score: action.after.score.points(),
        rank: action.after.rank,
        timestamp: timestamp(action.after.at),
    }
}

/// The scores of several users over time.
pub fn race_chart(chart: RaceChart) -> Race {
    Race {
        times: chart.times.into_iter().map(timestamp).collect(),
        lines: chart.lines.into_iter().map(race_line).collect(),
    }
}

fn race_line(line: live::RaceLine) -> RaceLine {
    let scores = line.scores.into_iter();
    RaceLine {
        user_id: line.user.to_string(),
        username: line.username.into(),
        scores: scores.map(|score| score.map(Score::points)).collect(),
    }
}

/// Users who were found by name.
pub fn found_users(Found { users, more }: Found) -> FoundUsers {
    FoundUsers {
        users: users.into_iter().map(found_user).collect(),
        more,
    }
}

fn found_user(user: UserState) -> FoundUser {
    FoundUser {
        user_id: user.id.to_string(),
        username: user.profile.username.into(),
        avatar: user.profile.avatar.map(String::from),
        score: user.score.map(Score::points),
        rank: user.rank,
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
