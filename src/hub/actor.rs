//! The actor: the one task that runs the hub's state. It hands it events and the time,
//! one after the other, and sends what it returns, in that order. So a client that has
//! received a `seq` never receives an older one later.

use std::sync::Arc;

use socketioxide::extract::AckSender;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    outbox::Outbox,
    queue::QueuePermit,
    state::{Event, HubState, Now, Timer},
};
use crate::{
    auth::Tokens,
    live::Live,
    metrics::Metrics,
    vital::{self, Pulse},
};

/// An event that waits in the actor's queue.
pub(super) struct Request {
    pub(super) event: Event<AckSender>,
    /// Of what a client has sent: its permit to wait. It is given back when the actor
    /// begins with the event.
    pub(super) permit: Option<QueuePermit>,
}

impl From<Event<AckSender>> for Request {
    fn from(event: Event<AckSender>) -> Request {
        Request {
            event,
            permit: None,
        }
    }
}

/// See the module.
pub(super) struct Actor {
    state: HubState<AckSender>,
    outbox: Outbox,
    live: Live,
    /// The clock that tokens are checked by.
    tokens: Arc<Tokens>,
    metrics: Metrics,
}

impl Actor {
    pub(super) fn new(
        state: HubState<AckSender>,
        outbox: Outbox,
        live: Live,
        tokens: Arc<Tokens>,
    ) -> Actor {
        let metrics = live.metrics().clone();
        Actor {
            state,
            outbox,
            live,
            tokens,
            metrics,
        }
    }

    /// Works until every sender of requests is dropped.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>, pulse: Pulse) {
        let live = self.live.clone();
        let mut beats = vital::beats();
        loop {
            pulse.beat();
            let timer = self.state.next_timer(self.now());
            tokio::select! {
                request = requests.recv() => match request {
                    Some(Request { event, permit }) => {
                        drop(permit);
                        if self.is_current(&event) {
                            self.handle(event).await;
                        }
                    }
                    None => return pulse.retire(),
                },
                _ = beats.tick() => {}
                () = live.changed(), if !self.state.has_log_grown() => {
                    self.handle(Event::LogGrew).await;
                }
                timer = expiry(timer) => self.handle(Event::Expired(timer)).await,
            }
        }
    }

    /// Is an event still to be handled? A socket may have disconnected while the event
    /// waited, and the state may know that already.
    fn is_current(&mut self, event: &Event<AckSender>) -> bool {
        match event {
            Event::Connected(sid, _) => self.outbox.is_connected(*sid),
            Event::Message(message) if self.state.is_registered(message.sid) => {
                self.outbox.is_connected(message.sid)
            }
            // The library lets a client send shortly before its socket is connected. Where
            // connecting fails then, the library drops the socket and calls no handler.
            Event::Message(message) => {
                self.state.retain_early(|sid| self.outbox.exists(sid));
                self.outbox.exists(message.sid)
            }
            _ => true,
        }
    }

    async fn handle(&mut self, event: Event<AckSender>) {
        for message in self.state.handle(event, self.now()) {
            self.outbox.send(message).await;
        }
        let counts = self.state.counts();
        self.metrics.users_online.set(counts.users as i64);
        self.metrics.sockets.set(counts.sockets as i64);
        self.metrics.slow_sockets.set(counts.slow as i64);
    }

    fn now(&self) -> Now {
        Now {
            monotonic: Instant::now(),
            store: self.live.now(),
            token_seconds: self.tokens.seconds(),
        }
    }
}

/// Waits for a timer; for ever if there is none.
async fn expiry(timer: Option<(Instant, Timer)>) -> Timer {
    match timer {
        Some((at, timer)) => {
            sleep_until(at).await;
            timer
        }
        None => std::future::pending().await,
    }
}
