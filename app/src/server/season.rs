//! The page of a season that has ended. Links alone.

use leptos::prelude::*;

use super::{boards::season_name, chart::Time, part::PartNav};
use crate::{
    base_path,
    components::Avatar,
    texts::{Locale, Text},
    wire::{BoardInfo, ScoreRow, SeasonInfo},
};

/// What is shown of a season that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeasonPage {
    /// Which.
    pub season: SeasonInfo,
    /// The number of the latest one that has ended.
    pub latest: u32,
    /// The rows of the page.
    pub rows: Vec<ScoreRow>,
    /// How many there are on all pages.
    pub total: u64,
    /// The page that is shown, counted from 0; none for the first.
    pub page: Option<u64>,
    /// May the viewer have them as a file, too?
    pub has_file: bool,
}

/// Final standings.
#[component]
pub(super) fn Season(
    /// How it is written.
    locale: Locale,
    /// Of which board.
    board: BoardInfo,
    /// What is shown.
    shown: SeasonPage,
) -> impl IntoView {
    let SeasonPage {
        season,
        latest,
        rows,
        total,
        page,
        has_file,
    } = shown;
    let path = |number: u32| base_path::link(&board.path(&format!("/seasons/{number}")));
    let file = format!(
        "/api/v1/boards/{}/seasons/{}/export?format=csv",
        board.id, season.number
    );
    let file = has_file.then(|| base_path::link(&file));
    let file = file.filter(|_| total > 0);
    let count = (total > 0).then(|| view! { {locale.count(total, board.teams)} " · " });
    let none = (total == 0).then(|| view! { <p class="message">{locale.text(Text::NoResult)}</p> });
    let has_tiebreak = board.tiebreak.then_some("");
    let rows = rows
        .into_iter()
        .map(|row| view! { <FinalRow locale=locale.clone() board=board.clone() row /> });
    let rows = rows.collect_view();
    view! {
        <h1 class="found">
            {(!season.name.is_empty())
                .then(|| view! { {season_name(&locale, &season)} " · " })}
            {locale.text(Text::FinalStandings)}
        </h1>
        <p class="quiet">
            {count} {locale.text(Text::Ended)} " " <Time iso=season.ends.clone() />
        </p>
        <nav class="pages" aria-label=locale.text(Text::Boards)>
            <a class="control" href=base_path::link(&board.home())>
                {locale.text(Text::ToTheBoard)}
            </a>
            {(season.number > 1)
                .then(|| {
                    view! {
                        <a class="control" rel="prev" href=path(season.number - 1)>
                            {locale.text(Text::PreviousSeason)}
                        </a>
                    }
                })}
            {(season.number < latest)
                .then(|| {
                    view! {
                        <a class="control" rel="next" href=path(season.number + 1)>
                            {locale.text(Text::NextSeason)}
                        </a>
                    }
                })}
        </nav>
        {none}
        <ol class="board" role="list" data-second=has_tiebreak>
            {rows}
        </ol>
        <PartNav locale=locale.clone() path=path(season.number) total page=page.unwrap_or_default() />
        {file
            .map(|file| {
                view! {
                    <p>
                        <a class="control" href=file download="">
                            {locale.text(Text::AsFile)}
                        </a>
                    </p>
                }
            })}
    }
}

#[component]
fn FinalRow(
    /// How it is written.
    locale: Locale,
    /// Of which board.
    board: BoardInfo,
    /// What stands there.
    row: ScoreRow,
) -> impl IntoView {
    let medal = match row.rank {
        1 => Some("gold"),
        2 => Some("silver"),
        3 => Some("bronze"),
        _ => None,
    };
    let path = board.path(&format!("/players/{}", row.user_id));
    let href = base_path::link(&path);
    view! {
        <li class="row" data-medal=medal>
            <span class="rank notranslate" translate="no">
                {locale.number(row.rank.cast_signed())}
            </span>
            <Avatar
                user_id=row.user_id
                username=row.username.clone()
                avatar=row.avatar.map(base_path::picture)
            />
            <span class="name">
                <a href=href>
                    <bdi class="notranslate" translate="no">{row.username}</bdi>
                </a>
            </span>
            {row.tiebreak
                .map(|tiebreak| {
                    view! {
                        <span class="second notranslate" translate="no">
                            {locale.number(tiebreak)}
                        </span>
                    }
                })}
            <span class="score notranslate" translate="no">
                {locale.score(&board.format, row.score)}
            </span>
        </li>
    }
}
