//! `GET /`: the board, or with `q` the users who are found.

use std::time::{SystemTime, UNIX_EPOCH};

use app::{
    server::Document,
    wire::{PageSnapshot, View},
};
use axum::{extract::State, http::HeaderMap, response::Response};

use super::{
    PageQuery, Pages, Visit, cache::Content, race_chart::NumberedChart, render::Page, share,
    token::SocketToken,
};
use crate::{
    auth::Identity,
    board::{Ties, Timestamp},
    live::UserState,
    wire,
};

/// Rows on either side of the user who is signed in.
const WINDOW: usize = 2;

pub(super) async fn get(
    State(pages): State<Pages>,
    visit: Visit,
    query: PageQuery,
    headers: HeaderMap,
) -> Response {
    if let Some(search) = query.search {
        return pages.found(visit, search).await;
    }
    let Ok(page) = query.page else {
        return pages.render_missing(visit).await;
    };
    // Before anything that is shown is read: it is of this version or a newer one.
    let version = pages.live.version();
    let you = pages.signed_in(visit.is_embedded(), &headers);
    let chart = if page.is_none() && visit.view == View::Whole {
        pages.race_charts.latest(&pages.live).await
    } else {
        NumberedChart::default()
    };
    let refreshes = query.refreshes;
    let origin = share::origin(&pages.public_url, &headers);
    let content = Content::Board {
        page,
        refreshes,
        origin: origin.clone(),
        race_chart: chart.number,
        is_before_start: pages.later_start().is_some(),
    };
    let board = {
        let pages = pages.clone();
        move |token| {
            let snapshot = pages.snapshot(you, visit, page, token);
            let number = page.map(|page| format!("page={}&", page + 1));
            Page {
                sharing: Some(share::sharing(origin, &pages.base, &snapshot)),
                query: number.unwrap_or_default(),
                document: Document::Board {
                    snapshot: Box::new(snapshot),
                    race: wire::race_chart(chart.chart),
                    refreshes,
                },
            }
        }
    };
    if you.is_none() {
        return pages.render_for_all(visit, version, content, board).await;
    }
    let token = pages.page_token(you, None);
    pages.render_for_one(visit, move || board(token)).await
}

impl Pages {
    /// When the event starts, if it has not started.
    fn later_start(&self) -> Option<SystemTime> {
        self.starts.filter(|starts| *starts > SystemTime::now())
    }

    /// What the page knows of the board at first.
    fn snapshot(
        &self,
        you: Option<Identity>,
        visit: Visit,
        page: Option<u64>,
        SocketToken { token, expires_in }: SocketToken,
    ) -> PageSnapshot {
        let (mut board, mut around, you, margin) = self.live.read(|epoch, board| {
            let rows = wire::board_page(epoch, board, page);
            let around = you.and_then(|you| board.around(you.user, WINDOW));
            let around = around.map_or_else(Vec::new, |positions| {
                wire::leaderboard(epoch, board, positions).top_scores
            });
            let margin = match board.rules().ties {
                Ties::Earliest => 1,
                Ties::Competition | Ties::Dense => 0,
            };
            let you = you.and_then(|you| UserState::of(epoch, board, you.user));
            (rows, around, you, margin)
        });
        self.origins.hide_pictures(&mut board.top_scores);
        self.origins.hide_pictures(&mut around);
        let starts = self.later_start();
        let starts = starts.and_then(|starts| starts.duration_since(UNIX_EPOCH).ok());
        PageSnapshot {
            base: self.base.clone(),
            title: self.title.to_string(),
            view: visit.view,
            locale: visit.language.locale(),
            board,
            you: you.map(|you| self.shown_user(&you)),
            around,
            margin,
            starts: starts.map(|it| wire::timestamp(Timestamp(it.as_millis() as u64))),
            token,
            expires_in,
            link_failed: visit.link_failed,
            avatar_origins: self.origins.avatars.shown.clone(),
        }
    }
}
