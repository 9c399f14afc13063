//! Roles: what a user may do. A leaf, because tokens, announcements and the command line
//! all name them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a user may do.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May watch.
    Viewer,
    /// Is on the board, and may watch.
    #[default]
    Player,
    /// May send actions and register users.
    Publisher,
    /// May do everything.
    Admin,
}

impl Role {
    /// All roles, the one that may do least first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Player, Role::Publisher, Role::Admin];

    /// The role as tokens and requests name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Player => "player",
            Role::Publisher => "publisher",
            Role::Admin => "admin",
        }
    }

    /// May the role send actions for others and register users?
    pub fn publishes(self) -> bool {
        matches!(self, Role::Publisher | Role::Admin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_one_text() {
        for role in Role::ALL {
            let json = serde_json::to_string(&role).unwrap();
            assert_eq!(json, format!("\"{role}\""));
        }
    }
}
