//! The page as a whole.

use leptos::prelude::*;

use super::{board::Board, header::Header, notice::Notices, you::You};
use crate::{state::PageState, wire::PageSnapshot};

/// The page. On the server its snapshot comes from the context, in the browser
/// from what the server wrote into the document: both render the same.
#[component]
pub(crate) fn App() -> impl IntoView {
    let snapshot = SharedValue::new(expect_context::<PageSnapshot>).into_inner();
    #[cfg(feature = "hydrate")]
    let token = (snapshot.token.clone(), snapshot.expires_in);
    let state = PageState::new(snapshot);
    let board = NodeRef::<leptos::html::Ol>::new();

    // Effects run in the browser alone, after hydration.
    #[cfg(feature = "hydrate")]
    Effect::new(move || crate::socket::connect(state, board, token.clone()));

    view! {
        <div class="page">
            <div>
                <Header state />
                <Notices state />
            </div>
            <main>
                <Board state node=board />
            </main>
            <You state />
        </div>
    }
}
