//! The board: rows in order, the first three on a podium.

use leptos::prelude::*;

use super::{avatar::Avatar, reactive_text::reactive_text};
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
    /// The list of rows, which motion needs.
    list: NodeRef<leptos::html::Ol>,
) -> impl IntoView {
    let empty = move || state.board.shown().rows.with(Vec::is_empty);
    let page = state.board.page();
    view! {
        <Show when=move || state.start.is_ahead()>
            <section class="start">
                <p inner_html=reactive_text(move || {
                    state.settings.with(Text::StartsAt, &[("n", &state.start.shown.get())])
                })></p>
                // Other boards take no scores before they start.
                <p class="quiet">
                    {if state.settings.is_main {
                        state.settings.text(Text::BeforeStart)
                    } else {
                        String::new()
                    }}
                </p>
            </section>
        </Show>
        <ol
            class="board"
            // Safari forgets that a list without markers is one.
            role="list"
            aria-label=state.settings.text(Text::Leaderboard)
            data-podium=move || {
                (page.is_none() && !state.start.is_ahead()).then_some("")
            }
            data-second=state.settings.has_tiebreak.then_some("")
            data-stale=move || state.connection.status.get().is_stale().then_some("")
            data-paused=move || state.pause.is_on.get().then_some("")
            node_ref=list
        >
            <For each=move || state.board.shown().rows.get() key=|row| row.user_id.clone() let:row>
                <BoardRow state row />
            </For>
        </ol>
        <Show when=empty>
            <section class="message">
                <h2>
                    {state
                        .settings
                        .text(
                            if page.is_some() {
                                Text::NoneHere
                            } else if state.settings.is_main {
                                Text::NobodyYet
                            } else {
                                Text::NoResults
                            },
                        )}
                </h2>
                <p>{page.is_none().then(|| state.settings.text(Text::FirstAppear))}</p>
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
        tiebreak,
        rank,
        gap,
        first_rank,
    } = row;
    let picture = Signal::derive(move || state.settings.picture(avatar.get()));
    let is_you = Memo::new({
        let user_id = user_id.clone();
        move |_| {
            state
                .you
                .shown()
                .with(|you| you.as_ref().is_some_and(|you| you.user_id == user_id))
        }
    });
    let leads = {
        let user_id = user_id.clone();
        move || state.board.new_leader.with(|leader| *leader == user_id)
    };
    let medal = {
        let rank = rank.clone();
        // There are no medals before the start.
        move || match rank.get() {
            _ if state.start.is_ahead() => None,
            1 => Some("gold"),
            2 => Some("silver"),
            3 => Some("bronze"),
            _ => None,
        }
    };
    let bar = {
        let score = score.clone();
        move || {
            format!(
                "--share: {}",
                share(score.get(), state.board.shown().leader_score.get())
            )
        }
    };
    let points = Memo::new(move |_| state.settings.score(score.get()));
    let behind = move || match gap.get() {
        Gap::First => String::new(),
        Gap::Level => state.settings.text(Text::Level),
        Gap::Behind(n) => state
            .settings
            .with(Text::Behind, &[("n", &state.settings.score(n))]),
    };
    let gain = {
        let rank = rank.clone();
        Memo::new(move |_| first_rank.get().cast_signed() - rank.get().cast_signed())
    };
    let tag = Memo::new(move |_| match (is_you.get(), leads()) {
        (_, true) => state.settings.text(Text::NewLeader),
        (true, _) => state.settings.text(Text::You),
        _ => String::new(),
    });
    // Without one it is empty, and takes no room.
    let second = move || {
        if state.settings.has_tiebreak {
            state.settings.number(tiebreak.get())
        } else {
            String::new()
        }
    };
    let mut path = String::from("/players/");
    path.push_str(&user_id);
    let href = state.settings.board_link(&path);
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
                inner_html=reactive_text(move || state.settings.number(rank.get().cast_signed()))
            ></span>
            <Avatar user_id=user_id.clone() username=username.clone() avatar=picture />
            <span class="name">
                <a href=href target=state.settings.target()>
                    <bdi
                        class="notranslate"
                        translate="no"
                        data-field="name"
                        inner_html=reactive_text(move || username.get())
                    ></bdi>
                </a>
                <span
                    class="tag"
                    hidden=move || tag.with(String::is_empty)
                    inner_html=reactive_text(move || tag.get())
                ></span>
            </span>
            <span class="behind" inner_html=reactive_text(behind)></span>
            <Gain state ranks=gain />
            <span
                class="second notranslate"
                translate="no"
                inner_html=reactive_text(second)
            ></span>
            <span class="score" style=move || fitted(&points.get())>
                <span
                    class="notranslate"
                    translate="no"
                    data-field="score"
                    data-points=move || points.get()
                    inner_html=reactive_text(move || points.get())
                ></span>
                <span class="sr-only">{state.settings.score_unit()}</span>
            </span>
        </li>
    }
}

/// How many ranks a player has gained or lost since the comparison began.
#[component]
fn Gain(
    /// How it is written.
    state: PageState,
    /// Positive for ranks gained.
    ranks: Memo<i64>,
) -> impl IntoView {
    let kind = move || match ranks.get() {
        0 => "none",
        1.. => "up",
        _ => "down",
    };
    let text = move || match ranks.get() {
        0 => String::new(),
        n => state.settings.number(n.unsigned_abs().cast_signed()),
    };
    let spoken = move || match ranks.get() {
        0 => String::new(),
        1.. => state.settings.text(Text::Up),
        _ => state.settings.text(Text::Down),
    };
    view! {
        <span class="gain" data-gain=kind>
            <span class="notranslate" translate="no" inner_html=reactive_text(text)></span>
            <span class="sr-only" inner_html=reactive_text(spoken)></span>
        </span>
    }
}
