//! `GET /`: the board, or with `q` the users who are found.

use std::time::{SystemTime, UNIX_EPOCH};

use app::{
    server::Document,
    wire::{PageSnapshot, View},
};
use axum::{extract::State, http::HeaderMap, response::Response};

use super::{
    OnBoard, PageQuery, Pages, Visit, cache::Content, race_chart::NumberedChart, render::Page,
    share, token::SocketToken,
};
use crate::{
    auth::Identity,
    board::{self, BoardId, Ties, Timestamp},
    live::{UserState, Viewer},
    wire,
};

/// Rows on either side of the user who is signed in.
const WINDOW: usize = 2;

pub(super) async fn get(
    State(pages): State<Pages>,
    OnBoard(board): OnBoard,
    visit: Visit,
    query: PageQuery,
    headers: HeaderMap,
) -> Response {
    if let Some(search) = query.search {
        return pages.found(board, visit, search).await;
    }
    let Ok(page) = query.page else {
        return pages.render_missing(visit).await;
    };
    // Before anything that is shown is read: it is of this version or a newer one.
    let version = pages.live.version(&board);
    let you = pages.signed_in(visit.is_embedded(), &headers);
    let chart = if page.is_none() && visit.view == View::Whole {
        pages.race_charts.latest(&pages.live, &board).await
    } else {
        NumberedChart::default()
    };
    let refreshes = query.refreshes;
    let viewer = Viewer::of(you.map(|you| you.role));
    let turn = query.turn(&pages.base, &board, |it| pages.live.shows(it, viewer));
    let origin = share::origin(&pages.public_url, &headers);
    let content = Content::Board {
        board: board.clone(),
        boards: pages.live.read(|_, state| state.boards_version()),
        page,
        refreshes,
        origin: origin.clone(),
        race_chart: chart.number,
        is_before_start: pages.later_start().is_some(),
        turn: turn.clone(),
    };
    let shown = {
        let pages = pages.clone();
        move |token| {
            let snapshot = pages.snapshot(&board, you, visit, page, token);
            let number = page.map(|page| format!("page={}&", page + 1));
            Page {
                board: Some(snapshot.info.clone()),
                turn,
                sharing: Some(share::sharing(origin, &pages.base, &board, &snapshot)),
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
        return pages.render_for_all(visit, version, content, shown).await;
    }
    let token = pages.page_token(you, None);
    pages.render_for_one(visit, move || shown(token)).await
}

impl Pages {
    /// When the event starts, if it has not started.
    fn later_start(&self) -> Option<SystemTime> {
        self.starts.filter(|starts| *starts > SystemTime::now())
    }

    /// What the page knows of the board at first.
    fn snapshot(
        &self,
        id: &BoardId,
        you: Option<Identity>,
        visit: Visit,
        page: Option<u64>,
        SocketToken { token, expires_in }: SocketToken,
    ) -> PageSnapshot {
        let viewer = Viewer::of(you.map(|you| you.role));
        let read = |epoch, state: &board::State| {
            let view = state.view(id)?;
            let around = you.and_then(|you| view.around(you.user, WINDOW));
            let around = around.map_or_else(Vec::new, |positions| {
                wire::leaderboard(epoch, view, positions).top_scores
            });
            Some(PageSnapshot {
                info: wire::board_info(view),
                boards: wire::board_infos(state, id, viewer),
                board: wire::board_page(epoch, view, page),
                you: you
                    .and_then(|you| UserState::of(epoch, view, you.user))
                    .map(|you| self.shown_user(&you)),
                around,
                margin: match view.rules().order.ties {
                    Ties::Earliest => 1,
                    Ties::Competition | Ties::Dense => 0,
                },
                ..PageSnapshot::default()
            })
        };
        // One that was deleted just now is empty.
        let mut shown = self.live.read(read).unwrap_or_default();
        self.origins.hide_pictures(&mut shown.board.top_scores);
        self.origins.hide_pictures(&mut shown.around);
        // The board itself may say when it starts.
        if *id == BoardId::default() && shown.info.starts.is_none() {
            let starts = self.later_start();
            let starts = starts.and_then(|starts| starts.duration_since(UNIX_EPOCH).ok());
            let starts = starts.map(|it| wire::timestamp(Timestamp(it.as_millis() as u64)));
            shown.info.starts = starts;
        }
        PageSnapshot {
            base: self.base.clone(),
            view: visit.view,
            locale: visit.language.locale(),
            token,
            expires_in,
            link_failed: visit.link_failed,
            avatar_origins: self.origins.avatars.shown.clone(),
            ..shown
        }
    }
}
