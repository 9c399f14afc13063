//! What the page has to say beside the board.

use leptos::prelude::*;

use crate::{
    state::PageState,
    wire::{Severity, SystemNotification},
};

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// The latest banner, and what went wrong with a sign-in link.
#[component]
pub(crate) fn Notices(
    /// What to show.
    state: PageState,
) -> impl IntoView {
    let banner = move || {
        state.notification.get().map(|notification| {
            let SystemNotification {
                message, severity, ..
            } = notification;
            view! {
                <div class="notice" role="status" data-severity=severity.name()>
                    <p>{message}</p>
                    <button type="button" on:click=move |_| state.notification.set(None)>
                        "Dismiss"
                    </button>
                </div>
            }
        })
    };
    view! {
        {banner}
        <Show when=move || state.link_failed.get_value()>
            <div class="notice" role="status" data-severity="warning">
                <p>
                    "This sign-in link is not valid, or has expired. Ask for a new one; until then you can watch."
                </p>
            </div>
        </Show>
    }
}
