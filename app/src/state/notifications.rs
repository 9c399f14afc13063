//! The notifications of the server: banners, and a drawer in which all can be read again.

use leptos::prelude::*;

use crate::{
    banners::Banners,
    focus,
    wire::{Severity, SystemNotification},
};

/// See the module. A handle: copies are the same state.
#[derive(Clone, Copy)]
pub(crate) struct Notifications {
    /// The banners.
    pub(crate) banners: RwSignal<Banners>,
    /// Is the drawer open?
    pub(crate) is_drawer_open: RwSignal<bool>,
    /// What a screen reader is still to read out.
    unread: StoredValue<Vec<String>>,
}

impl Notifications {
    pub(super) fn new() -> Notifications {
        Notifications {
            banners: RwSignal::new(Banners::default()),
            is_drawer_open: RwSignal::new(false),
            unread: StoredValue::new(Vec::new()),
        }
    }

    /// Adds a banner; `false` if it was added before.
    pub(crate) fn add(self, notification: SystemNotification) -> bool {
        // Errors are read out at once, by themselves.
        let is_summarised = notification.severity != Severity::Error;
        let message = is_summarised.then(|| notification.message.clone());
        let is_new = self.banners.try_update(|it| it.add(notification)) == Some(true);
        if let Some(message) = message.filter(|_| is_new) {
            self.unread.write_value().push(message);
        }
        is_new
    }

    /// Removes a banner whose button was used, and moves the focus to another control.
    pub(crate) fn dismiss(self, id: &str) {
        self.banners.update(|it| it.dismiss(id));
        focus::move_to(&[".notice button", "[aria-controls=messages]"]);
    }

    /// Removes all.
    pub(super) fn clear(self) {
        self.banners.set(Banners::default());
        self.take_unread();
    }

    /// What is still to be read out; afterwards nothing is.
    pub(super) fn take_unread(self) -> Vec<String> {
        std::mem::take(&mut self.unread.write_value())
    }
}
