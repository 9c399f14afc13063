//! Pages that are the same for all users, but for the token of the socket and the nonce of
//! the scripts, which are filled in for each answer. So however many open a page at once, it is
//! rendered once for each version of the board, view and language.

use std::{collections::HashMap, mem::size_of, sync::Arc};

use app::{
    server::{Missing, SeasonPage, Turn},
    texts::Language,
    wire::{BoardInfo, View},
};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::{
    board::{BoardId, TeamId, UserId},
    config::LimitsTable,
    limits::{Bounds, Reason, Refusals, Work},
    live::{Version, Viewer},
};

/// Bytes of rendered pages in the cache: a hundred boards of 200 rows.
const CACHED: u64 = 32 * 1024 * 1024;

/// Rendering, with the pages that were rendered last.
pub(super) type PageCache = Work<Key, Arc<Rendered>, Unrendered>;

/// A page could not be rendered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unrendered;

/// An empty cache; as many pages are rendered at once as the limits say.
pub(super) fn page_cache(limits: &LimitsTable, refusals: Refusals) -> PageCache {
    let bounds = Bounds {
        concurrent: limits.renders(),
        cached: CACHED,
    };
    let bytes = |key: &Key, page: &Arc<Rendered>| key.bytes() + page.bytes();
    Work::new(bounds, bytes, Reason::Render, refusals)
}

/// All on which a page depends that is not for one user alone. All of it is as it was
/// understood, and not as it was written in the request, so that requests that mean the
/// same share a page, and no others do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Of the board; the default one for pages that show nothing of it.
    pub(super) version: Version,
    pub(super) view: View,
    pub(super) language: Language,
    /// Does it say that a link to sign in was not valid?
    pub(super) link_failed: bool,
    pub(super) content: Content,
}

/// What a page shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Content {
    Board {
        board: BoardId,
        /// Of which boards there are, and what they are called.
        boards: u64,
        /// Which page of the board, if it is one.
        page: Option<u64>,
        /// Does it ask for itself again without scripts?
        refreshes: bool,
        /// Where links to it lead.
        origin: Option<String>,
        /// The number of the race chart.
        race_chart: u64,
        /// Is the event still to start?
        is_before_start: bool,
        /// What a kiosk shows next.
        turn: Option<Turn>,
    },
    Boards {
        /// Of all boards together.
        all: Version,
        /// Which of them are listed.
        viewer: Viewer,
        /// Of the time, by which boards have started and ended.
        moment: u64,
        /// Which page of the list.
        page: u64,
    },
    Player {
        board: BoardId,
        user: UserId,
        /// Of all boards together, on each of which the user may stand.
        all: Version,
        /// Which of them are listed.
        viewer: Viewer,
        /// Which page of the list of boards.
        page: u64,
        /// Is the history there too?
        has_history: bool,
    },
    Team {
        board: BoardId,
        /// Of which boards there are, and what they are called.
        boards: u64,
        team: TeamId,
    },
    Found {
        board: BoardId,
        /// Of which boards there are, and what they are called.
        boards: u64,
        /// What was searched for.
        query: String,
        /// The same as it stands in the address, for links.
        part: String,
    },
    /// Final standings, as they are shown.
    Season {
        board: Box<BoardInfo>,
        season: Box<SeasonPage>,
    },
    Missing {
        what: Missing,
        /// Of which boards there are, and what they are called.
        boards: u64,
        /// Where a kiosk asks again.
        turn: Option<Turn>,
    },
}

/// A board in a key, with its texts, about.
const BOARD_BYTES: usize = 1024;

impl Key {
    /// How large it is in memory, about.
    fn bytes(&self) -> usize {
        let texts = match &self.content {
            Content::Board { origin, turn, .. } => {
                origin.as_ref().map_or(0, String::len)
                    + turn.as_ref().map_or(0, |turn| turn.to.len())
            }
            // The id of a board is a part of the key.
            Content::Boards { .. } | Content::Player { .. } | Content::Team { .. } => 0,
            Content::Found { query, part, .. } => query.len() + part.len(),
            Content::Season { season, .. } => (season.rows.len() + 1) * BOARD_BYTES,
            Content::Missing { what, turn, .. } => {
                let name = match what {
                    Missing::Board { name, .. } => name.len(),
                    Missing::Page | Missing::SignedOut => 0,
                };
                name + turn.as_ref().map_or(0, |turn| turn.to.len())
            }
        };
        size_of::<Key>() + texts
    }
}

/// The pages that say that another cannot be shown now: one for each view and language, so
/// that no bound is needed, and rendered without a permit, because the client has waited
/// already. Clones share them.
#[derive(Clone, Default)]
pub(super) struct UnavailablePages(Arc<Mutex<HashMap<(View, Language), Once>>>);

/// A page that is rendered when it is needed first.
#[derive(Clone, Default)]
struct Once {
    /// Of which boards there are, and what they are called.
    boards: u64,
    page: Arc<OnceCell<Arc<Rendered>>>,
}

