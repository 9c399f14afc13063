//! The browser's time, and what is done later. On the server nobody asks for either.

use std::time::Duration;

/// A moment as both sides write it: `2030-01-01 12:00 UTC`.
pub(crate) fn utc(iso: &str) -> String {
    let minutes = iso.get(..16).unwrap_or(iso);
    format!("{} UTC", minutes.replace('T', " "))
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::Duration;
    use crate::socket::LONGEST_TIMER;
    use js_sys::Date;
    use leptos::prelude::{document, set_timeout, window};
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::HtmlElement;

    /// The reader's own kind of the page's language, such as Austria's German.
    fn locale(language: &str) -> String {
        let own = window().navigator().language().unwrap_or_default();
        if own.starts_with(language) {
            own
        } else {
            language.to_owned()
        }
    }

    /// The time of day of a moment, where the reader is.
    pub(crate) fn time(iso: &str, language: &str) -> String {
        Date::new(&JsValue::from_str(iso))
            .to_locale_time_string(&locale(language))
            .into()
    }

    /// The time of day.
    pub(crate) fn now(language: &str) -> String {
        Date::new_0()
            .to_locale_time_string(&locale(language))
            .into()
    }

    /// Day and time of a moment, where the reader is.
    pub(crate) fn day_and_time(iso: &str, language: &str) -> String {
        let style = js_sys::Object::new();
        for (name, value) in [("dateStyle", "full"), ("timeStyle", "long")] {
            // Setting a field of a plain object cannot fail.
            _ = js_sys::Reflect::set(&style, &name.into(), &value.into());
        }
        Date::new(&JsValue::from_str(iso))
            .to_locale_string(&locale(language), &style)
            .into()
    }

    /// How long it is until a moment, if a timer can wait for it.
    pub(crate) fn until(iso: &str) -> Option<Duration> {
        let wait = (Date::parse(iso) - Date::now()).max(0.0);
        (wait < LONGEST_TIMER).then(|| Duration::from_millis(wait as u64))
    }

    /// Does something when this time has passed.
    pub(crate) fn later(wait: Duration, what: impl FnOnce() + 'static) {
        set_timeout(what, wait);
    }

    /// Puts the focus on the first element of the first selector that has one, when the
    /// document has changed.
    pub(crate) fn focus_after(selectors: &'static [&'static str]) {
        let focus = move || {
            let find = |selector: &&str| document().query_selector(selector).ok().flatten();
            let element = selectors.iter().find_map(find);
            if let Some(element) = element.and_then(|it| it.dyn_into::<HtmlElement>().ok()) {
                // Nothing to focus is nothing to mend.
                _ = element.focus();
            }
        };
        set_timeout(focus, Duration::ZERO);
    }
}

#[cfg(not(feature = "hydrate"))]
mod server {
    use super::Duration;

    pub(crate) fn time(iso: &str, _language: &str) -> String {
        super::utc(iso)
    }

    pub(crate) fn now(_language: &str) -> String {
        String::new()
    }

    pub(crate) fn later(_wait: Duration, _what: impl FnOnce() + 'static) {}

    pub(crate) fn focus_after(_selectors: &'static [&'static str]) {}
}

#[cfg(feature = "hydrate")]
pub(crate) use browser::*;
#[cfg(not(feature = "hydrate"))]
pub(crate) use server::*;
