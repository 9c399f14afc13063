//! The board: rows in order.

use leptos::prelude::*;

use super::avatar::Avatar;
use crate::{
    format::{fitted, grouped, share},
    state::{PageState, RowState},
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
    let yours = Memo::new(move |_| {
        state
            .you
            .with(|you| you.as_ref().map(|you| you.user_id.clone()))
    });
    view! {
        <ol
            class="board"
            // Safari forgets that a list without markers is one.
            role="list"
            aria-label="Leaderboard"
            data-stale=move || state.connection.get().is_stale().then_some("")
            node_ref=node
        >
            <For each=move || state.rows.get() key=|row| row.user_id.clone() let:row>
                <BoardRow row leader=state.leader yours />
            </For>
        </ol>
        <Show when=empty>
            <section class="message">
                <h2>"Nobody is on the board yet"</h2>
                <p>"The first players appear here by themselves."</p>
            </section>
        </Show>
    }
}

#[component]
fn BoardRow(
    /// Whose row it is, and what stands there.
    row: RowState,
    /// The score by which bars are measured.
    leader: RwSignal<i64>,
    /// The id of whoever is signed in.
    yours: Memo<Option<String>>,
) -> impl IntoView {
    let RowState {
        user_id,
        username,
        avatar,
        score,
        rank,
        first_rank,
    } = row;
    let is_you = Memo::new({
        let user_id = user_id.clone();
        move |_| yours.with(|yours| yours.as_ref() == Some(&user_id))
    });
    let medal = {
        let rank = rank.clone();
        move || match rank.get() {
            1 => Some("gold"),
            2 => Some("silver"),
            3 => Some("bronze"),
            _ => None,
        }
    };
    let bar = {
        let score = score.clone();
        move || format!("--share: {}", share(score.get(), leader.get()))
    };
    let points = {
        let score = score.clone();
        Memo::new(move |_| grouped(score.get()))
    };
    let gain = {
        let rank = rank.clone();
        Memo::new(move |_| first_rank.cast_signed() - rank.get().cast_signed())
    };
    view! {
        <li
            class="row"
            data-user-id=user_id.clone()
            data-medal=medal
            data-you=move || is_you.get().then_some("")
            style=bar
        >
            <span class="rank" data-field="rank">{move || rank.get().to_string()}</span>
            <Avatar user_id=user_id.clone() username=username.clone() avatar />
            <span class="name">
                <bdi data-field="name">{move || username.get()}</bdi>
                <Show when=move || is_you.get()>
                    <span class="you-tag">"You"</span>
                </Show>
            </span>
            <Gain places=gain />
            <span class="score" style=move || fitted(&points.get())>
                <span data-field="score">{points}</span>
                <span class="sr-only">" points"</span>
            </span>
        </li>
    }
}

/// How many places somebody has won or lost since the page showed them first.
#[component]
fn Gain(
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
        n => n.unsigned_abs().to_string(),
    };
    let spoken = move || match places.get() {
        0 => "",
        1.. => " up",
        _ => " down",
    };
    view! {
        <span class="gain" data-gain=kind title="Places since you opened this page">
            {text}
            <span class="sr-only">{spoken}</span>
        </span>
    }
}
