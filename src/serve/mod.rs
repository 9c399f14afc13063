//! The server: one listener for the page, the API and the hub, from the first
//! connection to the last goodbye.

mod attendance;
#[cfg(test)]
mod away;
mod base_path;
mod client_address;
mod client_stream;
mod departure;
mod engine_io;
mod files;
mod least_rate;
mod listener;
mod open_files;
mod origins;
mod outage;
mod revocations;
mod site;
mod slow_body;
mod starting;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use app::pictures::PictureOrigins;
use axum::{
    Router,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    routing::any,
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep, sleep_until},
};
use tower::{Layer, ServiceBuilder};
use tower_http::set_header::SetResponseHeaderLayer;
use uuid::Uuid;

use crate::{
    actions::ActionTypes,
    api::{self, Api},
    auth::Tokens,
    board::{Announcement, AnnouncementId, AnnouncementKind, Audience, Severity, Timestamp},
    config::{Config, HttpTable},
    hub::Hub,
    limits::{Answers, Limits},
    live::LiveBoard,
    page::{self, Pages},
    vital::{Failure, Vitals},
};
use origins::Origins;

pub use client_address::Proxies;
pub use departure::Departure;
pub use engine_io::{Library, SignedIn, routes as engine_io};
pub use listener::{Connections, accept};
pub use open_files::raise_limit;
pub use starting::{WaitError, wait_for_store};

/// Between saying that no more work is wanted and taking none: balancers ask
/// every second or so.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long those have to go whom nothing keeps any more.
const LAST_CALL: Duration = Duration::from_secs(1);

/// For how long it is said that the server starts again after a failure.
const BACK_AGAIN: Duration = Duration::from_secs(8);

/// How long answers may take that were begun.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// How long the store may take to close when something has failed.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// How long a task may be at one thing before it counts as hanging. What they do takes
/// milliseconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How often what is held for clients that have gone quiet is given back: buckets of the
/// limits and results in caches.
const FORGET_EVERY: Duration = Duration::from_secs(5);

/// A server that can be run.
pub struct Server {
    live: LiveBoard,
    hub: Hub,
    router: Router,
    proxies: Arc<Proxies>,
    limits: Arc<Limits>,
    departure: Departure,
    ready: Arc<AtomicBool>,
    notice: Duration,
    vitals: Vitals,
    terminate: Signal,
    interrupt: Signal,
}

