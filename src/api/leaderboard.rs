//! `/api/v1/leaderboard`: rows of the board, from any position or around a user.

use app::wire::LeaderboardData;
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;

use super::{
    Api, Problem,
    body::{UserPath, bad_query},
};
use crate::wire;

/// Rows in one answer.
const MAX_ROWS: usize = 1000;

#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
}

#[derive(Deserialize)]
pub(super) struct Around {
    window: Option<usize>,
}

/// `GET /leaderboard?limit&offset`: by default the visible board.
pub(super) async fn get(
    State(api): State<Api>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<LeaderboardData>, Problem> {
    let Query(Page { limit, offset }) = page.map_err(bad_query)?;
    if limit.is_some_and(|limit| !(1..=MAX_ROWS).contains(&limit)) {
        return Err(Problem::bad_request(format!(
            "limit must be 1 to {MAX_ROWS}"
        )));
    }
    let board = api.live.read(|epoch, board| {
        let limit = limit.unwrap_or(board.rules().top);
        let positions = offset..offset.saturating_add(limit);
        wire::leaderboard(epoch, board, positions)
    });
    Ok(Json(board))
}

/// `GET /leaderboard/around/{id}?window`: a user's row, and as many on either
/// side as `window` says, 5 by default.
pub(super) async fn around(
    State(api): State<Api>,
    UserPath(user): UserPath,
    around: Result<Query<Around>, QueryRejection>,
) -> Result<Json<LeaderboardData>, Problem> {
    let Query(Around { window }) = around.map_err(bad_query)?;
    let window = window.unwrap_or(5);
    if window > MAX_ROWS / 2 {
        return Err(Problem::bad_request(format!(
            "window must be 0 to {}",
            MAX_ROWS / 2
        )));
    }
    let rows = api.live.read(|epoch, board| {
        let positions = board.around(user, window)?;
        Some(wire::leaderboard(epoch, board, positions))
    });
    rows.map(Json)
        .ok_or_else(|| Problem::not_found("no user with this id is ranked"))
}
