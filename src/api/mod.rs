//! HTTP: `/api/v1`, and probes for operators. JSON in, JSON out; whatever goes wrong is a
//! problem document (RFC 9457).
//!
//! Nothing here decides: the store does, and the board answers.

mod actions;
mod body;
mod credentials;
mod history;
mod leaderboard;
mod notifications;
mod probes;
mod problem;
mod search;
mod users;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{any, get, post},
};

use crate::{
    actions::ActionTypes, auth::Tokens, config::Tables, limits::Answers, listener::ClientAddress,
    live::LiveBoard,
};
use credentials::{Admin, Authenticated, Publisher};
pub use probes::{Probes, probes};
pub use problem::Problem;

/// The longest body, in bytes: a thousand actions with the longest ids fit.
const MAX_BODY: usize = 1024 * 1024;

/// What routes need.
#[derive(Clone)]
pub struct Api {
    live: LiveBoard,
    tokens: Arc<Tokens>,
    action_types: Arc<ActionTypes>,
    /// The origin under which the page is known, if it was configured.
    public_url: Arc<str>,
    answers: Answers,
}

impl Api {
    /// The API of a board. `tokens` are valid here, and GET requests are answered by
    /// `answers`.
    pub fn new(tables: &Tables, live: LiveBoard, tokens: Arc<Tokens>, answers: Answers) -> Api {
        Api {
            live,
            tokens,
            action_types: Arc::new(ActionTypes::new(&tables.actions)),
            public_url: tables.http.public_url.as_str().into(),
            answers,
        }
    }
}

/// The routes of `/api`.
pub fn routes(api: Api) -> Router {
    Router::new()
        .route("/api/v1/actions", post(actions::post))
        .route(
            "/api/v1/users/{id}",
            get(users::get).put(users::put).delete(users::delete),
        )
        .route("/api/v1/users", get(search::get).post(users::post))
        .route("/api/v1/users/{id}/history", get(history::get))
        .route("/api/v1/users/{id}/revoke", post(users::revoke))
        .route("/api/v1/notifications", post(notifications::post))
        .route("/api/v1/leaderboard", get(leaderboard::get))
        .route("/api/v1/leaderboard/around/{id}", get(leaderboard::around))
        .route("/api", any(unknown))
        .route("/api/", any(unknown))
        .route("/api/{*rest}", any(unknown))
        .method_not_allowed_fallback(async || Problem::METHOD_NOT_ALLOWED)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(api.clone(), in_turn))
        .with_state(api)
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
