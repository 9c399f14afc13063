//! Where whoever is signed in stands, and what is in reach.

use leptos::prelude::*;

use super::avatar::Avatar;
use crate::{
    format::fitted,
    state::PageState,
    texts::Text,
    wire::{ScoreRow, UserScore},
};

/// What is in reach of you, and your own place and score while your row is not in
/// view. Nothing for a viewer.
#[component]
pub(crate) fn You(
    /// What to show.
    state: PageState,
) -> impl IntoView {
    let signed_in = Memo::new(move |_| state.you.with(Option::is_some));
    view! {
        <Show when=move || signed_in.get()>
            <Standing state />
        </Show>
    }
}

#[component]
fn Standing(state: PageState) -> impl IntoView {
    let part = move |part: fn(PageState, &UserScore) -> String| {
        Memo::new(move |_| {
            state
                .you
                .with(|you| you.as_ref().map(|you| part(state, you)).unwrap_or_default())
        })
    };
    let username = part(|_, you| you.username.clone());
    let rank = part(|state, you| match you.rank {
        Some(rank) => format!("#{}", state.number(rank.cast_signed())),
        None => "–".into(),
    });
    let score = part(|state, you| you.score.map_or("–".into(), |score| state.number(score)));
    let avatar = Memo::new(move |_| {
        let avatar = state.you.with(|you| you.as_ref()?.avatar.clone());
        state.shown_picture(avatar)
    });
    let user_id = state.you.with_untracked(|you| {
        let id = you.as_ref().map(|you| you.user_id.clone());
        id.unwrap_or_default()
    });
    let reach = Memo::new(move |_| state.reach());
    let hint = move || {
        let passed = state.passed.get();
        if passed.is_empty() {
            reach.get().0
        } else {
            passed
        }
    };
    view! {
        <aside
            class="you"
            aria-label=state.text(Text::You)
            id="you"
            data-in-sight=move || state.in_sight.get().then_some("")
        >
            <div class="you-line you-standing">
                <Avatar user_id username avatar />
                <bdi class="you-name">{username}</bdi>
                <p class="you-figure">
                    <span class="you-label">{state.text(Text::Place)}</span>
                    <span data-field="rank">{rank}</span>
                </p>
                <p class="you-figure">
                    <span class="you-label">{state.text(Text::Score)}</span>
                    <span data-field="score" style=move || fitted(&score.get())>
                        {score}
                    </span>
                </p>
            </div>
            <div class="you-line you-reach">
                <p class="you-hints">
                    <span
                        class="you-hint"
                        data-passed=move || state.passed.with(|it| !it.is_empty()).then_some("")
                    >
                        {hint}
                    </span>
                    <span class="you-hint you-cushion">{move || reach.get().1}</span>
                </p>
                <details>
                    <summary>{state.text(Text::AroundYou)}</summary>
                    <ol role="list" class="around">
                        {move || {
                            let rows = state.around.get();
                            rows.into_iter().map(|row| neighbour(state, row)).collect_view()
                        }}
                    </ol>
                </details>
                <form method="post" action="/sign-out">
                    <button type="submit">{state.text(Text::SignOut)}</button>
                </form>
            </div>
        </aside>
    }
}

fn neighbour(state: PageState, row: ScoreRow) -> impl IntoView {
    let is_you = state
        .you
        .with_untracked(|you| you.as_ref().is_some_and(|you| you.user_id == row.user_id));
    view! {
        <li aria-current=is_you.then_some("true")>
            <span>{format!("#{}", state.number(row.rank.cast_signed()))}</span>
            <bdi>{row.username}</bdi>
            <span>{state.number(row.score)}</span>
        </li>
    }
}
