//! What the page has to say beside the board.

use leptos::prelude::*;

use super::words::words;
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

/// The banners. Errors are announced at once; of all else the page's one summary
/// tells.
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
        let banners = state.banners.read();
        banners.shown().filter(is_wanted).cloned().collect()
    };
    view! {
        <For each=shown key=|notification| notification.id.clone() let:notification>
            <div class="notice" data-severity=notification.severity.name()>
                <p>{notification.message}</p>
                // Nobody touches a wall.
                {(state.view != View::Kiosk)
                    .then(|| {
                        view! {
                            <button type="button" on:click:capture=move |_| state.dismiss(&notification.id)>
                                {state.text(Text::Dismiss)}
                            </button>
                        }
                    })}
            </div>
        </For>
    }
}

/// All that was said since the page was opened, latest first.
#[component]
pub(crate) fn Drawer(
    /// What to show.
    state: PageState,
) -> impl IntoView {
    let said = move || -> Vec<SystemNotification> {
        if state.drawer.get() {
            state.banners.read().said()
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
            aria-label=state.text(Text::Messages)
            hidden=move || !state.drawer.get()
        >
            <ul>
                <For each=said key=|notification| notification.id.clone() let:notification>
                    <li data-severity=notification.severity.name()>
                        <time datetime=notification
                            .timestamp
                            .clone()>{state.time(&notification.timestamp)}</time>
                        <span>{notification.message}</span>
                    </li>
                </For>
            </ul>
            <p
                class="quiet"
                inner_html=words(move || {
                    let is_empty = state.banners.with(|it| it.said().is_empty());
                    if is_empty { state.text(Text::NoMessages) } else { String::new() }
                })
            ></p>
        </section>
    }
}
