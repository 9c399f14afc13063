//! `/api/v1/leaderboard`: rows of the board, from any position or around a user.

use std::ops::Range;

use app::wire::LeaderboardData;
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;

use super::{
    Api, Problem,
    body::{UserPath, bad_query},
    moment::Present,
    of_board::OfBoard,
};
use crate::{store::Refusal, wire};

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

impl Page {
    /// The positions of its rows, counted from 0; by default as many as the visible board
    /// has.
    pub(super) fn positions(&self, visible: usize) -> Result<Range<usize>, Problem> {
        let limit = self.limit.unwrap_or(visible);
        if self.limit.is_some() && !(1..=MAX_ROWS).contains(&limit) {
            return Err(Problem::bad_request(format!(
                "limit must be 1 to {MAX_ROWS}"
            )));
        }
        Ok(self.offset..self.offset.saturating_add(limit))
    }
}

/// `GET /leaderboard?limit&offset`: by default the visible board.
pub(super) async fn get(
    State(api): State<Api>,
    OfBoard(board): OfBoard,
    _: Present,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<LeaderboardData>, Problem> {
    let Query(page) = page.map_err(bad_query)?;
    let rows = api.live.read_board(&board, |epoch, board| {
        let positions = page.positions(board.rules().top)?;
        Ok(wire::leaderboard(epoch, board, positions))
    });
    rows.unwrap_or_else(|| Err(Refusal::UnknownBoard(board).into()))
        .map(Json)
}

/// `GET /leaderboard/around/{id}?window`: the row of a user, or of a team where teams stand,
/// and as many on either side as `window` says, 5 by default.
pub(super) async fn around(
    State(api): State<Api>,
    OfBoard(board): OfBoard,
    UserPath(user): UserPath,
    _: Present,
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
    let rows = api.live.read_board(&board, |epoch, board| {
        let positions = board.around(board.who(user), window);
        let rows = positions.map(|positions| wire::leaderboard(epoch, board, positions));
        rows.ok_or(match board.board().settings().is_of_teams() {
            true => "no team with this id is ranked, and people are not: teams stand on this board",
            false => "no user with this id is ranked",
        })
    });
    let rows = rows.ok_or(Refusal::UnknownBoard(board))?;
    rows.map(Json).map_err(Problem::not_found)
}
