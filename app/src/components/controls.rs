//! The controls of the board: pause, comparison, messages.

use leptos::prelude::*;

use super::reactive_text::reactive_text;
use crate::{state::PageState, texts::Text};

/// The buttons beneath the title.
#[component]
pub(crate) fn Controls(
    /// What they act on.
    state: PageState,
) -> impl IntoView {
    let pause = move || {
        state.settings.text(if state.pause.is_on.get() {
            Text::Resume
        } else {
            Text::Pause
        })
    };
    let waiting = move || match state.pause.waiting.get() {
        0 => String::new(),
        n => state.settings.with(
            Text::Waiting,
            &[("n", &state.settings.number(n.cast_signed()))],
        ),
    };
    let since = move || {
        state
            .board
            .compared_since
            .with(|since| match since.as_str() {
                "" => state.settings.text(Text::PlacesSinceOpened),
                time => state.settings.with(Text::PlacesSince, &[("n", time)]),
            })
    };
    view! {
        <div class="controls needs-scripts">
            <button
                type="button"
                class="control"
                data-paused=move || state.pause.is_on.get().then_some("")
                on:click:capture=move |_| state.pause.toggle()
                inner_html=reactive_text(pause)
            ></button>
            <span class="waiting" inner_html=reactive_text(waiting)></span>
            <span class="since" inner_html=reactive_text(since)></span>
            <button type="button" class="control" on:click:capture=move |_| state.compare_from_now()>
                {state.settings.text(Text::CompareFromNow)}
            </button>
            <button
                type="button"
                class="control"
                aria-expanded=move || if state.notifications.is_drawer_open.get() { "true" } else { "false" }
                aria-controls="messages"
                on:click:capture=move |_| state.notifications.is_drawer_open.update(|open| *open = !*open)
            >
                {state.settings.text(Text::Messages)}
            </button>
        </div>
    }
}
