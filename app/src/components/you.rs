//! Where whoever is signed in stands, and what is in reach.

use leptos::prelude::*;

use super::{avatar::Avatar, words::words};
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
    let user_id = Memo::new(move |_| {
        let id = |you: &Option<UserScore>| you.as_ref().map(|you| you.user_id.clone());
        state.you.shown.with(id).unwrap_or_default()
    });
    // What was opened or built for one user is not for the next.
    move || {
        let user_id = user_id.get();
        (!user_id.is_empty()).then(|| view! { <Standing state user_id /> })
    }
}

#[component]
fn Standing(
    /// What to show.
    state: PageState,
    /// Of whom.
    user_id: String,
) -> impl IntoView {
    let part = move |part: fn(PageState, &UserScore) -> String| {
        Memo::new(move |_| {
            let part = |you: &Option<UserScore>| you.as_ref().map(|you| part(state, you));
            state.you.shown.with(part).unwrap_or_default()
        })
    };
    let username = part(|_, you| you.username.clone());
    let rank = part(|state, you| match you.rank {
        Some(rank) => format!("#{}", state.number(rank.cast_signed())),
        None => "–".into(),
    });
    let score = part(|state, you| you.score.map_or("–".into(), |score| state.number(score)));
    let avatar = Memo::new(move |_| {
        let avatar = state.you.shown.with(|you| you.as_ref()?.avatar.clone());
        state.shown_picture(avatar)
    });
    let reach = Memo::new(move |_| state.reach());
    let hint = move || {
        let passed = state.you.passed.get();
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
            data-in-sight=move || state.you.in_sight.get().then_some("")
        >
            <div class="you-line you-standing">
                <Avatar user_id username avatar />
                <bdi
                    class="you-name notranslate"
                    translate="no"
                    inner_html=words(move || username.get())
                ></bdi>
                <p class="you-figure">
                    <span class="you-label">{state.text(Text::Place)}</span>
                    <span
                        class="notranslate"
                        translate="no"
                        data-field="rank"
                        inner_html=words(move || rank.get())
                    ></span>
                </p>
                <p class="you-figure">
                    <span class="you-label">{state.text(Text::Score)}</span>
                    <span
                        class="notranslate"
                        translate="no"
                        data-field="score"
                        style=move || fitted(&score.get())
                        inner_html=words(move || score.get())
                    ></span>
                </p>
            </div>
            <div class="you-line you-reach">
                <p class="you-hints">
                    <span
                        class="you-hint"
                        data-passed=move || state.you.passed.with(|it| !it.is_empty()).then_some("")
                        inner_html=words(hint)
                    ></span>
                    <span
                        class="you-hint you-cushion"
                        inner_html=words(move || reach.get().1)
                    ></span>
                </p>
                <details>
                    <summary>{state.text(Text::AroundYou)}</summary>
                    <ol role="list" class="around">
                        {move || {
                            let rows = state.you.around.get();
                            rows.into_iter().map(|row| neighbour(state, row)).collect_view()
                        }}
                    </ol>
                </details>
                <form method="post" action=state.link("/sign-out")>
                    <button type="submit">{state.text(Text::SignOut)}</button>
                </form>
            </div>
        </aside>
    }
}

fn neighbour(state: PageState, row: ScoreRow) -> impl IntoView {
    let is_you = state
        .you
        .shown
        .with_untracked(|you| you.as_ref().is_some_and(|you| you.user_id == row.user_id));
    view! {
        <li class="notranslate" translate="no" aria-current=is_you.then_some("true")>
            <span>{format!("#{}", state.number(row.rank.cast_signed()))}</span>
            <bdi>{row.username}</bdi>
            <span>{state.number(row.score)}</span>
        </li>
    }
}
