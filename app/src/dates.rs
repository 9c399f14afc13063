//! Times of ISO 8601, as the page writes them: in UTC where it is rendered, and then in the
//! user's time zone.

/// A time as server and browser render it: `2030-01-01 12:00 UTC`.
pub(crate) fn utc(iso: &str) -> String {
    let minutes = iso.get(..16).unwrap_or(iso);
    let mut text = minutes.replace('T', " ");
    text.push_str(" UTC");
    text
}

#[cfg(feature = "hydrate")]
mod browser {
    use js_sys::Date;
    use leptos::prelude::window;
    use wasm_bindgen::JsValue;

    use crate::js::object;

    /// The user's own variant of the page's language, such as Austrian German.
    fn locale(language: &str) -> String {
        let own = window().navigator().language().unwrap_or_default();
        if own.starts_with(language) {
            own
        } else {
            language.to_owned()
        }
    }

    /// The time of day, in the user's time zone.
    pub(crate) fn time(iso: &str, language: &str) -> String {
        Date::new(&JsValue::from_str(iso))
            .to_locale_time_string(&locale(language))
            .into()
    }

    /// Day and time, in the user's time zone.
    pub(crate) fn day_and_time(iso: &str, language: &str) -> String {
        let style = object(&[("dateStyle", "full".into()), ("timeStyle", "long".into())]);
        Date::new(&JsValue::from_str(iso))
            .to_locale_string(&locale(language), &style)
            .into()
    }

    /// Milliseconds since 1970; not a number for what is no time.
    pub(crate) fn parse(iso: &str) -> f64 {
        Date::parse(iso)
    }

    /// ISO 8601, of milliseconds since 1970.
    pub(crate) fn iso(time: f64) -> String {
        Date::new(&time.into()).to_iso_string().into()
    }
}

/// The server knows no time zone of the user, and has no times of its own on a page.
#[cfg(not(feature = "hydrate"))]
mod server {
    pub(crate) fn time(iso: &str, _language: &str) -> String {
        super::utc(iso)
    }

    pub(crate) fn iso(_time: f64) -> String {
        String::new()
    }
}

#[cfg(feature = "hydrate")]
pub(crate) use browser::*;
#[cfg(not(feature = "hydrate"))]
pub(crate) use server::*;
