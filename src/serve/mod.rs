//! The server: one listener for the page, the API and the hub, from the first
//! connection to the last goodbye.

mod admission;
mod client_address;
mod first_ping;
mod leaving;
mod listener;
mod origins;
mod polling;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    http::{
        HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
        },
    },
};
use ipnet::IpNet;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep},
};
use tower::ServiceBuilder;
use tower_http::{
    services::ServeDir, set_header::SetResponseHeaderLayer, timeout::RequestBodyTimeoutLayer,
};
use uuid::Uuid;

use crate::{
    actions::ActionTypes,
    api::{self, Api},
    auth::Tokens,
    board::{Announcement, AnnouncementId, AnnouncementKind, Audience, Severity, Timestamp},
    clock,
    config::{Config, HttpTable},
    hub::Hub,
    limits::Limits,
    live::LiveBoard,
    page::{self, Pages},
};
use origins::Origins;

pub use listener::{Connections, accept};

/// How long a body may send nothing.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Between saying that no more work is wanted and taking none: balancers ask
/// every second or so.
const FAREWELL: Duration = Duration::from_secs(1);

/// How often buckets of clients that have gone quiet are thrown away.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// A server that can be run.
pub struct Server {
    live: LiveBoard,
    hub: Hub,
    router: Router,
    proxies: Arc<[IpNet]>,
    ready: Arc<AtomicBool>,
    notice: Duration,
    terminate: Signal,
    interrupt: Signal,
}

impl Server {
    /// Puts the parts together. Must be called on the runtime that will serve.
    /// From then on signals are heeded, though only [`Server::run`] obeys them.
    ///
    /// # Errors
    /// If signals cannot be received.
    pub fn new(config: &Config, live: LiveBoard, tokens: Arc<Tokens>) -> std::io::Result<Server> {
        let tables = &config.tables;
        let limits = Arc::new(Limits::new(&tables.limits));
        let ready = Arc::new(AtomicBool::new(true));
        let (hub, hub_layer) = Hub::start(
            live.clone(),
            tokens.clone(),
            limits.clone(),
            &tables.socket,
            tables.achievements.clone(),
        );
        let api = Api {
            live: live.clone(),
            tokens: tokens.clone(),
            action_types: Arc::new(ActionTypes::new(&tables.actions)),
            ready: ready.clone(),
            hub: hub.pulse(),
        };
        let pages = Pages {
            live: live.clone(),
            tokens,
            title: tables.board.title.clone().into(),
            token_ttl: tables.auth.page_token_ttl,
            leptos: config.leptos.clone(),
        };
        let router = api::routes(api)
            .merge(page::routes(pages))
            .fallback_service(files(config.leptos.site_root.as_ref().as_ref()))
            .layer(hub_layer);
        let router = guard(router, &tables.http, limits.clone());
        tokio::spawn(async move {
            loop {
                sleep(FORGET_EVERY).await;
                limits.forget_quiet();
            }
        });
        Ok(Server {
            live,
            hub,
            router,
            proxies: tables.limits.trusted_proxies.as_slice().into(),
            ready,
            notice: tables.shutdown.notice,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Serves until SIGTERM or SIGINT, then says goodbye: no longer ready, no new
    /// connections, a notice to everybody, time to leave, disconnection. SIGINT,
    /// which somebody at the keyboard sends, and a second SIGTERM cut it short.
    ///
    /// # Errors
    /// If the runtime is shutting down.
    pub async fn run(self, listener: TcpListener) -> std::io::Result<()> {
        let (mut terminate, mut interrupt) = (self.terminate, self.interrupt);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let until_stopped = async {
            _ = stopped.await;
        };
        let accepting = listener::accept(listener, self.router, self.proxies, until_stopped);
        let accepting = tokio::spawn(accepting);

        let in_haste = tokio::select! {
            _ = terminate.recv() => false,
            _ = interrupt.recv() => true,
        };
        self.ready.store(false, Ordering::Relaxed);
        if !in_haste {
            sleep(FAREWELL.min(self.notice)).await;
        }
        _ = stop.send(());
        let connections = accepting.await.map_err(std::io::Error::other)?;
        if !in_haste {
            tracing::info!(notice = ?self.notice, sockets = self.hub.sockets(), "stopping");
            tokio::select! {
                () = say_goodbye(&self.hub, &connections, self.notice) => {}
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        self.hub.close().await;
        // What was begun is answered; who is slower than this is cut off.
        _ = tokio::time::timeout(Duration::from_secs(5), connections.shutdown()).await;
        self.live.close().await;
        Ok(())
    }
}

/// Puts before a router, and the hub in it, what every request passes: who may
/// call, how often, how slowly, and what browsers are told about the answers.
pub fn guard(router: Router, http: &HttpTable, limits: Arc<Limits>) -> Router {
    let origins = Origins::new(&http.frontend_urls);
    router
        .layer(axum::middleware::from_fn(polling::mend))
        .layer(axum::middleware::from_fn_with_state(
            limits,
            admission::count,
        ))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(origins.cors())
        .layer(axum::middleware::from_fn_with_state(
            Arc::new(origins),
            origins::refuse_strangers,
        ))
        .layer(
            ServiceBuilder::new()
                .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
                .layer(header(REFERRER_POLICY, "same-origin"))
                .layer(header(CONTENT_SECURITY_POLICY, "frame-ancestors 'self'")),
        )
}

/// Tells everybody, and lets them go one after the other in the last third of the
/// time; ends when it is up or everybody has gone.
async fn say_goodbye(hub: &Hub, connections: &Connections, notice: Duration) {
    if notice.is_zero() || hub.sockets() == 0 {
        return;
    }
    let now = clock::now();
    let duration = notice.as_millis() as u64;
    hub.announce(Announcement {
        id: AnnouncementId(Uuid::new_v4().into_bytes()),
        kind: AnnouncementKind::Maintenance,
        message: format!(
            "Server maintenance starting in {} seconds",
            notice.as_secs_f64().ceil()
        )
        .into(),
        severity: Severity::Warning,
        audience: Audience::All,
        from: now,
        until: Timestamp(now.0 + duration),
        duration: Some(duration),
    })
    .await;
    let spread = notice / 3;
    let end = Instant::now() + notice;
    wait_for_nobody(hub, end - spread).await;
    connections.let_go(spread);
    wait_for_nobody(hub, end).await;
}

/// Waits until everybody has gone, or the time is up.
async fn wait_for_nobody(hub: &Hub, end: Instant) {
    while Instant::now() < end && hub.sockets() > 0 {
        sleep(Duration::from_millis(50)).await;
    }
}

/// The files of the page. Names carry no hash yet, so browsers ask each time
/// whether a file has changed.
fn files(
    root: &Path,
) -> impl tower::Service<
    axum::extract::Request,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> + Clone
+ Send
+ Sync
+ 'static {
    let files = ServeDir::new(root)
        .precompressed_br()
        .precompressed_gzip()
        .append_index_html_on_directories(false)
        .fallback(axum::routing::get(page::not_found));
    ServiceBuilder::new()
        .layer(header(CACHE_CONTROL, "no-cache"))
        .layer(header(VARY, "accept-encoding"))
        .map_response(axum::response::IntoResponse::into_response)
        .service(files)
}

fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
