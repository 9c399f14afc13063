//! Pausing the page: what comes meanwhile is stored, and shown when the user resumes.

use leptos::prelude::*;

/// Whether the page is paused.
#[derive(Clone, Copy)]
pub(crate) struct Pause {
    /// Is the page paused?
    pub(crate) is_on: RwSignal<bool>,
    /// How many changed rows wait to be shown.
    pub(crate) waiting: RwSignal<u64>,
}

impl Pause {
    pub(super) fn new() -> Pause {
        Pause {
            is_on: RwSignal::new(false),
            waiting: RwSignal::new(0),
        }
    }

    /// Is the page paused? Nothing follows the answer.
    pub(crate) fn is_on_untracked(self) -> bool {
        self.is_on.get_untracked()
    }

    /// Pauses the page, or resumes.
    pub(crate) fn toggle(self) {
        self.is_on.update(|is_on| *is_on = !*is_on);
    }
}

/// A value that a paused page stores without showing it: the newest one, and the signals
/// that show it, or an earlier one while the page is paused.
pub(crate) struct Paused<T: 'static, Shown = RwSignal<T>> {
    pub(super) newest: StoredValue<T>,
    pub(crate) shown: Shown,
}

impl<T, Shown: Clone> Clone for Paused<T, Shown> {
    fn clone(&self) -> Self {
        Paused {
            newest: self.newest,
            shown: self.shown.clone(),
        }
    }
}

impl<T, Shown: Copy> Copy for Paused<T, Shown> {}
