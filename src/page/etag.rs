//! Conditional requests by entity tag.

use axum::http::{HeaderMap, header::IF_NONE_MATCH};

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
