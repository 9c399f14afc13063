//! Search results.

use leptos::prelude::*;

use crate::{
    base_path,
    components::Avatar,
    texts::{Locale, Text},
    wire::{BoardInfo, FoundUsers},
};

/// Links to the players that were found.
#[component]
pub(super) fn Found(
    /// How it is written.
    locale: Locale,
    /// On which board.
    board: BoardInfo,
    /// What was searched for.
    query: String,
    /// The players that were found.
    found: FoundUsers,
) -> impl IntoView {
    let heading = view! {
        <h1 class="found">{format!("{}: ", locale.text(Text::FindPlayer))} <bdi class="notranslate" translate="no">{query}</bdi></h1>
    };
    if found.users.is_empty() {
        return view! {
            {heading}
            <p class="message">{locale.text(Text::NoneFound)}</p>
        }
        .into_any();
    }
    let rows = found.users.into_iter().map(|user| {
        let rank = user
            .rank
            .map_or("–".into(), |it| locale.number(it.cast_signed()));
        view! {
            <li class="row">
                <span class="rank notranslate" translate="no">
                    {rank}
                </span>
                <Avatar
                    user_id=user.user_id.clone()
                    username=user.username.clone()
                    avatar=user.avatar.map(base_path::picture)
                />
                <span class="name">
                    <a href=base_path::link(&board.path(&format!("/players/{}", user.user_id)))>
                        <bdi class="notranslate" translate="no">{user.username}</bdi>
                    </a>
                </span>
                {user
                    .tiebreak
                    .map(|second| {
                        let second = second.map_or("–".into(), |it| locale.number(it));
                        view! { <span class="second notranslate" translate="no">{second}</span> }
                    })}
                <span class="score notranslate" translate="no">
                    {user.score.map_or("–".into(), |score| locale.score(&board.format, score))}
                </span>
            </li>
        }
    });
    view! {
        {heading}
        <ol class="board" role="list" data-second=board.tiebreak.then_some("")>
            {rows.collect_view()}
        </ol>
        {found.more.then(|| view! { <p class="quiet">{locale.text(Text::MoreFound)}</p> })}
    }
    .into_any()
}
