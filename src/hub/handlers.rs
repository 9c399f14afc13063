//! The handlers of a socket that was admitted: what it sends is checked, counted and put
//! into the actor's queue, in the order in which it came. They decide nothing else.

use std::sync::Arc;

use socketioxide::{
    SocketIo,
    adapter::LocalAdapter,
    extract::{AckSender, Event as EventName, Extension, SocketRef, State, TryData},
    socket::Sid,
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    actor::Request,
    answers::{Acknowledgement, EventError},
    connection::Connection,
    events::{Args, ClientEvent},
    excess::Excess,
    outbox,
    queue::{QueueLimits, QueuePermit},
    session::Session,
    state::{ClientMessage, Event, SendQueue},
};
use crate::{
    auth::Tokens,
    limits::{Limits, Reason},
    live::Live,
};

/// What handlers need. Clones are the same.
#[derive(Clone)]
pub(super) struct Handlers {
    pub(super) live: Live,
    pub(super) tokens: Arc<Tokens>,
    pub(super) limits: Arc<Limits>,
    pub(super) send_queue: SendQueue,
    pub(super) queue_limits: Arc<QueueLimits>,
    pub(super) requests: mpsc::Sender<Request>,
}

/// Runs when the socket of a client that was admitted is connected.
pub(super) fn connected(
    socket: SocketRef,
    Extension(connection): Extension<Connection>,
    State(handlers): State<Handlers>,
) -> std::future::Ready<()> {
    let (session, address) = (connection.session.clone(), connection.address);
    let event = Event::Connected(socket.id, connection);
    if handlers.requests.try_send(event.into()).is_err() {
        // Better no connection than one that the hub does not know: clients reconnect.
        handlers.limits.refused(Reason::NewSockets, address);
        session.close();
    }
    std::future::ready(())
}

/// Runs for every event of a client. It is no `async fn`: the library spawns what a handler
/// returns, and only what happens before that is in order.
pub(super) fn received(
    socket: SocketRef,
    EventName(name): EventName,
    TryData(args): TryData<Args>,
    Extension(connection): Extension<Connection>,
    State(handlers): State<Handlers>,
    io: SocketIo,
    Acknowledgement(ack): Acknowledgement<LocalAdapter>,
) -> std::future::Ready<()> {
    let excess = socket.extensions.get::<Excess>().unwrap_or_default();
    match handlers.reserve(socket.id, &connection) {
        Ok((permit, slot)) => {
            excess.within_limit();
            let verify = |token: &str| handlers.tokens.verify(token).ok();
            let event = args.map_or(ClientEvent::Malformed, |Args(args)| {
                ClientEvent::read(&name, &args, verify)
            });
            let message = ClientMessage {
                sid: socket.id,
                user: connection.identity.user,
                event,
                ack,
            };
            slot.send(Request {
                event: Event::Message(message),
                permit: Some(permit),
            });
        }
        Err(reason) => {
            handlers.limits.refused(reason, connection.address);
            let session = &connection.session;
            if excess.beyond_limit() {
                // A client that does not read is ended too.
                if socket.disconnect().is_err() {
                    session.close();
                }
            } else if handlers
                .send_queue
                .has_room(session.backlog(), Instant::now())
            {
                refuse(&io, socket.id, session, ack);
            }
        }
    }
    std::future::ready(())
}

impl Handlers {
    /// The permit of one more event of a socket, and its slot in the actor's queue; or why
    /// there is none.
    fn reserve(
        &self,
        sid: Sid,
        connection: &Connection,
    ) -> Result<(QueuePermit, mpsc::Permit<'_, Request>), Reason> {
        if !self.limits.event(connection.identity.user) {
            return Err(Reason::Events);
        }
        let permit = self.queue_limits.acquire(sid, connection.limited_as);
        let slot = self.requests.try_reserve().ok();
        permit.zip(slot).ok_or(Reason::WaitingEvents)
    }
}

/// Answers an event beyond a limit. The actor is not asked: a flood must not keep it from
/// others.
fn refuse(io: &SocketIo, sid: Sid, session: &Session, ack: Option<AckSender>) {
    let refusal = EventError::TooMany.encode(ack);
    refusal.count_sent(session, Instant::now());
    if let Some(event) = refusal.event {
        outbox::emit(io, sid, &event);
    }
    if let Some((ack, data)) = refusal.ack {
        outbox::acknowledge(ack, &data);
    }
}
