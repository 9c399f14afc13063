//! Is the row of the signed-in user in the viewport? The dock shows their rank and score only
//! while it is not.

use std::{cell::Cell, rc::Rc};

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{IntersectionObserver, IntersectionObserverEntry, IntersectionObserverInit};

use crate::state::PageState;

/// The dock covers the lower end of the viewport.
const MARGIN: &str = "0px 0px -80px 0px";
const OWN_ROW: &str = "#board [data-you]";

/// Observes the row for as long as the page is open.
pub(crate) fn observe(state: PageState) {
    let observed = Closure::<dyn FnMut(JsValue)>::new(move |entries: JsValue| {
        // The latest is valid now.
        let entry = js_sys::Array::from(&entries).pop();
        let entry: IntersectionObserverEntry = entry.unchecked_into();
        state.you.is_row_visible.set(entry.is_intersecting());
    });
    let options = IntersectionObserverInit::new();
    options.set_root_margin(MARGIN);
    // A browser without it shows the dock whole.
    let callback = observed.as_ref().unchecked_ref();
    let Ok(observer) = IntersectionObserver::new_with_options(callback, &options) else {
        return;
    };
    observed.forget();
    // Another user's row is another one.
    let listed = Memo::new(move |_| state.you.listed_id().unwrap_or_default());
    // A hidden page draws no frames: callbacks that wait for one must not pile up.
    let is_waiting = Rc::new(Cell::new(false));
    Effect::new(move |_| {
        observer.disconnect();
        state.you.is_row_visible.set(false);
        if listed.with(String::is_empty) || is_waiting.replace(true) {
            return;
        }
        let (observer, is_waiting) = (observer.clone(), is_waiting.clone());
        // The row is in the document once all changes are.
        request_animation_frame(move || {
            is_waiting.set(false);
            if let Ok(Some(row)) = document().query_selector(OWN_ROW) {
                observer.observe(&row);
            }
        });
    });
}
