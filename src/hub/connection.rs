//! A socket that was admitted, and how many boards it may watch.

use std::net::IpAddr;

use super::session::Session;
use crate::auth::Identity;

/// Boards that a socket may watch at once: a wall that turns through more of them may
/// subscribe to the next when it leaves one. Each may wait for a client that is slow, and
/// is one look in each tick of its board.
pub(super) const MOST_BOARDS: usize = 16;

/// What is known of a socket that was admitted.
#[derive(Clone)]
pub(super) struct Connection {
    /// What its token says.
    pub(super) identity: Identity,
    pub(super) session: Session,
    /// Of its client, if the listener has said it.
    pub(super) address: Option<IpAddr>,
    /// The key by which the address is limited; `None` if it is not.
    pub(super) limited_as: Option<IpAddr>,
}
