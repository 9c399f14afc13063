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

/// Those who are to see an announcement; `None` if that is everybody.
pub(super) fn audience(audience: Audience) -> Option<String> {
    match audience {
        Audience::All => None,
        Audience::Viewers => Some(role(Role::Viewer).into()),
        Audience::Players => Some(role(Role::Player).into()),
        Audience::Publishers => Some(role(Role::Publisher).into()),
        Audience::Admins => Some(role(Role::Admin).into()),
        Audience::User(id) => Some(user(id)),
    }
}

/// The sockets of one user that asked for their score.
pub(super) fn score(user: UserId) -> String {
    format!("score:{}", wire::user_text(user))
}
