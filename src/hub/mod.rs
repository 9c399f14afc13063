//! The hub: Socket.IO on `/socket.io`, namespace `/`.
//!
//! Handlers check what a client sent and push it, in the order it came, into
//! one actor. The actor alone says what is on the board, so nothing that it says
//! can overtake anything it said before. The hub knows no routes.

mod achievements;
mod actor;
mod answers;
mod banners;
mod events;
mod expiring;
mod frames;
mod handshake;
mod lagging;
mod online;
#[cfg(test)]
mod reloading;
mod rooms;
mod session;
mod ticking;
mod updates;
mod view;
mod watching;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use socketioxide::{
    ParserConfig, SocketIo, SocketIoBuilder, TransportType,
    extract::{AckSender, Event, Extension, SocketRef, State, TryData},
    handler::ConnectHandler,
    layer::SocketIoLayer,
};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    auth::{Identity, Tokens},
    board::{Announcement, AnnouncementId},
    config::{AchievementsTable, SocketTable},
    limits::Limits,
    live::LiveBoard,
    vital::Pulse,
};
use actor::{Actor, Heard, Request};
use answers::{EventError, refuse};
use events::{Args, ClientEvent};
pub use session::{Session, WeakSession};

/// Requests that may wait for the actor; a client whose request finds no place
/// is disconnected.
const QUEUE: usize = 16 * 1024;

/// Between the transport's connection and the token.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long sockets have to take their goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Events in a row beyond the limit that are answered; with one more, the socket is
/// closed.
const EXCESS: u32 = 60;

/// The address of whoever sent a request, which the listener puts on it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// What handlers need; a clone is handed to each.
#[derive(Clone)]
struct Handlers {
    live: LiveBoard,
    tokens: Arc<Tokens>,
    limits: Arc<Limits>,
    requests: mpsc::Sender<Request>,
}

/// By which others reach a hub. Clones reach the same.
#[derive(Clone)]
pub struct Handle(mpsc::Sender<Request>);

impl Handle {
    /// Announces something that is not on the log. If `replaces` says which other
    /// announcement does not hold any more because of it, that one is shown to nobody
    /// who comes later, and taken away from those who see it.
    pub async fn announce(&self, announcement: Announcement, replaces: Option<AnnouncementId>) {
        let request = Request::Announce {
            announcement,
            replaces,
        };
        // The actor ends only with the hub.
        _ = self.0.send(request).await;
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
        // A client that connects and does not say who it is.
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
    /// Starts a hub, whose actor has this pulse, and gives the layer by which a router
    /// serves it.
    pub fn start(
        live: LiveBoard,
        tokens: Arc<Tokens>,
        limits: Arc<Limits>,
        table: &SocketTable,
        achievements: AchievementsTable,
        pulse: Pulse,
    ) -> (Hub, SocketIoLayer) {
        let (requests, queue) = mpsc::channel(QUEUE);
        let (layer, io) = transport(table)
            .with_state(Handlers {
                live: live.clone(),
                tokens: tokens.clone(),
                limits,
                requests: requests.clone(),
            })
            .build_layer();
        io.ns("/", connected.with(handshake::authenticate));
        let actor = Actor::new(io.clone(), live, tokens, achievements);
        let actor = tokio::spawn(actor.run(queue, pulse));
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

    /// Disconnects everybody and ends. To be called when nobody new can come.
    /// Whoever does not read is not waited for.
    pub async fn close(self) {
        // Before the library forgets the namespace, of which the actor speaks.
        self.actor.abort();
        _ = self.actor.await;
        _ = tokio::time::timeout(CLOSE_TIMEOUT, self.io.close()).await;
    }
}

/// Runs when a client was let in.
fn connected(
    socket: SocketRef,
    Extension(identity): Extension<Identity>,
    State(handlers): State<Handlers>,
) -> std::future::Ready<()> {
    handlers.push(&socket, Request::Connected(socket.id, identity));
    std::future::ready(())
}

/// Runs for every event of a client. It is no `async fn`: the library spawns
/// what a handler returns, and only what happens before that is in order.
fn received(
    socket: SocketRef,
    Event(name): Event,
    TryData(args): TryData<Args>,
    Extension(identity): Extension<Identity>,
    State(handlers): State<Handlers>,
    ack: AckSender,
) -> std::future::Ready<()> {
    let excess = socket.extensions.get::<Excess>().unwrap_or_default();
    if handlers.limits.event(identity.user) {
        excess.0.store(0, Ordering::Relaxed);
        let event = args.map_or(ClientEvent::Malformed, |Args(args)| {
            ClientEvent::read(&name, &args)
        });
        let request = Request::Event(Heard {
            socket: socket.clone(),
            user: identity.user,
            event,
            ack,
        });
        handlers.push(&socket, request);
    } else {
        // Not by way of the actor, whom a flood must not keep from others.
        if excess.0.fetch_add(1, Ordering::Relaxed) < EXCESS {
            refuse(&socket, ack, EventError::TooMany);
        } else {
            _ = socket.disconnect();
        }
    }
    std::future::ready(())
}

/// How many events beyond the limit a socket has sent in a row.
#[derive(Clone, Default)]
struct Excess(Arc<AtomicU32>);

impl Handlers {
    fn push(&self, socket: &SocketRef, request: Request) {
        if self.requests.try_send(request).is_err() {
            // Better no connection than one whose state nobody knows: the client
            // comes back and asks again.
            tracing::warn!(socket = %socket.id, "the hub cannot keep up; a client was disconnected");
            _ = socket.clone().disconnect();
        }
    }
}
