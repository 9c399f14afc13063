//! Finding who may stand on a board by what their names begin with, once for all who ask for
//! the same: people, or teams on a board of teams.

use std::{
    collections::BinaryHeap,
    convert::Infallible,
    mem::size_of,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use parking_lot::RwLock;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{Live, Version, projection::Projection, user};
use crate::{
    blocking,
    board::{BoardId, Competitor, Profile, Scores, Who, ranking::Position},
    limits::{Bounds, Client, Reason, Refusals, Unanswered, Work},
};

/// The most characters of a query that are read.
pub const MAX_QUERY_CHARS: usize = 100;

/// The most words of a query that are looked for; each costs a look at each name.
pub const MAX_QUERY_WORDS: usize = 8;

/// The most rows in one answer.
pub const MAX_FOUND: usize = 50;

/// Names that are read while the state is locked: less than a millisecond, whatever they
/// are written in.
const AT_ONCE: u32 = 1024;

/// After this time a search gives up, however many people there are.
const DEADLINE: Duration = Duration::from_secs(1);

/// Bytes of results in the cache: some thousand.
const CACHED: u64 = 4 * 1024 * 1024;

/// Why there is no result.
pub type SearchError = Unanswered<Infallible>;

/// What a search has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Who, best by rank first.
    pub rows: Vec<FoundRow>,
    /// Has the board a second score?
    pub has_tiebreak: bool,
    /// Are there more?
    pub more: bool,
}

/// Somebody whom a search has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRow {
    /// Who it is.
    pub who: Who,
    /// How they are shown.
    pub profile: Profile,
    /// The scores and the rank, if they are ranked.
    pub ranked: Option<(Scores, u64)>,
}

impl Found {
    /// How large it is in memory, about.
    fn bytes(&self) -> usize {
        let bytes = |row: &FoundRow| size_of::<FoundRow>() + user::bytes(&row.profile);
        size_of::<Found>() + self.rows.iter().map(bytes).sum::<usize>()
    }
}

/// What is searched for, on which board, and how many are wanted.
type Key = (Version, BoardId, Query, usize);

/// Searching, with the results of the last searches. Clones are the same.
#[derive(Clone)]
pub(super) struct Searches(Work<Key, Found, Infallible>);

impl Searches {
    pub(super) fn new(concurrent: NonZeroUsize, refusals: Refusals) -> Searches {
        let bounds = Bounds {
            concurrent,
            cached: CACHED,
        };
        let bytes = |(_, board, query, _): &Key, found: &Found| {
            size_of::<Key>() + board.as_str().len() + query.bytes() + found.bytes()
        };
        Searches(Work::new(bounds, bytes, Reason::Search, refusals))
    }

    pub(super) fn forget_idle(&self) {
        self.0.forget_idle();
    }
}

impl Live {
    /// People by name, or teams on a board of teams: those who have, for each word of the
    /// text, a word that begins with it, whatever its case and accents, as of a tick ago at
    /// most. The best by rank come first, at most `limit` of them, 1 to [`MAX_FOUND`]. Of a
    /// text the first [`MAX_QUERY_CHARS`] characters and [`MAX_QUERY_WORDS`] words count; one
    /// without words finds nobody, and neither does any on a board that is not there.
    ///
    /// # Errors
    /// While there are too many searches: the same may be asked again later.
    pub async fn search(
        &self,
        client: Client,
        board: &BoardId,
        text: &str,
        limit: usize,
    ) -> Result<Found, SearchError> {
        let query = Query::new(text);
        let Some(query) = query.filter(|_| self.read_board(board, |_, _| ()).is_some()) else {
            return Ok(Found::default());
        };
        let (shared, board) = (self.shared.clone(), board.clone());
        let key = (self.version(&board), board.clone(), query.clone(), limit);
        let found = self.searches.0.get(client, key, async move |permit| {
            let search = move || {
                let _permit = permit;
                let begun = Instant::now();
                let is_given_up = || begun.elapsed() > DEADLINE;
                search(&shared.projection, &board, &query, limit, is_given_up)
            };
            let found = blocking::on_thread(search).await;
            found.ok_or(Unanswered::TookTooLong)
        });
        found.await
    }
}

/// What is looked for: a name has a word that begins with each of these. No two of them
/// are the same, and none begins another, because who has the longer one has both; so
/// queries that mean the same are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Query(Vec<String>);

