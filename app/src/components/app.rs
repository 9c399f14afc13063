//! The live page.

use leptos::prelude::*;

use super::{
    board::Board,
    controls::Controls,
    header::Header,
    notice::{Drawer, Notices},
    reactive_text::reactive_text,
    you::You,
};
use crate::{state::PageState, texts::Text, wire::View};

/// The board and what belongs to it. Server and browser render the same, because both have
/// the same snapshot.
#[component]
pub(crate) fn App(
    /// What is shown.
    state: PageState,
    /// The list of rows, which motion needs.
    list: NodeRef<leptos::html::Ol>,
) -> impl IntoView {
    let is_whole = state.settings.view == View::Whole;
    // Nobody stands on a board of teams in person.
    let has_you = is_whole && !state.settings.is_of_teams;
    view! {
        <div class="live">
            {is_whole
                .then(|| {
                    view! {
                        <a class="skip" href="#board">
                            {state.settings.text(Text::SkipToBoard)}
                        </a>
                    }
                })}
            <Header state />
            {is_whole.then(|| view! { <Controls state /> })}
            {state
                .settings
                .link_failed
                .then(|| {
                    view! {
                        <div class="notice" data-severity="warning">
                            <p>{state.settings.text(Text::LinkFailed)}</p>
                        </div>
                    }
                })}
            {is_whole.then(|| view! { <Drawer state /> })}
            <main id="board" tabindex="-1">
                <Board state list />
            </main>
            <Notices state />
            {has_you.then(|| view! { <You state /> })}
            <p class="sr-only" role="status" inner_html=reactive_text(move || state.summary.text.get())></p>
        </div>
    }
}
