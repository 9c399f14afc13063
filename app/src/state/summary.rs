//! What a screen reader reads out: new notifications, and how the board stands.

use leptos::prelude::*;

use super::{
    board::BoardState,
    connection::{ConnectionState, Status},
    notifications::Notifications,
    settings::Settings,
    you::You,
};
use crate::texts::Text;

/// See the module. A handle: copies are the same state.
#[derive(Clone, Copy)]
pub(crate) struct Summary {
    /// What is read out.
    pub(crate) text: RwSignal<String>,
    /// How the board stood when that was read out last.
    last_standing: StoredValue<String>,
    settings: Settings,
    connection: ConnectionState,
    board: BoardState,
    you: You,
    notifications: Notifications,
}

impl Summary {
    pub(super) fn new(
        settings: Settings,
        connection: ConnectionState,
        board: BoardState,
        you: You,
        notifications: Notifications,
    ) -> Summary {
        Summary {
            text: RwSignal::new(String::new()),
            last_standing: StoredValue::new(String::new()),
            settings,
            connection,
            board,
            you,
            notifications,
        }
    }

    /// Forgets what was read out, for another user.
    pub(super) fn reset(self) {
        self.last_standing.set_value(String::new());
    }

    /// Has what is new read out.
    pub(crate) fn update(self) {
        let standing = self.standing();
        let is_new = *self.last_standing.read_value() != standing;
        let mut parts = self.notifications.take_unread();
        if is_new && !standing.is_empty() {
            parts.push(standing.clone());
        }
        if is_new {
            self.last_standing.set_value(standing);
        }
        if is_new || !parts.is_empty() {
            self.text.set(joined(&parts, " – "));
        }
    }

    /// Who leads, and the rank of the signed-in user; or that the board is not live.
    fn standing(self) -> String {
        match self.connection.status.get_untracked() {
            Status::Reconnecting => return self.settings.text(Text::NotLive),
            Status::Offline => return self.settings.text(Text::Offline),
            Status::Refreshing => return self.connection.reason.get_untracked(),
            Status::Connecting | Status::Live => {}
        }
        let leader = self.board.shown().rows.with_untracked(|rows| {
            let leader = rows.first().filter(|_| self.board.page().is_none())?;
            let points = self.settings.result(leader.score.get_untracked());
            let name = leader.username.get_untracked();
            let values = [("name", &*name), ("n", &*points)];
            Some(self.settings.with(Text::Summary, &values))
        });
        let you = self.you.shown().with_untracked(|you| {
            let rank = self.settings.number(you.as_ref()?.rank?.cast_signed());
            Some(self.settings.with(Text::YouAre, &[("rank", &rank)]))
        });
        let parts: Vec<String> = leader.into_iter().chain(you).collect();
        joined(&parts, " ")
    }
}

/// The library's own takes a kilobyte of the page's code.
fn joined(parts: &[String], separator: &str) -> String {
    let mut text = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            text.push_str(separator);
        }
        text.push_str(part);
    }
    text
}