impl Query {
    /// Reads a query; `None` if there is no word in it.
    pub(super) fn new(text: &str) -> Option<Query> {
        let text: String = text.chars().take(MAX_QUERY_CHARS).collect();
        let mut folded = String::new();
        fold(&text, &mut folded);
        let mut words: Vec<String> = Vec::new();
        for word in folded.split_whitespace() {
            if words.iter().any(|known| known.starts_with(word)) {
                continue;
            }
            words.retain(|known| !word.starts_with(known.as_str()));
            if words.len() < MAX_QUERY_WORDS {
                words.push(word.to_owned());
            }
        }
        // The longest is in the fewest names, and after it the others need no look.
        words.sort_unstable_by(|one, other| (other.len(), one).cmp(&(one.len(), other)));
        (!words.is_empty()).then_some(Query(words))
    }

    /// How large it is in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let words = self.0.iter();
        words.map(|word| size_of::<String>() + word.len()).sum()
    }

    /// Is this name meant? `folded` is room to work in.
    fn finds(&self, name: &str, folded: &mut String) -> bool {
        if name.is_ascii() {
            // Most names, and ten times as fast.
            let words = &mut self.0.iter();
            return words.all(|word| ascii_word_begins(name.as_bytes(), word.as_bytes()));
        }
        fold(name, folded);
        self.0.iter().all(|word| word_begins(folded, word))
    }
}

/// As letters count in a search: small, without accents, in their plain shape.
fn fold(text: &str, folded: &mut String) {
    folded.clear();
    folded.extend(
        text.nfkd()
            .filter(|c| !is_combining_mark(*c))
            .flat_map(char::to_lowercase),
    );
}

/// A word begins wherever a character does not follow a letter or digit: so
/// `lena` and `🔥` are found in `🔥Anna-Lena`, and `na` is not.
fn word_begins(name: &str, word: &str) -> bool {
    let mut inside = false;
    name.char_indices().any(|(i, c)| {
        let begins = !std::mem::replace(&mut inside, c.is_alphanumeric());
        begins && name[i..].starts_with(word)
    })
}

/// The same for a name that need not be folded.
fn ascii_word_begins(name: &[u8], word: &[u8]) -> bool {
    name.windows(word.len()).enumerate().any(|(i, part)| {
        let begins = i == 0 || !name[i - 1].is_ascii_alphanumeric();
        begins && part.eq_ignore_ascii_case(word)
    })
}

/// Smaller is better: by position, and those without a rank last.
type Candidate = (bool, Option<Position>, Competitor);

