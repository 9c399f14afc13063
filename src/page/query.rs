//! The query of a page's address: what it asks for, and the parts of it that links repeat.

use std::convert::Infallible;

use app::{base_path::BasePath, server::Turn, texts::Language, wire::View};
use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};

use super::Pages;
use crate::board::BoardId;

/// The parameter that holds a token to sign in with.
pub(super) const TOKEN: &str = "token";
/// The parameter that says what became of a link that signs in.
pub(super) const OUTCOME: &str = "signin";
/// The parameter that chooses a language.
pub(super) const LANGUAGE: &str = "lang";

/// What an address asks for. Of a parameter that is repeated, the last one counts; one that
/// is unknown is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageQuery {
    pub(super) view: View,
    /// The language, if one is chosen that there is.
    pub(super) language: Option<Language>,
    /// One page of the board, counted from 0; without one, the visible board.
    pub(super) page: Result<Option<u64>, NoSuchPage>,
    /// Does the page refresh itself without scripts?
    pub(super) refreshes: bool,
    /// Whom to search for.
    pub(super) search: Option<Search>,
    /// A token to sign in with.
    pub(super) token: Option<String>,
    /// What became of a link that signs in.
    pub(super) outcome: Option<Outcome>,
    /// The boards that a kiosk turns through.
    pub(super) boards: Vec<BoardId>,
    /// How long it shows each, in seconds.
    pub(super) every: u32,
}

/// So many boards a kiosk turns through.
const MOST_BOARDS: usize = 20;
/// How long it shows each, in seconds, unless it is said.
const EVERY: u32 = 20;
/// The shortest and the longest.
const EVERY_RANGE: std::ops::RangeInclusive<u32> = 5..=3600;

/// No board has a page of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoSuchPage;

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) text: String,
    /// The same as it stands in the address, to be followed by more parameters.
    pub(super) part: String,
}

/// What became of a link that did not sign in at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is not valid.
    Failed,
    /// Another user is signed in, and is asked.
    Asks,
}

impl Outcome {
    /// The outcome as it stands in an address.
    pub(super) fn code(self) -> &'static str {
        match self {
            Outcome::Failed => "failed",
            Outcome::Asks => "ask",
        }
    }

    fn of(code: &str) -> Option<Outcome> {
        let all = [Outcome::Failed, Outcome::Asks];
        all.into_iter().find(|outcome| outcome.code() == code)
    }
}

impl Default for PageQuery {
    fn default() -> PageQuery {
        PageQuery::parse("")
    }
}

impl PageQuery {
    /// What an address asks for.
    pub(super) fn of(uri: &Uri) -> PageQuery {
        PageQuery::parse(uri.query().unwrap_or_default())
    }

