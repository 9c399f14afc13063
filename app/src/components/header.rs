//! The top of the page: what this is, how many play, and how fresh it is.

use leptos::prelude::*;

use super::{mark::Mark, words::words};
use crate::{
    format::age,
    state::{Connection, PageState},
    texts::Text,
};

impl Connection {
    fn name(self) -> &'static str {
        match self {
            Connection::Connecting => "connecting",
            Connection::Live => "live",
            Connection::Refreshing => "refreshing",
            Connection::Reconnecting => "reconnecting",
            Connection::Offline => "offline",
        }
    }

    fn label(self) -> Text {
        match self {
            Connection::Connecting => Text::Connecting,
            Connection::Live => Text::Live,
            Connection::Refreshing | Connection::Reconnecting => Text::NotLive,
            Connection::Offline => Text::Offline,
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
    let players = move || state.players(state.total.get());
    let label = move || {
        state.text(if state.paused.get() {
            Text::Paused
        } else {
            connection.get().label()
        })
    };
    let detail = move || match connection.get() {
        Connection::Live if state.delay.get() > 0 && !state.paused.get() => {
            format!("{} ms", state.delay.get())
        }
        lost if lost.is_lost() => state.with(Text::Old, &[("n", &age(state.age.get()))]),
        _ => String::new(),
    };
    let title = move || match connection.get() {
        lost if lost.is_lost() => state.with(Text::NotLiveSince, &[("n", &state.lost_at.get())]),
        _ => state.text(Text::DelayTitle),
    };
    view! {
        <header class="masthead">
            <Mark />
            <div class="titles">
                <h1>{state.title.get_value()}</h1>
                <p class="players" inner_html=words(players)></p>
            </div>
            <p
                class="status needs-scripts"
                data-connection=move || connection.get().name()
                data-paused=move || state.paused.get().then_some("")
                title=title
            >
                <span class="dot" aria-hidden="true"></span>
                <span class="label" inner_html=words(label)></span>
                <span class="age" inner_html=words(detail)></span>
            </p>
            <p class="why-not-live needs-scripts" hidden=move || state.not_live.with(String::is_empty)>
                {move || state.not_live.get()}
            </p>
        </header>
    }
}
