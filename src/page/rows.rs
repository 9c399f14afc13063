//! The rows of a page that is not live: it asks for them every few seconds, and is told
//! when it may connect.

use std::collections::HashMap;

use app::wire::{LIVE_IN, LeaderboardData, PAGE};
use axum::{
    Extension, Json,
    extract::{Query, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, ETAG, VARY},
    },
    response::{IntoResponse, Response},
};

use super::{Pages, is_embedded, share::is_known};
use crate::{
    auth::bearer,
    board::{Board, Epoch},
    limits::ConnectTime,
    listener::ClientAddress,
    wire,
};

/// `GET /page/rows`: the visible board, or one page of it by `page`, as addresses count
/// them. [`LIVE_IN`] says when whoever asks may connect.
pub(super) async fn rows(
    State(pages): State<Pages>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let page = match query.get("page").map(|page| page.parse::<u32>()) {
        None => None,
        Some(Ok(page)) if page > 0 => Some(u64::from(page) - 1),
        Some(_) => return StatusCode::NOT_FOUND.into_response(),
    };
    let is_embedded = is_embedded(&query);
    let turn = pages.turn(address, is_embedded, &headers);
    let (etag, rows) = pages.live.read(|epoch, board| {
        let etag = format!("\"{epoch}-{}-{}\"", board.seq(), board.rules().top);
        let is_known = is_known(&headers, &etag);
        let rows = (!is_known).then(|| of(epoch, board, page));
        (etag, rows)
    });
    let mut response = match rows {
        None => StatusCode::NOT_MODIFIED.into_response(),
        Some(mut rows) => {
            pages.hide_pictures(&mut rows.top_scores);
            Json(rows).into_response()
        }
    };
    let headers = response.headers_mut();
    // The browser asks each time whether they are still the same.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(ETAG, etag);
    }
    let live_in = match turn {
        ConnectTime::Now => HeaderValue::from(0),
        // Whole seconds, and never too early.
        ConnectTime::After(wait) => HeaderValue::from(wait.as_secs() + 1),
        ConnectTime::Unknown => HeaderValue::from_static("unknown"),
    };
    headers.insert(HeaderName::from_static(LIVE_IN), live_in);
    response
}

/// The rows of the visible board, or of one page of it.
pub(super) fn of(epoch: Epoch, board: &Board, page: Option<u64>) -> LeaderboardData {
    let Some(page) = page else {
        return wire::top(epoch, board);
    };
    let start = usize::try_from(page)
        .unwrap_or(usize::MAX)
        .saturating_mul(PAGE);
    let mut rows = wire::leaderboard(epoch, board, start..start.saturating_add(PAGE));
    rows.page = Some(page);
    rows
}

impl Pages {
    /// When the page may connect that has sent these headers.
    fn turn(
        &self,
        address: std::net::IpAddr,
        is_embedded: bool,
        headers: &HeaderMap,
    ) -> ConnectTime {
        if let Some(you) = self.visitor(is_embedded, headers) {
            return self.limits.connect_time(address, you.user, true);
        }
        let shown = headers.get(AUTHORIZATION);
        let token = shown.and_then(|value| bearer(value.to_str().ok()?));
        let viewer = token.and_then(|token| self.tokens.verify(token).ok());
        // Whose token has ended fetches another one first.
        viewer.map_or(ConnectTime::Unknown, |viewer| {
            self.limits.connect_time(address, viewer.user, false)
        })
    }
}
