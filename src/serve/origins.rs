//! Which other pages may call: those of `http.frontend_urls`, and our own.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Origins beside our own.
pub(super) struct Origins(Vec<HeaderValue>);

impl Origins {
    pub(super) fn new(urls: &[String]) -> Origins {
        let urls = urls.iter().map(|url| url.to_ascii_lowercase());
        Origins(
            urls.filter_map(|url| HeaderValue::try_from(url).ok())
                .collect(),
        )
    }

    pub(super) fn cors(&self) -> CorsLayer {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(self.0.clone()))
            .allow_credentials(true)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers([AUTHORIZATION, CONTENT_TYPE])
    }

    /// A request without `Origin` is no browser's call from another page.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else {
            return true;
        };
        if self.0.contains(origin) {
            return true;
        }
        let host = headers.get(HOST).map(HeaderValue::as_bytes);
        let ours = origin.to_str().ok().and_then(|origin| {
            let (_, authority) = origin.split_once("://")?;
            Some(authority.as_bytes())
        });
        ours.is_some() && ours == host
    }
}

/// CORS does not apply to WebSocket upgrades, so whoever connects to the hub from
/// a page is asked here.
pub(super) async fn refuse_strangers(
    State(origins): State<Arc<Origins>>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path().starts_with("/socket.io") && !origins.admits(request.headers()) {
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

    #[test]
    fn our_own_pages_and_those_named_are_admitted() {
        let origins = Origins::new(&["https://Game.example".into()]);
        let admits = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("board.example:3000"));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
            }
            origins.admits(&headers)
        };
        assert!(admits(None));
        assert!(admits(Some("http://board.example:3000")));
        assert!(admits(Some("https://game.example")));
        for stranger in ["https://evil.example", "null", "http://board.example", ""] {
            assert!(!admits(Some(stranger)), "{stranger}");
        }
    }
}
