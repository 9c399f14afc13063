//! What a socket may watch: the visible board, or one page of the whole board,
//! and in which form.

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
    /// The places of the rows, counted from 0.
    pub(super) fn places(self, rules: &Rules) -> Range<usize> {
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

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    /// All rows whenever one has changed: `leaderboard_refresh`.
    Full,
    /// What has changed: `scoreboard_delta`.
    Delta,
}
