//! Whether a page of our own sent a request. Forms of the page and the page's socket are
//! admitted by the same rule.

use app::pictures::{normal_origin, origin_of};
use axum::http::{
    HeaderMap, HeaderValue,
    header::{HOST, ORIGIN, REFERER},
};

/// Was this sent by one of our pages, or by a client that is no browser? `public_url` is the
/// origin of `http.public_url` in its normal form, or empty.
///
/// Every browser names the origin of a request that could do harm: by `Sec-Fetch-Site`, or
/// without TLS by `Origin`, all of them since 2020. A request with neither, and without
/// `Referer`, is of no browser, and has no cookies of a user. (This is what
/// net/http.CrossOriginProtection of Go 1.25 asks.)
pub(crate) fn is_same_origin(public_url: &str, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(sender) = headers.get(ORIGIN).or_else(|| headers.get(REFERER)) else {
        return true;
    };
    normal(sender).is_some_and(|origin| origin == public_url || is_of_host(&origin, headers))
}

/// The origin of what `Origin` or `Referer` says, in its normal form.
fn normal(sender: &HeaderValue) -> Option<String> {
    origin_of(sender.to_str().ok()?)
}

/// Is it the origin of the host that was asked? A proxy may have taken the TLS away, so
/// the scheme does not count.
fn is_of_host(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let asked = host.and_then(|host| {
        let (scheme, _) = origin.split_once("://")?;
        normal_origin(&format!("{scheme}://{host}"))
    });
    asked.is_some_and(|asked| asked == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: (&str, &str) = ("host", "board.example");

    fn is_ours(public_url: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|&(name, value)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        is_same_origin(public_url, &headers.collect())
    }

    #[test]
    fn requests_of_our_pages_and_of_no_browser_are_ours() {
        for headers in [
            &[HOST, ("sec-fetch-site", "same-origin"), ("origin", "null")][..],
            &[HOST, ("sec-fetch-site", "none")],
            &[HOST, ("origin", "http://board.example")],
            &[HOST, ("origin", "https://board.example")],
            &[
                ("host", "Board.example:443"),
                ("origin", "https://board.example"),
            ],
            &[
                ("host", "board.example:80"),
                ("origin", "http://board.example"),
            ],
            &[
                ("host", "board.example:3000"),
                ("origin", "http://board.example:3000"),
            ],
            &[HOST, ("referer", "http://board.example/?lang=de")],
            &[HOST],
        ] {
            assert!(is_ours("", headers), "{headers:?}");
        }
    }

    #[test]
    fn requests_of_other_sites_are_not() {
        for headers in [
            &[
                HOST,
                ("sec-fetch-site", "cross-site"),
                ("origin", "http://board.example"),
            ][..],
            &[HOST, ("sec-fetch-site", "same-site")],
            &[HOST, ("sec-fetch-site", "")],
            &[HOST, ("sec-fetch-site", "what comes next")],
            &[HOST, ("origin", "null")],
            &[HOST, ("origin", "")],
            &[
                HOST,
                ("origin", "http://evil.example"),
                ("referer", "http://board.example/"),
            ],
            &[HOST, ("origin", "http://board.example:3000")],
            &[HOST, ("origin", "http://board.example.evil.example")],
            &[HOST, ("origin", "http://evil.example@board.example")],
            &[
                HOST,
                ("referer", "http://evil.example/http://board.example/"),
            ],
            &[HOST, ("referer", "nonsense")],
            &[("origin", "http://board.example")],
        ] {
            assert!(!is_ours("", headers), "{headers:?}");
        }
    }

    #[test]
    fn a_page_is_known_by_the_public_url_where_a_proxy_changes_the_host() {
        let origin = ("origin", "https://board.example");
        let referer = ("referer", "https://board.example/players/7");
        for sender in [origin, referer] {
            let headers = [("host", "podium:3000"), sender];
            assert!(is_ours("https://board.example", &headers));
            assert!(!is_ours("https://other.example", &headers));
            assert!(!is_ours("", &headers));
        }
        assert!(!is_ours("", &[("host", "podium:3000"), ("origin", "null")]));
    }
}
