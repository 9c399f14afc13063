//! `GET /api/v1/users?q`: users by name.

use app::wire::FoundUsers;
use axum::{
    Extension, Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;

use super::{Api, Problem, body::bad_query, of_board::OfBoard};
use crate::{
    listener::ClientAddress,
    live::{MAX_FOUND, MAX_QUERY_CHARS},
    wire,
};

/// As many as fit under a search field.
const DEFAULT_FOUND: usize = 20;

#[derive(Deserialize)]
pub(super) struct SearchQuery {
    q: String,
    limit: Option<usize>,
}

/// `?q&limit`: who has words in the name that begin with those of `q`.
pub(super) async fn get(
    State(api): State<Api>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    OfBoard(board): OfBoard,
    query: Result<Query<SearchQuery>, QueryRejection>,
) -> Result<Json<FoundUsers>, Problem> {
    let Query(SearchQuery { q, limit }) = query.map_err(bad_query)?;
    if q.chars().count() > MAX_QUERY_CHARS {
        return Err(Problem::bad_request(format!(
            "q must have at most {MAX_QUERY_CHARS} characters"
        )));
    }
    let limit = limit.unwrap_or(DEFAULT_FOUND);
    if !(1..=MAX_FOUND).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "limit must be 1 to {MAX_FOUND}"
        )));
    }
    let found = api.live.search(address.into(), &board, &q, limit).await;
    found
        .map(|found| Json(wire::found_users(found)))
        .map_err(|why| Problem::unanswered(&why, "searches"))
}
