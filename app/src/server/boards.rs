//! The boards of the server: the bar above one of them, with the way to the others, and the
//! page that lists all. Links alone.

use std::time::SystemTime;

use leptos::prelude::*;

use super::{
    chart::Time,
    part::{Part, PartNav},
};
use crate::{
    base_path,
    texts::{Locale, Text},
    wire::{BoardInfo, BoardSummary, SeasonInfo, View},
};

/// The bar above a board: the other boards, and how long this one runs. Nothing where there
/// is neither.
///
/// It is no part of the page that scripts hydrate. `boot.js` fetches it again at `data-until`.
#[component]
pub(super) fn BoardBar(
    /// How it is written.
    locale: Locale,
    /// How the page is viewed.
    view: View,
    /// The board that is shown.
    board: BoardInfo,
    /// All of them that it leads to.
    boards: Vec<BoardInfo>,
) -> impl IntoView {
    let menu = (view == View::Whole && boards.len() > 1)
        .then(|| view! { <Menu locale=locale.clone() shown=board.id.clone() boards /> });
    let term = term(&locale, &board);
    // What has ended has a page.
    let ended = board.ended_seasons;
    let previous = (view == View::Whole && ended > 0).then(|| {
        let path = board.path(&format!("/seasons/{ended}"));
        let what = match board.season {
            Some(_) => Text::PreviousSeason,
            None => Text::FinalStandings,
        };
        view! {
            " · "
            <a href=base_path::link(&path)>{locale.text(what)}</a>
        }
    });
    let ends = board.ends.filter(|ends| !is_past(ends));
    let until = board.season.map(|season| season.ends).or(ends);
    (menu.is_some() || term.is_some()).then(|| {
        view! {
            <div class="board-bar" id="board-bar" data-until=until>
                {menu}
                {term.map(|term| view! { <p class="term">{term} {previous}</p> })}
            </div>
        }
    })
}

/// The boards, behind a button that needs no script.
#[component]
fn Menu(
    /// How it is written.
    locale: Locale,
    /// The id of the board that is shown.
    shown: String,
    /// All of them.
    boards: Vec<BoardInfo>,
) -> impl IntoView {
    let links = boards.iter().map(|board| {
        let season = board.season.as_ref();
        view! {
            <li>
                <a
                    href=base_path::link(&board.home())
                    aria-current=(board.id == shown).then_some("page")
                >
                    <bdi>{board.title.clone()}</bdi>
                    {season.map(|season| view! { <span>{season_name(&locale, season)}</span> })}
                </a>
            </li>
        }
    });
    view! {
        <nav aria-label=locale.text(Text::Boards)>
            <details class="menu">
                <summary class="control">{locale.text(Text::Boards)}</summary>
                <ul role="list">
                    {links.collect_view()}
                    <li class="all">
                        <a href=base_path::link("/boards")>{locale.text(Text::AllBoards)}</a>
                    </li>
                </ul>
            </details>
        </nav>
    }
}

/// The season, and when it or the board ends: `Week 48 · ends Sunday 23:59`.
fn term(locale: &Locale, board: &BoardInfo) -> Option<impl IntoView + use<>> {
    let season = board.season.as_ref();
    let name = season.map(|season| season_name(locale, season));
    let ends = season.map(|season| &season.ends).or(board.ends.as_ref());
    let ends = ends.map(|iso| {
        let (future, past) = (locale.text(Text::Ends), locale.text(Text::Ended));
        let word = if is_past(iso) { &past } else { &future };
        // A script writes the other word where the time has come since.
        view! {
            <span data-past=past.clone()>{word.clone()}</span>
            " "
            <time datetime=iso.clone() data-style="near">
                {crate::dates::utc(iso)}
            </time>
        }
    });
    let separator = (name.is_some() && ends.is_some()).then_some(" · ");
    (name.is_some() || ends.is_some()).then(|| view! { {name}{separator}{ends} })
}

/// A week by its number; a day or a month in the words of the browser.
pub(super) fn season_name(locale: &Locale, season: &SeasonInfo) -> AnyView {
    if let Some((_, week)) = season.name.split_once("-W") {
        let week = week.trim_start_matches('0');
        return locale.with(Text::Week, &[("n", week)]).into_any();
    }
    let style = match season.name.len() {
        7 => "month",
        10 => "day",
        _ => return locale.with(Text::Season, &[("n", &season.name)]).into_any(),
    };
    let name = season.name.clone();
    view! { <time datetime=name.clone() data-style=style>{name.clone()}</time> }.into_any()
}

fn is_past(iso: &str) -> bool {
    let at = humantime::parse_rfc3339(iso);
    at.is_ok_and(|at| at <= SystemTime::now())
}

/// Without a start that has come: the page shows only one that is ahead.
pub(super) fn without_past_start(mut board: BoardInfo) -> BoardInfo {
    board.starts = board.starts.filter(|starts| !is_past(starts));
    board
}

