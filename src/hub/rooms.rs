//! The rooms of Socket.IO that the hub sends to, and their names.

use app::wire::MAIN;

use super::view::{Mode, View};
use crate::{
    auth::{Identity, Role},
    board::{Audience, BoardId, UserId},
};

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// All subscribers of the visible rows of a board, in either mode.
    Scoreboard(BoardId),
    /// The subscribers of a view of a board in one mode.
    View(BoardId, View, Mode),
    /// All sockets of a user.
    User(UserId),
    /// All sockets of a role.
    Role(Role),
}

impl Room {
    /// By which the library knows it. The word before the first colon says what it is, and
    /// no part has a colon: so no two rooms have the same name, whatever boards are called.
    pub(super) fn name(&self) -> String {
        match self {
            Room::Scoreboard(board) if board.as_str() == MAIN => "scoreboard".into(),
            Room::Scoreboard(board) => format!("scoreboard:{board}"),
            Room::View(board, view, mode) => {
                let mode = match mode {
                    Mode::Full => "full",
                    Mode::Delta => "delta",
                };
                match view {
                    View::Top => format!("rows:{board}:top:{mode}"),
                    View::Page(page) => format!("rows:{board}:{page}:{mode}"),
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
pub(super) fn of_subscription(board: &BoardId, view: View, mode: Mode) -> Vec<Room> {
    let mut rooms = vec![Room::View(board.clone(), view, mode)];
    if view == View::Top {
        rooms.push(Room::Scoreboard(board.clone()));
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_rooms_have_the_same_name() {
        let mut names = HashSet::new();
        let user = UserId([1; 16]);
        let mut rooms = vec![Room::User(user)];
        rooms.extend(Role::ALL.map(Room::Role));
        let user = user.to_string();
        for id in [
            "main", "full", "delta", "top", "0", "0-full", "rows", "user", "viewer", &user,
        ] {
            let board = BoardId::new(id).expect("an id");
            rooms.push(Room::Scoreboard(board.clone()));
            for view in [View::Top, View::Page(0)] {
                for mode in [Mode::Full, Mode::Delta] {
                    rooms.push(Room::View(board.clone(), view, mode));
                }
            }
        }
        assert!(rooms.iter().all(|room| names.insert(room.name())));
        assert_eq!(Room::Scoreboard(BoardId::default()).name(), "scoreboard");
    }
}
