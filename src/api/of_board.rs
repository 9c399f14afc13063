//! Which board a route is about: `/boards/{board}/…`, and `main` elsewhere.

use app::wire::MAIN;
use axum::{extract::FromRequestParts, http::request::Parts};

use super::{Api, Problem, body::path_part, credentials::viewer};
use crate::{board::BoardId, live::Viewer};

/// The board that a path names by `{board}`, or `main` if it names none: one that the sender
/// may see.
pub(super) struct OfBoard(pub(super) BoardId);

impl FromRequestParts<Api> for OfBoard {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<OfBoard, Problem> {
        let name = path_part(parts, api, "board").await?;
        let board = match &name {
            Some(name) => BoardId::new(name),
            None => Some(BoardId::default()),
        };
        // What anybody may see needs no token, and so none that is valid.
        if let Some(board) = &board
            && api.live.shows(board, Viewer::Public)
        {
            return Ok(OfBoard(board.clone()));
        }
        let viewer = viewer(parts, api)?;
        let shown = board.filter(|board| api.live.shows(board, viewer));
        shown
            .map(OfBoard)
            .ok_or_else(|| unknown(name.as_deref().unwrap_or(MAIN)))
    }
}

/// There is no such board, for whoever asks.
pub(super) fn unknown(name: &str) -> Problem {
    Problem::not_found(format!("there is no board {name:?}"))
}
