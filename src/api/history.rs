//! `GET /api/v1/users/{id}/history`: what a user has done.

use app::wire::UserHistory;
use axum::{
    Extension, Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;

use super::{
    Api, Problem,
    body::{UserPath, bad_query},
    moment::Present,
    of_board::OfBoard,
};
use crate::{
    board::Who,
    listener::ClientAddress,
    store::{Refusal, history::MAX_POINTS},
    wire,
};

/// As many as a chart on a page can show.
const DEFAULT_POINTS: usize = 200;

const NO_HISTORY_OF_TEAMS: &str = "a team has no history of its own: it follows from those of its members, which are on the \
     board that this one is derived from";

#[derive(Deserialize)]
pub(super) struct HistoryQuery {
    points: Option<usize>,
}

/// `?points`: the score over time as at most so many points, and the latest
/// actions.
pub(super) async fn get(
    State(api): State<Api>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    OfBoard(board): OfBoard,
    UserPath(user): UserPath,
    _: Present,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<UserHistory>, Problem> {
    let Query(HistoryQuery { points }) = query.map_err(bad_query)?;
    let points = points.unwrap_or(DEFAULT_POINTS);
    if !(1..=MAX_POINTS).contains(&points) {
        return Err(Problem::bad_request(format!(
            "points must be 1 to {MAX_POINTS}"
        )));
    }
    let who = api.live.read_board(&board, |_, board| board.who(user));
    if let Some(Who::Team(_)) = who {
        return Err(Problem::not_found(NO_HISTORY_OF_TEAMS));
    }
    let history = api.live.history(address.into(), &board, user, points).await;
    history
        .map_err(Problem::no_history)?
        .map(|history| Json(wire::user_history(&history)))
        .ok_or_else(|| Refusal::UnknownUser.into())
}
