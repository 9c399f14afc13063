//! HTTP: `/api/v1`, and the health of the process. JSON in, JSON out; whatever
//! goes wrong is a problem document (RFC 9457).
//!
//! Nothing here decides: the store does, and the board answers.

mod actions;
mod body;
mod history;
mod leaderboard;
mod notifications;
mod problem;
mod search;
mod users;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, FromRequestParts, Request, State},
    http::{
        header::{AUTHORIZATION, CONTENT_TYPE},
        request::Parts,
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};

use crate::{
    actions::ActionTypes,
    auth::{Identity, Role, Tokens, bearer},
    limits::Answers,
    listener::ClientAddress,
    live::LiveBoard,
    metrics,
    store::{Health, StoreError},
    vital::Vitals,
};
pub use problem::Problem;

/// A thousand actions with the longest ids fit.
const MAX_BODY: usize = 1024 * 1024;

/// What routes need.
#[derive(Clone)]
pub struct Api {
    /// The board.
    pub live: LiveBoard,
    /// Who may send.
    pub tokens: Arc<Tokens>,
    /// What actions are worth.
    pub action_types: Arc<ActionTypes>,
    /// Is the server to be sent new work?
    pub ready: Arc<AtomicBool>,
    /// Does all go on that must?
    pub vitals: Vitals,
    /// The origin under which the page is known, if it was configured.
    pub public_url: Arc<str>,
    /// By which requests are answered in turn.
    pub answers: Answers,
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

/// What operators ask, which is answered however busy the server is.
pub fn probes(api: Api) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(measures))
        .method_not_allowed_fallback(async || Problem::METHOD_NOT_ALLOWED)
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

async fn healthz(State(api): State<Api>) -> Result<&'static str, Problem> {
    let failure = api.vitals.failure();
    let failed = failure.map(|it| Problem::unavailable(format!("{it}; the server starts again")));
    failed.map_or(Ok("ok\n"), Err)
}

async fn readyz(api: State<Api>) -> Result<&'static str, Problem> {
    healthz(api.clone()).await?;
    if !api.ready.load(Ordering::Relaxed) {
        return Err(Problem::unavailable("the server is about to stop"));
    }
    match &*api.live.health().borrow() {
        Health::Open => Ok("ready\n"),
        // Every node is in the same case, and shows the board that it has.
        Health::Away => Ok("ready\nstore: away\n"),
        Health::Unwritable(why) => Err(StoreError::Unwritable(why.clone()).into()),
        Health::Closed => Err(Problem::unavailable("the store has failed; see the log")),
    }
}

/// For Prometheus.
async fn measures(State(api): State<Api>) -> impl IntoResponse {
    let text = api.live.metrics().text();
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
}

/// Somebody who may send actions and register users.
struct Publisher;

impl FromRequestParts<Api> for Publisher {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Publisher, Problem> {
        let identity = identity(parts, api)?;
        if identity.role.publishes() {
            Ok(Publisher)
        } else {
            Err(Problem::FORBIDDEN)
        }
    }
}

/// Somebody who may do everything.
struct Admin;

impl FromRequestParts<Api> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Admin, Problem> {
        match identity(parts, api)?.role {
            Role::Admin => Ok(Admin),
            _ => Err(Problem::ADMIN_ONLY),
        }
    }
}

/// Somebody who may act, or hand in a ticket: anybody but a viewer.
struct Actor(Identity);

impl FromRequestParts<Api> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Actor, Problem> {
        let identity = identity(parts, api)?;
        if identity.role == Role::Viewer {
            Err(Problem::FORBIDDEN)
        } else {
            Ok(Actor(identity))
        }
    }
}

fn identity(parts: &Parts, api: &Api) -> Result<Identity, Problem> {
    let token = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| bearer(value.to_str().ok()?))
        .ok_or(Problem::NO_TOKEN)?;
    let identity = api.tokens.verify(token).ok();
    identity
        .filter(|identity| !api.live.is_revoked(identity))
        .ok_or(Problem::INVALID_TOKEN)
}
