//! What is alive on the page.

use leptos::prelude::*;

use super::{
    board::Board,
    controls::Controls,
    header::Header,
    notice::{Drawer, Notices},
    you::You,
};
use crate::{
    state::PageState,
    texts::Text,
    wire::{PageSnapshot, View},
};

/// The board and what belongs to it. Server and browser render the same, because
/// both have the same snapshot.
#[component]
pub(crate) fn App(
    /// What is known at first.
    snapshot: PageSnapshot,
) -> impl IntoView {
    #[cfg(feature = "hydrate")]
    let token = (snapshot.token.clone(), snapshot.expires_in);
    let view = snapshot.view;
    let state = PageState::new(snapshot);
    let board = NodeRef::<leptos::html::Ol>::new();

    // Effects run in the browser alone, after hydration.
    #[cfg(feature = "hydrate")]
    Effect::new(move || {
        crate::socket::connect(state, board, token.clone());
        state.tell_start_in_own_time();
        if view == View::Whole {
            crate::sight::watch(state);
        }
        if view == View::Kiosk {
            crate::motion::page_by_itself();
        }
    });

    let is_whole = view == View::Whole;
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
            <p class="sr-only" role="status">
                {move || state.summary.get()}
            </p>
        </div>
    }
}
