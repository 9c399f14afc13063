//! What caches on the way may do with answers that are not for everybody.

use axum::{
    extract::{Request, State},
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, VARY},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Api, Problem, body::path_part};
use crate::{board::BoardId, live::Viewer};

/// Answers about a board that not everybody may see are for the one who asked. Whether a board is
/// private or not there cannot be told apart by that.
pub(super) async fn of_board(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let name = path_part(&mut parts, &api, "board").await?;
    let board = match &name {
        Some(name) => BoardId::new(name),
        None => Some(BoardId::default()),
    };
    let response = next.run(Request::from_parts(parts, body)).await;
    // As it is now: it may have become private meanwhile.
    let is_for_all = board.is_some_and(|board| api.live.shows(&board, Viewer::Public));
    Ok(match is_for_all {
        true => response,
        false => private(response),
    })
}

/// An answer that depends on who asks.
pub(super) fn for_viewer(viewer: Viewer, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    match viewer {
        Viewer::Public => add_vary(&mut response),
        Viewer::SignedIn | Viewer::Admin => response = private(response),
    }
    response
}

fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    add_vary(&mut response);
    response
}

fn add_vary(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("authorization"));
}
