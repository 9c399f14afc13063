//! What a viewer can do to the board: hold it, and choose since when places count.

use leptos::prelude::*;

use super::words::words;
use crate::{state::PageState, texts::Text};

/// The buttons beneath the title.
#[component]
pub(crate) fn Controls(
    /// What they act on.
    state: PageState,
) -> impl IntoView {
    let pause = move || {
        state.text(if state.paused.get() {
            Text::Resume
        } else {
            Text::Pause
        })
    };
    let waiting = move || match state.waiting.get() {
        0 => String::new(),
        n => state.with(Text::Waiting, &[("n", &state.number(n.cast_signed()))]),
    };
    let since = move || {
        state.since.with(|since| match since.as_str() {
            "" => state.text(Text::PlacesSinceOpened),
            time => state.with(Text::PlacesSince, &[("n", time)]),
        })
    };
    view! {
        <div class="controls needs-scripts">
            <button
                type="button"
                class="control"
                data-paused=move || state.paused.get().then_some("")
                on:click:capture=move |_| state.toggle_pause()
                inner_html=words(pause)
            ></button>
            <span class="waiting" inner_html=words(waiting)></span>
            <span class="since" inner_html=words(since)></span>
            <button type="button" class="control" on:click:capture=move |_| state.compare_from_now()>
                {state.text(Text::CompareFromNow)}
            </button>
            <button
                type="button"
                class="control"
                aria-expanded=move || if state.drawer.get() { "true" } else { "false" }
                aria-controls="messages"
                on:click:capture=move |_| state.drawer.update(|open| *open = !*open)
            >
                {state.text(Text::Messages)}
            </button>
        </div>
    }
}
