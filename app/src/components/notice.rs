//! Notifications: banners, and a drawer with all of them.

use leptos::prelude::*;

use super::reactive_text::reactive_text;
use crate::{
    state::PageState,
    texts::Text,
    wire::{Severity, SystemNotification, View},
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

/// The banners. A screen reader reads out errors at once, and all others with the summary.
#[component]
pub(crate) fn Notices(
    /// What to show.
    state: PageState,
) -> impl IntoView {
    view! {
        <div class="toasts">
            // A region that is there before its text is announced with it.
            <div role="alert">
                <Banners state urgent=true />
            </div>
            <div>
                <Banners state urgent=false />
            </div>
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
        let banners = state.notifications.banners.read();
        banners.shown().filter(is_wanted).cloned().collect()
    };
    view! {
        <For each=shown key=|notification| notification.id.clone() let:notification>
            <div class="notice" data-severity=notification.severity.name()>
                <p>{notification.message}</p>
                // A kiosk has no controls.
                {(state.settings.view != View::Kiosk)
                    .then(|| {
                        view! {
                            <button type="button" on:click:capture=move |_| state.notifications.dismiss(&notification.id)>
                                {state.settings.text(Text::Dismiss)}
                            </button>
                        }
                    })}
            </div>
        </For>
    }
}

/// All notifications since the page was opened, latest first.
#[component]
pub(crate) fn Drawer(
    /// What to show.
    state: PageState,
) -> impl IntoView {
    let history = move || -> Vec<SystemNotification> {
        if state.notifications.is_drawer_open.get() {
            state.notifications.banners.read().history()
        } else {
            Vec::new()
        }
    };
    view! {
        <section
            id="messages"
            class="drawer"
            // It scrolls by the keyboard too.
            tabindex="0"
            role="region"
            aria-label=state.settings.text(Text::Messages)
            hidden=move || !state.notifications.is_drawer_open.get()
        >
            <ul>
                <For each=history key=|notification| notification.id.clone() let:notification>
                    <li data-severity=notification.severity.name()>
                        <time datetime=notification
                            .timestamp
                            .clone()>{state.settings.time(&notification.timestamp)}</time>
                        <span>{notification.message}</span>
                    </li>
                </For>
            </ul>
            <p
                class="quiet"
                inner_html=reactive_text(move || {
                    let is_empty = state.notifications.banners.with(|it| it.history().is_empty());
                    if is_empty { state.settings.text(Text::NoMessages) } else { String::new() }
                })
            ></p>
        </section>
    }
}
