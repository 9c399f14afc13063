//! Entity tags: by which a client asks whether what it has is still the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::http::{HeaderMap, header::IF_NONE_MATCH};

/// The tag of an answer with this content.
pub fn of(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// Has the client the version with this tag already? One that was compressed on the way
/// may be weak (RFC 9110, section 13.1.2).
pub fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|known| {
        let known = known.to_str().unwrap_or_default().split(',');
        known
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag == etag)
    })
}
