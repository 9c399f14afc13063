//! The names of the rooms.

use crate::{board::UserId, wire};

/// Everybody who watches the visible board.
pub(super) const SCOREBOARD: &str = "scoreboard";

/// All sockets of one user.
pub(super) fn user(user: UserId) -> String {
    format!("user:{}", wire::user_text(user))
}

/// The sockets of one user that asked for their score.
pub(super) fn score(user: UserId) -> String {
    format!("score:{}", wire::user_text(user))
}
