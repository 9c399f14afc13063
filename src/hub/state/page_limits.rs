//! How many pages of boards are watched at once: in all, because each is checked in every
//! tick of its board, and by the sockets of one address, so that one leaves room for others.

use std::{collections::HashMap, net::IpAddr};

use crate::board::BoardId;

/// Pages that are watched at once in all.
const PAGES: usize = 1000;

/// Of these, the last ones are only for pages that have rows: pages beyond the end of a
/// board, of which there are any number, use none of them.
const WITH_ROWS: usize = 500;

/// Pages that the sockets of one address watch at once.
const PAGES_OF_ADDRESS: usize = 100;

/// A page of a board.
pub(super) type Page = (BoardId, u64);

/// The pages that are watched: in all, and by the sockets of each limited address.
#[derive(Default)]
pub(super) struct PageLimits {
    in_all: Watched,
    of_addresses: HashMap<IpAddr, Watched>,
}

/// Pages, and by how many sockets each is watched.
#[derive(Default)]
struct Watched(HashMap<Page, usize>);

impl Watched {
    /// Is a page watched already, or is there room for it once `left` has lost a watcher?
    fn has_room(&self, page: &Page, left: Option<&Page>, most: usize) -> bool {
        let is_freed = left.is_some_and(|left| self.0.get(left) == Some(&1));
        self.0.contains_key(page) || self.0.len() - usize::from(is_freed) < most
    }

    fn add(&mut self, page: Page) {
        *self.0.entry(page).or_default() += 1;
    }

    fn remove(&mut self, page: &Page) {
        if let Some(watchers) = self.0.get_mut(page) {
            *watchers -= 1;
            if *watchers == 0 {
                self.0.remove(page);
            }
        }
    }
}

impl PageLimits {
    /// May a socket watch a page, which has rows or is beyond the end? Its address is given
    /// if that is limited. `left` is the page that it watches now and leaves.
    pub(super) fn allows(
        &self,
        address: Option<IpAddr>,
        page: &Page,
        has_rows: bool,
        left: Option<&Page>,
    ) -> bool {
        let most = if has_rows { PAGES } else { PAGES - WITH_ROWS };
        let of_address = address.and_then(|address| self.of_addresses.get(&address));
        self.in_all.has_room(page, left, most)
            && of_address.is_none_or(|pages| pages.has_room(page, left, PAGES_OF_ADDRESS))
    }

    /// A socket of an address watches a page.
    pub(super) fn add(&mut self, address: Option<IpAddr>, page: Page) {
        if let Some(address) = address {
            let pages = self.of_addresses.entry(address).or_default();
            pages.add(page.clone());
        }
        self.in_all.add(page);
    }

    /// A socket of an address watches a page no longer.
    pub(super) fn remove(&mut self, address: Option<IpAddr>, page: &Page) {
        self.in_all.remove(page);
        if let Some(address) = address
            && let Some(pages) = self.of_addresses.get_mut(&address)
        {
            pages.remove(page);
            if pages.0.is_empty() {
                self.of_addresses.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(n: u64) -> Page {
        // Of two boards in turn.
        let board = ["main", "weekly"][n as usize % 2];
        (BoardId::new(board).unwrap(), n / 2)
    }

    fn address(n: u8) -> Option<IpAddr> {
        Some([192, 0, 2, n].into())
    }

    /// How many of these pages one socket each may watch, which it does then.
    fn watch(
        limits: &mut PageLimits,
        address: Option<IpAddr>,
        pages: std::ops::Range<u64>,
        has_rows: bool,
    ) -> usize {
        let watch = |n: &u64| {
            let may = limits.allows(address, &page(*n), has_rows, None);
            if may {
                limits.add(address, page(*n));
            }
            may
        };
        pages.filter(watch).count()
    }

    #[test]
    fn a_class_may_watch_all_pages_of_a_school() {
        let mut limits = PageLimits::default();
        assert_eq!(watch(&mut limits, address(1), 0..100, true), 100);
        // All go on from page to page, one after the other.
        let mut watched: Vec<u64> = (0..100).collect();
        for n in 0..100 {
            for at in &mut watched {
                let left = page(*at);
                assert!(limits.allows(address(1), &page(n), true, Some(&left)));
                limits.remove(address(1), &left);
                limits.add(address(1), page(n));
                *at = n;
            }
        }
        assert_eq!(limits.in_all.0.len(), 1);
        for at in watched {
            limits.remove(address(1), &page(at));
        }
        assert!(limits.in_all.0.is_empty() && limits.of_addresses.is_empty());
    }

    #[test]
    fn each_address_may_watch_so_many_pages_of_all_boards() {
        let mut limits = PageLimits::default();
        assert_eq!(watch(&mut limits, address(1), 0..150, true), 100);
        assert_eq!(watch(&mut limits, address(2), 50..200, true), 100);
        assert_eq!(watch(&mut limits, None, 0..300, true), 300);
        // A socket may go on to another page, if no other of its address stays at the old one.
        let (seventh, other) = (page(7), page(900));
        assert!(limits.allows(address(1), &other, true, Some(&seventh)));
        limits.add(address(1), seventh.clone());
        assert!(!limits.allows(address(1), &other, true, Some(&seventh)));
    }

    #[test]
    fn pages_beyond_the_end_leave_room_for_those_with_rows() {
        let mut limits = PageLimits::default();
        let end = u64::MAX;
        let beyond = (1..=20).map(|n| {
            let from = end - 1000 * u64::from(n);
            watch(&mut limits, address(n), from..from + 150, false)
        });
        assert_eq!(beyond.sum::<usize>(), 500);
        assert_eq!(watch(&mut limits, address(100), 0..100, true), 100);
        assert_eq!(watch(&mut limits, None, 100..2000, true), 400);
        assert_eq!(limits.in_all.0.len(), 1000);
        assert_eq!(watch(&mut limits, address(101), 0..100, true), 100);
        assert_eq!(watch(&mut limits, address(101), 2000..2001, true), 0);
    }
}
