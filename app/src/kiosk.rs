//! The page of a kiosk scrolls by itself.

use std::time::Duration;

use leptos::prelude::{document, set_interval_with_handle, window};
use wasm_bindgen::JsValue;
use web_sys::{ScrollBehavior, ScrollToOptions};

use crate::motion;

/// How long one screen is shown.
const SCREEN: Duration = Duration::from_secs(10);

/// Shows one screen of the page after the other, for as long as it is open.
pub(crate) fn scroll() {
    let turn = || {
        let window = window();
        let height = |height: Result<JsValue, JsValue>| height.ok().and_then(|it| it.as_f64());
        let screen = height(window.inner_height()).unwrap_or_default();
        let here = window.scroll_y().unwrap_or_default();
        let length = document().document_element().map(|it| it.scroll_height());
        let is_end = here + screen + 1.0 >= length.map(f64::from).unwrap_or_default();
        let to = ScrollToOptions::new();
        to.set_top(if is_end { 0.0 } else { here + screen * 0.8 });
        to.set_behavior(if motion::is_reduced() {
            ScrollBehavior::Instant
        } else {
            ScrollBehavior::Smooth
        });
        window.scroll_to_with_scroll_to_options(&to);
    };
    // Without a timer the first screen stays.
    _ = set_interval_with_handle(turn, SCREEN);
}
