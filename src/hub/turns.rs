//! How much may wait for the actor: of one socket, of one address and in all. Events
//! beyond that are refused, so that there is always room for others, and for those who
//! come and go. Each is answered within a few turns of the actor: what waits of one
//! address at most takes it some milliseconds.

use std::{net::IpAddr, num::NonZeroU32};

use socketioxide::socket::Sid;

use crate::limits::{Place, Places};

/// Requests that may wait for the actor. None of them holds what a client wrote: they
/// have one size.
pub(super) const QUEUE: usize = 16 * 1024;

/// Events of one socket that may wait, where its user may not send more at once.
const LEAST_OF_SOCKET: NonZeroU32 = NonZeroU32::new(64).unwrap();

/// Events of one socket that may wait, whatever its user may send: half of what its address
/// may.
const MOST_OF_SOCKET: NonZeroU32 = NonZeroU32::new(512).unwrap();

/// Events of one address that may wait: of a classroom of 100, that are ten of each.
const OF_ADDRESS: NonZeroU32 = NonZeroU32::new(1024).unwrap();

/// Events that may wait in all. The rest of the queue is for those who come and go.
const OF_ALL: NonZeroU32 = NonZeroU32::new(12 * 1024).unwrap();

/// See the module.
pub(super) struct Turns {
    of_socket: Places<Sid>,
    of_address: Places<IpAddr>,
    of_all: Places<()>,
}

/// The right of an event to wait, until it is dropped.
pub(super) struct Turn {
    _of_socket: Place<Sid>,
    _of_address: Place<IpAddr>,
    _of_all: Place<()>,
}

impl Turns {
    /// Nothing waits. A user may send so many events at once: a socket that says them in
    /// one go is not refused any of them because the actor is busy.
    pub(super) fn new(events_at_once: NonZeroU32) -> Turns {
        let of_socket = events_at_once.clamp(LEAST_OF_SOCKET, MOST_OF_SOCKET);
        Turns {
            of_socket: Places::new(of_socket),
            of_address: Places::new(OF_ADDRESS),
            of_all: Places::new(OF_ALL),
        }
    }

    /// May one more event of this socket wait? Its address is named if that is limited.
    pub(super) fn take(&self, sid: Sid, address: Option<IpAddr>) -> Option<Turn> {
        Some(Turn {
            _of_socket: self.of_socket.take(sid)?,
            _of_address: match address {
                Some(address) => self.of_address.take(address)?,
                None => Place::unlimited(),
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

    /// How many events of so many sockets may wait beside what waits already.
    fn taken(turns: &Turns, sockets: usize, address: Option<IpAddr>) -> Vec<Turn> {
        let sids = (0..sockets).map(|_| Sid::new());
        sids.flat_map(|sid| (0..60).map_while(move |_| turns.take(sid, address)))
            .collect()
    }

    #[test]
    fn a_socket_says_in_one_go_what_its_user_may_say() {
        for (events_at_once, expected) in [(1, 64), (60, 64), (200, 200), (1_000_000, 512)] {
            let turns = Turns::new(number(events_at_once));
            let (loud, other) = (Sid::new(), Sid::new());
            let held: Vec<Turn> = (0..1000)
                .map_while(|_| turns.take(loud, address(1)))
                .collect();
            assert_eq!(held.len(), expected);
            assert!(turns.take(other, address(1)).is_some());
            drop(held);
            assert!(turns.take(loud, address(1)).is_some());
        }
    }

    #[test]
    fn an_address_leaves_room_for_others() {
        let turns = Turns::new(number(60));
        let held = taken(&turns, 200, address(1));
        assert_eq!(held.len(), 1024);
        assert_eq!(taken(&turns, 1, address(2)).len(), 60);
        assert_eq!(taken(&turns, 100, None).len(), 6000, "it is not limited");
        drop(held);
        assert_eq!(taken(&turns, 200, address(1)).len(), 1024);
    }

    #[test]
    fn events_leave_room_for_those_who_come_and_go() {
        let turns = Turns::new(number(60));
        let held: Vec<_> = (0..20)
            .map(|n| taken(&turns, 200, address(n)).len())
            .collect();
        assert_eq!(held, [1024; 20], "they were given back");
        let held: Vec<Turn> = (0..20)
            .flat_map(|n| taken(&turns, 200, address(n)))
            .collect();
        assert_eq!(held.len(), 12 * 1024);
        assert!(QUEUE - held.len() >= 4 * 1024);
    }
}
