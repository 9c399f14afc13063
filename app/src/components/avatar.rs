//! A small picture of a user.

use leptos::prelude::*;

use super::reactive_text::reactive_text;
use crate::format::{hue, initials};

/// The picture of a user, or the initials on a colour of their own. A picture that cannot be
/// loaded leaves the colour.
#[component]
pub(crate) fn Avatar(
    /// Whose picture it is.
    user_id: String,
    /// The name, for the initials.
    #[prop(into)]
    username: Signal<String>,
    /// The address of a picture that may be shown.
    #[prop(into)]
    avatar: Signal<Option<String>>,
) -> impl IntoView {
    let style = format!("--hue: {}", hue(&user_id));
    view! {
        <span class="avatar notranslate" translate="no" style=style aria-hidden="true">
            <span inner_html=reactive_text(move || initials(&username.get()))></span>
            {move || {
                avatar
                    .get()
                    .map(|address| {
                        view! { <img src=address alt="" loading="lazy" referrerpolicy="no-referrer" /> }
                    })
            }}
        </span>
    }
}
