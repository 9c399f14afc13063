//! How many events may wait for the actor: of one socket, of one address and in all.
//! Events beyond that are refused, so that there is always room for other clients, and for
//! sockets that connect and disconnect. What may wait of one address takes the actor some
//! milliseconds.

use std::{net::IpAddr, num::NonZeroU32};

use socketioxide::socket::Sid;

use crate::limits::{Permit, Permits};

/// Requests that may wait for the actor. None of them holds more of what a client wrote
/// than the id of a board, which is short.
pub(super) const QUEUE: usize = 16 * 1024;

/// Events of one socket that may wait, where its user may not send more at once.
const LEAST_OF_SOCKET: NonZeroU32 = NonZeroU32::new(64).unwrap();

/// Events of one socket that may wait, whatever its user may send: half of what its address
/// may.
const MOST_OF_SOCKET: NonZeroU32 = NonZeroU32::new(512).unwrap();

/// Events of one address that may wait: of a classroom of 100, that are ten of each.
const OF_ADDRESS: NonZeroU32 = NonZeroU32::new(1024).unwrap();

/// Events that may wait in all. The rest of the queue is for sockets that connect and
/// disconnect.
const OF_ALL: NonZeroU32 = NonZeroU32::new(12 * 1024).unwrap();

/// See the module.
pub(super) struct QueueLimits {
    of_socket: Permits<Sid>,
    of_address: Permits<IpAddr>,
    of_all: Permits<()>,
}

/// The permit of an event to wait, until it is dropped.
pub(super) struct QueuePermit {
    _of_socket: Permit<Sid>,
    _of_address: Permit<IpAddr>,
    _of_all: Permit<()>,
}

impl QueueLimits {
    /// Nothing waits. A user may send so many events at once: a socket that sends them
    /// together is not refused any of them because the actor is busy.
    pub(super) fn new(events_at_once: NonZeroU32) -> QueueLimits {
        let of_socket = events_at_once.clamp(LEAST_OF_SOCKET, MOST_OF_SOCKET);
        QueueLimits {
            of_socket: Permits::new(of_socket),
            of_address: Permits::new(OF_ADDRESS),
            of_all: Permits::new(OF_ALL),
        }
    }

    /// A permit for one more event of this socket, if there is one. Its address is given if
    /// that is limited.
    pub(super) fn acquire(&self, sid: Sid, address: Option<IpAddr>) -> Option<QueuePermit> {
        Some(QueuePermit {
            _of_socket: self.of_socket.take(sid)?,
            _of_address: match address {
                Some(address) => self.of_address.take(address)?,
                None => Permit::unlimited(),
            },
            _of_all: self.of_all.take(())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> Option<IpAddr> {
        Some([192, 0, 2, n].into())
    }

    fn number(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("not 0")
    }

    /// The permits of so many sockets, beside those that are held already.
    fn acquire_all(
        limits: &QueueLimits,
        sockets: usize,
        address: Option<IpAddr>,
    ) -> Vec<QueuePermit> {
        let sids = (0..sockets).map(|_| Sid::new());
        sids.flat_map(|sid| (0..60).map_while(move |_| limits.acquire(sid, address)))
            .collect()
    }

    #[test]
    fn a_socket_may_queue_what_its_user_may_send_at_once() {
        for (events_at_once, expected) in [(1, 64), (60, 64), (200, 200), (1_000_000, 512)] {
            let limits = QueueLimits::new(number(events_at_once));
            let (loud, other) = (Sid::new(), Sid::new());
            let held: Vec<QueuePermit> = (0..1000)
                .map_while(|_| limits.acquire(loud, address(1)))
                .collect();
            assert_eq!(held.len(), expected);
            assert!(limits.acquire(other, address(1)).is_some());
            drop(held);
            assert!(limits.acquire(loud, address(1)).is_some());
        }
    }

    #[test]
    fn an_address_leaves_room_for_others() {
        let limits = QueueLimits::new(number(60));
        let held = acquire_all(&limits, 200, address(1));
        assert_eq!(held.len(), 1024);
        assert_eq!(acquire_all(&limits, 1, address(2)).len(), 60);
        assert_eq!(
            acquire_all(&limits, 100, None).len(),
            6000,
            "the address is not limited"
        );
        drop(held);
        assert_eq!(acquire_all(&limits, 200, address(1)).len(), 1024);
    }

    #[test]
    fn events_leave_room_for_connects_and_disconnects() {
        let limits = QueueLimits::new(number(60));
        let held: Vec<_> = (0..20)
            .map(|n| acquire_all(&limits, 200, address(n)).len())
            .collect();
        assert_eq!(held, [1024; 20], "the permits were given back");
        let held: Vec<QueuePermit> = (0..20)
            .flat_map(|n| acquire_all(&limits, 200, address(n)))
            .collect();
        assert_eq!(held.len(), 12 * 1024);
        assert!(QUEUE - held.len() >= 4 * 1024);
    }
}
