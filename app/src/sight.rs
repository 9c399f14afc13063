//! Is the row of whoever is signed in on the screen? The dock says what stands there
//! only while it is not.

use std::{cell::Cell, rc::Rc};

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{IntersectionObserver, IntersectionObserverEntry, IntersectionObserverInit};

use crate::state::PageState;

/// What lies under the dock is not seen.
const MARGIN: &str = "0px 0px -80px 0px";
const OWN_ROW: &str = "#board [data-you]";

/// Looks for as long as the page is open.
pub(crate) fn watch(state: PageState) {
    let seen = Closure::<dyn FnMut(JsValue)>::new(move |entries: JsValue| {
        // The latest is what is so now.
        let entry = js_sys::Array::from(&entries).pop();
        let entry: IntersectionObserverEntry = entry.unchecked_into();
        state.you.in_sight.set(entry.is_intersecting());
    });
    let options = IntersectionObserverInit::new();
    options.set_root_margin(MARGIN);
    // A browser that cannot say shows the dock whole.
    let callback = seen.as_ref().unchecked_ref();
    let Ok(observer) = IntersectionObserver::new_with_options(callback, &options) else {
        return;
    };
    seen.forget();
    // Another user's row is another one.
    let listed = Memo::new(move |_| state.listed_id().unwrap_or_default());
    // A page that nobody sees draws no frames: what waits for one must not pile up.
    let is_waiting = Rc::new(Cell::new(false));
    Effect::new(move |_| {
        observer.disconnect();
        state.you.in_sight.set(false);
        if listed.with(String::is_empty) || is_waiting.replace(true) {
            return;
        }
        let (observer, is_waiting) = (observer.clone(), is_waiting.clone());
        // The row is there when everything that has changed is.
        request_animation_frame(move || {
            is_waiting.set(false);
            if let Ok(Some(row)) = document().query_selector(OWN_ROW) {
                observer.observe(&row);
            }
        });
    });
}
