//! What the script of the page calls (`server/boot.js`).

use leptos::{mount::hydrate_from, prelude::*};
use wasm_bindgen::{JsCast, prelude::wasm_bindgen, throw_str};

use crate::{components::App, motion, reading, sight, socket, state::PageState, wire::View};

/// Brings the page to life as the server rendered it. It panics where others have
/// changed that, and the script then has another instance try with another rendering.
/// So what goes on by itself begins when all else is done: where it is not, nothing does.
#[wasm_bindgen]
pub fn hydrate() {
    // Its words are a part of the page that only developers read.
    #[cfg(debug_assertions)]
    console_error_panic_hook::set_once();
    let root = document().get_element_by_id("app");
    let root = root.and_then(|root| root.dyn_into().ok());
    let (Some(root), Some(snapshot)) = (root, reading::snapshot()) else {
        throw_str("what the page begins with is missing, or of another version");
    };
    let token = (snapshot.token.clone(), snapshot.expires_in);
    let owner = Owner::new();
    owner.with(|| {
        let (state, board) = (PageState::new(snapshot), NodeRef::new());
        hydrate_from(root, move || view! { <App state board /> }).forget();
        socket::connect(state, board, token);
        state.tell_start_in_own_time();
        match state.view {
            View::Whole => sight::watch(state),
            View::Kiosk => motion::page_by_itself(),
            View::Embed => {}
        }
    });
    // For as long as the page lives.
    std::mem::forget(owner);
}
