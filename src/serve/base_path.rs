//! Requests under `http.base_path`, as a proxy forwards them that leaves paths as they
//! are. One that takes the base path away needs nothing, so both are served.

use app::base_path::BasePath;
use axum::{Router, extract::Request, http::Uri};
use tower::{Layer, util::MapRequestLayer};

/// The same routes, also under the base path. To be put around everything else: what is
/// within knows no base path.
pub(super) fn serve_under(base: &BasePath, router: Router) -> Router {
    if base.is_empty() {
        return router;
    }
    let base = base.clone();
    // A layer of the router itself would come after the route was chosen.
    let within = MapRequestLayer::new(move |mut request: Request| {
        if let Some(uri) = within(&base, request.uri()) {
            *request.uri_mut() = uri;
        }
        request
    });
    Router::new().fallback_service(within.layer(router))
}

/// The address within the board of one under the base path.
fn within(base: &BasePath, uri: &Uri) -> Option<Uri> {
    let path = base.strip(uri.path())?;
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}").parse(),
        None => path.parse(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = path_and_query.ok();
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_taken_away_and_nothing_else() {
        let base = "/board".parse().unwrap();
        let within = |text: &str| {
            let uri = within(&base, &text.parse().unwrap())?;
            Some(uri.to_string())
        };
        for (uri, expected) in [
            ("/board", Some("/")),
            ("/board?view=kiosk", Some("/?view=kiosk")),
            ("/board/?q=%2Fboard", Some("/?q=%2Fboard")),
            ("/board/players/a%20b", Some("/players/a%20b")),
            ("http://x.example/board/api", Some("http://x.example/api")),
            ("/boards/", None),
            ("/", None),
        ] {
            assert_eq!(within(uri).as_deref(), expected, "{uri}");
        }
    }
}
