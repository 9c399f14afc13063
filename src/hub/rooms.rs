//! The rooms of Socket.IO that the hub sends to, and their names.

use super::view::{Mode, View};
use crate::{
    auth::{Identity, Role},
    board::{Audience, UserId},
};

/// A room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// All subscribers of the visible board, in either mode.
    Scoreboard,
    /// The subscribers of a view in one mode.
    View(View, Mode),
    /// All sockets of a user.
    User(UserId),
    /// All sockets of a role.
    Role(Role),
}

impl Room {
    /// By which the library knows it.
    pub(super) fn name(self) -> String {
        match self {
            Room::Scoreboard => "scoreboard".into(),
            Room::View(view, mode) => {
                let mode = match mode {
                    Mode::Full => "full",
                    Mode::Delta => "delta",
                };
                match view {
                    View::Top => format!("scoreboard:{mode}"),
                    View::Page(page) => format!("scoreboard:{page}:{mode}"),
                }
            }
            Room::User(user) => format!("user:{user}"),
            Room::Role(role) => format!("role:{role}"),
        }
    }
}

/// The rooms that a socket is in because of its token.
pub(super) fn of_identity(identity: Identity) -> Vec<Room> {
    vec![Room::User(identity.user), Room::Role(identity.role)]
}

/// The rooms that a socket is in because it subscribes to a view.
pub(super) fn of_subscription(view: View, mode: Mode) -> Vec<Room> {
    let mut rooms = vec![Room::View(view, mode)];
    if view == View::Top {
        rooms.push(Room::Scoreboard);
    }
    rooms
}

/// The rooms of an audience.
pub(super) fn audience(audience: Audience) -> Vec<Room> {
    match audience {
        Audience::All => Role::ALL.map(Room::Role).into(),
        Audience::Role(role) => vec![Room::Role(role)],
        Audience::User(user) => vec![Room::User(user)],
    }
}
