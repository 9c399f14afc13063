//! `GET /page/rows`: the rows of a page that is not live. It asks for them every few
//! seconds, and learns when it may connect.

use std::net::IpAddr;

use app::wire::LIVE_IN;
use axum::{
    Extension, Json,
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, ETAG, VARY},
    },
    response::{IntoResponse, Response},
};

use super::{OnBoard, PageQuery, Pages};
use crate::{auth::bearer, etag::is_known, limits::ConnectTime, listener::ClientAddress, wire};

/// The visible board, or one page of it by `page`. [`LIVE_IN`] says when the page may
/// connect.
pub(super) async fn get(
    State(pages): State<Pages>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    OnBoard(board): OnBoard,
    query: PageQuery,
    headers: HeaderMap,
) -> Response {
    let Ok(page) = query.page else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let turn = pages.turn(address, query.is_embedded(), &headers);
    let read = pages.live.read_board(&board, |epoch, board| {
        let etag = format!("\"{epoch}-{}-{}\"", board.seq(), board.rules().top);
        let is_known = is_known(&headers, &etag);
        let rows = (!is_known).then(|| wire::board_page(epoch, board, page));
        (etag, rows)
    });
    let Some((etag, rows)) = read else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = match rows {
        None => StatusCode::NOT_MODIFIED.into_response(),
        Some(mut rows) => {
            pages.origins.hide_pictures(&mut rows.top_scores);
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

impl Pages {
    /// When the page may connect that has sent these headers.
    fn turn(&self, address: IpAddr, is_embedded: bool, headers: &HeaderMap) -> ConnectTime {
        if let Some(you) = self.signed_in(is_embedded, headers) {
            return self.limits.connect_time(address, you.user, true);
        }
        let token = headers.get(AUTHORIZATION);
        let token = token.and_then(|value| bearer(value.to_str().ok()?));
        let viewer = token.and_then(|token| self.tokens.verify(token).ok());
        // A page whose token has expired gets another one first.
        viewer.map_or(ConnectTime::Unknown, |viewer| {
            self.limits.connect_time(address, viewer.user, false)
        })
    }
}
