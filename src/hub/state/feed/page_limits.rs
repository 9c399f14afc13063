//! How many pages of a board are watched at once: in all, because each is checked in every
//! tick, and by the sockets of one address, so that one leaves room for others.

use std::{collections::HashMap, net::IpAddr};

/// Pages that are watched at once in all.
const PAGES: usize = 1000;

/// Of these, the last ones are only for pages that have rows: pages beyond the end of the
/// board, of which there are any number, use none of them.
const WITH_ROWS: usize = 500;

/// Pages that the sockets of one address watch at once.
const PAGES_OF_ADDRESS: usize = 100;

/// The pages that limited addresses watch, and by how many sockets each.
#[derive(Default)]
pub(super) struct PageLimits(HashMap<IpAddr, HashMap<u64, usize>>);

impl PageLimits {
    /// May a socket watch a page, as far as its address is concerned? `left` is the page
    /// that it watches now and leaves.
    pub(super) fn allows(&self, address: IpAddr, page: u64, left: Option<u64>) -> bool {
        self.0.get(&address).is_none_or(|pages| {
            let watchers = |page: u64| pages.get(&page).copied();
            has_room(page, left, pages.len(), watchers, PAGES_OF_ADDRESS)
        })
    }

    /// A socket of an address watches a page.
    pub(super) fn add(&mut self, address: IpAddr, page: u64) {
        let pages = self.0.entry(address).or_default();
        *pages.entry(page).or_default() += 1;
    }

    /// A socket of an address watches a page no longer.
    pub(super) fn remove(&mut self, address: IpAddr, page: u64) {
        if let Some(pages) = self.0.get_mut(&address)
            && let Some(watchers) = pages.get_mut(&page)
        {
            *watchers -= 1;
            if *watchers == 0 {
                pages.remove(&page);
            }
            if pages.is_empty() {
                self.0.remove(&address);
            }
        }
    }

    /// Does no limited address watch anything?
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// May a page be watched beside so many others, with rows or beyond the end? `watchers`
/// says how many sockets watch a page that is watched.
pub(super) fn has_room_in_all(
    page: u64,
    has_rows: bool,
    left: Option<u64>,
    pages: usize,
    watchers: impl Fn(u64) -> Option<usize>,
) -> bool {
    let most = if has_rows { PAGES } else { PAGES - WITH_ROWS };
    has_room(page, left, pages, watchers, most)
}

/// Is a page watched already, or is there room for it once `left` has lost a watcher?
fn has_room(
    page: u64,
    left: Option<u64>,
    pages: usize,
    watchers: impl Fn(u64) -> Option<usize>,
    most: usize,
) -> bool {
    let is_freed = left.is_some_and(|left| watchers(left) == Some(1));
    watchers(page).is_some() || pages - usize::from(is_freed) < most
}
