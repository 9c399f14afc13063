//! `GET /boards`: all boards that are listed, each with its leader.

use app::{server::Document, wire::BoardSummary};
use axum::{extract::State, http::HeaderMap, response::Response};

use super::{Pages, Visit, cache::Content};
use crate::{live::Version, wire};

pub(super) async fn get(State(pages): State<Pages>, visit: Visit, headers: HeaderMap) -> Response {
    let viewer = pages.looks_as(visit.is_embedded(), &headers);
    let boards: Vec<BoardSummary> = pages.live.read(|epoch, state| {
        let views = wire::listed(state, viewer).into_iter();
        let summaries = views.map(|view| {
            let leader = wire::leaderboard(epoch, view, 0..1).top_scores.pop();
            BoardSummary {
                info: wire::board_info(view),
                total: view.len() as u64,
                leader: leader.map(|leader| (leader.username, leader.score)),
            }
        });
        summaries.collect()
    });
    let content = Content::Boards(boards.clone());
    let page = |_| Document::Boards(boards).into();
    // The content says which version it is.
    pages
        .render_for_all(visit, Version::default(), content, page)
        .await
}
