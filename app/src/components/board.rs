//! The board: rows in order, the first three on a podium.

use leptos::prelude::*;

use super::{avatar::Avatar, words::words};
use crate::{
    format::{fitted, share},
    state::{Gap, PageState, RowState},
    texts::Text,
};

/// The rows of the visible board. A row is built once for each user and moves
/// with them.
#[component]
pub(crate) fn Board(
    /// What to show.
    state: PageState,
    /// Where the rows are, for whoever moves them.
    node: NodeRef<leptos::html::Ol>,
) -> impl IntoView {
    let empty = move || state.rows.with(Vec::is_empty);
    let page = state.page();
    view! {
        <Show when=move || state.is_before_start()>
            <section class="start">
                <p inner_html=words(move || {
                    state.with(Text::StartsAt, &[("n", &state.starts.get())])
                })></p>
                <p class="quiet">{state.text(Text::BeforeStart)}</p>
            </section>
        </Show>
        <ol
            class="board"
            // Safari forgets that a list without markers is one.
            role="list"
            aria-label=state.text(Text::Leaderboard)
            data-podium=move || {
                (page.is_none() && !state.is_before_start()).then_some("")
            }
            data-stale=move || state.connection.get().is_stale().then_some("")
            data-paused=move || state.paused.get().then_some("")
            node_ref=node
        >
            <For each=move || state.rows.get() key=|row| row.user_id.clone() let:row>
                <BoardRow state row />
            </For>
        </ol>
        <Show when=empty>
            <section class="message">
                <h2>
                    {state.text(if page.is_none() { Text::NobodyYet } else { Text::NoneHere })}
                </h2>
                <p>{page.is_none().then(|| state.text(Text::FirstAppear))}</p>
            </section>
        </Show>
    }
}

#[component]
fn BoardRow(
    /// What is shown besides.
    state: PageState,
    /// Whose row it is, and what stands there.
    row: RowState,
) -> impl IntoView {
    let RowState {
        user_id,
        username,
        avatar,
        score,
        rank,
        gap,
        first_rank,
    } = row;
    let picture = Signal::derive(move || state.shown_picture(avatar.get()));
    let is_you = Memo::new({
        let user_id = user_id.clone();
        move |_| {
            state
                .you
                .shown
                .with(|you| you.as_ref().is_some_and(|you| you.user_id == user_id))
        }
    });
    let leads = {
        let user_id = user_id.clone();
        move || state.crowned.with(|crowned| *crowned == user_id)
    };
    let medal = {
        let rank = rank.clone();
        // Before the start nobody has won anything.
        move || match rank.get() {
            _ if state.is_before_start() => None,
            1 => Some("gold"),
            2 => Some("silver"),
            3 => Some("bronze"),
            _ => None,
        }
    };
    let bar = {
        let score = score.clone();
        move || format!("--share: {}", share(score.get(), state.leader.get()))
    };
    let points = Memo::new(move |_| state.number(score.get()));
    let behind = move || match gap.get() {
        Gap::First => String::new(),
        Gap::Level => state.text(Text::Level),
        Gap::Behind(n) => state.with(Text::Behind, &[("n", &state.number(n))]),
    };
    let gain = {
        let rank = rank.clone();
        Memo::new(move |_| first_rank.get().cast_signed() - rank.get().cast_signed())
    };
    let tag = Memo::new(move |_| match (is_you.get(), leads()) {
        (_, true) => state.text(Text::NewLeader),
        (true, _) => state.text(Text::You),
        _ => String::new(),
    });
    view! {
        <li
            class="row"
            data-user-id=user_id.clone()
            data-medal=medal
            data-you=move || is_you.get().then_some("")
            style=bar
        >
            <span
                class="rank notranslate"
                translate="no"
                data-field="rank"
                inner_html=words(move || state.number(rank.get().cast_signed()))
            ></span>
            <Avatar user_id=user_id.clone() username=username.clone() avatar=picture />
            <span class="name">
                <a href=state.link(&format!("/players/{user_id}")) target=state.target()>
                    <bdi
                        class="notranslate"
                        translate="no"
                        data-field="name"
                        inner_html=words(move || username.get())
                    ></bdi>
                </a>
                <span
                    class="tag"
                    hidden=move || tag.with(String::is_empty)
                    inner_html=words(move || tag.get())
                ></span>
            </span>
            <span class="behind" inner_html=words(behind)></span>
            <Gain state places=gain />
            <span class="score" style=move || fitted(&points.get())>
                <span
                    class="notranslate"
                    translate="no"
                    data-field="score"
                    data-points=move || points.get()
                    inner_html=words(move || points.get())
                ></span>
                <span class="sr-only">{state.text(Text::Points)}</span>
            </span>
        </li>
    }
}

/// How many places somebody has won or lost since the chosen moment.
#[component]
fn Gain(
    /// How it is written.
    state: PageState,
    /// Positive for places won.
    places: Memo<i64>,
) -> impl IntoView {
    let kind = move || match places.get() {
        0 => "none",
        1.. => "up",
        _ => "down",
    };
    let text = move || match places.get() {
        0 => String::new(),
        n => state.number(n.unsigned_abs().cast_signed()),
    };
    let spoken = move || match places.get() {
        0 => String::new(),
        1.. => state.text(Text::Up),
        _ => state.text(Text::Down),
    };
    view! {
        <span class="gain" data-gain=kind>
            <span class="notranslate" translate="no" inner_html=words(text)></span>
            <span class="sr-only" inner_html=words(spoken)></span>
        </span>
    }
}
