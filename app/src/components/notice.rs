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
    // A region that is there before its text is announced with it.
    let banner =
        move |urgent: bool| {
            move || {
                let notification = state.notification.get();
                let notification =
                    notification.filter(|n| (n.severity == Severity::Error) == urgent);
                notification.map(|SystemNotification { message, severity, .. }| {
                view! {
                    <div class="notice" data-severity=severity.name()>
                        <p>{message}</p>
                        <button type="button" on:click=move |_| state.notification.set(None)>
                            "Dismiss"
                        </button>
                    </div>
                }
            })
            }
        };
    view! {
        <div class="notices" role="status">
            {banner(false)}
            <Show when=move || state.link_failed.get_value()>
                <div class="notice" data-severity="warning">
                    <p>
                        "This sign-in link is not valid, or has expired. Ask for a new one; until then you can watch."
                    </p>
                </div>
            </Show>
        </div>
        <div class="notices" role="alert">
            {banner(true)}
        </div>
    }
}