/// Why a server could not serve on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A task failed without which it does nothing.
    #[error("{0}; start the server again, and please report it with the log")]
    Failed(#[from] Failure),
    /// The runtime is shutting down.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl Server {
    /// Puts the parts together. Must be called on the runtime that will serve.
    /// From then on signals are heeded, though only [`Server::run`] obeys them. All
    /// tasks without which it does nothing are watched.
    ///
    /// # Errors
    /// If signals cannot be received.
    pub fn new(
        config: &Config,
        live: LiveBoard,
        tokens: Arc<Tokens>,
        vitals: Vitals,
    ) -> std::io::Result<Server> {
        let watch = |task| vitals.watch(task, LONGEST_PAUSE);
        let tables = &config.tables;
        let metrics = live.metrics().clone();
        let most_connections = raise_limit();
        let limits = Limits::new(&tables.limits, most_connections, metrics.clone());
        let limits = Arc::new(limits);
        let answers = Answers::new(limits.clone());
        let ready = Arc::new(AtomicBool::new(true));
        let (hub, hub_layer) = Hub::start(
            live.clone(),
            tokens.clone(),
            limits.clone(),
            &tables.socket,
            tables.achievements.clone(),
            watch("the hub's actor"),
        );
        let api = Api {
            live: live.clone(),
            tokens: tokens.clone(),
            action_types: Arc::new(ActionTypes::new(&tables.actions)),
            ready: ready.clone(),
            vitals: vitals.clone(),
            public_url: tables.http.public_url.as_str().into(),
            answers: answers.clone(),
        };
        let page_files = files::find(&config.leptos);
        let pages = Pages {
            live: live.clone(),
            tokens,
            title: tables.board.title.clone().into(),
            token_ttl: tables.auth.page_token_ttl,
            leptos: config.leptos.clone(),
            files: page_files.clone(),
            origins: Arc::new(page::Origins {
                avatars: PictureOrigins {
                    shown: tables.http.picture_origins(),
                    own: [tables.http.public_url.clone()].into(),
                    base: tables.http.base_path.clone(),
                },
                embedders: tables.http.embed_origins.clone(),
            }),
            starts: tables.board.starts,
            races: page::Races::default(),
            cache: page::page_cache(&tables.limits, limits.refusals()),
            unavailable_pages: page::UnavailablePages::default(),
            public_url: tables.http.public_url.as_str().into(),
            base: tables.http.base_path.clone(),
            pictures: page::Pictures::new(limits.refusals()),
            answers: answers.clone(),
            limits: limits.clone(),
        };
        let cached = pages.clone();
        let departure = Departure::default();
        let router = api::routes(api.clone())
            .merge(api::probes(api))
            .merge(page::routes(pages.clone()))
            .merge(engine_io(
                "/socket.io",
                // Nothing but its own path is asked of it.
                hub_layer.layer(any(async || StatusCode::NOT_FOUND)),
                tables.socket.max_message.get(),
                limits.clone(),
                departure.clone(),
                signed_in(&pages),
            ))
            .fallback_service(files::routes(
                config.leptos.site_root.as_ref().as_ref(),
                &page_files,
                answers,
                page::missing(pages),
            ));
        let router = guard(router, &tables.http, limits.clone());
        let voice = hub.handle().clone();
        let announce =
            async move |announcement, replaces| voice.announce(announcement, replaces).await;
        let follow = attendance::follow(live.clone());
        tokio::spawn(watch("the presence follower").keep(follow));
        let follow = revocations::follow(live.clone());
        tokio::spawn(watch("the follower of lost revocations").keep(follow));
        let time = {
            let live = live.clone();
            move || live.now()
        };
        let follow = outage::follow(live.health(), metrics, time, announce);
        tokio::spawn(watch("the outage follower").keep(follow));
        let forget = {
            let (limits, live) = (limits.clone(), live.clone());
            async move {
                loop {
                    sleep(FORGET_EVERY).await;
                    limits.forget_quiet();
                    live.forget_idle();
                    cached.forget_idle();
                }
            }
        };
        tokio::spawn(watch("the clean-up of limits and caches").keep(forget));
        Ok(Server {
            live,
            hub,
            router,
            proxies: Arc::new(Proxies::new(&tables.limits.trusted_proxies)),
            limits,
            departure,
            ready,
            notice: tables.shutdown.notice,
            vitals,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Serves until SIGTERM or SIGINT, then says goodbye: no longer ready, a notice
    /// to everybody, no new connections, time to leave, disconnection. SIGINT,
    /// which somebody at the keyboard sends, and a second SIGTERM cut it short.
    ///
    /// # Errors
    /// If something has failed that must go on: health says so at once, and then clients
    /// go, to come back to the server that is started next.
    pub async fn run(self, listener: TcpListener) -> Result<(), ServeError> {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let until_stopped = async {
            _ = stopped.await;
        };
        let accepting = listener::accept(
            listener,
            self.router,
            self.proxies,
            self.limits,
            until_stopped,
        );
        let pulse = self.vitals.watch("the accept loop", LONGEST_PAUSE);
        let accepting = tokio::spawn(pulse.keep(accepting));

        let (mut terminate, mut interrupt) = (self.terminate, self.interrupt);
        let in_haste = tokio::select! {
            _ = terminate.recv() => false,
            _ = interrupt.recv() => true,
            failure = self.vitals.failed() => {
                give_up(&self.live, &self.hub, &self.departure).await;
                return Err(failure.into());
            }
        };
        let end = Instant::now() + self.notice;
        self.ready.store(false, Ordering::Relaxed);
        if !in_haste && !self.notice.is_zero() {
            let notice = maintenance(self.live.now(), self.notice);
            self.hub.handle().announce(notice, None).await;
            sleep(FAREWELL.min(self.notice)).await;
        }
        _ = stop.send(());
        let connections = match accepting.await {
            Ok(connections) => connections,
            Err(error) => {
                give_up(&self.live, &self.hub, &self.departure).await;
                return Err(std::io::Error::other(error).into());
            }
        };
        self.departure.close();
        if !in_haste {
            tracing::info!(notice = ?self.notice, sockets = self.hub.sockets(), "stopping");
            tokio::select! {
                () = drain(&self.hub, &self.departure, self.notice, end) => {}
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        // Whoever is still here goes by the transport too, if that can be done.
        self.departure.let_go(Duration::ZERO);
        wait_for_nobody(&self.hub, Instant::now() + LAST_CALL).await;
        self.vitals.let_end();
        self.hub.close().await;
        // What was begun is answered; who is slower than this is cut off.
        _ = tokio::time::timeout(LAST_ANSWERS, connections.shutdown()).await;
        self.live.close().await;
        Ok(())
    }
}

/// When something has failed: tells everybody, if that can be done, and has them come
/// back, while the listener goes on to say what is wrong. Whatever hangs is not waited
/// for. If it is the hub's actor, nobody is told: its clients see their transports end.
async fn give_up(live: &LiveBoard, hub: &Hub, departure: &Departure) {
    let end = Instant::now() + FAREWELL;
    _ = tokio::time::timeout_at(end, async {
        let message = "The server has a fault and starts again: results will be back in a moment";
        let notice = notice(message.into(), live.now(), BACK_AGAIN);
        hub.handle().announce(notice, None).await;
    })
    .await;
    sleep_until(end).await;
    // By the transport alone: from that, stock clients come back by themselves.
    departure.close();
    departure.let_go(Duration::ZERO);
    wait_for_nobody(hub, Instant::now() + LAST_CALL).await;
    _ = tokio::time::timeout(LAST_WRITES, live.close()).await;
}

/// Who is signed in by the cookie of the page or by `Authorization`, as far as a request
/// says so.
fn signed_in(pages: &Pages) -> SignedIn {
    let pages = pages.clone();
    Arc::new(move |headers| pages.signed_in_user(headers))
}

/// Puts before a router, and the hub in it, what every request passes: who may
/// call, how slowly, and what browsers are told about the answers.
pub fn guard(router: Router, http: &HttpTable, limits: Arc<Limits>) -> Router {
    let origins = Origins::new(http, limits);
    let router = router
        .layer(axum::middleware::map_request(async |request| {
            slow_body::limit(request)
        }))
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
        );
    base_path::serve_under(&http.base_path, router)
}

/// What everybody is told who is here, or comes while there is a way.
fn maintenance(now: Timestamp, time: Duration) -> Announcement {
    let seconds = time.as_secs_f64().ceil();
    let message = format!("Server maintenance starting in {seconds} seconds");
    notice(message.into(), now, time)
}

/// A warning to all, which holds for this time.
fn notice(message: Box<str>, now: Timestamp, time: Duration) -> Announcement {
    let duration = time.as_millis() as u64;
    Announcement {
        id: AnnouncementId(Uuid::new_v4().into_bytes()),
        kind: AnnouncementKind::Maintenance,
        message,
        severity: Severity::Warning,
        audience: Audience::All,
        from: now,
        until: Timestamp(now.0 + duration),
        duration: Some(duration),
    }
}

/// Waits until `end`, or until everybody has gone; in the last third of the notice
/// they are let go one after the other.
async fn drain(hub: &Hub, departure: &Departure, notice: Duration, end: Instant) {
    let spread = notice / 3;
    wait_for_nobody(hub, end - spread).await;
    departure.let_go(spread);
    wait_for_nobody(hub, end).await;
}

/// Waits until everybody has gone, or the time is up.
async fn wait_for_nobody(hub: &Hub, end: Instant) {
    while Instant::now() < end && hub.sockets() > 0 {
        sleep(Duration::from_millis(50)).await;
    }
}

fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
