//! An Engine.IO session as the server keeps it beside the library: the permit of its
//! address, how much was sent that its client has not read yet, and the way to end it.
//!
//! `serve` makes one for each request that opens a session and puts it on that request.
//! The library keeps the request for as long as the session, and drops it with the session
//! however that ends; so what is held here is released by being dropped.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    board::UserId,
    limits::{Reason, Sent, SessionPermit, Traffic, Verdict},
};

/// A session. Clones are the same.
#[derive(Clone)]
pub struct Session(Arc<Shared>);

/// A session that this does not keep alive.
#[derive(Clone)]
pub struct WeakSession(Weak<Shared>);

impl WeakSession {
    /// The session, if there still is one.
    pub fn upgrade(&self) -> Option<Session> {
        self.0.upgrade().map(Session)
    }
}

struct Shared {
    /// Released when it is closed: the library keeps a session a few seconds longer.
    permit: Mutex<Option<SessionPermit>>,
    traffic: Traffic,
    /// Has a client connected by it, or is one about to?
    joined: AtomicBool,
    /// Has it a WebSocket, or had one?
    has_websocket: AtomicBool,
    outgoing: Mutex<Outgoing>,
    closed: AtomicBool,
    /// The tasks that read and write a WebSocket, woken when it is closed.
    reader: AtomicWaker,
    writer: AtomicWaker,
    /// Ends a session that has no WebSocket.
    closer: Mutex<Option<Closer>>,
}

type Closer = Box<dyn FnOnce() + Send>;

/// A session that the library ends is forgotten like one that is closed.
impl Drop for Shared {
    fn drop(&mut self) {
        self.release_permit(false);
        if let Some(closer) = self.closer.get_mut().take() {
            closer();
        }
    }
}

impl Shared {
    fn release_permit(&self, has_broken: bool) {
        let permit = self.permit.lock().take();
        if let Some(permit) = permit {
            permit.ended(has_broken, std::time::Instant::now());
        }
    }
}

#[derive(Default)]
struct Outgoing {
    backlog: Backlog,
    /// When the latest packet was given to the library.
    last_sent: Option<Instant>,
}

/// What was given to the library for a client that has not read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backlog {
    /// Bytes of the payloads.
    pub(super) bytes: usize,
    /// Packets; the library drops what goes beyond 128.
    pub(super) packets: usize,
    /// When the first of them was given to it.
    pub(super) since: Option<Instant>,
}

impl Session {
    /// A new session, with its permit and its limits.
    pub fn new(permit: SessionPermit, traffic: Traffic) -> Session {
        Session(Arc::new(Shared {
            permit: Mutex::new(Some(permit)),
            traffic,
            joined: AtomicBool::new(false),
            has_websocket: AtomicBool::new(false),
            outgoing: Mutex::default(),
            closed: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            closer: Mutex::new(None),
        }))
    }

    /// The same session, not kept alive.
    pub fn downgrade(&self) -> WeakSession {
        WeakSession(Arc::downgrade(&self.0))
    }

    /// Counts what its client has sent, before it is read. The session is closed if that is
    /// beyond its limits, or if a client that has connected connects once more.
    pub fn count(&self, sent: Sent) -> Verdict {
        let verdict = if sent.connects > 0 && self.0.joined.load(Ordering::Relaxed) {
            Verdict::Close(Reason::Connects)
        } else {
            self.0.traffic.count(sent)
        };
        self.obey(verdict)
    }

    /// Counts a poll.
    pub fn count_poll(&self) -> Verdict {
        self.obey(self.0.traffic.count_poll())
    }

    fn obey(&self, verdict: Verdict) -> Verdict {
        if let Verdict::Close(reason) = verdict {
            self.0.traffic.refused(reason);
            self.close();
        }
        verdict
    }

    /// May it go on by a WebSocket? Once.
    pub fn take_websocket(&self) -> bool {
        !self.0.has_websocket.swap(true, Ordering::Relaxed)
    }

