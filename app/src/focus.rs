//! The keyboard focus, where its element is removed.

/// Moves the focus to the first element of the first selector that has one, once the
/// document has changed.
#[cfg(feature = "hydrate")]
pub(crate) fn move_to(selectors: &'static [&'static str]) {
    use leptos::prelude::document;
    use wasm_bindgen::JsCast;
    use web_sys::HtmlElement;

    let focus = move || {
        let find = |selector: &&str| document().query_selector(selector).ok().flatten();
        let element = selectors.iter().find_map(find);
        if let Some(element) = element.and_then(|it| it.dyn_into::<HtmlElement>().ok()) {
            // An element that takes no focus breaks nothing.
            _ = element.focus();
        }
    };
    crate::timers::after(std::time::Duration::ZERO, focus);
}

/// A document that is rendered has no focus.
#[cfg(not(feature = "hydrate"))]
pub(crate) fn move_to(_selectors: &'static [&'static str]) {}
