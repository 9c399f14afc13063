//! The server before its store is there: it says that it is not ready, and why.

use std::{
    net::TcpListener as StdListener,
    sync::Arc,
    time::{Duration, Instant},
};

use app::base_path::BasePath;
use axum::{
    Router,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, RETRY_AFTER},
    },
    response::{Html, IntoResponse, Response},
    routing::{any, get},
};
use parking_lot::Mutex;
use rand::RngExt;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::{sleep, timeout},
};

use super::base_path::serve_under;
use crate::{
    api::Problem,
    config::LimitsTable,
    limits::Limits,
    listener::{Proxies, accept, raise_limit},
    metrics::Metrics,
    store::StoreError,
};

/// Between two attempts to open the store: the shortest time, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How often the log says that the store is not there yet.
const LOG_AGAIN: Duration = Duration::from_secs(30);

/// How long answers may take that were begun when the store is there.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Why the server is not ready.
type Why = Arc<Mutex<String>>;

/// Opens a store, again and again while it cannot be reached, and meanwhile answers that
/// the server is not ready: health is good, readiness and all else say why not. `None` if
/// the process is asked to end first. `base` is where the board is on its host, and `at`
/// where the store is, which is for the log.
///
/// # Errors
/// If the store cannot be opened, and waiting does not help.
pub async fn wait_for_store<T>(
    listener: &StdListener,
    limits: &LimitsTable,
    base: &BasePath,
    at: &str,
    open: impl AsyncFn() -> Result<T, StoreError>,
) -> Result<Option<T>, WaitError> {
    let why = Why::new(Mutex::new("the board is being loaded".into()));
    let (stop, stopped) = oneshot::channel::<()>();
    let accepting = {
        let listener = listener.try_clone()?;
        listener.set_nonblocking(true)?;
        tokio::spawn(accept(
            TcpListener::from_std(listener)?,
            serve_under(base, router(why.clone())),
            Arc::new(Proxies::new(&limits.trusted_proxies)),
            Arc::new(Limits::new(limits, raise_limit(), Metrics::default())),
            async {
                _ = stopped.await;
            },
        ))
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let opened = tokio::select! {
        opened = open_at_last(&why, at, open) => opened.map(Some),
        _ = terminate.recv() => Ok(None),
        _ = interrupt.recv() => Ok(None),
    };
    _ = stop.send(());
    if let Ok(connections) = accepting.await {
        _ = timeout(LAST_ANSWERS, connections.shutdown()).await;
    }
    Ok(opened?)
}

/// Why a server could not wait, or need not wait longer.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The store cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The system refused a listener or signals.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

async fn open_at_last<T>(
    why: &Why,
    at: &str,
    open: impl AsyncFn() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut pause = PAUSES.0;
    let mut said: Option<(String, Instant)> = None;
    loop {
        let reason = match open().await {
            Err(StoreError::Unreachable(reason)) => reason,
            result => return result,
        };
        let is_known = said
            .as_ref()
            .is_some_and(|(known, when)| *known == reason && when.elapsed() < LOG_AGAIN);
        if !is_known {
            tracing::warn!("not ready, waiting for the store: {reason}");
            // Where it is, is nobody's business.
            let shown = reason.strip_prefix(at).unwrap_or(&reason);
            let shown = shown.trim_start_matches(": ");
            *why.lock() = format!("the store cannot be reached yet: {shown}");
            said = Some((reason, Instant::now()));
        }
        sleep(pause.mul_f64(rand::rng().random_range(0.5..1.0))).await;
        pause = (2 * pause).min(PAUSES.1);
    }
}

fn router(why: Why) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(not_ready))
        .route("/metrics", any(not_ready))
        .route("/api", any(not_ready))
        .route("/api/{*rest}", any(not_ready))
        .route("/socket.io/", any(not_ready))
        .fallback(page)
        .layer(axum::middleware::map_response(
            async |mut response: Response| {
                let headers = response.headers_mut();
                // The next one is for the server that is ready.
                headers.insert(CONNECTION, axum::http::HeaderValue::from_static("close"));
                headers.insert(
                    CACHE_CONTROL,
                    axum::http::HeaderValue::from_static("no-store"),
                );
                response
            },
        ))
        .with_state(why)
}

async fn not_ready(State(why): State<Why>) -> Problem {
    Problem::unavailable(why.lock().clone())
}

/// For people. It comes again by itself.
async fn page() -> impl IntoResponse {
    let headers = [
        (RETRY_AFTER, "5"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'",
        ),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, Html(PAGE))
}

const PAGE: &str = include_str!("starting.html");

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::{body::Body, extract::Request, http::header::CONTENT_TYPE};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_cannot_be_reached_is_waited_for() {
        let why = Why::default();
        let attempts = AtomicU32::new(0);
        let opened = open_at_last(&why, "redis://h", async || {
            match attempts.fetch_add(1, Ordering::Relaxed) {
                0..20 => Err(StoreError::Unreachable("redis://h: it is loading".into())),
                attempt => Ok(attempt),
            }
        });
        assert_eq!(opened.await.unwrap(), 20);
        assert_eq!(
            *why.lock(),
            "the store cannot be reached yet: it is loading"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_else_is_waited_for() {
        let why = Why::default();
        let opened = open_at_last(&why, "redis://h", async || {
            Err::<(), _>(StoreError::Unwritable("it is another board".into()))
        });
        assert!(matches!(opened.await, Err(StoreError::Unwritable(_))));
    }

    #[tokio::test]
    async fn all_is_answered_under_the_base_path_too() {
        let base = "/board".parse().unwrap();
        let router = serve_under(&base, router(Why::default()));
        for (path, status, media_type) in [
            ("/healthz", 200, "text/plain; charset=utf-8"),
            ("/readyz", 503, "application/problem+json"),
            ("/api/v1/users", 503, "application/problem+json"),
            ("/", 503, "text/html; charset=utf-8"),
        ] {
            for path in [path.to_owned(), format!("/board{path}")] {
                let request = Request::get(&path).body(Body::empty()).unwrap();
                let response = router.clone().oneshot(request).await.unwrap();
                assert_eq!(response.status().as_u16(), status, "{path}");
                assert_eq!(response.headers()[CONTENT_TYPE], media_type, "{path}");
            }
        }
    }
}