/// The best whose names match, at most `limit`. It reads all names, some at a time; `None`
/// if it is given up between.
///
/// It goes by indices, of which everybody keeps one: by rank, somebody who moves meanwhile
/// might be missed. A log that was replaced has others, and is searched from the beginning.
pub(super) fn search(
    projection: &RwLock<Projection>,
    board: &BoardId,
    query: &Query,
    limit: usize,
    is_given_up: impl Fn() -> bool,
) -> Option<Found> {
    let limit = limit.clamp(1, MAX_FOUND);
    let mut folded = String::new();
    let mut best: BinaryHeap<Candidate> = BinaryHeap::with_capacity(limit + 1);
    let mut found = 0_usize;
    let mut next = 0;
    let mut reloads = projection.read().reloads;
    let now = loop {
        if is_given_up() {
            return None;
        }
        let now = projection.read();
        if now.reloads != reloads {
            reloads = now.reloads;
            (found, next) = (0, 0);
            best.clear();
        }
        let Some(view) = now.state.view(board) else {
            return Some(Found::default());
        };
        let end = next + AT_ONCE;
        let is_meant = |name: &str| query.finds(name, &mut folded);
        for (index, position) in view.competitors_named(next..end, is_meant) {
            found += 1;
            let candidate = (position.is_none(), position, index);
            if best.len() < limit {
                best.push(candidate);
            } else if let Some(mut worst) = best.peek_mut()
                && candidate < *worst
            {
                *worst = candidate;
            }
        }
        next = end;
        if next >= view.indices() {
            break now;
        }
    };
    // As they are now, all of one version. Somebody who was deleted meanwhile may have left
    // the index to another.
    let view = now.state.view(board)?;
    let mut rows: Vec<_> = best
        .into_iter()
        .filter_map(|(_, _, index)| {
            let position = view.board().position_of(index);
            let position = position.map(|(position, _)| position);
            let (who, profile) = view.profile(index)?;
            let is_meant = query.finds(&profile.username, &mut folded);
            let row = || FoundRow {
                who,
                profile: profile.clone(),
                ranked: view.board().ranked(index),
            };
            is_meant.then(|| ((position.is_none(), position, index), row()))
        })
        .collect();
    rows.sort_unstable_by_key(|(candidate, _)| *candidate);
    Some(Found {
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        has_tiebreak: view.rules().order.tiebreak.is_some(),
        more: found > limit,
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{
        board::{Fact, Operator, Profile, Rules, Settings, UserId},
        live::testing::{Log, main, opened},
    };

    fn finds(query: &str, name: &str) -> bool {
        let query = Query::new(query).expect("not empty");
        let found = query.finds(name, &mut String::new());
        // Names of plain letters take a shorter way, with the same end.
        let mut folded = String::new();
        fold(name, &mut folded);
        assert_eq!(
            found,
            query.0.iter().all(|word| word_begins(&folded, word)),
            "{query:?} in {name}"
        );
        found
    }

    #[test]
    fn words_are_found_by_how_they_begin() {
        for (query, name) in [
            ("a", "Ada Lovelace"),
            ("LOVE", "Ada Lovelace"),
            ("love ad", "Ada Lovelace"),
            ("ada lovelace", "Ada Lovelace"),
            ("  ada  ", "Ada Lovelace"),
            ("lena", "Anna-Lena"),
            ("anna-l", "Anna-Lena"),
            ("o'n", "Shaquille O'Neal"),
            ("neal", "Shaquille O'Neal"),
            ("42", "user_42"),
            ("user_4", "user_42"),
            ("max", "🔥Max🔥"),
            ("🔥m", "🔥Max🔥"),
            ("🔥", "Max 🔥"),
        ] {
            assert!(finds(query, name), "{query} in {name}");
        }
        for (query, name) in [
            ("da", "Ada Lovelace"),
            ("ada b", "Ada Lovelace"),
            ("adalovelace", "Ada Lovelace"),
            ("lovelaces", "Ada Lovelace"),
            ("2", "user_42"),
            ("ada", "A"),
        ] {
            assert!(!finds(query, name), "{query} in {name}");
        }
    }

    #[test]
    fn accents_cases_and_shapes_do_not_matter() {
        for (query, name) in [
            ("zoe", "Zoë"),
            ("zoë", "Zoe"),
            ("ZOË", "zoe\u{308}"),
            ("nguyen", "Nguyễn Văn An"),
            ("ист", "ИСТОРИЯ"),
            ("istanbul", "İstanbul"),
            ("αθη", "ΑΘΗΝΆ"),
            ("김", "김연아"),
            ("ada", "Ａｄａ"),
            ("fi", "ﬁnn"),
        ] {
            assert!(finds(query, name), "{query} in {name}");
        }
        assert!(!finds("zoa", "Zoë"));
        assert!(!finds("ß", "Sasha"));
    }

    #[test]
    fn a_query_without_words_is_none() {
        for text in ["", "  \t", "\u{301}", "\u{a0}"] {
            assert_eq!(Query::new(text), None, "{text:?}");
        }
        let long = "a".repeat(MAX_QUERY_CHARS);
        assert_eq!(Query::new(&format!("{long}b")), Some(Query(vec![long])));
    }

    #[test]
    fn words_that_add_nothing_are_left_out() {
        let words = |text: &str| Query::new(text).expect("not empty").0;
        assert_eq!(words(&"a ".repeat(50)), ["a"]);
        assert_eq!(words("ada ad LOVE lovelace adam"), ["lovelace", "adam"]);
        assert_eq!(Query::new("zoe lo"), Query::new("LO Zoë zo"));
        let many: Vec<String> = ('a'..='z').map(|c| c.to_string()).collect();
        assert_eq!(words(&many.join(" ")), many[..MAX_QUERY_WORDS]);
        // Room that a word makes is for one that comes later.
        let full = [&many[..MAX_QUERY_WORDS].join(" "), " aa ab"].concat();
        assert_eq!(words(&full), ["aa", "b", "c", "d", "e", "f", "g", "h"]);
    }

    fn user(n: u32) -> UserId {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        UserId(id)
    }

    /// A log with a `main` on which users with these names acted, if they have points.
    fn board(rules: Rules, users: &[(&str, Option<i64>)]) -> Log {
        let mut log = Log::new(Settings::main(rules));
        for ((name, points), n) in users.iter().zip(0..) {
            log.add(register(n, name));
            if let Some(points) = points {
                log.act(user(n), *points, *points);
            }
        }
        log
    }

    fn followed(log: Log) -> RwLock<Projection> {
        let (projection, _) = Projection::new(opened(1, log.state));
        RwLock::new(projection)
    }

    fn register(n: u32, name: &str) -> Fact {
        Fact::UserChanged {
            user: user(n),
            profile: Profile {
                username: name.into(),
                avatar: None,
            },
        }
    }

    /// The names that are found with their ranks, and whether there are more.
    fn found(
        projection: &RwLock<Projection>,
        query: &str,
        limit: usize,
    ) -> (Vec<(String, Option<u64>)>, bool) {
        let query = Query::new(query).expect("not empty");
        let found = search(projection, &main(), &query, limit, || false);
        let Found { rows, more, .. } = found.expect("not given up");
        let rows = rows.into_iter().map(|row| {
            let rank = row.ranked.map(|(_, rank)| rank);
            (row.profile.username.into_string(), rank)
        });
        (rows.collect(), more)
    }

    fn row(name: &str, rank: u64) -> (String, Option<u64>) {
        (name.to_owned(), Some(rank))
    }

    #[test]
    fn the_best_come_first_and_the_rest_is_counted() {
        let board = followed(board(
            Rules::default(),
            &[
                ("Bea 1", Some(1)),
                ("Ada", Some(9)),
                ("Bea 5", Some(5)),
                ("Bea 3", Some(3)),
            ],
        ));
        let all = [row("Bea 5", 2), row("Bea 3", 3), row("Bea 1", 4)];
        assert_eq!(found(&board, "bea", 3), (all.to_vec(), false));
        assert_eq!(found(&board, "bea", 2), (all[..2].to_vec(), true));
        assert_eq!(found(&board, "bea", 0), (all[..1].to_vec(), true));
        assert_eq!(found(&board, "carl", 9), (vec![], false));
    }

    #[test]
    fn users_without_a_rank_come_last() {
        let rules = Rules {
            operator: Operator::Latest,
            ..Rules::default()
        };
        let users = [("Bea 0", None), ("Bea -1", Some(-1)), ("Bea 1", Some(1))];
        let board = followed(board(rules, &users));
        let unranked = ("Bea 0".to_owned(), None);
        let all = vec![row("Bea 1", 1), row("Bea -1", 2), unranked];
        assert_eq!(found(&board, "bea", 3), (all, false));
    }

    #[test]
    fn only_present_names_are_found() {
        let rules = Rules {
            operator: Operator::Latest,
            ..Rules::default()
        };
        let users = [
            ("Ada", None),
            ("Ada", Some(1)),
            ("Ada", None),
            ("Ada", Some(2)),
        ];
        let mut board = board(rules, &users);
        board.add(Fact::UserDeleted { user: user(0) });
        board.add(Fact::UserDeleted { user: user(1) });
        board.add(register(0, "Bea"));
        board.add(register(3, "Carl"));
        let board = followed(board);
        assert_eq!(
            found(&board, "ada", 1),
            (vec![("Ada".to_owned(), None)], false)
        );
        assert_eq!(
            found(&board, "bea", 9),
            (vec![("Bea".to_owned(), None)], false)
        );
        assert_eq!(found(&board, "carl", 9), (vec![row("Carl", 1)], false));
    }

    #[test]
    fn all_users_are_searched_however_many_there_are() {
        let names: Vec<String> = (0..3 * AT_ONCE + 1).map(|n| format!("user {n}")).collect();
        let users: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
        let board = followed(board(Rules::default(), &users));
        for n in [0, AT_ONCE - 1, AT_ONCE, 3 * AT_ONCE - 1, 3 * AT_ONCE] {
            let (users, more) = found(&board, &format!("{n} user"), 50);
            assert_eq!(users[0], row(&format!("user {n}"), n as u64 + 1));
            assert!(users.len() < 50 || more);
        }
        let (users, more) = found(&board, "user", 50);
        assert_eq!((users.len(), more), (50, true));
        assert_eq!(users[49], row("user 49", 50));
    }

    #[test]
    fn a_log_that_was_replaced_is_searched_from_its_beginning() {
        let names: Vec<String> = (0..2 * AT_ONCE).map(|n| format!("Ada {n}")).collect();
        let users: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
        let projection = followed(board(Rules::default(), &users));
        let looks = Cell::new(0);
        let replace = || {
            looks.set(looks.get() + 1);
            if looks.get() == 2 {
                let mut projection = projection.write();
                let other = board(Rules::default(), &[("Bea", None), ("Ada", None)]);
                projection.state = other.state;
                projection.reloads += 1;
            }
            false
        };
        let query = Query::new("ada").expect("not empty");
        let found = search(&projection, &main(), &query, 9, replace);
        let Found { rows, more, .. } = found.expect("not given up");
        let names: Vec<_> = rows.iter().map(|row| &*row.profile.username).collect();
        assert_eq!((names, more), (vec!["Ada"], false));
    }

    #[test]
    fn hidden_people_are_not_found() {
        let users = [("Ada", Some(3)), ("Ada", Some(5))];
        let mut log = board(Rules::default(), &users);
        log.add(Fact::UserHidden {
            user: user(1),
            hidden: true,
            reason: None,
        });
        assert_eq!(
            found(&followed(log), "ada", 9),
            (vec![row("Ada", 1)], false)
        );
    }

    #[test]
    fn on_a_board_of_teams_teams_are_found() {
        use crate::{
            board::{BoardId, Derivation, Source, TeamId, TeamScore},
            live::testing::board_with,
        };
        let id = BoardId::new("teams").expect("an id");
        let mut log = board(Rules::default(), &[("Bea", None), ("Ada", None)]);
        let derivation = Derivation {
            of: main(),
            types: None,
            group: None,
            team: Some(TeamScore::Sum),
            period: None,
        };
        let settings = Settings {
            source: Source::Derived(derivation),
            ..Settings::default()
        };
        log.state.put_board(board_with(id.as_str(), settings));
        for (n, name) in [(1, "Beavers"), (2, "Beagles")] {
            let profile = Profile {
                username: name.into(),
                avatar: None,
            };
            let team = TeamId([n; 16]);
            log.add(Fact::TeamChanged { team, profile });
        }
        log.add(Fact::UserGrouped {
            user: user(0),
            team: Some(TeamId([2; 16])),
            groups: Box::default(),
        });
        log.act(user(0), 7, 7);
        let projection = followed(log);
        let query = Query::new("bea").expect("not empty");
        let found = search(&projection, &id, &query, 9, || false).expect("not given up");
        let rows: Vec<_> = found
            .rows
            .iter()
            .map(|it| (it.who, it.ranked.is_some()))
            .collect();
        let expected =
            [(2, true), (1, false)].map(|(n, is_ranked)| (Who::Team(TeamId([n; 16])), is_ranked));
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_search_can_be_given_up() {
        let board = followed(board(Rules::default(), &[("Ada", None)]));
        let query = Query::new("ada").expect("not empty");
        assert_eq!(search(&board, &main(), &query, 9, || true), None);
    }

    #[tokio::test]
    async fn the_cache_has_its_bound_in_bytes() {
        use crate::live::testing::{live, log};
        let (live, _folder) = live(log(1, 3, &[1]));
        let version = live.version(&main());
        let found = live
            .search(Client::Server, &main(), "p", 9)
            .await
            .expect("free");
        let found = Found {
            rows: vec![found.rows[0].clone(); MAX_FOUND],
            more: true,
            ..found
        };
        let mut most = 0;
        for limit in 0..1_000 {
            let query = Query::new("x").expect("a word");
            let (key, found) = ((version, main(), query, limit), found.clone());
            let work = &live.searches.0;
            let got = work.get(Client::Server, key, async move |_| Ok(found));
            assert!(got.await.is_ok());
            most = most.max(work.cached_bytes());
        }
        assert!(most <= CACHED && most > CACHED / 2, "{most}");
    }
}
