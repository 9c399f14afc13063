//! Which other pages may call: those of `http.frontend_urls`, and our own. Others are
//! refused before anything that they make a visitor's browser send is counted against
//! the visitor's address.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, REFERER},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    hub::Peer,
    limits::{Limits, Reason},
};

/// Who may call.
pub(super) struct Origins {
    /// Origins beside our own.
    others: Vec<HeaderValue>,
    limits: Arc<Limits>,
}

impl Origins {
    pub(super) fn new(urls: &[String], limits: Arc<Limits>) -> Origins {
        let urls = urls.iter().map(|url| url.to_ascii_lowercase());
        let others = urls.filter_map(|url| HeaderValue::try_from(url).ok());
        Origins {
            others: others.collect(),
            limits,
        }
    }

    pub(super) fn cors(&self) -> CorsLayer {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(self.others.clone()))
            .allow_credentials(true)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers([AUTHORIZATION, CONTENT_TYPE])
    }

    /// Is it a call of a page that may call, or of no page at all?
    fn admits(&self, headers: &HeaderMap) -> bool {
        if let Some(origin) = headers.get(ORIGIN) {
            return self.others.contains(origin) || is_ours(origin, headers);
        }
        // Without `Origin` it is no call of a script. Pages of others can still send it
        // as a picture or a link, of which browsers say where it comes from.
        if let Some(site) = headers.get("sec-fetch-site") {
            return site == "same-origin" || site == "none";
        }
        let referer = headers.get(REFERER);
        referer.is_none_or(|referer| is_ours(referer, headers))
    }
}

/// Is this origin, or the one of this address, where the request was sent to?
fn is_ours(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let ours = headers.get(HOST).map(HeaderValue::as_bytes);
    let theirs = origin.to_str().ok().and_then(|origin| {
        let (_, rest) = origin.split_once("://")?;
        rest.split(['/', '?', '#']).next()
    });
    theirs.is_some() && theirs.map(str::as_bytes) == ours
}

/// CORS does not apply to WebSocket upgrades, so whoever connects to the hub from
/// a page is asked here.
pub(super) async fn refuse_strangers(
    State(origins): State<Arc<Origins>>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path().starts_with("/socket.io") && !origins.admits(request.headers()) {
        let peer = request.extensions().get::<Peer>();
        origins
            .limits
            .refused(Reason::CrossSite, peer.map(|peer| peer.0));
        return (
            StatusCode::FORBIDDEN,
            "this origin is not in http.frontend_urls\n",
        )
            .into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::LimitsTable, limits::tests::limits};

    fn admits(sent: &[(&'static str, &str)]) -> bool {
        let limits = Arc::new(limits(LimitsTable::default()));
        let origins = Origins::new(&["https://Game.example".into()], limits);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("board.example:3000"));
        for (name, value) in sent {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        origins.admits(&headers)
    }

    #[test]
    fn our_own_pages_and_those_named_are_admitted() {
        assert!(admits(&[]));
        assert!(admits(&[("origin", "http://board.example:3000")]));
        assert!(admits(&[("origin", "https://game.example")]));
        assert!(admits(&[
            ("origin", "https://game.example"),
            ("sec-fetch-site", "cross-site"),
        ]));
        for stranger in ["https://evil.example", "null", "http://board.example", ""] {
            assert!(!admits(&[("origin", stranger)]), "{stranger}");
        }
    }

    #[test]
    fn pictures_and_links_of_other_pages_are_not() {
        for site in ["same-origin", "none"] {
            assert!(admits(&[("sec-fetch-site", site)]), "{site}");
        }
        for site in ["cross-site", "same-site", "what comes next"] {
            assert!(!admits(&[("sec-fetch-site", site)]), "{site}");
        }
        // Browsers that do not say so.
        assert!(admits(&[("referer", "http://board.example:3000/?page=2")]));
        for referer in [
            "https://evil.example/page",
            "https://evil.example",
            "nonsense",
        ] {
            assert!(!admits(&[("referer", referer)]), "{referer}");
        }
    }
}
