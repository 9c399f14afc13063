//! HTTP: `/api/v1`, and probes for operators. JSON in, JSON out; whatever goes wrong is a
//! problem document (RFC 9457).
//!
//! Nothing here decides: the store does, and the board answers.

mod actions;
mod boards;
mod body;
mod caching;
mod credentials;
mod export;
mod history;
mod leaderboard;
mod listings;
mod moment;
mod notifications;
mod of_board;
mod probes;
mod problem;
mod profile;
mod search;
mod teams;
mod users;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{any, get, post, put},
};

use tokio::sync::Semaphore;

use crate::{
    actions::ActionTypes,
    auth::Tokens,
    config::Tables,
    limits::{Answers, Limits},
    listener::ClientAddress,
    live::Live,
};
use credentials::{Admin, Authenticated, Publisher};
use listings::Listings;
pub use probes::{Probes, probes};
pub use problem::Problem;

/// The longest body, in bytes: a thousand actions with the longest ids fit.
const MAX_BODY: usize = 1024 * 1024;

/// What routes need.
#[derive(Clone)]
pub struct Api {
    live: Live,
    tokens: Arc<Tokens>,
    action_types: Arc<ActionTypes>,
    /// As many boards as there may be.
    most_boards: usize,
    /// The origin under which the page is known, if it was configured.
    public_url: Arc<str>,
    answers: Answers,
    /// Files that are made.
    exports: Arc<Semaphore>,
    listings: Listings,
}

impl Api {
    /// The API of a board. `tokens` are valid here, and GET requests are answered by
    /// `answers`.
    pub fn new(
        tables: &Tables,
        live: Live,
        tokens: Arc<Tokens>,
        limits: &Limits,
        answers: Answers,
    ) -> Api {
        Api {
            listings: Listings::new(&tables.limits, limits.refusals()),
            live,
            tokens,
            action_types: Arc::new(ActionTypes::new(&tables.actions)),
            most_boards: tables.limits.boards.get(),
            public_url: tables.http.public_url.as_str().into(),
            answers,
            exports: Arc::new(Semaphore::new(export::CONCURRENT)),
        }
    }

    /// Gives back the memory of lists that nobody asks for any more.
    pub fn forget_idle(&self) {
        self.listings.forget_idle();
    }
}

/// The routes of `/api`.
pub fn routes(api: Api) -> Router {
    Router::new()
        .route(
            "/api/v1/users/{id}",
            get(users::get).put(users::put).delete(users::delete),
        )
        .route("/api/v1/users", get(search::get).post(users::post))
        .route("/api/v1/users/{id}/history", get(history::get))
        .route("/api/v1/leaderboard", get(leaderboard::get))
        .route("/api/v1/leaderboard/around/{id}", get(leaderboard::around))
        .route(
            "/api/v1/boards/{board}",
            get(boards::get).put(boards::put).delete(boards::delete),
        )
        .nest("/api/v1/boards/{board}", of_board())
        .route_layer(from_fn_with_state(api.clone(), caching::of_board))
        .route("/api/v1/actions", post(actions::post))
        .route("/api/v1/users/{id}/revoke", post(users::revoke))
        .route("/api/v1/users/{id}/standing", put(users::put_standing))
        .route("/api/v1/teams/{id}", get(teams::get).put(teams::put))
        .route("/api/v1/notifications", post(notifications::post))
        .route("/api/v1/boards", get(boards::list))
        .route("/api", any(unknown))
        .route("/api/", any(unknown))
        .route("/api/{*rest}", any(unknown))
        .method_not_allowed_fallback(async || Problem::METHOD_NOT_ALLOWED)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(api.clone(), in_turn))
        .with_state(api)
}

/// What there is of each board. Without the name of one, `main` is meant.
fn of_board() -> Router<Api> {
    Router::new()
        .route("/leaderboard", get(leaderboard::get))
        .route("/leaderboard/around/{id}", get(leaderboard::around))
        .route("/users", get(search::get))
        .route("/users/{id}", get(users::get))
        .route("/users/{id}/history", get(history::get))
        .route("/seasons", get(boards::seasons))
        .route("/seasons/{number}/leaderboard", get(boards::season))
        .route("/seasons/{number}/export", get(export::season))
        .route("/export", get(export::board))
}

async fn in_turn(
    State(api): State<Api>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let answer = api.answers.answer(address.into(), request, next).await;
    answer.map_err(|why| Problem::unanswered(&why, "requests"))
}

async fn unknown() -> Problem {
    Problem::not_found("there is no such route; the README lists them")
}
