//! A small picture of somebody.

use leptos::prelude::*;

use crate::{
    format::{hue, initials},
    state::PageState,
};

/// The picture of a user, or the initials on a colour of their own. A picture that
/// does not come leaves the colour.
#[component]
pub(crate) fn Avatar(
    /// Whose pictures are shown.
    state: PageState,
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
    let address = move || avatar.get().filter(|address| state.shows_picture(address));
    view! {
        <span class="avatar" style=style aria-hidden="true">
            {move || initials(&username.get())}
            {move || {
                address()
                    .map(|address| {
                        view! { <img src=address alt="" loading="lazy" referrerpolicy="no-referrer" /> }
                    })
            }}
        </span>
    }
}
