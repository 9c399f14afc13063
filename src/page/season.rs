//! `GET /b/{board}/seasons/{number}`, and `/seasons/{number}` of `main`: the standings with
//! which a season has ended.

use app::{
    server::{Document, SeasonPage},
    wire::PAGE,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;

use super::{OnBoard, PageQuery, Pages, Visit, cache::Content, render::Page};
use crate::{
    live::{Version, Viewer},
    wire,
};

#[derive(Deserialize)]
pub(super) struct SeasonPath {
    number: String,
}

pub(super) async fn get(
    State(pages): State<Pages>,
    OnBoard(board): OnBoard,
    visit: Visit,
    query: PageQuery,
    Path(path): Path<SeasonPath>,
) -> Response {
    let (Ok(number), Ok(page)) = (path.number.parse(), query.page) else {
        return pages.render_missing(visit).await;
    };
    let ended = pages.live.final_standings(visit.client, &board, number);
    let ended = match ended.await {
        Ok(Some(ended)) => ended,
        Ok(None) => return pages.render_missing(visit).await,
        Err(why) => return pages.unavailable(&why, visit).await,
    };
    let shown = pages.live.read_board(&board, |_, view| {
        let settings = view.board().settings().clone();
        let latest = view.board().ended_seasons();
        (settings, wire::board_info(view), latest)
    });
    let Some((settings, info, latest)) = shown else {
        return pages.render_missing(visit).await;
    };
    let season = wire::ended_season(&settings, ended.season);
    let start = usize::try_from(page.unwrap_or_default())
        .unwrap_or(usize::MAX)
        .saturating_mul(PAGE);
    let positions = start..start.saturating_add(PAGE);
    let rows = pages.live.final_rows(visit.client, &ended, positions);
    let rows = match rows.await {
        Ok(rows) => rows,
        Err(why) => return pages.unavailable(&why, visit).await,
    };
    let has_tiebreak = settings.rules.order.tiebreak.is_some();
    let mut rows = wire::named_rows(&pages.live, has_tiebreak, &rows);
    let total = ended.total() as u64;
    if page.is_some() && rows.is_empty() {
        return pages.render_missing(visit).await;
    }
    pages.origins.hide_pictures(&mut rows);
    let shown = Box::new(SeasonPage {
        season,
        latest,
        rows,
        total,
        page,
        // The API does not know who is signed in to the page.
        has_file: Viewer::Public.may_see(&settings),
    });
    let content = Content::Season {
        board: Box::new(info.clone()),
        season: shown.clone(),
    };
    let page = move |_| Page {
        board: Some(info),
        query: query.page_part(),
        ..Document::Season(shown).into()
    };
    // The content says which version it is.
    pages
        .render_for_all(visit, Version::default(), content, page)
        .await
}