    /// May the client of this user connect by it, as far as its address is concerned?
    /// `None` is a client without a valid token.
    pub(super) fn admits(&self, user: Option<UserId>, is_signed_in: bool) -> bool {
        let mut permit = self.0.permit.lock();
        let now = std::time::Instant::now();
        permit
            .as_mut()
            .is_some_and(|permit| permit.admit(user, is_signed_in, now).is_ok())
    }

    /// The client of this user has connected.
    pub(super) fn joined(&self, user: UserId, is_signed_in: bool) {
        if let Some(permit) = &mut *self.0.permit.lock() {
            permit.joined(user, is_signed_in, std::time::Instant::now());
        }
    }

    /// Its transport broke, if it was not closed before. Its client will reconnect by
    /// another session, which replaces this one if the client had connected.
    pub fn lost(&self) {
        self.0.release_permit(!self.is_closed());
    }

    /// A client connects by it. False if it may not: one does at a time.
    pub(super) fn join(&self) -> bool {
        !self.0.joined.swap(true, Ordering::Relaxed)
    }

    /// The client that was connecting was refused, and may try again.
    pub(super) fn leave(&self) {
        self.0.joined.store(false, Ordering::Relaxed);
    }

    /// Counts a packet with this many bytes that is sent. To be called before the library
    /// gets it: after that it might have been read already, and would count for ever.
    pub(super) fn sent(&self, bytes: usize, now: Instant) {
        let mut outgoing = self.0.outgoing.lock();
        outgoing.last_sent = Some(now);
        let backlog = &mut outgoing.backlog;
        backlog.bytes += bytes;
        backlog.packets += 1;
        backlog.since.get_or_insert(now);
    }

    /// Notes that the client's transport has taken everything: a WebSocket was flushed, or a
    /// poll was answered.
    pub fn taken(&self) {
        self.0.outgoing.lock().backlog = Backlog::default();
    }

    /// Notes that the client's transport has taken packets with this many bytes in all,
    /// and that there may be more: a poll is answered with `socket.max_message` bytes at
    /// most.
    pub fn took(&self, bytes: usize, packets: usize) {
        let backlog = &mut self.0.outgoing.lock().backlog;
        backlog.bytes = backlog.bytes.saturating_sub(bytes);
        backlog.packets = backlog.packets.saturating_sub(packets);
        // The library's own packets are in the answer too, and were not counted here.
        if backlog.bytes == 0 {
            *backlog = Backlog::default();
        } else {
            backlog.since = Some(Instant::now());
        }
    }

    /// What its client has not read yet.
    pub(super) fn backlog(&self) -> Backlog {
        self.0.outgoing.lock().backlog
    }

    /// When its client was sent the latest packet, read or not; `None` if there was none.
    pub(super) fn last_sent(&self) -> Option<Instant> {
        self.0.outgoing.lock().last_sent
    }

    /// What `close` is to do to end it while it has no WebSocket.
    pub fn on_close(&self, closer: impl FnOnce() + Send + 'static) {
        let mut slot = self.0.closer.lock();
        // `close` marks it closed before it looks for a closer.
        if self.is_closed() {
            drop(slot);
            closer();
        } else {
            *slot = Some(Box::new(closer));
        }
    }

