//! The query of a page's address: what it asks for, and the parts of it that links repeat.

use std::convert::Infallible;

use app::{texts::Language, wire::View};
use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};

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
}

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
                OUTCOME => query.outcome = Outcome::of(&value),
                _ => {}
            }
        }
        query
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
