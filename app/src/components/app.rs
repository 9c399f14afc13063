//! What is alive on the page.

use leptos::prelude::*;

use super::{
    board::Board,
    controls::Controls,
    header::Header,
    notice::{Drawer, Notices},
    words::words,
    you::You,
};
use crate::{state::PageState, texts::Text, wire::View};

/// The board and what belongs to it. Server and browser render the same, because
/// both have the same snapshot. What goes on by itself begins after it.
#[component]
pub(crate) fn App(
    /// What is shown.
    state: PageState,
    /// Where the rows are, for whoever moves them.
    board: NodeRef<leptos::html::Ol>,
) -> impl IntoView {
    let is_whole = state.view == View::Whole;
    view! {
        <div class="live">
            {is_whole
                .then(|| {
                    view! {
                        <a class="skip" href="#board">
                            {state.text(Text::SkipToBoard)}
                        </a>
                    }
                })}
            <Header state />
            {is_whole.then(|| view! { <Controls state /> })}
            {state
                .link_failed
                .get_value()
                .then(|| {
                    view! {
                        <div class="notice" data-severity="warning">
                            <p>{state.text(Text::LinkFailed)}</p>
                        </div>
                    }
                })}
            {is_whole.then(|| view! { <Drawer state /> })}
            <main id="board" tabindex="-1">
                <Board state node=board />
            </main>
            <Notices state />
            {is_whole.then(|| view! { <You state /> })}
            <p class="sr-only" role="status" inner_html=words(move || state.summary.get())></p>
        </div>
    }
}
