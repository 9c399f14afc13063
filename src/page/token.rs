//! `GET /page/token`: the tokens with which the sockets of pages connect.

use app::wire::PageToken;
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};

use super::{OnBoard, PageQuery, Pages, caching::not_stored};
use crate::{
    auth::{self, Identity, Viewer},
    board::UserId,
};

/// The token with which the socket of a page connects.
pub(super) struct SocketToken {
    pub(super) token: String,
    /// For how many seconds it is valid.
    pub(super) expires_in: u64,
}

/// A fresh token for a page whose own expires or has expired. A viewer who sends the old
/// one remains the same viewer.
pub(super) async fn get(
    State(pages): State<Pages>,
    OnBoard(board): OnBoard,
    query: PageQuery,
    headers: HeaderMap,
) -> Response {
    let you = pages.signed_in(query.is_embedded(), &headers);
    let old = headers
        .get(AUTHORIZATION)
        .and_then(|value| auth::bearer(value.to_str().ok()?));
    let viewer = old.and_then(|token| pages.viewer(token));
    let SocketToken { token, expires_in } = pages.page_token(you, viewer);
    let page = PageToken {
        token,
        expires_in,
        you: you
            .and_then(|you| pages.live.user(&board, you.user))
            .map(|you| pages.shown_user(&you)),
    };
    not_stored(Json(page).into_response(), query.is_embedded())
}

impl Pages {
    /// The viewer to whom a token belongs. A token of a player does not count here:
    /// it would outlive what the player was given it for.
    fn viewer(&self, token: &str) -> Option<Viewer> {
        let viewer = self.tokens.verify_viewer(token).ok()?;
        let (Viewer::OfPage(identity) | Viewer::OfOthers(identity)) = viewer;
        let is_good = !self.tokens.remaining(&identity).is_zero()
            && !self.live.knows(identity.user)
            && !self.live.is_revoked(&identity);
        is_good.then_some(viewer)
    }

    /// A token for the page's socket. It never outlives the one that signed in, nor one
    /// that another issuer has given to a viewer.
    pub(super) fn page_token(&self, you: Option<Identity>, viewer: Option<Viewer>) -> SocketToken {
        let within = |of: Identity| self.tokens.remaining(&of).min(self.token_ttl);
        let (token, ttl) = match (you, viewer) {
            (Some(from), _) | (None, Some(Viewer::OfOthers(from))) => {
                let ttl = within(from);
                (self.tokens.derive(from, ttl), ttl)
            }
            (None, Some(Viewer::OfPage(viewer))) => {
                let token = self.tokens.renew_viewer(viewer, self.token_ttl);
                (token, self.token_ttl)
            }
            (None, None) => {
                let new = UserId(rand::random());
                let token = self.tokens.issue_viewer(new, self.token_ttl);
                (token, self.token_ttl)
            }
        };
        // Without a token the page shows the board and says that it is not live.
        SocketToken {
            token: token.unwrap_or_default(),
            expires_in: ttl.as_secs(),
        }
    }
}
