//! Who looks at boards. Every way out of the server asks it whether a board is shown.

use crate::{
    board::{Settings, Visibility},
    role::Role,
};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Viewer {
    /// Anybody at all.
    Public,
    /// A person of the server who has signed in.
    SignedIn,
    /// An organiser.
    Admin,
}

impl Viewer {
    /// Whose valid token has this role; `None` without a token.
    pub fn of(role: Option<Role>) -> Viewer {
        match role {
            // Pages give this token to anybody.
            None | Some(Role::Viewer) => Viewer::Public,
            Some(Role::Player | Role::Publisher) => Viewer::SignedIn,
            Some(Role::Admin) => Viewer::Admin,
        }
    }

    /// May they see a board with these settings? For those who may not, it is as if it were
    /// not there.
    pub fn may_see(self, settings: &Settings) -> bool {
        match settings.visibility {
            Visibility::Public | Visibility::Unlisted => true,
            Visibility::Private => self != Viewer::Public,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_boards_are_for_those_who_have_signed_in() {
        let viewers = [None, Some(Role::Viewer), Some(Role::Player)]
            .into_iter()
            .chain([Some(Role::Publisher), Some(Role::Admin)]);
        let who_may_see = |visibility| -> Vec<bool> {
            let settings = Settings {
                visibility,
                ..Settings::default()
            };
            let viewers = viewers.clone().map(Viewer::of);
            viewers.map(|viewer| viewer.may_see(&settings)).collect()
        };
        assert_eq!(who_may_see(Visibility::Public), [true; 5]);
        assert_eq!(who_may_see(Visibility::Unlisted), [true; 5]);
        let private = [false, false, true, true, true];
        assert_eq!(who_may_see(Visibility::Private), private);
    }
}
