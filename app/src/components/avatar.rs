//! A small picture of somebody.

use leptos::prelude::*;

use crate::format::{hue, initials};

/// The picture of a user, or the initials on a colour of their own.
#[component]
pub(crate) fn Avatar(
    /// Whose picture it is.
    user_id: String,
    /// The name, for the initials.
    #[prop(into)]
    username: Signal<String>,
    /// The address of a picture.
    #[prop(into)]
    avatar: Signal<Option<String>>,
) -> impl IntoView {
    let style = format!("--hue: {}", hue(&user_id));
    view! {
        <span class="avatar" style=style aria-hidden="true">
            {move || match avatar.get() {
                Some(address) => {
                    view! { <img src=address alt="" loading="lazy" referrerpolicy="no-referrer" /> }
                        .into_any()
                }
                None => initials(&username.get()).into_any(),
            }}
        </span>
    }
}
