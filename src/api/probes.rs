//! What operators ask, which is answered however busy the server is: liveness, readiness
//! and metrics.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get,
};

use super::Problem;
use crate::{
    live::Live,
    metrics,
    store::{Health, StoreError},
    vital::Vitals,
};

/// What the probes look at.
#[derive(Clone)]
pub struct Probes {
    /// The board.
    pub live: Live,
    /// Is the server to be sent new work?
    pub ready: Arc<AtomicBool>,
    /// Do the tasks run without which the server does nothing?
    pub vitals: Vitals,
}

/// The routes of the probes.
pub fn probes(probes: Probes) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .method_not_allowed_fallback(async || Problem::METHOD_NOT_ALLOWED)
        .with_state(probes)
}

async fn healthz(State(probes): State<Probes>) -> Result<&'static str, Problem> {
    match probes.vitals.failure() {
        None => Ok("ok\n"),
        Some(failure) => Err(Problem::unavailable(format!(
            "{failure}; the server starts again"
        ))),
    }
}

async fn readyz(State(probes): State<Probes>) -> Result<&'static str, Problem> {
    healthz(State(probes.clone())).await?;
    if !probes.ready.load(Ordering::Relaxed) {
        return Err(Problem::unavailable("the server is about to stop"));
    }
    match &*probes.live.health().borrow() {
        Health::Open => Ok("ready\n"),
        // Every node is in the same case, and shows the board that it has.
        Health::Unreachable => Ok("ready\nstore: away\n"),
        Health::Unwritable(why) => Err(StoreError::Unwritable(why.clone()).into()),
        Health::Closed => Err(Problem::unavailable("the store has failed; see the log")),
    }
}

/// For Prometheus.
async fn metrics(State(probes): State<Probes>) -> impl IntoResponse {
    let text = probes.live.metrics().text();
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
}
