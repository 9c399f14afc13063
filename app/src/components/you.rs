//! Where whoever is signed in stands.

use leptos::prelude::*;

use super::avatar::Avatar;
use crate::{
    format::{fitted, grouped},
    state::PageState,
    wire::UserScore,
};

/// Your own place and score, always in view. Nothing for a viewer.
#[component]
pub(crate) fn You(
    /// What to show.
    state: PageState,
) -> impl IntoView {
    let signed_in = Memo::new(move |_| state.you.with(Option::is_some));
    view! {
        <Show when=move || signed_in.get()>
            <Place state />
        </Show>
    }
}

#[component]
fn Place(state: PageState) -> impl IntoView {
    let part = move |part: fn(&UserScore) -> String| {
        Memo::new(move |_| {
            state
                .you
                .with(|you| you.as_ref().map(part).unwrap_or_default())
        })
    };
    let username = part(|you| you.username.clone());
    let rank = part(|you| match you.rank {
        Some(rank) => format!("#{}", grouped(rank.cast_signed())),
        None => "–".into(),
    });
    let score = part(|you| you.score.map_or("–".into(), grouped));
    let avatar = Memo::new(move |_| state.you.with(|you| you.as_ref()?.avatar.clone()));
    let user_id = state.you.with_untracked(|you| {
        let id = you.as_ref().map(|you| you.user_id.clone());
        id.unwrap_or_default()
    });
    view! {
        <aside class="you" aria-label="You" id="you">
            <Avatar user_id username avatar />
            <p class="min-w-0 flex-1">
                <bdi class="you-name">{username}</bdi>
                <span class="you-hint">"This is you"</span>
            </p>
            <p class="you-figure">
                <span class="you-label">"Place"</span>
                <span data-field="rank">{rank}</span>
            </p>
            <p class="you-figure">
                <span class="you-label">"Points"</span>
                <span data-field="score" style=move || fitted(&score.get())>
                    {score}
                </span>
            </p>
            <form method="post" action="/sign-out">
                <button type="submit">"Sign out"</button>
            </form>
        </aside>
    }
}
