//! The board's pages as they were rendered last, for whoever is not signed in. Those are
//! the same for all but for the token of the socket and the nonce of the scripts, which
//! are filled in anew. So however many open the page at once, the board of one moment is
//! rendered once for each way of looking at it.

use std::{collections::HashMap, sync::Arc};

use app::{texts::Language, wire::View};
use parking_lot::Mutex;

/// Ways of looking at the board that are kept. A stranger may ask for any number.
const VARIANTS: usize = 64;

/// The pages of one moment. Clones share them.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    moment: Option<Moment>,
    /// With the number of the race that each shows.
    pages: HashMap<Variant, (u64, Arc<Rendered>)>,
}

/// What a page is true of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Which life of the log, as pages say it.
    pub(super) epoch: String,
    /// The last entry of the board.
    pub(super) seq: u64,
    /// Is it still to begin?
    pub(super) is_before_start: bool,
}

/// A way of looking at the board. All of it is as it was understood, and nothing as it
/// was asked for: or two could ask in one way and mean another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    pub(super) view: View,
    pub(super) language: Language,
    /// Which page of the board, if it is one.
    pub(super) page: Option<u64>,
    /// Does it ask for itself again without scripts?
    pub(super) refreshes: bool,
    /// Where links to it lead.
    pub(super) origin: Option<String>,
}

/// A page with blanks in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    /// What stands before each blank, and the blank.
    parts: Vec<(String, Blank)>,
    rest: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blank {
    Token,
    Nonce,
}

impl Kept {
    /// The page, if it was rendered at this moment, with the race of this number.
    pub(super) fn get(
        &self,
        moment: &Moment,
        variant: &Variant,
        race: u64,
    ) -> Option<Arc<Rendered>> {
        let kept = self.0.lock();
        if kept.moment.as_ref() != Some(moment) {
            return None;
        }
        let (shown, page) = kept.pages.get(variant)?;
        (*shown == race).then(|| page.clone())
    }

    /// Keeps a page that shows the race of this number, and none of another moment.
    pub(super) fn put(&self, moment: Moment, variant: Variant, race: u64, page: Rendered) {
        let mut kept = self.0.lock();
        if kept.moment.as_ref() != Some(&moment) {
            kept.moment = Some(moment);
            kept.pages.clear();
        }
        if kept.pages.len() >= VARIANTS
            && !kept.pages.contains_key(&variant)
            && let Some(any) = kept.pages.keys().next().cloned()
        {
            kept.pages.remove(&any);
        }
        kept.pages.insert(variant, (race, Arc::new(page)));
    }
}

impl Rendered {
    /// The page that was rendered with this token and nonce, which are random, so that
    /// nothing else in it is either of them. `None` where one is empty.
    pub(super) fn new(html: &str, token: &str, nonce: &str) -> Option<Rendered> {
        if token.is_empty() || nonce.is_empty() {
            return None;
        }
        let mut parts = Vec::new();
        let mut rest = html;
        while let Some((place, blank, length)) = [(token, Blank::Token), (nonce, Blank::Nonce)]
            .into_iter()
            .filter_map(|(text, blank)| Some((rest.find(text)?, blank, text.len())))
            .min_by_key(|(place, ..)| *place)
        {
            parts.push((rest[..place].to_owned(), blank));
            rest = &rest[place + length..];
        }
        Some(Rendered {
            parts,
            rest: rest.to_owned(),
        })
    }

    /// The page with another token and nonce.
    pub(super) fn with(&self, token: &str, nonce: &str) -> String {
        let length: usize = self.parts.iter().map(|(text, _)| text.len()).sum();
        let blanks = self.parts.len() * token.len().max(nonce.len());
        let mut html = String::with_capacity(length + blanks + self.rest.len());
        for (text, blank) in &self.parts {
            html.push_str(text);
            html.push_str(match blank {
                Blank::Token => token,
                Blank::Nonce => nonce,
            });
        }
        html.push_str(&self.rest);
        html
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(seq: u64) -> Moment {
        Moment {
            epoch: "e".into(),
            seq,
            is_before_start: false,
        }
    }

    fn variant(page: Option<u64>) -> Variant {
        Variant {
            view: View::Whole,
            language: Language::English,
            page,
            refreshes: false,
            origin: None,
        }
    }

    fn page() -> Rendered {
        Rendered::new("<a nonce=n1>t1 and t1</a>", "t1", "n1").unwrap()
    }

    #[test]
    fn each_blank_is_filled_with_what_belongs_there() {
        assert_eq!(page().with("tok", "non"), "<a nonce=non>tok and tok</a>");
        assert_eq!(
            Rendered::new("nothing", "t1", "n1").unwrap().with("t", "n"),
            "nothing"
        );
        assert_eq!(Rendered::new("a page", "", "n1"), None);
    }

    #[test]
    fn a_page_is_kept_until_the_board_is_another() {
        let kept = Kept::default();
        let second = || variant(Some(1));
        kept.put(moment(1), variant(None), 7, page());
        assert!(kept.get(&moment(1), &variant(None), 7).is_some());
        assert!(kept.get(&moment(1), &variant(None), 8).is_none());
        assert!(kept.get(&moment(1), &second(), 7).is_none());
        // Pages without a race beside those with one.
        kept.put(moment(1), second(), 0, page());
        assert!(kept.get(&moment(1), &variant(None), 7).is_some());
        kept.put(moment(2), second(), 0, page());
        assert!(kept.get(&moment(2), &variant(None), 7).is_none());
        assert!(kept.get(&moment(1), &second(), 0).is_none());
    }

    #[test]
    fn no_more_pages_are_kept_than_there_are_places_and_the_latest_is() {
        let kept = Kept::default();
        for number in 0..1000 {
            kept.put(moment(1), variant(Some(number)), 0, page());
            assert!(kept.get(&moment(1), &variant(Some(number)), 0).is_some());
        }
        assert_eq!(kept.0.lock().pages.len(), VARIANTS);
    }
}
