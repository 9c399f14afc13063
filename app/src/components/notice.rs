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

/// The banners, and what went wrong with a sign-in link. Errors are announced at
/// once, all else when a screen reader has the time.
#[component]
pub(crate) fn Notices(
    /// What to show.
    state: PageState,
) -> impl IntoView {
    view! {
        // A region that is there before its text is announced with it.
        <div role="alert">
            <Banners state urgent=true />
        </div>
        <div role="status">
            <Banners state urgent=false />
            <Show when=move || state.link_failed.get_value()>
                <div class="notice" data-severity="warning">
                    <p>
                        "This sign-in link is not valid, or has expired. Ask for a new one; until then you can watch."
                    </p>
                </div>
            </Show>
        </div>
    }
}

#[component]
fn Banners(
    /// What to show.
    state: PageState,
    /// Errors, or all others?
    urgent: bool,
) -> impl IntoView {
    let shown = move || -> Vec<SystemNotification> {
        let is_wanted = |it: &&SystemNotification| (it.severity == Severity::Error) == urgent;
        let banners = state.banners.read();
        banners.shown().filter(is_wanted).cloned().collect()
    };
    view! {
        <For each=shown key=|notification| notification.id.clone() let:notification>
            <div class="notice" data-severity=notification.severity.name()>
                <p>{notification.message}</p>
                <button
                    type="button"
                    on:click=move |_| state.banners.update(|it| it.dismiss(&notification.id))
                >
                    "Dismiss"
                </button>
            </div>
        </For>
    }
}
