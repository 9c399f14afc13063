//! What the script of the page calls (`server/boot.js`).

use leptos::{mount::hydrate_from, prelude::*};
use wasm_bindgen::{JsCast, prelude::wasm_bindgen, throw_str};

use crate::{
    client, components::App, decode, kiosk, race_chart, state::PageState, viewport, wire::View,
};

/// Hydrates the page as the server rendered it. It panics where others, such as extensions,
/// have changed that; the script then starts another instance with another rendering. So
/// timers, events and effects begin last: after a panic there are none.
#[wasm_bindgen]
pub fn hydrate() {
    // Only developers read its messages, which are a part of the page.
    #[cfg(debug_assertions)]
    console_error_panic_hook::set_once();
    let root = document().get_element_by_id("app");
    let root = root.and_then(|root| root.dyn_into().ok());
    let (Some(root), Some(snapshot)) = (root, decode::snapshot()) else {
        throw_str("the snapshot of the page is missing, or of another version");
    };
    let token = (snapshot.token.clone(), snapshot.expires_in);
    let owner = Owner::new();
    owner.with(|| {
        let (state, list) = (PageState::new(snapshot), NodeRef::new());
        hydrate_from(root, move || view! { <App state list /> }).forget();
        client::start(state, list, token);
        state.start.localise(state.settings);
        match state.settings.view {
            View::Whole => {
                viewport::observe(state);
                race_chart::follow(state);
            }
            View::Kiosk => kiosk::scroll(),
            View::Embed => {}
        }
    });
    // For as long as the page is open.
    std::mem::forget(owner);
}
