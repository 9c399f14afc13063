//! The top of the page: title, number of players, whether it is live.

use leptos::prelude::*;

use super::{mark::Mark, reactive_text::reactive_text};
use crate::{
    format::age,
    state::{PageState, Status},
    texts::Text,
};

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Connecting => "connecting",
            Status::Live => "live",
            Status::Refreshing => "refreshing",
            Status::Reconnecting => "reconnecting",
            Status::Offline => "offline",
        }
    }

    fn label(self) -> Text {
        match self {
            Status::Connecting => Text::Connecting,
            Status::Live => Text::Live,
            Status::Refreshing | Status::Reconnecting => Text::NotLive,
            Status::Offline => Text::Offline,
        }
    }
}

/// Title, number of players, status of the connection.
#[component]
pub(crate) fn Header(
    /// What to show.
    state: PageState,
) -> impl IntoView {
    let connection = state.connection;
    let status = connection.status;
    let players = move || state.settings.players(state.board.shown().total.get());
    let label = move || {
        state.settings.text(if state.pause.is_on.get() {
            Text::Paused
        } else {
            status.get().label()
        })
    };
    let detail = move || match status.get() {
        Status::Live if connection.delay.get() > 0 && !state.pause.is_on.get() => {
            format!("{} ms", connection.delay.get())
        }
        lost if lost.is_lost() => state
            .settings
            .with(Text::Old, &[("n", &age(connection.age.get()))]),
        _ => String::new(),
    };
    let title = move || match status.get() {
        lost if lost.is_lost() => state
            .settings
            .with(Text::NotLiveSince, &[("n", &connection.lost_at.get())]),
        _ => state.settings.text(Text::DelayTitle),
    };
    view! {
        <header class="masthead">
            <Mark />
            <div class="titles">
                <h1>{state.settings.title()}</h1>
                <p class="players" inner_html=reactive_text(players)></p>
            </div>
            <p
                class="status needs-scripts"
                data-connection=move || status.get().name()
                data-paused=move || state.pause.is_on.get().then_some("")
                title=title
            >
                <span class="dot" aria-hidden="true"></span>
                <span class="label" inner_html=reactive_text(label)></span>
                <span class="age" inner_html=reactive_text(detail)></span>
            </p>
            <p class="why-not-live needs-scripts" hidden=move || connection.reason.with(String::is_empty)>
                {move || connection.reason.get()}
            </p>
        </header>
    }
}
