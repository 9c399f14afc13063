//! The names of the rooms.

use super::view::{Mode, View};
use crate::{
    auth::Role,
    board::{Audience, UserId},
    wire,
};

/// Everybody who watches the visible board, in either mode.
pub(super) const SCOREBOARD: &str = "scoreboard";

/// Those who watch a view in one mode.
pub(super) fn view(view: View, mode: Mode) -> String {
    let mode = match mode {
        Mode::Full => "full",
        Mode::Delta => "delta",
    };
    match view {
        View::Top => format!("{SCOREBOARD}:{mode}"),
        View::Page(page) => format!("{SCOREBOARD}:{page}:{mode}"),
    }
}

/// All sockets of one user.
pub(super) fn user(user: UserId) -> String {
    format!("user:{}", wire::user_text(user))
}

/// All sockets of one role.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Viewer => "role:viewer",
        Role::Player => "role:player",
        Role::Publisher => "role:publisher",
        Role::Admin => "role:admin",
    }
}

/// Those who are to see an announcement.
pub(super) fn audience(audience: Audience) -> Vec<String> {
    let roles: &[Role] = match audience {
        Audience::All => &[Role::Viewer, Role::Player, Role::Publisher, Role::Admin],
        Audience::Viewers => &[Role::Viewer],
        Audience::Players => &[Role::Player],
        Audience::Publishers => &[Role::Publisher],
        Audience::Admins => &[Role::Admin],
        Audience::User(id) => return vec![user(id)],
    };
    roles.iter().map(|it| role(*it).to_owned()).collect()
}

/// The rooms of what a socket watches.
pub(super) fn watched(watched: View, mode: Mode) -> Vec<String> {
    let mut rooms = vec![view(watched, mode)];
    if watched == View::Top {
        rooms.push(SCOREBOARD.to_owned());
    }
    rooms
}
