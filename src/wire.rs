//! Conversions at the edge: what crosses the wire is `app::wire`'s and JSON's;
//! what boards hold is theirs.

use std::{
    ops::Range,
    time::{Duration, UNIX_EPOCH},
};

use app::wire::{
    BoardInfo, FoundUser, FoundUsers, HistoryPoint, LeaderboardData, MAIN, NotificationKind, PAGE,
    Race, RaceLine, RecentAction, ScoreFormat, ScoreRow, ScoreStyle, SeasonInfo,
    Severity as Seriousness, SystemNotification, UserHistory, UserScore, UserScoreUpdate,
};

use crate::{
    board::{
        Announcement, AnnouncementKind, Board, BoardId, BoardView, Epoch, FinalRow, Row, Score,
        Scores, Season, Seq, Settings, Severity, State, Style, Timestamp, UserChange, Visibility,
        Who,
    },
    calendar,
    live::{self, Found, FoundRow, Live, RaceChart, UserState, Viewer},
    store,
};

/// ISO 8601 with milliseconds, in UTC.
pub fn timestamp(at: Timestamp) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(at.0);
    humantime::format_rfc3339_millis(time).to_string()
}

/// Which board, if it is not `main`.
pub fn board(board: &BoardId) -> Option<String> {
    let name = board.as_str();
    (name != MAIN).then(|| name.to_owned())
}

/// The id of a person or a team.
pub fn id(who: Who) -> String {
    match who {
        Who::User(user) => user.to_string(),
        Who::Team(team) => team.to_string(),
    }
}

/// A row of a board.
pub fn score_row(board: BoardView<'_>, row: Row<'_>) -> ScoreRow {
    ScoreRow {
        user_id: id(row.who),
        username: row.profile.username.to_string(),
        score: row.scores.score.points(),
        rank: row.rank,
        avatar: row.profile.avatar.as_deref().map(str::to_owned),
        tiebreak: tiebreak(board, row.scores),
    }
}

/// The second score, if there is a result.
fn second(scores: Option<Scores>) -> Option<i64> {
    scores.map(|scores| scores.tiebreak.points())
}

/// Has a board a second score?
pub fn has_tiebreak(board: BoardView<'_>) -> bool {
    board.rules().order.tiebreak.is_some()
}

/// The second score, on a board that has one.
pub fn tiebreak(board: BoardView<'_>, scores: Scores) -> Option<i64> {
    has_tiebreak(board).then(|| scores.tiebreak.points())
}

/// A user, or a team where teams stand, with score and rank.
pub fn user_score(user: &UserState) -> UserScore {
    UserScore {
        user_id: id(user.who),
        username: user.profile.username.to_string(),
        avatar: user.profile.avatar.as_deref().map(str::to_owned),
        score: user.score().map(Score::points),
        tiebreak: user.has_tiebreak.then(|| second(user.scores())),
        rank: user.rank(),
        epoch: user.epoch.to_string(),
        seq: user.seq,
        board: board(&user.board),
    }
}

/// What became of a user's score, for the user alone: one who is hidden is shown their own
/// score. On a board of teams, what became of a team's, for its members.
pub fn user_update(
    epoch: Epoch,
    on: BoardView<'_>,
    who: Who,
    change: UserChange,
) -> Option<UserScoreUpdate> {
    on.user(who).map(|row| {
        let scores = row.scores().or_else(|| on.hidden_scores(who));
        UserScoreUpdate {
            user_id: id(who),
            score: scores.map(|scores| scores.score.points()),
            tiebreak: has_tiebreak(on).then(|| second(scores)),
            rank: row.rank(),
            action_type: change.action_type.into(),
            score_increase: change.increase,
            timestamp: timestamp(change.at),
            merged: change.merged,
            epoch: epoch.to_string(),
            seq: on.seq(),
            board: board(on.board().id()),
        }
    })
}

/// The visible board, or one page of it, counted from 0.
pub fn board_page(epoch: Epoch, board: BoardView<'_>, page: Option<u64>) -> LeaderboardData {
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
pub fn leaderboard(epoch: Epoch, of: BoardView<'_>, positions: Range<usize>) -> LeaderboardData {
    let rows = of.rows(positions);
    LeaderboardData {
        top_scores: rows.map(|row| score_row(of, row)).collect(),
        total_users: of.len() as u64,
        last_updated: timestamp(of.changed()),
        epoch: epoch.to_string(),
        seq: of.seq(),
        page: None,
        board: board(of.board().id()),
    }
}

/// What people read above a board.
pub fn title(of: &Board) -> String {
    match &*of.settings().title {
        "" => of.id().to_string(),
        title => title.to_owned(),
    }
}

/// What a page is told of a board.
pub fn board_info(view: BoardView<'_>) -> BoardInfo {
    let on = view.board();
    let settings = on.settings();
    let (style, decimals) = match settings.format.style {
        Style::Points => (ScoreStyle::Points, 0),
        Style::Decimal { decimals } => (ScoreStyle::Decimal, decimals),
        Style::Duration { decimals } => (ScoreStyle::Duration, decimals),
    };
    BoardInfo {
        id: on.id().to_string(),
        title: title(on),
        format: ScoreFormat {
            style,
            decimals,
            unit: settings.format.unit.as_deref().map(str::to_owned),
        },
        teams: settings.is_of_teams(),
        tiebreak: settings.rules.order.tiebreak.is_some(),
        season: season(settings, on.season()),
        ended_seasons: on.ended_seasons(),
        starts: settings.starts.map(timestamp),
        ends: settings.ends.map(timestamp),
    }
}

/// The season that runs on a board with a period, and what people call it.
pub fn season(settings: &Settings, season: Option<Season>) -> Option<SeasonInfo> {
    settings.period()?;
    Some(ended_season(settings, season?))
}

/// A season that has ended. That of a board without a period has no name: it is all of it.
pub fn ended_season(settings: &Settings, season: Season) -> SeasonInfo {
    let name = |period| calendar::name_of_season(period, season.ends).ok();
    SeasonInfo {
        number: season.number,
        name: settings.period().and_then(name).unwrap_or_default(),
        ends: timestamp(season.ends),
    }
}

/// Is a board listed for somebody? Those that are not listed for others are for organisers.
pub fn is_listed(settings: &Settings, viewer: Viewer) -> bool {
    match settings.visibility {
        Visibility::Unlisted => viewer == Viewer::Admin,
        Visibility::Public | Visibility::Private => viewer.may_see(settings),
    }
}

/// The boards that are listed for somebody: `main` first, then by id.
pub fn listed(state: &State, viewer: Viewer) -> Vec<BoardView<'_>> {
    let boards = state
        .boards()
        .filter(|board| is_listed(board.settings(), viewer));
    let views = boards.filter_map(|board| state.view(board.id()));
    let mut views: Vec<BoardView<'_>> = views.collect();
    let main = BoardId::default();
    views.sort_by(|one, other| {
        let key = |view: &BoardView<'_>| (*view.board().id() != main, view.board().id().clone());
        key(one).cmp(&key(other))
    });
    views
}

