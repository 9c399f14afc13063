//! The server: puts the parts together, runs them, and stops them in order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use super::{
    Shutdown, files, outage, presence, revocations, router,
    shutdown::{self, READINESS_DELAY},
};
use crate::{
    api::{Api, Probes},
    auth::Tokens,
    config::Config,
    hub::Hub,
    limits::{Answers, Limits},
    listener::{self, Proxies, raise_limit},
    live::Live,
    page::Pages,
    vital::{Failure, Vitals},
};

/// How long answers may take that were begun before the server stops.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a task may be at one thing before it counts as hanging. What they do takes
/// milliseconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How often what is held for clients that have gone quiet is given back: buckets of the
/// limits and results in caches.
const FORGET_EVERY: Duration = Duration::from_secs(5);

/// A server that can be run.
pub struct Server {
    live: Live,
    hub: Hub,
    pub(super) router: Router,
    proxies: Arc<Proxies>,
    limits: Arc<Limits>,
    shutdown: Shutdown,
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
        live: Live,
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
        let api = Api::new(
            tables,
            live.clone(),
            tokens.clone(),
            &limits,
            answers.clone(),
        );
        let probes = Probes {
            live: live.clone(),
            ready: ready.clone(),
            vitals: vitals.clone(),
        };
        let page_files = files::find(&config.leptos);
        let pages = Pages::new(
            config,
            page_files.clone(),
            live.clone(),
            tokens,
            limits.clone(),
            answers.clone(),
        );
        let cached = (api.clone(), pages.clone());
        let shutdown = Shutdown::default();
        let router = router::build(
            config,
            (api, probes),
            (pages, &page_files),
            hub_layer,
            limits.clone(),
            answers,
            shutdown.clone(),
        );
        let handle = hub.handle().clone();
        let announce =
            async move |announcement, replaces| handle.announce(announcement, replaces).await;
        let follow = presence::follow(live.clone());
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
                    cached.0.forget_idle();
                    cached.1.forget_idle();
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
            shutdown,
            ready,
            notice: tables.shutdown.notice,
            vitals,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Serves until SIGTERM or SIGINT, then shuts down: no longer ready, a notice to all
    /// clients, no new connections, time to drain, disconnection. SIGINT, which somebody
    /// at the keyboard sends, and a second SIGTERM cut it short.
    ///
    /// # Errors
    /// If a task has failed that must run: health says so at once, and then clients are
    /// disconnected, to reconnect to the server that is started next.
    pub async fn run(self, listener: TcpListener) -> Result<(), ServeError> {
        let (stop, stopped) = oneshot::channel::<()>();
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
        let is_urgent = tokio::select! {
            _ = terminate.recv() => false,
            _ = interrupt.recv() => true,
            failure = self.vitals.failed() => {
                shutdown::abort(&self.live, &self.hub, &self.shutdown).await;
                return Err(failure.into());
            }
        };
        let end = Instant::now() + self.notice;
        self.ready.store(false, Ordering::Relaxed);
        if !is_urgent && !self.notice.is_zero() {
            let notice = shutdown::maintenance(self.live.now(), self.notice);
            self.hub.handle().announce(notice, None).await;
            sleep(READINESS_DELAY.min(self.notice)).await;
        }
        _ = stop.send(());
        let connections = match accepting.await {
            Ok(connections) => connections,
            Err(error) => {
                shutdown::abort(&self.live, &self.hub, &self.shutdown).await;
                return Err(std::io::Error::other(error).into());
            }
        };
        self.shutdown.refuse_sessions();
        if !is_urgent {
            tracing::info!(notice = ?self.notice, sockets = self.hub.sockets(), "stopping");
            tokio::select! {
                () = shutdown::drain(&self.hub, &self.shutdown, self.notice, end) => {}
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        shutdown::disconnect_all(&self.hub, &self.shutdown).await;
        self.vitals.let_end();
        self.hub.close().await;
        // Requests that were begun are answered, if that is done in time.
        _ = timeout(ANSWER_TIMEOUT, connections.shutdown()).await;
        self.live.close().await;
        Ok(())
    }
}
