//! The hub: Socket.IO on `/socket.io`, namespace `/`.
//!
//! Handlers check what a client sent and push it, in the order it came, into
//! one actor. The actor alone answers, joins rooms and emits frames, so nothing
//! it says can overtake anything it said before. The hub knows no HTTP.

mod actor;
mod events;
mod handshake;
mod rooms;

use std::{net::IpAddr, sync::Arc};

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
use app::wire::SystemNotification;
use events::{Args, ClientEvent};

/// Requests that may wait for the actor; a client whose request finds no place
/// is told to slow down.
const QUEUE: usize = 16 * 1024;

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
            .with_state(Handlers {
                live: live.clone(),
                tokens,
                limits,
                requests: requests.clone(),
            })
            .with_parser(socketioxide::ParserConfig::common().max_incoming_binaries(0))
            .build_layer();
        io.ns("/", (async || ()).with(handshake::authenticate));
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
    let event = if handlers.limits.event(identity.user) {
        let args = args.map_or(None, |Args(args)| Some(args));
        args.map_or(ClientEvent::Malformed, |args| {
            ClientEvent::read(&name, &args)
        })
    } else {
        ClientEvent::TooMany
    };
    let request = Request::Event {
        socket: socket.clone(),
        user: identity.user,
        event,
        ack,
    };
    handlers.push(&socket, request);
    std::future::ready(())
}

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
