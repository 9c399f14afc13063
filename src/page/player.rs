//! `GET /players/{id}`: one user, with what the user has done; or a team where teams stand.

use std::sync::Arc;

use app::{
    server::{Document, Part},
    wire::{PAGE, PlayerBoard, UserScore},
};
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;

use super::{OnBoard, PageQuery, Pages, Visit, cache::Content, render::Page};
use crate::{
    board::{BoardView, Score, UserId, Who},
    live::{UserHistory, UserState, Viewer},
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
    query: PageQuery,
    headers: HeaderMap,
    Path(path): Path<PlayerPath>,
) -> Response {
    // Before anything that is shown is read: it is of these versions or newer ones.
    let (version, all) = (pages.live.version(&board), pages.live.version_of_all());
    let Some(user) = UserId::parse(&path.id) else {
        return pages.render_missing(visit).await;
    };
    let who = pages.live.read_board(&board, |_, view| view.who(user));
    if let Some(Who::Team(team)) = who {
        return pages.team(board, team, visit, version).await;
    }
    let viewer = pages.looks_as(visit.is_embedded(), &headers);
    let count = || {
        let standing = pages.live.read(|_, state| {
            let views = wire::listed(state, viewer).into_iter();
            views.filter(|view| is_ranked(*view, user)).count()
        });
        standing.div_ceil(PAGE) as u64
    };
    let Some(page_of_boards) = query.page_of(count) else {
        return pages.render_missing(visit).await;
    };
    let history = pages.live.history(visit.client, &board, user, CHART_POINTS);
    let history = match history.await {
        Ok(history) => history.map(Ok),
        // Score and rank are known here.
        Err(_) => pages.live.user(&board, user).map(Err),
    };
    let Some(history) = history else {
        return pages.render_missing(visit).await;
    };
    let content = Content::Player {
        board: board.clone(),
        user,
        all,
        viewer,
        page: page_of_boards,
        has_history: history.is_ok(),
    };
    let page = {
        let pages = pages.clone();
        move |_| Page {
            board: Some(pages.info_of(&board)),
            ..pages
                .player_document(history, pages.boards_of(user, viewer, page_of_boards))
                .into()
        }
    };
    pages.render_for_all(visit, version, content, page).await
}

impl Pages {
    /// A user with what they have done, or if that cannot be read as they stand now.
    fn player_document(
        &self,
        history: Result<Arc<UserHistory>, UserState>,
        boards: Part<PlayerBoard>,
    ) -> Document {
        match history {
            Ok(history) => {
                let mut history = wire::user_history(&history);
                self.origins.hide_picture(&mut history.user.avatar);
                Document::Player {
                    user: Box::new(history),
                    boards,
                }
            }
            Err(user) => Document::PlayerNow {
                user: Box::new(self.shown_user(&user)),
                boards,
            },
        }
    }

    /// How a user stands on the boards that are listed for this viewer, as many as a page has.
    fn boards_of(&self, user: UserId, viewer: Viewer, page: u64) -> Part<PlayerBoard> {
        self.live.read(|epoch, state| {
            let mut views = wire::listed(state, viewer);
            views.retain(|view| is_ranked(*view, user));
            let standing = views.into_iter().map(|view| {
                let user = UserState::of(epoch, view, user);
                let score = user.as_ref().and_then(UserState::score);
                PlayerBoard {
                    info: wire::board_info(view),
                    score: score.map_or(0, Score::points),
                    rank: user.and_then(|user| user.rank()).unwrap_or_default(),
                }
            });
            Part::of(standing, page)
        })
    }

    /// A user as the page shows them.
    pub(super) fn shown_user(&self, user: &UserState) -> UserScore {
        let mut score = wire::user_score(user);
        self.origins.hide_picture(&mut score.avatar);
        score
    }
}

fn is_ranked(view: BoardView<'_>, user: UserId) -> bool {
    view.user(user).is_some_and(|user| user.rank().is_some())
}
