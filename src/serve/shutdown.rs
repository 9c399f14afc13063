//! How the server stops: it refuses new sessions, notifies the clients that are connected,
//! and disconnects them one after the other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use uuid::Uuid;

use crate::{
    board::{Announcement, AnnouncementId, AnnouncementKind, Audience, Severity, Timestamp},
    hub::Hub,
    live::Live,
};

/// Between the notice and refusing connections: balancers ask every second or so whether
/// the server is ready.
pub(super) const READINESS_DELAY: Duration = Duration::from_secs(1);

/// How long clients have to disconnect once all of them are asked to.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the notice of a restart after a failure is shown.
const RESTART_NOTICE: Duration = Duration::from_secs(8);

/// How long the store may take to close when something has failed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often it is looked whether all clients are disconnected.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Tells connections that the server stops. Clones are the same.
#[derive(Clone)]
pub struct Shutdown {
    is_refusing: Arc<AtomicBool>,
    /// Within which time clients are disconnected, once they are.
    window: watch::Sender<Option<Duration>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Shutdown {
            is_refusing: Arc::default(),
            window: watch::Sender::new(None),
        }
    }
}

impl Shutdown {
    /// Refuses new sessions from now on.
    pub fn refuse_sessions(&self) {
        self.is_refusing.store(true, Ordering::Relaxed);
    }

    /// Are new sessions refused?
    pub(super) fn refuses_sessions(&self) -> bool {
        self.is_refusing.load(Ordering::Relaxed)
    }

    /// Disconnects all clients, each at a random time within this one, so that they do not
    /// all come back at once.
    pub fn disconnect(&self, within: Duration) {
        self.window.send_replace(Some(within));
    }

    /// Waits for the time at which one client is to be disconnected.
    pub(super) fn disconnect_time(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut window = self.window.subscribe();
        async move {
            let window = window.wait_for(Option::is_some).await;
            match window.map(|window| window.unwrap_or_default()) {
                Ok(window) => sleep(window.mul_f64(rand::random())).await,
                // There is no server any more that could stop.
                Err(_) => std::future::pending().await,
            }
        }
    }
}

/// Waits until `end`, or until no client is connected. In the last third of the notice
/// clients are disconnected one after the other.
pub(super) async fn drain(hub: &Hub, shutdown: &Shutdown, notice: Duration, end: Instant) {
    let spread = notice / 3;
    wait_for_no_connections(hub, end - spread).await;
    shutdown.disconnect(spread);
    wait_for_no_connections(hub, end).await;
}

/// Disconnects all clients that are left, by the transport if that can be done.
pub(super) async fn disconnect_all(hub: &Hub, shutdown: &Shutdown) {
    shutdown.disconnect(Duration::ZERO);
    wait_for_no_connections(hub, Instant::now() + DISCONNECT_TIMEOUT).await;
}

/// When something has failed: notifies all clients, if that can be done, and has them
/// reconnect, while the listener goes on to answer what is wrong. Nothing that hangs is
/// waited for. If it is the hub's actor, there is no notice: clients see their transports
/// end.
pub(super) async fn abort(live: &Live, hub: &Hub, shutdown: &Shutdown) {
    let end = Instant::now() + READINESS_DELAY;
    _ = timeout_at(end, async {
        let message = "The server has a fault and starts again: results will be back in a moment";
        let notice = notice(message.into(), live.now(), RESTART_NOTICE);
        hub.handle().announce(notice, None).await;
    })
    .await;
    sleep_until(end).await;
    // By the transport alone: after that, stock clients reconnect by themselves.
    shutdown.refuse_sessions();
    disconnect_all(hub, shutdown).await;
    _ = timeout(CLOSE_TIMEOUT, live.close()).await;
}

/// Waits until no client is connected, or until `end`.
async fn wait_for_no_connections(hub: &Hub, end: Instant) {
    while Instant::now() < end && hub.sockets() > 0 {
        sleep(POLL_INTERVAL).await;
    }
}

/// The notice to all clients that are connected, or connect until the server stops.
pub(super) fn maintenance(now: Timestamp, time: Duration) -> Announcement {
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
