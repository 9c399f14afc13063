//! `GET /players/{id}`: one user, with what the user has done.

use app::{server::Document, wire::UserScore};
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{Pages, Visit, cache::Content};
use crate::{board::UserId, live::UserState, wire};

/// Points of the chart.
const CHART_POINTS: usize = 240;

pub(super) async fn get(
    State(pages): State<Pages>,
    visit: Visit,
    Path(id): Path<String>,
) -> Response {
    let version = pages.live.version();
    let Some(user) = UserId::parse(&id) else {
        return pages.render_missing(visit).await;
    };
    let document = match pages.live.history(visit.client, user, CHART_POINTS).await {
        Ok(history) => history.map(|history| {
            let mut history = wire::user_history(&history);
            pages.origins.hide_picture(&mut history.user.avatar);
            Document::Player(Box::new(history))
        }),
        // Score and rank are known here.
        Err(_) => {
            let user = pages.live.user(user);
            user.map(|user| Document::PlayerNow(Box::new(pages.shown_user(&user))))
        }
    };
    let Some(document) = document else {
        return pages.render_missing(visit).await;
    };
    let content = Content::Player {
        user,
        has_history: matches!(document, Document::Player(_)),
    };
    let page = |_| document.into();
    pages.render_for_all(visit, version, content, page).await
}

impl Pages {
    /// A user as the page shows them.
    pub(super) fn shown_user(&self, user: &UserState) -> UserScore {
        let mut score = wire::user_score(user);
        self.origins.hide_picture(&mut score.avatar);
        score
    }
}
