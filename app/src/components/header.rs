//! The top of the page: what this is, how many play, and whether it is live.

use leptos::prelude::*;

use crate::{
    format::{age, grouped},
    state::{Connection, PageState},
};

impl Connection {
    fn name(self) -> &'static str {
        match self {
            Connection::Connecting => "connecting",
            Connection::Live => "live",
            Connection::Reconnecting => "reconnecting",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Connection::Connecting => "Connecting",
            Connection::Live => "Live",
            Connection::Reconnecting => "Reconnecting",
        }
    }
}

/// Title, number of players, state of the connection.
#[component]
pub(crate) fn Header(
    /// What to show.
    state: PageState,
) -> impl IntoView {
    let connection = state.connection;
    let players = move || match state.total.get() {
        1 => "1 player".to_owned(),
        total => format!("{} players", grouped(total.cast_signed())),
    };
    let is_stale = move || connection.get().is_stale();
    view! {
        <header class="masthead">
            <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
                <rect x="1" y="11" width="6" height="11" rx="1.5" />
                <rect x="9" y="3" width="6" height="19" rx="1.5" />
                <rect x="17" y="15" width="6" height="7" rx="1.5" />
            </svg>
            <div class="min-w-0 flex-1">
                <h1>{state.title.get_value()}</h1>
                <p class="players">{players}</p>
            </div>
            <p
                class="status needs-scripts"
                role="status"
                data-connection=move || connection.get().name()
            >
                <span class="dot" aria-hidden="true"></span>
                <span class="label">{move || connection.get().label()}</span>
                // Read out, it would be so every second.
                <Show when=is_stale>
                    <span class="age" aria-hidden="true">
                        {move || format!("{} old", age(state.age.get()))}
                    </span>
                </Show>
            </p>
        </header>
    }
}
