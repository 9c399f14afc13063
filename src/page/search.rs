//! `GET /?q=…`: the users who are found by name.

use app::server::Document;
use axum::response::Response;

use super::{Pages, Visit, cache::Content, query::Search, render::Page};
use crate::{board::BoardId, live::MAX_QUERY_CHARS, wire};

/// Users that a search shows.
const FOUND: usize = 20;

impl Pages {
    /// The page of a search.
    pub(super) async fn found(&self, board: BoardId, visit: Visit, search: Search) -> Response {
        let version = self.live.version(&board);
        let Search { text, part } = search;
        let found = match self.live.search(visit.client, &board, &text, FOUND).await {
            Ok(found) => found,
            Err(why) => return self.unavailable(&why, visit).await,
        };
        let text: String = text.chars().take(MAX_QUERY_CHARS).collect();
        let info = self.info_of(&board);
        let content = Content::Found {
            board,
            boards: self.live.read(|_, state| state.boards_version()),
            query: text.clone(),
            part: part.clone(),
        };
        let origins = self.origins.clone();
        let page = move |_| {
            let mut found = wire::found_users(found);
            for user in &mut found.users {
                origins.hide_picture(&mut user.avatar);
            }
            Page {
                board: Some(info),
                document: Document::Found { query: text, found },
                query: part,
                sharing: None,
                turn: None,
            }
        };
        self.render_for_all(visit, version, content, page).await
    }
}
