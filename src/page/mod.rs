//! The page: rendered by the server from the board as it is, for a viewer or for the user
//! who is signed in.
//!
//! Signing in is a link ([`sign_in`]): `/?token=…` puts a token into a cookie that
//! scripts cannot read. The page itself gets a short-lived [`token`] of its own, with
//! which it connects to the hub.
//!
//! `/?view=embed` is for frames on pages of others (`http.embed_origins`). There
//! nobody is signed in, whatever cookies are sent.

mod board;
mod boards;
mod cache;
mod caching;
mod cookies;
mod language;
mod manifest;
mod navigation;
mod on_board;
mod picture;
mod player;
mod policy;
mod query;
mod race_chart;
mod render;
mod rows;
mod search;
mod season;
mod session;
mod share;
mod sign_in;
mod team;
mod token;
mod visit;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use app::{base_path::BasePath, files::PageFiles};
use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{MethodRouter, get, post},
};
use leptos::config::LeptosOptions;
use tower_http::{CompressionLevel, compression::CompressionLayer};

use crate::{
    auth::Tokens,
    config::Config,
    limits::{Answers, Limits},
    listener::ClientAddress,
    live::Live,
};
use cache::{PageCache, UnavailablePages};
use on_board::OnBoard;
use policy::Origins;
use query::PageQuery;
use race_chart::RaceCharts;
use share::Pictures;
use visit::Visit;

/// The largest form that is read, in bytes: an id fits.
const MAX_FORM: usize = 1024;

/// What the routes of the page need. Clones share the caches.
#[derive(Clone)]
pub struct Pages {
    live: Live,
    tokens: Arc<Tokens>,
    limits: Arc<Limits>,
    answers: Answers,
    /// When the event starts.
    starts: Option<SystemTime>,
    /// How long the token of a page is valid.
    token_ttl: Duration,
    /// The origin under which the page is known, if it was configured.
    public_url: Arc<str>,
    /// The path below which the page is served.
    base: BasePath,
    origins: Arc<Origins>,
    leptos: LeptosOptions,
    /// The files that the page loads.
    files: PageFiles,
    cache: PageCache,
    unavailable_pages: UnavailablePages,
    race_charts: RaceCharts,
    pictures: Pictures,
}

impl Pages {
    /// Gives back the memory of pages and pictures that nobody asks for any more.
    pub fn forget_idle(&self) {
        self.cache.forget_idle();
        self.pictures.forget_idle();
    }

    /// The pages of a board, which load `files`. `tokens` sign in, `answers` are given in
    /// turn, and `limits` say when a page may connect.
    pub fn new(
        config: &Config,
        files: PageFiles,
        live: Live,
        tokens: Arc<Tokens>,
        limits: Arc<Limits>,
        answers: Answers,
    ) -> Pages {
        let tables = &config.tables;
        Pages {
            starts: tables.board.starts,
            token_ttl: tables.auth.page_token_ttl,
            public_url: tables.http.public_url.as_str().into(),
            base: tables.http.base_path.clone(),
            origins: Arc::new(Origins::new(&tables.http)),
            leptos: config.leptos.clone(),
            files,
            cache: cache::page_cache(&tables.limits, limits.refusals()),
            unavailable_pages: UnavailablePages::default(),
            race_charts: RaceCharts::default(),
            pictures: Pictures::new(limits.refusals()),
            live,
            tokens,
            limits,
            answers,
        }
    }
}

/// All routes of the page.
pub fn routes(pages: Pages) -> Router {
    Router::new()
        .route("/", get(board::get).post(sign_in::switch))
        .route("/players/{id}", get(player::get).post(sign_in::switch))
        .route("/b/{board}", get(board::get).post(sign_in::switch))
        .route("/b/{board}/", get(board::get).post(sign_in::switch))
        .route(
            "/b/{board}/players/{id}",
            get(player::get).post(sign_in::switch),
        )
        .route("/seasons/{number}", get(season::get).post(sign_in::switch))
        .route(
            "/b/{board}/seasons/{number}",
            get(season::get).post(sign_in::switch),
        )
        .route("/boards", get(boards::get).post(sign_in::switch))
        .layer(from_fn_with_state(pages.clone(), sign_in::links))
        .route("/page/token", get(token::get))
        .route("/b/{board}/page/token", get(token::get))
        .route("/page/rows", get(rows::get))
        .route("/b/{board}/page/rows", get(rows::get))
        .route("/share.png", get(share::get))
        .route("/b/{board}/share.png", get(share::get))
        .route("/manifest.webmanifest", get(manifest::get))
        .route("/sign-out", post(sign_in::sign_out))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(from_fn_with_state(
            pages.clone(),
            sign_in::refuse_other_sites,
        ))
        // Files are compressed when they are built. A page is compressed for each viewer,
        // because of the token in it, so it must be cheap.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(from_fn_with_state(pages.clone(), in_turn))
        .with_state(pages)
}

/// The page for all addresses without a route.
pub fn missing(pages: Pages) -> MethodRouter {
    get(missing_page)
        .layer(from_fn_with_state(pages.clone(), in_turn))
        .with_state(pages)
}

async fn in_turn(
    State(pages): State<Pages>,
    visit: Visit,
    request: Request,
    next: Next,
) -> Response {
    match pages.answers.answer(visit.client, request, next).await {
        Ok(answer) => answer,
        Err(why) => pages.unavailable(&why, visit).await,
    }
}

async fn missing_page(
    State(pages): State<Pages>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    request: Request,
) -> Response {
    if let Some(answer) = pages.follow_link(&request) {
        return answer;
    }
    // It has one view, whatever the address asks for.
    let query = PageQuery::default();
    let visit = Visit::new(&pages, address, &query, request.headers());
    pages.render_missing(visit).await
}
