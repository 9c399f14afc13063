//! From which origins a page may call: those of `http.frontend_urls`, and our own. Requests
//! of others are refused before they are counted for the visitor's address, because the
//! visitor did not mean to send them.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    config::HttpTable,
    limits::{Limits, Reason},
    listener::ClientAddress,
    origin::is_same_origin,
};

/// The origins that may call.
pub(super) struct Origins {
    /// Of `http.frontend_urls`.
    others: Vec<HeaderValue>,
    /// `http.public_url`.
    public_url: Box<str>,
    limits: Arc<Limits>,
}

impl Origins {
    pub(super) fn new(http: &HttpTable, limits: Arc<Limits>) -> Origins {
        let others = http.frontend_urls.iter();
        let others = others.filter_map(|url| HeaderValue::try_from(url).ok());
        Origins {
            others: others.collect(),
            public_url: http.public_url.as_str().into(),
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
        let origin = headers.get(ORIGIN);
        origin.is_some_and(|origin| self.others.contains(origin))
            || is_same_origin(&self.public_url, headers)
    }
}

/// Refuses requests to the hub from other origins: CORS does not apply to WebSockets.
pub(super) async fn refuse_other_origins(
    State(origins): State<Arc<Origins>>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path().starts_with("/socket.io") && !origins.admits(request.headers()) {
        let address = request.extensions().get::<ClientAddress>();
        let address = address.map(|ClientAddress(address)| *address);
        origins.limits.refused(Reason::CrossSite, address);
        return (
            StatusCode::FORBIDDEN,
            "this origin is not in http.frontend_urls; if it is the one of this board, \
             http.public_url has to be the origin under which browsers know it\n",
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
        let http = HttpTable {
            frontend_urls: vec!["https://game.example".into()],
            public_url: "https://board.example".into(),
            ..HttpTable::default()
        };
        let origins = Origins::new(&http, limits);
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("podium:3000"));
        for (name, value) in sent {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        origins.admits(&headers)
    }

    #[test]
    fn our_own_pages_and_those_named_are_admitted() {
        assert!(admits(&[]));
        assert!(admits(&[("origin", "http://podium:3000")]));
        assert!(admits(&[("origin", "https://board.example")]));
        assert!(admits(&[("origin", "https://game.example")]));
        assert!(admits(&[
            ("origin", "https://game.example"),
            ("sec-fetch-site", "cross-site"),
        ]));
        for stranger in ["https://evil.example", "null", "http://podium", ""] {
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
        assert!(admits(&[("referer", "https://board.example/?page=2")]));
        assert!(!admits(&[("referer", "https://evil.example/page")]));
    }
}