    /// Ends the session and its transport at once, whatever its client does. Official
    /// clients reconnect by themselves.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.release_permit(false);
        self.0.reader.wake();
        self.0.writer.wake();
        let closer = self.0.closer.lock().take();
        if let Some(closer) = closer {
            closer();
        }
    }

    /// Ends it after this time, so that the last packets may arrive. It is not kept alive
    /// until then: if its transport ends before, the permit is released at once.
    pub fn close_after(&self, time: Duration) {
        let session = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            if let Some(session) = session.upgrade() {
                Session(session).close();
            }
        });
    }

    /// Was it closed?
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    /// Is woken when it is closed: the task that reads its WebSocket.
    pub fn reader(&self) -> &AtomicWaker {
        &self.0.reader
    }

    /// Is woken when it is closed: the task that writes its WebSocket.
    pub fn writer(&self) -> &AtomicWaker {
        &self.0.writer
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        config::LimitsTable,
        limits::{Admission, tests::limits},
    };

    pub(in crate::hub) fn session() -> Session {
        let limits = Arc::new(limits(LimitsTable::default()));
        let address = [192, 0, 2, 1].into();
        let Admission::Opened(permit) = limits.session(address, None) else {
            panic!("the first connection");
        };
        Session::new(permit, Traffic::new(limits, address))
    }

    #[test]
    fn one_client_connects_at_a_time() {
        let session = session();
        assert!(session.join());
        assert!(!session.join());
        session.leave();
        assert!(session.join());
    }

    #[test]
    fn a_client_that_has_connected_may_not_connect_again() {
        let session = session();
        let connect = Sent {
            packets: 1,
            connects: 1,
            bytes: 8,
        };
        assert_eq!(session.count(connect), Verdict::Pass);
        assert!(session.join());
        assert_eq!(session.count(connect), Verdict::Close(Reason::Connects));
        assert!(session.is_closed());
    }

    #[test]
    fn a_session_is_upgraded_to_one_websocket() {
        let session = session();
        assert!(session.take_websocket());
        assert!(!session.take_websocket());
    }

    #[test]
    fn a_client_that_sends_too_much_is_closed() {
        let session = session();
        let packet = Sent {
            packets: 1,
            connects: 0,
            bytes: 3,
        };
        assert_eq!(session.count(packet), Verdict::Pass);
        assert!(!session.is_closed());
        while session.count(packet) == Verdict::Pass {}
        assert!(session.is_closed());
    }

    #[test]
    fn the_backlog_is_what_was_sent_since_the_transport_took_everything() {
        let session = session();
        let now = Instant::now();
        session.sent(100, now);
        session.sent(50, now + Duration::from_secs(1));
        let expected = Backlog {
            bytes: 150,
            packets: 2,
            since: Some(now),
        };
        assert_eq!(session.backlog(), expected);
        session.taken();
        assert_eq!(session.backlog(), Backlog::default());
    }

    #[test]
    fn what_a_poll_left_is_still_in_the_backlog() {
        let session = session();
        let then = Instant::now();
        for _ in 0..3 {
            session.sent(100, then);
        }
        session.took(210, 2);
        let Backlog {
            bytes,
            packets,
            since,
        } = session.backlog();
        assert_eq!((bytes, packets), (90, 1));
        assert!(since >= Some(then), "there was progress");
        // With a ping of the library.
        session.took(101, 2);
        assert_eq!(session.backlog(), Backlog::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_to_be_closed_later_is_not_kept_alive() {
        let (open, ended) = (session(), session());
        for session in [&open, &ended] {
            session.close_after(Duration::from_secs(2));
        }
        let weak = Arc::downgrade(&ended.0);
        drop(ended);
        assert!(weak.upgrade().is_none());
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(open.is_closed());
    }

    #[test]
    fn however_a_session_ends_its_user_may_reconnect() {
        let table = LimitsTable {
            connections_per_ip: const { std::num::NonZeroU32::MIN },
            ..LimitsTable::default()
        };
        let ends: [fn(Session); 3] = [|it| it.lost(), |it| it.close(), drop];
        for end in ends {
            let limits = Arc::new(limits(table.clone()));
            let address = [192, 0, 2, 1].into();
            let open = || match limits.session(address, None) {
                Admission::Opened(permit) | Admission::Refused(permit, _) => {
                    Session::new(permit, Traffic::new(limits.clone(), address))
                }
                Admission::Flooded(_) => panic!("the second attempt of two"),
            };
            let user = UserId([1; 16]);
            let session = open();
            assert!(session.admits(Some(user), false));
            session.joined(user, false);
            end(session);
            assert!(open().admits(Some(user), false));
        }
    }

    #[test]
    fn the_closer_runs_once_whichever_comes_first() {
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counts = |count: &Arc<std::sync::atomic::AtomicUsize>| {
            let count = count.clone();
            move || {
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        let session = session();
        session.on_close(counts(&count));
        session.close();
        session.close();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        session.on_close(counts(&count));
        assert_eq!(count.load(Ordering::Relaxed), 2, "it was closed already");
    }
}
