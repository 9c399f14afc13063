//! The dock: score and rank of the signed-in user, and what they can reach.

use leptos::prelude::*;

use super::{avatar::Avatar, reactive_text::reactive_text};
use crate::{
    format::fitted,
    state::PageState,
    texts::Text,
    wire::{ScoreRow, UserScore},
};

/// What the user can reach, and their rank and score while their row is not in the viewport.
/// Nothing for a viewer who is not signed in.
#[component]
pub(crate) fn You(
    /// What to show.
    state: PageState,
) -> impl IntoView {
    let user_id = Memo::new(move |_| {
        let id = |you: &Option<UserScore>| you.as_ref().map(|you| you.user_id.clone());
        state.you.shown().with(id).unwrap_or_default()
    });
    // Another user gets a dock of their own.
    move || {
        let user_id = user_id.get();
        (!user_id.is_empty()).then(|| view! { <Standing state user_id /> })
    }
}

#[component]
fn Standing(
    /// What to show.
    state: PageState,
    /// Whose score it is.
    user_id: String,
) -> impl IntoView {
    let part = move |part: fn(PageState, &UserScore) -> String| {
        Memo::new(move |_| {
            let part = |you: &Option<UserScore>| you.as_ref().map(|you| part(state, you));
            state.you.shown().with(part).unwrap_or_default()
        })
    };
    let username = part(|_, you| you.username.clone());
    let rank = part(|state, you| match you.rank {
        Some(rank) => format!("#{}", state.settings.number(rank.cast_signed())),
        None => "–".into(),
    });
    let score = part(|state, you| {
        you.score
            .map_or("–".into(), |score| state.settings.score(score))
    });
    let avatar = Memo::new(move |_| {
        let avatar = state.you.shown().with(|you| you.as_ref()?.avatar.clone());
        state.settings.picture(avatar)
    });
    let reach = Memo::new(move |_| state.you.reach());
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
            aria-label=state.settings.text(Text::You)
            id="you"
            data-in-sight=move || state.you.is_row_visible.get().then_some("")
        >
            <div class="you-line you-standing">
                <Avatar user_id username avatar />
                <bdi
                    class="you-name notranslate"
                    translate="no"
                    inner_html=reactive_text(move || username.get())
                ></bdi>
                <p class="you-figure">
                    <span class="you-label">{state.settings.text(Text::Place)}</span>
                    <span
                        class="notranslate"
                        translate="no"
                        data-field="rank"
                        inner_html=reactive_text(move || rank.get())
                    ></span>
                </p>
                <p class="you-figure">
                    <span class="you-label">{state.settings.score_name()}</span>
                    <span
                        class="notranslate"
                        translate="no"
                        data-field="score"
                        style=move || fitted(&score.get())
                        inner_html=reactive_text(move || score.get())
                    ></span>
                </p>
            </div>
            <div class="you-line you-reach">
                <p class="you-hints">
                    <span
                        class="you-hint"
                        data-passed=move || state.you.passed.with(|it| !it.is_empty()).then_some("")
                        inner_html=reactive_text(hint)
                    ></span>
                    <span
                        class="you-hint you-cushion"
                        inner_html=reactive_text(move || reach.get().1)
                    ></span>
                </p>
                <details>
                    <summary>{state.settings.text(Text::AroundYou)}</summary>
                    <ol role="list" class="around">
                        {move || {
                            let rows = state.you.around.get();
                            rows.into_iter().map(|row| neighbour(state, row)).collect_view()
                        }}
                    </ol>
                </details>
                <form method="post" action=state.settings.link("/sign-out")>
                    <button type="submit">{state.settings.text(Text::SignOut)}</button>
                </form>
            </div>
        </aside>
    }
}

fn neighbour(state: PageState, row: ScoreRow) -> impl IntoView {
    let is_you = state
        .you
        .shown()
        .with_untracked(|you| you.as_ref().is_some_and(|you| you.user_id == row.user_id));
    view! {
        <li class="notranslate" translate="no" aria-current=is_you.then_some("true")>
            <span>{format!("#{}", state.settings.number(row.rank.cast_signed()))}</span>
            <bdi>{row.username}</bdi>
            <span>{state.settings.score(row.score)}</span>
        </li>
    }
}
