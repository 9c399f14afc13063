//! What other caches may do with answers: conditional requests by entity tag, and answers
//! that nobody may store.

use axum::{
    http::{
        HeaderMap, HeaderValue,
        header::{CACHE_CONTROL, IF_NONE_MATCH, VARY},
    },
    response::Response,
};

/// Has the client the version with this tag already? One that was compressed on the way
/// may be weak (RFC 9110, section 13.1.2).
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|known| {
        let known = known.to_str().unwrap_or_default().split(',');
        known
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag == etag)
    })
}

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