    fn parse(text: &str) -> PageQuery {
        let mut query = PageQuery {
            view: View::Whole,
            language: None,
            page: Ok(None),
            refreshes: true,
            search: None,
            token: None,
            outcome: None,
            boards: Vec::new(),
            every: EVERY,
        };
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match &*name {
                "view" => query.view = view(&value),
                LANGUAGE => query.language = Language::of(&value),
                "page" => query.page = page(&value).map(Some),
                "refresh" => query.refreshes = value != "off",
                "q" => {
                    query.search = Some(Search {
                        text: value.into_owned(),
                        part: search_part(text),
                    });
                }
                TOKEN => query.token = Some(value.into_owned()),
                // `?kiosk` is short for `?view=kiosk`.
                "kiosk" => query.view = View::Kiosk,
                "boards" => query.boards = boards(&value),
                "every" => query.every = every(&value),
                OUTCOME => query.outcome = Outcome::of(&value),
                _ => {}
            }
        }
        query
    }

    /// What a kiosk shows after this board, if it turns: the next one that is shown to it.
    /// Where there is none, it asks for the next one all the same, which may be there later.
    pub(super) fn turn(
        &self,
        base: &BasePath,
        shown: &BoardId,
        is_shown: impl Fn(&BoardId) -> bool,
    ) -> Option<Turn> {
        let next = || {
            self.boards_after(Some(shown))
                .filter(|board| *board != shown)
        };
        let next = next().find(|board| is_shown(board)).or(next().next())?;
        Some(self.turn_to(base, next))
    }

    /// What a kiosk that turns shows instead of a board that is not shown to it.
    pub(super) fn instead(
        &self,
        base: &BasePath,
        missing: Option<&BoardId>,
        is_shown: impl Fn(&BoardId) -> bool,
    ) -> Option<String> {
        let mut next = self.boards_after(missing);
        let next = next.find(|board| is_shown(board))?;
        Some(self.turn_to(base, next).to)
    }

    /// Where a kiosk that turns asks again when none of its boards is shown to it.
    pub(super) fn retry(&self, base: &BasePath) -> Option<Turn> {
        let first = self.boards_after(None).next()?;
        Some(self.turn_to(base, first))
    }

    /// The boards that a kiosk turns through, from the one after this on; none if it does
    /// not turn.
    fn boards_after(&self, board: Option<&BoardId>) -> impl Iterator<Item = &BoardId> {
        let turns = self.view == View::Kiosk;
        let at = self.boards.iter().position(|it| Some(it) == board);
        let (before, after) = self.boards.split_at(at.map_or(0, |at| at + 1));
        after.iter().chain(before).filter(move |_| turns)
    }

    fn turn_to(&self, base: &BasePath, board: &BoardId) -> Turn {
        let names: Vec<&str> = self.boards.iter().map(BoardId::as_str).collect();
        let (names, every) = (names.join(","), self.every);
        let path = base.link(&Pages::path_of(board));
        Turn {
            to: format!("{path}?view=kiosk&boards={names}&every={every}"),
            seconds: every,
        }
    }

    /// Which page of a list is asked for that has as many as `count` says, counted from 0;
    /// `None` for one that it has not. The first is always there.
    pub(super) fn page_of(&self, count: impl FnOnce() -> u64) -> Option<u64> {
        let page = self.page.ok()?.unwrap_or_default();
        (page == 0 || page < count()).then_some(page)
    }

    /// The part of the query that says so, for links to the same page.
    pub(super) fn page_part(&self) -> String {
        let page = self.page.ok().flatten();
        page.map_or_else(String::new, |page| format!("page={}&", page + 1))
    }

    /// Is this for a frame on a page of others?
    pub(super) fn is_embedded(&self) -> bool {
        self.view == View::Embed
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<PageQuery, Infallible> {
        Ok(PageQuery::of(&parts.uri))
    }
}

fn view(code: &str) -> View {
    match code {
        "kiosk" => View::Kiosk,
        "embed" => View::Embed,
        _ => View::Whole,
    }
}

/// Names with commas between them; what is no name of a board is left out.
fn boards(names: &str) -> Vec<BoardId> {
    let boards = names.split(',').filter_map(BoardId::new);
    boards.take(MOST_BOARDS).collect()
}

fn every(seconds: &str) -> u32 {
    let seconds = seconds.parse().unwrap_or(EVERY);
    seconds.clamp(*EVERY_RANGE.start(), *EVERY_RANGE.end())
}

/// Addresses count pages from 1, and no board has more than these.
fn page(number: &str) -> Result<u64, NoSuchPage> {
    let number: u32 = number.parse().map_err(|_| NoSuchPage)?;
    u64::from(number).checked_sub(1).ok_or(NoSuchPage)
}

/// It stays as it was written, so that nothing has to be quoted again.
fn search_part(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| pair.starts_with("q="));
    pairs.flat_map(|pair| [pair, "&"]).collect()
}

