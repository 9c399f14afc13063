//! Lists that are shown in parts, page by page.

use leptos::prelude::*;

use crate::{
    texts::{Locale, Text},
    wire::PAGE,
};

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part<T> {
    /// What is on it.
    pub rows: Vec<T>,
    /// How much there is on all pages.
    pub total: usize,
    /// Which page it is, counted from 0.
    pub page: u64,
}

impl<T> Part<T> {
    /// A page of all of these.
    pub fn of(all: impl ExactSizeIterator<Item = T>, page: u64) -> Part<T> {
        let start = usize::try_from(page).unwrap_or(usize::MAX);
        Part {
            total: all.len(),
            rows: all.skip(start.saturating_mul(PAGE)).take(PAGE).collect(),
            page,
        }
    }
}

/// The links to the other pages, where there are several.
#[component]
pub(super) fn PartNav(
    /// How it is written.
    locale: Locale,
    /// The address of the first.
    path: String,
    /// How much there is on all.
    total: u64,
    /// The page that is shown, counted from 0.
    page: u64,
) -> impl IntoView {
    let pages = total.div_ceil(PAGE as u64);
    let link = |number: u64, text: Text, rel: &'static str| {
        let href = format!("{path}?page={number}");
        view! {
            <a class="control" href=href rel=rel>
                {locale.text(text)}
            </a>
        }
    };
    (pages > 1).then(|| {
        view! {
            <nav class="pages" aria-label=locale.text(Text::Pages)>
                {(page > 0).then(|| link(page, Text::PreviousPage, "prev"))}
                {(page + 1 < pages).then(|| link(page + 2, Text::NextPage, "next"))}
            </nav>
        }
    })
}
