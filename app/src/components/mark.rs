//! The mark of Podium.

use leptos::prelude::*;

/// Three steps, of which the middle one is highest.
#[component]
pub(crate) fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
            <rect x="1" y="11" width="6" height="11" rx="1.5" />
            <rect x="9" y="3" width="6" height="19" rx="1.5" />
            <rect x="17" y="15" width="6" height="7" rx="1.5" />
        </svg>
    }
}