/// The pairs of a query as they were written, but for those of these names.
pub(super) fn rest_of_query<'a>(uri: &'a Uri, without: &[&str]) -> Vec<&'a str> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let is_wanted = |pair: &&str| {
        let mut read = form_urlencoded::parse(pair.as_bytes());
        read.next()
            .is_some_and(|(name, _)| !without.contains(&&*name))
    };
    pairs.filter(is_wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_values_count_as_none_and_the_last_of_a_name_counts() {
        let plain = PageQuery::default();
        for text in [
            "",
            "&&",
            "view=whole&refresh=on&x=1",
            "view=embed&view=x",
            "lang=tlh",
        ] {
            assert_eq!(PageQuery::parse(text), plain, "{text}");
        }
        let query = PageQuery::parse("view=x&v%69ew=kiosk&lang=de&refresh=off&signin=ask");
        assert_eq!((query.view, query.refreshes), (View::Kiosk, false));
        assert_eq!(query.language, Some(Language::German));
        assert_eq!(query.outcome, Some(Outcome::Asks));
        assert_eq!(
            PageQuery::parse("token=a&token=").token.as_deref(),
            Some("")
        );
    }

    #[test]
    fn a_kiosk_turns_from_board_to_board() {
        let main = BoardId::default();
        let weekly = BoardId::new("weekly").unwrap();
        let turn = |text: &str, shown: &BoardId| {
            let turn = PageQuery::parse(text).turn(&BasePath::default(), shown, |_| true)?;
            Some((turn.to, turn.seconds))
        };
        let query = "kiosk&boards=main,weekly&every=30";
        let to = |path: &str, every: u32| {
            let to = format!("{path}?view=kiosk&boards=main,weekly&every={every}");
            Some((to, every))
        };
        assert_eq!(turn(query, &main), to("/b/weekly", 30));
        assert_eq!(turn(query, &weekly), to("/", 30));
        assert_eq!(
            turn("view=kiosk&boards=main,,<b>,weekly", &main),
            to("/b/weekly", 20)
        );
        assert_eq!(
            turn("kiosk&boards=main,weekly&every=0", &main),
            to("/b/weekly", 5)
        );
        for text in [
            "kiosk",
            "kiosk&boards=",
            "kiosk&boards=main",
            "boards=main,weekly",
        ] {
            assert_eq!(turn(text, &main), None, "{text}");
        }
    }

    #[test]
    fn a_kiosk_skips_boards_that_are_not_shown_to_it() {
        let base = BasePath::default();
        let board = |name: &str| BoardId::new(name).unwrap();
        let query = PageQuery::parse("kiosk&boards=main,gone,secret,weekly");
        let rest = "view=kiosk&boards=main,gone,secret,weekly&every=20";
        let is_shown = |it: &BoardId| ["main", "weekly"].contains(&it.as_str());
        let turn = |shown: &str| query.turn(&base, &board(shown), is_shown).unwrap().to;
        assert_eq!(turn("main"), format!("/b/weekly?{rest}"));
        assert_eq!(turn("weekly"), format!("/?{rest}"));
        let instead = |missing: &str| query.instead(&base, Some(&board(missing)), is_shown);
        assert_eq!(instead("gone"), Some(format!("/b/weekly?{rest}")));
        assert_eq!(instead("other"), Some(format!("/?{rest}")));
        // Where no other is there, it asks on: one may come.
        let next = query.turn(&base, &board("main"), |it| it.as_str() == "main");
        assert_eq!(next.unwrap().to, format!("/b/gone?{rest}"));
        assert_eq!(query.instead(&base, None, |_| false), None);
        assert_eq!(query.retry(&base).unwrap().to, format!("/?{rest}"));
        for text in ["boards=main,weekly", "kiosk", "view=embed&boards=main"] {
            let query = PageQuery::parse(text);
            assert_eq!(query.instead(&base, None, |_| true), None, "{text}");
            assert_eq!(query.retry(&base), None, "{text}");
        }
    }

    #[test]
    fn pages_are_counted_from_1_in_addresses() {
        let page = |text: &str| PageQuery::parse(text).page;
        assert_eq!(page("page=1"), Ok(Some(0)));
        assert_eq!(page("page=4294967295"), Ok(Some(4_294_967_294)));
        for text in ["page=", "page=0", "page=-1", "page=x", "page=4294967296"] {
            assert_eq!(page(text), Err(NoSuchPage), "{text}");
        }
    }

    #[test]
    fn links_repeat_a_search_as_it_was_written() {
        let search = |text: &str| PageQuery::parse(text).search.map(|it| (it.text, it.part));
        let found = |text: &str, part: &str| Some((text.to_owned(), part.to_owned()));
        assert_eq!(search("view=kiosk"), None);
        assert_eq!(search("q="), found("", "q=&"));
        assert_eq!(
            search("lang=de&q=a%26b+c&page=2"),
            found("a&b c", "q=a%26b+c&")
        );
    }
}
