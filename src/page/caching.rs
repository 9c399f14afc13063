//! Answers that nobody may store.

use axum::{
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, VARY},
    },
    response::Response,
};

/// An answer that no cache may store. It depends on the cookie, unless it is for a frame.
pub(super) fn not_stored(mut response: Response, is_embedded: bool) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        VARY,
        HeaderValue::from_static(if is_embedded {
            "accept-language"
        } else {
            "accept-language, cookie"
        }),
    );
    response
}
