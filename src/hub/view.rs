//! What a socket may subscribe to: the visible board or one page of the whole board, in
//! full or as deltas.

use std::ops::Range;

use app::wire::PAGE;

use crate::board::Rules;

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    /// The visible board.
    Top,
    /// Rows 50·k + 1 to 50·k + 50.
    Page(u64),
}

impl View {
    /// Which rows of the board these are, counted from 0.
    pub(super) fn row_range(self, rules: &Rules) -> Range<usize> {
        match self {
            View::Top => 0..rules.top,
            View::Page(page) => {
                let start = usize::try_from(page).unwrap_or(usize::MAX);
                let start = start.saturating_mul(PAGE);
                start..start.saturating_add(PAGE)
            }
        }
    }

    /// The number of the page, if it is one.
    pub(super) fn page(self) -> Option<u64> {
        match self {
            View::Top => None,
            View::Page(page) => Some(page),
        }
    }
}

/// How changes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    /// All rows, whenever one has changed: `leaderboard_refresh`.
    Full,
    /// The rows that have changed: `scoreboard_delta`.
    Delta,
}
