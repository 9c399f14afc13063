//! The hub: Socket.IO on `/socket.io`, namespace `/`.
//!
//! Handlers check what a client sent and push it, in the order it came, into
//! one actor. The actor alone answers, joins rooms and emits frames, so nothing
//! it says can overtake anything it said before. The hub knows no HTTP.

mod actor;
mod answers;
mod events;
mod handshake;
mod lagging;
mod online;
mod rooms;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use socketioxide::{
    SocketIo, TransportType,
    extract::{AckSender, Event, Extension, SocketRef, State, TryData},
    handler::ConnectHandler,
    layer::SocketIoLayer,
};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    auth::{Identity, Tokens},
    config::SocketTable,
    limits::Limits,
    live::LiveBoard,
};
use actor::{Actor, Request};
use answers::{EventError, refuse};
use app::wire::SystemNotification;
use events::{Args, ClientEvent};

/// Requests that may wait for the actor; a client whose request finds no place
/// is told to slow down.
const QUEUE: usize = 16 * 1024;

/// Between the transport's connection and the token.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Events beyond the limit that are answered; with one more, the socket is
/// closed.
const EXCESS: u32 = 60;

/// The address of whoever connected, which the listener puts on each request.
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

/// A running hub.
pub struct Hub {
    io: SocketIo,
    requests: mpsc::Sender<Request>,
    actor: JoinHandle<()>,
}

impl Hub {
    /// Starts a hub, and gives the layer by which a router serves it.
    pub fn start(
        live: LiveBoard,
        tokens: Arc<Tokens>,
        limits: Arc<Limits>,
        table: &SocketTable,
    ) -> (Hub, SocketIoLayer) {
        let (requests, queue) = mpsc::channel(QUEUE);
        let max_message = table.max_message.get();
        let (layer, io) = SocketIo::builder()
            .transports([TransportType::Websocket, TransportType::Polling])
            .ping_interval(table.ping_interval)
            .ping_timeout(table.ping_timeout)
            .max_payload(max_message as u64)
            .ws_max_message_size(max_message)
            .ws_max_frame_size(max_message)
            // A client that connects and does not say who it is.
            .connect_timeout(CONNECT_TIMEOUT)
            .with_state(Handlers {
                live: live.clone(),
                tokens,
                limits,
                requests: requests.clone(),
            })
            .with_parser(socketioxide::ParserConfig::common().max_incoming_binaries(0))
            .build_layer();
        io.ns("/", connected.with(handshake::authenticate));
        let actor = tokio::spawn(Actor::new(io.clone(), live).run(queue));
        let hub = Hub {
            io,
            requests,
            actor,
        };
        (hub, layer)
    }

    /// How many sockets are connected.
    pub fn sockets(&self) -> usize {
        self.io.sockets().len()
    }

    /// Shows a banner to everybody.
    pub async fn notify(&self, notification: SystemNotification) {
        // The actor ends only with the hub.
        _ = self.requests.send(Request::Notify(notification)).await;
    }

    /// Disconnects everybody and ends. To be called when nobody new can come.
    pub async fn close(self) {
        self.io.close().await;
        self.actor.abort();
    }
}

/// Runs when a client was let in.
fn connected(
    socket: SocketRef,
    Extension(identity): Extension<Identity>,
    State(handlers): State<Handlers>,
) -> std::future::Ready<()> {
    let sid = socket.id;
    if handlers.push(&socket, Request::Connected(sid, identity)) {
        let gone = handlers.requests.clone();
        socket.on_disconnect(async move || {
            // Waits for a place: who left must not count as present for ever.
            _ = gone.send(Request::Disconnected(sid, identity.user)).await;
        });
    }
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
    if handlers.limits.event(identity.user) {
        let event = args.map_or(ClientEvent::Malformed, |Args(args)| {
            ClientEvent::read(&name, &args)
        });
        let request = Request::Event {
            socket: socket.clone(),
            user: identity.user,
            event,
            ack,
        };
        handlers.push(&socket, request);
    } else {
        // Not by way of the actor, whom a flood must not keep from others.
        let excess = socket.extensions.get::<Excess>().unwrap_or_default();
        if excess.0.fetch_add(1, Ordering::Relaxed) < EXCESS {
            socket.extensions.insert(excess);
            refuse(&socket, ack, EventError::TooMany);
        } else {
            _ = socket.disconnect();
        }
    }
    std::future::ready(())
}

/// How many events beyond the limit a socket has sent.
#[derive(Clone, Default)]
struct Excess(Arc<AtomicU32>);

impl Handlers {
    fn push(&self, socket: &SocketRef, request: Request) -> bool {
        let pushed = self.requests.try_send(request).is_ok();
        if !pushed {
            // Better no connection than one whose state nobody knows: the client
            // comes back and asks again.
            tracing::warn!(socket = %socket.id, "the hub cannot keep up; a client was disconnected");
            _ = socket.clone().disconnect();
        }
        pushed
    }
}
