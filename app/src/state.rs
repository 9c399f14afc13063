//! What the page shows, as signals: one struct for each concern, wired here. Data comes in
//! by methods, and nothing older replaces something newer.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "the server renders the first state alone")
)]

mod board;
mod connection;
mod notifications;
mod pause;
mod rows;
mod settings;
mod summary;
mod time;
mod you;

pub(crate) use connection::Status;
#[cfg(feature = "hydrate")]
pub(crate) use rows::set_if_changed;
pub(crate) use rows::{Gap, RowState};

use board::BoardState;
use connection::ConnectionState;
use notifications::Notifications;
use pause::Pause;
use settings::Settings;
use summary::Summary;
use time::{PageClock, Start};
use you::You;

use crate::{
    dates,
    wire::{PageSnapshot, UserScore},
};

/// The state of the page. A handle: copies are the same state.
#[derive(Clone, Copy)]
pub(crate) struct PageState {
    /// What stays the same.
    pub(crate) settings: Settings,
    /// The board.
    pub(crate) board: BoardState,
    /// The signed-in user.
    pub(crate) you: You,
    /// Whether the page is paused.
    pub(crate) pause: Pause,
    /// Whether the board is live.
    pub(crate) connection: ConnectionState,
    /// What time it is.
    pub(crate) clock: PageClock,
    /// When the competition starts.
    pub(crate) start: Start,
    /// The notifications of the server.
    pub(crate) notifications: Notifications,
    /// What a screen reader reads out.
    pub(crate) summary: Summary,
}

impl PageState {
    /// The state that the server renders, and with which the browser begins.
    pub(crate) fn new(mut snapshot: PageSnapshot) -> PageState {
        let start = Start::new(snapshot.info.starts.take());
        let settings = Settings::new(
            snapshot.info,
            snapshot.base,
            snapshot.locale,
            snapshot.avatar_origins,
            (snapshot.view, snapshot.margin, snapshot.link_failed),
        );
        let pause = Pause::new();
        let board = BoardState::new(snapshot.board, pause);
        let you = You::new(snapshot.you, snapshot.around, settings, board, pause);
        let connection = ConnectionState::new();
        let notifications = Notifications::new();
        PageState {
            settings,
            board,
            you,
            pause,
            connection,
            clock: PageClock::new(),
            start,
            notifications,
            summary: Summary::new(settings, connection, board, you, notifications),
        }
    }

    /// Shows the newest board; a paused page only counts the rows that wait.
    pub(crate) fn refresh(self) {
        if self.pause.is_on_untracked() {
            self.board.count_waiting();
        } else {
            self.you.show();
            self.board.show();
        }
    }

    /// Shows who is signed in, as a response to a request says. Nothing remains of another
    /// user, nor of the notifications that were sent to them.
    pub(crate) fn sign_in(self, user: Option<UserScore>) {
        if !self.you.sign_in(user) {
            self.notifications.clear();
            self.summary.reset();
        }
    }

    /// Counts gained and lost ranks from now on.
    pub(crate) fn compare_from_now(self) {
        let now = dates::iso(self.clock.server_time());
        self.board.compare_from(self.settings.time(&now));
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests;