/// All boards, each with its leader.
#[component]
pub(super) fn Boards(
    /// How it is written.
    locale: Locale,
    /// Some of them.
    boards: Part<BoardSummary>,
) -> impl IntoView {
    let Part { rows, total, page } = boards;
    let none = rows.is_empty().then(|| {
        let sentences = [Text::NoBoards, Text::SignInLink];
        let sentences = sentences.map(|text| locale.text(text)).join(" ");
        view! { <p class="message">{sentences}</p> }
    });
    let cards = rows.into_iter().map(|board| {
        let BoardSummary {
            info,
            total,
            leader,
        } = board;
        let count = match leader {
            None => locale.text(Text::NoResults),
            Some(_) => locale.count(total, info.teams),
        };
        let leader = leader.map(|(name, score)| {
            view! {
                <span class="leader">
                    <bdi class="notranslate" translate="no">{name}</bdi>
                </span>
                <span class="result notranslate" translate="no">
                    {locale.score(&info.format, score)}
                </span>
            }
        });
        let starts = without_past_start(info.clone()).starts.map(|iso| {
            let [before, after] = around_value(&locale, Text::StartsAt);
            view! { <span>{before} <Time iso /> {after}</span> }
        });
        view! {
            <li class="row">
                <a href=base_path::link(&info.home())>
                    <bdi>{info.title.clone()}</bdi>
                </a>
                <p class="about">
                    <span>{count}</span>
                    {term(&locale, &info).map(|term| view! { <span>{term}</span> })}
                    {starts}
                </p>
                {leader}
            </li>
        }
    });
    view! {
        <h1 class="found">{locale.text(Text::AllBoards)}</h1>
        {none}
        <ul class="boards" role="list">
            {cards.collect_view()}
        </ul>
        <PartNav locale path=base_path::link("/boards") total=total as u64 page />
    }
}

/// What stands before and after the value of a text that has one.
fn around_value(locale: &Locale, text: Text) -> [String; 2] {
    let whole = locale.with(text, &[("n", "\0")]);
    let (before, after) = whole.split_once('\0').unwrap_or((&whole, ""));
    [before.to_owned(), after.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    fn board(id: &str, season: Option<&str>, ends: Option<&str>) -> BoardInfo {
        BoardInfo {
            id: id.into(),
            title: id.to_uppercase(),
            ended_seasons: if season.is_some() { 2 } else { 0 },
            season: season.map(|name| SeasonInfo {
                number: 3,
                name: name.into(),
                ends: "2100-01-03T23:00:00Z".into(),
            }),
            ends: ends.map(Into::into),
            ..BoardInfo::default()
        }
    }

    fn bar(view: View, board: BoardInfo, others: Vec<BoardInfo>) -> String {
        let boards = match others.is_empty() {
            true => others,
            false => [vec![board.clone()], others].concat(),
        };
        let locale = Language::English.locale();
        Owner::new().with(|| view! { <BoardBar locale view board boards /> }.to_html())
    }

    #[test]
    fn a_bar_leads_to_the_other_boards() {
        let weekly = board("weekly", Some("2099-W53"), None);
        let html = bar(View::Whole, board("main", None, None), vec![weekly]);
        assert!(
            html.contains(r#"<a href="/" aria-current="page"><bdi>MAIN</bdi>"#),
            "{html}"
        );
        assert!(
            html.contains(r#"<a href="/b/weekly"><bdi>WEEKLY</bdi><span>Week 53</span>"#),
            "{html}"
        );
        assert!(html.contains(r#"href="/boards""#));
        assert!(!html.contains("data-until"));
    }

    #[test]
    fn a_bar_says_which_season_runs_and_when_it_ends() {
        let html = bar(
            View::Kiosk,
            board("weekly", Some("2099-W53"), None),
            Vec::new(),
        );
        assert!(
            html.contains(r#"data-until="2100-01-03T23:00:00Z""#),
            "{html}"
        );
        assert!(
            html.contains("Week 53") && html.contains(">ends</span>"),
            "{html}"
        );
        assert!(!html.contains("/seasons/"), "{html}");
        let html = bar(
            View::Whole,
            board("weekly", Some("2099-W53"), None),
            Vec::new(),
        );
        assert!(html.contains(r#"<a href="/b/weekly/seasons/2">"#), "{html}");
        let first = BoardInfo {
            ended_seasons: 0,
            ..board("weekly", Some("2099-W53"), None)
        };
        assert!(!bar(View::Whole, first, Vec::new()).contains("/seasons/"));
        let html = bar(
            View::Whole,
            board("monthly", Some("2099-12"), None),
            Vec::new(),
        );
        assert!(
            html.contains(r#"<time datetime="2099-12" data-style="month">"#),
            "{html}"
        );
        let html = bar(
            View::Whole,
            board("cup", None, Some("2001-01-01T00:00:00Z")),
            Vec::new(),
        );
        assert!(
            html.contains(">ended</span>") && !html.contains("data-until"),
            "{html}"
        );
        let cup = BoardInfo {
            ended_seasons: 1,
            ..board("cup", None, Some("2001-01-01T00:00:00Z"))
        };
        let html = bar(View::Whole, cup, Vec::new());
        let link = r#"<a href="/b/cup/seasons/1">Final standings</a>"#;
        assert!(html.contains(link), "{html}");
    }

    #[test]
    fn there_is_no_bar_where_there_is_nothing_to_say() {
        let other = || vec![board("other", None, None)];
        let main = || board("main", None, None);
        assert!(!bar(View::Whole, main(), Vec::new()).contains("board-bar"));
        // A kiosk and a page of others lead nowhere.
        assert!(!bar(View::Kiosk, main(), other()).contains("board-bar"));
        assert!(!bar(View::Embed, main(), other()).contains("board-bar"));
    }

    #[test]
    fn a_start_that_has_come_is_not_shown() {
        let starts = |iso: &str| {
            let board = BoardInfo {
                starts: Some(iso.into()),
                ..BoardInfo::default()
            };
            without_past_start(board).starts
        };
        assert_eq!(starts("2001-01-01T00:00:00Z"), None);
        assert!(starts("2100-01-01T00:00:00Z").is_some());
    }
}