/// How many that are.
pub fn count_listed(state: &State, viewer: Viewer) -> usize {
    state
        .boards()
        .filter(|board| is_listed(board.settings(), viewer))
        .count()
}

/// The boards that a page leads to, with its own: none where there is no other.
pub fn board_infos(state: &State, own: &BoardId, viewer: Viewer) -> Vec<BoardInfo> {
    /// So many fit into a menu; all are listed on a page of their own.
    const MOST: usize = 30;
    let mut views = listed(state, viewer);
    if !views.iter().any(|view| view.board().id() == own) {
        views.extend(state.view(own));
    }
    if views.len() < 2 {
        return Vec::new();
    }
    views.truncate(MOST);
    views.into_iter().map(board_info).collect()
}

/// Rows that are named while the state is locked.
const AT_ONCE: usize = 1024;

/// These rows with what they are called now. Who is hidden or gone has none.
pub fn named_rows(live: &Live, has_tiebreak: bool, rows: &[FinalRow]) -> Vec<ScoreRow> {
    let row = |state: &State, row: &FinalRow| {
        let profile = state.directory().shown(row.who)?;
        Some(ScoreRow {
            user_id: id(row.who),
            username: profile.username.to_string(),
            score: row.scores.score.points(),
            rank: row.rank,
            avatar: profile.avatar.as_deref().map(str::to_owned),
            tiebreak: has_tiebreak.then(|| row.scores.tiebreak.points()),
        })
    };
    let mut named = Vec::with_capacity(rows.len());
    for rows in rows.chunks(AT_ONCE) {
        live.read(|_, state| named.extend(rows.iter().filter_map(|it| row(state, it))));
    }
    named
}

/// What a user has done, and how the user stands.
pub fn user_history(live::UserHistory { user, history }: &live::UserHistory) -> UserHistory {
    let has_tiebreak = user.has_tiebreak;
    let points = history.points.iter();
    let recent = history.recent.iter();
    UserHistory {
        user: user_score(user),
        best_rank: history.best,
        actions: history.actions,
        first_action_at: history.first.map(timestamp),
        last_action_at: history.last.map(timestamp),
        history: points.map(|it| history_point(it, has_tiebreak)).collect(),
        recent: recent.map(|it| recent_action(it, has_tiebreak)).collect(),
    }
}

fn history_point(point: &store::HistoryPoint, has_tiebreak: bool) -> HistoryPoint {
    HistoryPoint {
        seq: point.seq.map(Seq::get),
        score: point.score.points(),
        tiebreak: point.tiebreak.filter(|_| has_tiebreak).map(Score::points),
        rank: point.rank,
        timestamp: timestamp(point.at),
    }
}

fn recent_action(action: &store::RecentAction, has_tiebreak: bool) -> RecentAction {
    let after = history_point(&action.after, has_tiebreak);
    RecentAction {
        seq: after.seq,
        action_type: action.action_type.to_string(),
        score_increase: action.increase,
        score: after.score,
        tiebreak: after.tiebreak,
        rank: after.rank,
        timestamp: after.timestamp,
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

/// Who was found by name.
pub fn found_users(found: Found) -> FoundUsers {
    let Found {
        rows,
        has_tiebreak,
        more,
    } = found;
    let rows = rows.into_iter();
    FoundUsers {
        users: rows.map(|row| found_user(row, has_tiebreak)).collect(),
        more,
    }
}

fn found_user(row: FoundRow, has_tiebreak: bool) -> FoundUser {
    let scores = row.ranked.map(|(scores, _)| scores);
    FoundUser {
        user_id: id(row.who),
        username: row.profile.username.into(),
        avatar: row.profile.avatar.map(String::from),
        score: scores.map(|scores| scores.score.points()),
        tiebreak: has_tiebreak.then(|| second(scores)),
        rank: row.ranked.map(|(_, rank)| rank),
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
