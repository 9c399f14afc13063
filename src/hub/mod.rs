//! The hub: Socket.IO on `/socket.io`, namespace `/`.
//!
//! Handlers check what a client sent and push it, in the order it came, into
//! one actor. The actor alone says what is on the board, so nothing that it says
//! can overtake anything it said before. The hub knows no routes.

mod achievements;
mod actor;
mod answers;
mod banners;
mod consumers;
mod events;
mod excess;
mod expiring;
mod frames;
mod handshake;
mod heartbeats;
mod online;
mod outlet;
#[cfg(test)]
mod reloading;
mod rooms;
mod session;
#[cfg(test)]
mod simulation;
mod slow;
mod ticking;
mod turns;
mod updates;
mod view;
mod watching;

use std::{net::IpAddr, sync::Arc, time::Duration};

use socketioxide::{
    ParserConfig, SocketIo, SocketIoBuilder, TransportType,
    adapter::LocalAdapter,
    extract::{AckSender, Event, Extension, SocketRef, State, TryData},
    handler::ConnectHandler,
    layer::SocketIoLayer,
    socket::Sid,
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use crate::{
    auth::{Identity, Tokens},
    board::{Announcement, AnnouncementId},
    config::{AchievementsTable, SocketTable},
    limits::{Limits, Reason},
    live::LiveBoard,
    vital::Pulse,
};
use actor::{Actor, Heard, Request};
use answers::{Acknowledgement, Answer, EventError};
use events::{Args, ClientEvent};
use excess::Excess;
pub use session::{Session, WeakSession};
use slow::SendQueue;
use turns::{QUEUE, Turn, Turns};

/// Between the transport's connection and the token.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long sockets have to take their goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The address of whoever sent a request, which the listener puts on it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// What handlers need; a clone is handed to each.
#[derive(Clone)]
struct Handlers {
    live: LiveBoard,
    tokens: Arc<Tokens>,
    limits: Arc<Limits>,
    queue: SendQueue,
    turns: Arc<Turns>,
    requests: mpsc::Sender<Request<AckSender>>,
}

/// By which others reach a hub. Clones reach the same.
#[derive(Clone)]
pub struct Handle(mpsc::Sender<Request<AckSender>>);

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
        let (requests, received) = mpsc::channel(QUEUE);
        let queue = SendQueue(table.send_queue.get());
        let (layer, io) = transport(table)
            .with_state(Handlers {
                live: live.clone(),
                tokens: tokens.clone(),
                limits: limits.clone(),
                queue,
                turns: Arc::new(Turns::new(limits.events_at_once())),
                requests: requests.clone(),
            })
            .build_layer();
        io.ns("/", connected.with(handshake::authenticate));
        let actor = Actor::new(io.clone(), live, tokens, limits, queue, achievements);
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
    Extension(joined): Extension<Joined>,
    State(handlers): State<Handlers>,
) -> std::future::Ready<()> {
    let (session, address) = (joined.session.clone(), joined.address);
    let request = Request::Connected(socket.id, joined);
    if handlers.requests.try_send(request).is_err() {
        // Better no connection than one whose state nobody knows: the client comes back.
        handlers.limits.refused(Reason::NewSockets, address);
        session.close();
    }
    std::future::ready(())
}

/// Runs for every event of a client. It is no `async fn`: the library spawns
/// what a handler returns, and only what happens before that is in order.
fn received(
    socket: SocketRef,
    Event(name): Event,
    TryData(args): TryData<Args>,
    Extension(joined): Extension<Joined>,
    State(handlers): State<Handlers>,
    io: SocketIo,
    Acknowledgement(ack): Acknowledgement<LocalAdapter>,
) -> std::future::Ready<()> {
    let Joined {
        identity,
        session,
        address,
    } = joined;
    let excess = socket.extensions.get::<Excess>().unwrap_or_default();
    match handlers.turn(socket.id, identity, address) {
        Ok((turn, place)) => {
            excess.within();
            let verify = |token: &str| handlers.tokens.verify(token).ok();
            let event = args.map_or(ClientEvent::Malformed, |Args(args)| {
                ClientEvent::read(&name, &args, verify)
            });
            let heard = Heard {
                sid: socket.id,
                user: identity.user,
                event,
                ack,
            };
            place.send(Request::Event(heard, turn));
        }
        Err(reason) => {
            handlers.limits.refused(reason, address);
            if excess.beyond() {
                // It does not get away by not reading.
                if socket.disconnect().is_err() {
                    session.close();
                }
            } else if handlers.queue.has_room(session.backlog(), Instant::now()) {
                // Not by way of the actor, whom a flood must not keep from others.
                let refusal = Answer {
                    ack,
                    outcome: Err(EventError::TooMany),
                };
                let to = (socket.id, &session);
                refusal.send(&io, to, &handlers.live, Instant::now());
            }
        }
    }
    std::future::ready(())
}

/// As whom a socket was let in, by which session and from where.
#[derive(Clone)]
struct Joined {
    identity: Identity,
    session: Session,
    /// Of whoever opened the session, if the listener has said it.
    address: Option<IpAddr>,
}

impl Handlers {
    /// The turn of one more event of a socket, and its place in the actor's queue; or why
    /// there is none.
    fn turn(
        &self,
        sid: Sid,
        identity: Identity,
        address: Option<IpAddr>,
    ) -> Result<(Turn, mpsc::Permit<'_, Request<AckSender>>), Reason> {
        if !self.limits.event(identity.user) {
            return Err(Reason::Events);
        }
        let limited = address.and_then(|address| self.limits.limited(address));
        let turn = self.turns.take(sid, limited);
        let place = self.requests.try_reserve().ok();
        turn.zip(place).ok_or(Reason::WaitingEvents)
    }
}