impl UnavailablePages {
    /// The page as it was rendered first for this version of the boards, which is now if it
    /// was not.
    pub(super) async fn get<F>(
        &self,
        view: View,
        language: Language,
        boards: u64,
        render: impl FnOnce() -> F,
    ) -> Result<Arc<Rendered>, Unrendered>
    where
        F: Future<Output = Result<Rendered, Unrendered>>,
    {
        let once = {
            let mut pages = self.0.lock();
            let once = pages.entry((view, language)).or_default();
            if once.boards != boards {
                *once = Once {
                    boards,
                    ..Once::default()
                };
            }
            once.clone()
        };
        let page = once.page;
        let page = page.get_or_try_init(async || render().await.map(Arc::new));
        page.await.cloned()
    }
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

impl Rendered {
    /// The page that was rendered with this token and nonce, which are random, so that
    /// nothing else in it is either of them. Of one that is empty there is no blank.
    pub(super) fn new(html: &str, token: &str, nonce: &str) -> Rendered {
        let mut parts = Vec::new();
        let mut rest = html;
        while let Some((start, blank, length)) = [(token, Blank::Token), (nonce, Blank::Nonce)]
            .into_iter()
            .filter(|(text, _)| !text.is_empty())
            .filter_map(|(text, blank)| Some((rest.find(text)?, blank, text.len())))
            .min_by_key(|(start, ..)| *start)
        {
            parts.push((rest[..start].to_owned(), blank));
            rest = &rest[start + length..];
        }
        Rendered {
            parts,
            rest: rest.to_owned(),
        }
    }

    /// How large it is in memory, about.
    fn bytes(&self) -> usize {
        let parts = self.parts.iter().map(|(text, _)| text.len());
        parts.sum::<usize>() + self.parts.len() * size_of::<(String, Blank)>() + self.rest.len()
    }

    /// The page with another token and nonce.
    pub(super) fn fill(&self, token: &str, nonce: &str) -> String {
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
    use crate::{limits::Client, metrics::Metrics};

    #[test]
    fn each_blank_is_filled_with_what_belongs_there() {
        let page = Rendered::new("<a nonce=n1>t1 and t1</a>", "t1", "n1");
        assert_eq!(page.fill("tok", "non"), "<a nonce=non>tok and tok</a>");
        assert_eq!(
            Rendered::new("nothing", "t1", "n1").fill("t", "n"),
            "nothing"
        );
        let without_token = Rendered::new("<a nonce=n1>t1</a>", "", "n1");
        assert_eq!(without_token.fill("tok", "non"), "<a nonce=non>t1</a>");
    }

    #[tokio::test]
    async fn the_unavailable_page_is_rendered_once_in_each_language() {
        let pages = UnavailablePages::default();
        let get_of = async |boards, language, text: Option<&str>| {
            let render = async || {
                let text = text.ok_or(Unrendered)?;
                Ok(Rendered::new(text, "", ""))
            };
            let page = pages.get(View::Whole, language, boards, render).await;
            page.ok().map(|page| page.fill("", ""))
        };
        let get = async |language, text| get_of(0, language, text).await;
        assert_eq!(get(Language::English, None).await, None);
        assert_eq!(
            get(Language::English, Some("sorry")).await.as_deref(),
            Some("sorry")
        );
        assert_eq!(
            get(Language::German, Some("leider")).await.as_deref(),
            Some("leider")
        );
        assert_eq!(get(Language::English, None).await.as_deref(), Some("sorry"));
        // It bears the title of a board.
        let renamed = get_of(1, Language::English, Some("renamed")).await;
        assert_eq!(renamed.as_deref(), Some("renamed"));
    }

    #[tokio::test]
    async fn the_cache_has_its_bound_in_bytes() {
        let refusals = Refusals::new(Metrics::default());
        let cache = page_cache(&LimitsTable::default(), refusals);
        let page = Arc::new(Rendered::new(&"x".repeat(1024 * 1024), "", ""));
        let mut most = 0;
        for number in 0..40 {
            let key = Key {
                version: Version::default(),
                view: View::Whole,
                language: Language::English,
                link_failed: false,
                content: Content::Board {
                    board: BoardId::default(),
                    boards: 0,
                    page: Some(number),
                    refreshes: false,
                    origin: None,
                    race_chart: 0,
                    is_before_start: false,
                    turn: None,
                },
            };
            let page = page.clone();
            let got = cache.get(Client::Server, key, async move |_| Ok(page));
            assert!(got.await.is_ok());
            most = most.max(cache.cached_bytes());
        }
        assert!(most <= CACHED && most > CACHED / 2, "{most}");
    }

    #[test]
    fn the_size_of_a_page_counts_its_texts() {
        let text = "x".repeat(1000);
        let page = Rendered::new(&format!("{text}n1{text}"), "", "n1");
        assert!((2000..2100).contains(&page.bytes()), "{}", page.bytes());
        let key = Key {
            version: Version::default(),
            view: View::Whole,
            language: Language::English,
            link_failed: false,
            content: Content::Found {
                board: BoardId::default(),
                boards: 0,
                query: text.clone(),
                part: text,
            },
        };
        assert!((2000..2300).contains(&key.bytes()), "{}", key.bytes());
    }
}
