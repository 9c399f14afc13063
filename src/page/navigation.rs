//! Why a browser asks for an address: only a person who opens a page signs in, or chooses a
//! language for later.

use axum::http::{HeaderMap, header::ACCEPT};

/// Does a person open a page, and not a browser fetch something for another one?
///
/// Browsers send headers for that (Fetch Metadata), but not without TLS. Then `Accept`
/// decides: all of them ask for `text/html` when they open a page, and not for pictures,
/// scripts and styles.
pub(super) fn is_navigation(headers: &HeaderMap) -> bool {
    if is_prefetch(headers) {
        return false;
    }
    match (headers.get("sec-fetch-dest"), headers.get("sec-fetch-mode")) {
        // There is no other mode with this destination, nor a frame.
        (Some(destination), _) => destination == "document",
        (None, Some(mode)) => mode == "navigate",
        (None, None) => accepts_html(headers),
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter();
    let mut ranges = ranges
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    ranges.any(|range| {
        let kind = range.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/html")
    })
}

/// Is it asked for before anybody wants it? Browsers have several headers for that.
pub(super) fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        .any(|purpose| {
            let purpose = purpose.to_ascii_lowercase();
            ["prefetch", "prerender", "preview"]
                .iter()
                .any(|early| purpose.contains(early))
        })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn asked(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn only_opening_a_page_is_a_navigation() {
        const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        for headers in [
            &[
                ("sec-fetch-dest", "document"),
                ("sec-fetch-mode", "navigate"),
            ][..],
            &[("sec-fetch-mode", "navigate")],
            &[HTML],
            &[("accept", "application/xml, Text/HTML;q=0.9")],
        ] {
            assert!(is_navigation(&asked(headers)), "{headers:?}");
        }
        for headers in [
            &[
                ("sec-fetch-dest", "image"),
                ("sec-fetch-mode", "no-cors"),
                HTML,
            ][..],
            &[
                ("sec-fetch-dest", "iframe"),
                ("sec-fetch-mode", "navigate"),
                HTML,
            ],
            &[
                ("sec-fetch-dest", "empty"),
                ("sec-fetch-mode", "cors"),
                HTML,
            ],
            &[("sec-fetch-mode", "cors"), HTML],
            &[
                ("sec-fetch-dest", "document"),
                ("sec-purpose", "prefetch;prerender"),
            ],
            &[HTML, ("purpose", "prefetch")],
            &[HTML, ("x-moz", "prefetch")],
            &[("accept", "image/avif,image/webp,*/*;q=0.8")],
            &[("accept", "text/css,*/*;q=0.1")],
            &[("accept", "*/*")],
            &[("accept", "text/htmlx")],
            &[],
        ] {
            assert!(!is_navigation(&asked(headers)), "{headers:?}");
        }
    }
}
