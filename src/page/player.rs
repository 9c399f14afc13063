//! `GET /players/{id}`: one user, with what the user has done; or a team where teams stand.

use app::{
    server::Document,
    wire::{PlayerBoard, UserScore},
};
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;

use super::{OnBoard, Pages, Visit, cache::Content, render::Page};
use crate::{
    board::{UserId, Who},
    live::{UserState, Viewer},
    wire,
};

/// Points of the chart.
const CHART_POINTS: usize = 240;

#[derive(Deserialize)]
pub(super) struct PlayerPath {
    id: String,
}

pub(super) async fn get(
    State(pages): State<Pages>,
    OnBoard(board): OnBoard,
    visit: Visit,
    headers: HeaderMap,
    Path(path): Path<PlayerPath>,
) -> Response {
    let version = pages.live.version(&board);
    let Some(user) = UserId::parse(&path.id) else {
        return pages.render_missing(visit).await;
    };
    let who = pages.live.read_board(&board, |_, view| view.who(user));
    if let Some(Who::Team(team)) = who {
        return pages.team(board, team, visit, version).await;
    }
    let viewer = pages.looks_as(visit.is_embedded(), &headers);
    let boards = pages.boards_of(user, viewer);
    let document = match pages
        .live
        .history(visit.client, &board, user, CHART_POINTS)
        .await
    {
        Ok(history) => history.map(|history| {
            let mut history = wire::user_history(&history);
            pages.origins.hide_picture(&mut history.user.avatar);
            Document::Player {
                user: Box::new(history),
                boards: boards.clone(),
            }
        }),
        // Score and rank are known here.
        Err(_) => {
            let user = pages.live.user(&board, user);
            user.map(|user| Document::PlayerNow {
                user: Box::new(pages.shown_user(&user)),
                boards: boards.clone(),
            })
        }
    };
    let Some(document) = document else {
        return pages.render_missing(visit).await;
    };
    let info = pages.info_of(&board);
    let content = Content::Player {
        board,
        user,
        boards,
        has_history: matches!(document, Document::Player { .. }),
    };
    let page = |_| Page {
        board: Some(info),
        ..document.into()
    };
    pages.render_for_all(visit, version, content, page).await
}

impl Pages {
    /// How a user stands on each board that is listed for this viewer.
    fn boards_of(&self, user: UserId, viewer: Viewer) -> Vec<PlayerBoard> {
        self.live.read(|epoch, state| {
            let views = wire::listed(state, viewer).into_iter();
            let standing = views.filter_map(|view| {
                let user = UserState::of(epoch, view, user)?;
                Some(PlayerBoard {
                    info: wire::board_info(view),
                    score: user.score()?.points(),
                    rank: user.rank()?,
                })
            });
            standing.collect()
        })
    }

    /// A user as the page shows them.
    pub(super) fn shown_user(&self, user: &UserState) -> UserScore {
        let mut score = wire::user_score(user);
        self.origins.hide_picture(&mut score.avatar);
        score
    }
}
