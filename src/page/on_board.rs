//! Which board a page shows: `/b/{board}/…`, and `main` elsewhere.

use std::collections::HashMap;

use app::{server::Missing, wire::MAIN};
use axum::{
    extract::{FromRequestParts, Path},
    http::{HeaderMap, Uri, header::CACHE_CONTROL, request::Parts},
    response::{IntoResponse, Redirect, Response},
};

use super::{PageQuery, Pages, Visit};
use crate::{board::BoardId, live::Viewer};

/// The board that an address names by `{board}`, or `main`: one that the visitor may see.
pub(super) struct OnBoard(pub(super) BoardId);

impl FromRequestParts<Pages> for OnBoard {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<OnBoard, Response> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, pages).await;
        let path = path.map_err(IntoResponse::into_response)?;
        let board = match path.get("board") {
            None => Some(BoardId::default()),
            Some(name) if name == MAIN => return Err(pages.at_main(parts)),
            Some(name) => BoardId::new(name),
        };
        if let Some(board) = &board
            && pages.live.shows(board, Viewer::Public)
        {
            return Ok(OnBoard(board.clone()));
        }
        let visit = Visit::from_request_parts(parts, pages).await;
        let visit = visit.map_err(IntoResponse::into_response)?;
        let viewer = pages.looks_as(visit.is_embedded(), &parts.headers);
        match board {
            Some(board) if pages.live.shows(&board, viewer) => Ok(OnBoard(board)),
            board => Err(pages.no_board(visit, viewer, board, &parts.uri).await),
        }
    }
}

impl Pages {
    /// As whom somebody looks at boards.
    pub(super) fn looks_as(&self, is_embedded: bool, headers: &HeaderMap) -> Viewer {
        let you = self.signed_in(is_embedded, headers);
        Viewer::of(you.map(|you| you.role))
    }

    /// The answer where there is no board for this viewer: a kiosk turns on to the next one.
    async fn no_board(
        &self,
        visit: Visit,
        viewer: Viewer,
        board: Option<BoardId>,
        uri: &Uri,
    ) -> Response {
        let query = PageQuery::of(uri);
        let is_shown = |board: &BoardId| self.live.shows(board, viewer);
        if let Some(address) = query.instead(&self.base, board.as_ref(), is_shown) {
            let not_stored = [(CACHE_CONTROL, "no-store")];
            return (not_stored, Redirect::to(&address)).into_response();
        }
        let missing = match board {
            Some(board) if board == BoardId::default() => Missing::SignedOut,
            Some(board) => Missing::Board {
                name: board.to_string(),
                is_signed_in: viewer != Viewer::Public,
            },
            None => Missing::Page,
        };
        self.render_missing_as(visit, missing, query.retry(&self.base))
            .await
    }

    /// `main` is at the plain addresses.
    fn at_main(&self, parts: &Parts) -> Response {
        const PREFIX: &str = "/b/main";
        let address = parts.uri.path_and_query().map_or("", |it| it.as_str());
        let rest = address.strip_prefix(PREFIX).unwrap_or_default();
        let rest = if rest.starts_with('/') {
            rest.to_owned()
        } else {
            format!("/{rest}")
        };
        Redirect::permanent(&self.base.link(&rest)).into_response()
    }

    /// The path of a board's page, below the base path.
    pub(super) fn path_of(board: &BoardId) -> String {
        if *board == BoardId::default() {
            "/".to_owned()
        } else {
            format!("/b/{board}")
        }
    }
}
