//! `GET /boards`: all boards that are listed, each with its leader.

use app::{
    server::{Document, Part},
    wire::{BoardSummary, PAGE},
};
use axum::{extract::State, http::HeaderMap, response::Response};

use super::{PageQuery, Pages, Visit, cache::Content, render::Page};
use crate::{
    live::{Version, Viewer},
    wire,
};

/// For so many milliseconds a page may say of a board that it is to start or to end, and be
/// wrong. With scripts the browser says it by its own clock.
const MOMENT: u64 = 10_000;

pub(super) async fn get(
    State(pages): State<Pages>,
    visit: Visit,
    query: PageQuery,
    headers: HeaderMap,
) -> Response {
    let viewer = pages.looks_as(visit.is_embedded(), &headers);
    let count = || {
        let listed = pages
            .live
            .read(|_, state| wire::count_listed(state, viewer));
        listed.div_ceil(PAGE) as u64
    };
    let Some(page) = query.page_of(count) else {
        return pages.render_missing(visit).await;
    };
    let content = Content::Boards {
        // Before anything that is shown is read: it is of this version or a newer one.
        all: pages.live.version_of_all(),
        viewer,
        moment: pages.live.now().0 / MOMENT,
        page,
    };
    let page = {
        let pages = pages.clone();
        move |_| Page {
            query: query.page_part(),
            ..Document::Boards(pages.summaries(viewer, page)).into()
        }
    };
    // The content says which version it is.
    pages
        .render_for_all(visit, Version::default(), content, page)
        .await
}

impl Pages {
    /// The boards that are listed for this viewer, as many as a page has.
    fn summaries(&self, viewer: Viewer, page: u64) -> Part<BoardSummary> {
        self.live.read(|epoch, state| {
            let views = wire::listed(state, viewer).into_iter();
            let summaries = views.map(|view| {
                let leader = wire::leaderboard(epoch, view, 0..1).top_scores.pop();
                BoardSummary {
                    info: wire::board_info(view),
                    total: view.len() as u64,
                    leader: leader.map(|leader| (leader.username, leader.score)),
                }
            });
            Part::of(summaries, page)
        })
    }
}
