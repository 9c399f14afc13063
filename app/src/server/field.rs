//! Navigation: pages, search, languages. Links and forms alone.

use leptos::prelude::*;

use crate::{
    base_path,
    texts::{Language, Locale, Text},
    wire::{self, BoardInfo},
};

/// Rows of a page.
const PAGE: u64 = wire::PAGE as u64;

/// The links to other pages of the board. Pages count from 1 in addresses.
#[component]
pub(super) fn PagesNav(
    /// How it is written.
    locale: Locale,
    /// Which board it is.
    board: BoardInfo,
    /// How many players there are.
    total: u64,
    /// The page that is shown, counted from 0; none at the top.
    page: Option<u64>,
) -> impl IntoView {
    let last = total.div_ceil(PAGE).max(1);
    let home = base_path::link(&board.home());
    let link = |page: u64| format!("{home}?page={page}");
    let Some(page) = page else {
        return view! {
            <nav class="pages" aria-label=locale.text(Text::Pages)>
                <a class="control" href=link(1)>
                    {locale.text(if board.teams { Text::AllTeams } else { Text::AllPlayers })}
                </a>
            </nav>
        }
        .into_any();
    };
    let number = page + 1;
    let ranks = format!(
        "{}–{}",
        locale.number((page * PAGE + 1).cast_signed()),
        locale.number(
            ((page + 1) * PAGE)
                .min(total.max(page * PAGE + 1))
                .cast_signed()
        ),
    );
    let links = [
        (
            Text::PreviousPage,
            number.checked_sub(1).filter(|&it| it > 0),
            "prev",
        ),
        (
            Text::NextPage,
            Some(number + 1).filter(|&it| it <= last),
            "next",
        ),
    ];
    let links = links.into_iter().filter_map(|(text, page, rel)| {
        let page = page?.min(last);
        Some(view! {
            <a class="control" href=link(page) rel=rel>
                {locale.text(text)}
            </a>
        })
    });
    let links = links.collect_view();
    view! {
        <nav class="pages" aria-label=locale.text(Text::Pages)>
            <a class="control" href=home.clone()>
                {locale.text(Text::TheTop)}
            </a>
            {links}
            <span class="quiet">{locale.with(Text::Places, &[("n", &ranks)])}</span>
        </nav>
    }
    .into_any()
}

/// A search for players by name.
#[component]
pub(super) fn SearchForm(
    /// How it is written.
    locale: Locale,
    /// On which board.
    board: BoardInfo,
    /// What was searched for.
    query: String,
) -> impl IntoView {
    view! {
        <search>
            <form class="search" action=base_path::link(&board.home()) method="get" role="search">
                <label for="q">{locale.text(Text::FindPlayer)}</label>
                <input
                    id="q"
                    name="q"
                    type="search"
                    value=query
                    maxlength="100"
                    required
                    autocomplete="off"
                />
                <button type="submit" class="control">
                    {locale.text(Text::Search)}
                </button>
            </form>
        </search>
    }
}

/// The languages of the page.
#[component]
pub(super) fn Languages(
    /// The one it is in.
    language: Language,
    /// What is shown, as a query.
    query: String,
    /// How it is written.
    locale: Locale,
) -> impl IntoView {
    let links = Language::ALL.map(|it| {
        view! {
            <a
                href=format!("?{query}lang={}", it.code())
                hreflang=it.code()
                lang=it.code()
                aria-current=(it == language).then_some("true")
            >
                {it.name()}
            </a>
        }
    });
    view! {
        <footer class="languages">
            <nav aria-label=locale.text(Text::Language)>{links.collect_view()}</nav>
        </footer>
    }
}
