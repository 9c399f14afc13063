//! The hub: Socket.IO on `/socket.io`, namespace `/`.
//!
//! `handshake` admits a client, and `handlers` put what it sends into the queue of one
//! `actor`. The actor passes it to the `state`, which has no sockets: it takes events and
//! returns messages. The `outbox` sends them. The hub knows no HTTP routes.

mod actor;
mod answers;
mod connection;
mod events;
mod excess;
mod handlers;
mod handshake;
#[cfg(test)]
mod hidden;
#[cfg(test)]
mod many_boards;
mod message;
mod outbox;
mod queue;
#[cfg(test)]
mod reloading;
mod rooms;
mod session;
#[cfg(test)]
mod simulation;
mod state;
mod view;

use std::{sync::Arc, time::Duration};

use socketioxide::{
    ParserConfig, SocketIo, SocketIoBuilder, TransportType, handler::ConnectHandler,
    layer::SocketIoLayer,
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use crate::{
    auth::Tokens,
    board::{Announcement, AnnouncementId},
    config::{AchievementsTable, SocketTable},
    limits::Limits,
    live::Live,
    vital::Pulse,
};
use actor::{Actor, Request};
use handlers::{Handlers, connected};
use outbox::Outbox;
use queue::{QUEUE, QueueLimits};
pub use session::{Session, WeakSession};
use state::{Event, HubState, SendQueue};

/// Between the transport's connection and the token.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long sockets have to read that they are disconnected when the hub closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// By which others reach a hub. Clones reach the same.
#[derive(Clone)]
pub struct Handle(mpsc::Sender<Request>);

impl Handle {
    /// Publishes an announcement that is not on the log. If `replaces` names another that
    /// does not hold any more because of it, that one is not sent to new clients, and is
    /// taken from those that show it.
    pub async fn announce(&self, announcement: Announcement, replaces: Option<AnnouncementId>) {
        let event = Event::Announced {
            announcement,
            replaces,
        };
        // The actor ends only with the hub.
        _ = self.0.send(event.into()).await;
    }
}

/// Socket.IO within the limits that a configuration asks for.
pub fn transport(table: &SocketTable) -> SocketIoBuilder {
    let max_message = table.max_message.get();
    SocketIo::builder()
        .transports([TransportType::Websocket, TransportType::Polling])
        .ping_interval(table.ping_interval)
        .ping_timeout(table.ping_timeout)
        .max_payload(max_message as u64)
        .ws_max_message_size(max_message)
        .ws_max_frame_size(max_message)
        .connect_timeout(CONNECT_TIMEOUT)
        .with_parser(ParserConfig::common().max_incoming_binaries(0))
}

/// A running hub.
pub struct Hub {
    io: SocketIo,
    handle: Handle,
    actor: JoinHandle<()>,
}

impl Hub {
    /// Starts a hub, whose actor has this pulse, and returns the layer by which a router
    /// serves it.
    pub fn start(
        live: Live,
        tokens: Arc<Tokens>,
        limits: Arc<Limits>,
        table: &SocketTable,
        achievements: AchievementsTable,
        pulse: Pulse,
    ) -> (Hub, SocketIoLayer) {
        let (requests, received) = mpsc::channel(QUEUE);
        let send_queue = SendQueue(table.send_queue.get());
        let (layer, io) = transport(table)
            .with_state(Handlers {
                live: live.clone(),
                tokens: tokens.clone(),
                limits: limits.clone(),
                send_queue,
                queue_limits: Arc::new(QueueLimits::new(limits.events_at_once())),
                requests: requests.clone(),
            })
            .build_layer();
        io.ns("/", connected.with(handshake::authenticate));
        let state = HubState::new(live.clone(), send_queue, achievements, Instant::now());
        let outbox = Outbox::new(io.clone(), limits, live.metrics().clone());
        let actor = Actor::new(state, outbox, live, tokens);
        let actor = tokio::spawn(actor.run(received, pulse));
        let hub = Hub {
            io,
            handle: Handle(requests),
            actor,
        };
        (hub, layer)
    }

    /// How many sockets are connected.
    pub fn sockets(&self) -> usize {
        self.io.sockets().len()
    }

    /// By which others reach it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Disconnects all sockets and ends. To be called when no new client can connect. It
    /// does not wait for clients that do not read.
    pub async fn close(self) {
        // Before the library forgets the namespace, which the actor uses.
        self.actor.abort();
        _ = self.actor.await;
        _ = tokio::time::timeout(CLOSE_TIMEOUT, self.io.close()).await;
    }
}
