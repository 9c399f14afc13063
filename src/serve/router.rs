//! The routes of the server, and what every request passes before them.

use std::sync::Arc;

use app::files::PageFiles;
use axum::{
    Router,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::{from_fn_with_state, map_request},
    routing::any,
};
use socketioxide::layer::SocketIoLayer;
use tower::{Layer, ServiceBuilder};
use tower_http::set_header::SetResponseHeaderLayer;

use super::{
    Shutdown, base_path,
    engine_io::{self, SignedIn},
    files,
    origins::{self, Origins},
    slow_body,
};
use crate::{
    api::{self, Api, Probes},
    config::{Config, HttpTable},
    limits::{Answers, Limits},
    page::{self, Pages},
};

/// The routes of the API, the page, the hub and the page's files.
pub(super) fn build(
    config: &Config,
    (api, probes): (Api, Probes),
    (pages, page_files): (Pages, &PageFiles),
    hub: SocketIoLayer,
    limits: Arc<Limits>,
    answers: Answers,
    shutdown: Shutdown,
) -> Router {
    let tables = &config.tables;
    let router = api::routes(api)
        .merge(api::probes(probes))
        .merge(page::routes(pages.clone()))
        .merge(engine_io::routes(
            "/socket.io",
            // The library is sent requests of its own path only.
            hub.layer(any(async || StatusCode::NOT_FOUND)),
            tables.socket.max_message.get(),
            limits.clone(),
            shutdown,
            signed_in(&pages),
        ))
        .fallback_service(files::routes(
            config.leptos.site_root.as_ref().as_ref(),
            page_files,
            answers,
            page::missing(pages),
        ));
    guard(router, &tables.http, limits)
}

/// The user who is signed in by the cookie of the page or by `Authorization`.
fn signed_in(pages: &Pages) -> SignedIn {
    let pages = pages.clone();
    Arc::new(move |headers| pages.signed_in_user(headers))
}

/// Puts before a router, and the hub in it, what every request passes: the base path, the
/// headers of answers, origins, and the deadline of a body.
pub fn guard(router: Router, http: &HttpTable, limits: Arc<Limits>) -> Router {
    let origins = Origins::new(http, limits);
    let router = router
        .layer(map_request(async |request| slow_body::limit(request)))
        .layer(origins.cors())
        .layer(from_fn_with_state(
            Arc::new(origins),
            origins::refuse_other_origins,
        ))
        .layer(
            ServiceBuilder::new()
                .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
                .layer(header(REFERRER_POLICY, "same-origin"))
                .layer(header(CONTENT_SECURITY_POLICY, "frame-ancestors 'self'")),
        );
    base_path::serve_under(&http.base_path, router)
}

pub(super) fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
