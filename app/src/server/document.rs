//! The documents: their heads, and the parts of their bodies.

use leptos::{html, prelude::*};

use super::{
    boards::{BoardBar, Boards, without_past_start},
    boot::{Boot, NotLive},
    field::{Languages, PagesNav, SearchForm},
    part::Part,
    player::{Player, PlayerNow},
    race::RaceChart,
    search::Found,
    season::{Season, SeasonPage},
    team::{Team, TeamPage},
};
use crate::{
    base_path,
    components::{App, Mark},
    files::PageFiles,
    sharing::{Sharing, SharingTags},
    state::PageState,
    texts::{Language, Text},
    wire::{
        BoardInfo, BoardSummary, FoundUsers, PageSnapshot, PlayerBoard, Race, UserHistory,
        UserScore, View,
    },
};

/// What browsers make links of by themselves: not of scores and names.
const NO_DETECTION: &str = "telephone=no, date=no, address=no, email=no";

/// The ground of the page in the light and in the dark, as `style/podium.css` has it,
/// for what a browser or a system paints around it.
pub const THEME_LIGHT: &str = "#f4f2ee";
/// See [`THEME_LIGHT`].
pub const THEME_DARK: &str = "#0f0e15";

/// What all documents have.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The board that it shows, or leads back to.
    pub board: BoardInfo,
    /// The language.
    pub language: Language,
    /// How the page is viewed.
    pub view: View,
    /// Was the page opened by a sign-in link that is not valid?
    pub link_failed: bool,
    /// The part of its address that selects what is shown, as a query: links that show
    /// the same in another way begin with it.
    pub query: String,
    /// The files that it loads.
    pub files: PageFiles,
    /// What others show beside a link to it.
    pub sharing: Option<Sharing>,
    /// What a kiosk shows next, if it turns.
    pub turn: Option<Turn>,
}

/// What a kiosk shows next, which turns through several boards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Turn {
    /// Its address.
    pub to: String,
    /// After how many seconds.
    pub seconds: u32,
}

/// What a document shows.
#[derive(Clone, Debug)]
pub enum Document {
    /// The board, which scripts update.
    Board {
        /// The state at first.
        snapshot: Box<PageSnapshot>,
        /// The race chart.
        race: Race,
        /// Is it refreshed where scripts do not update it? A user may turn that off, because
        /// a page that changes while it is read is not for everybody.
        refreshes: bool,
    },
    /// Boards of all.
    Boards(Part<BoardSummary>),
    /// Final standings of the board of the frame.
    Season(Box<SeasonPage>),
    /// One player.
    Player {
        /// How the player stands on the board of the frame, and what led there.
        user: Box<UserHistory>,
        /// How the player stands on boards, with this one.
        boards: Part<PlayerBoard>,
    },
    /// One player, whose history is unavailable.
    PlayerNow {
        /// How the player stands on the board of the frame.
        user: Box<UserScore>,
        /// How the player stands on boards, with this one.
        boards: Part<PlayerBoard>,
    },
    /// One team, on a board of teams.
    Team(Box<TeamPage>),
    /// Players by name.
    Found {
        /// What was searched for.
        query: String,
        /// The players that were found.
        found: FoundUsers,
    },
    /// A link is for another player than the one who is signed in.
    SwitchPlayer {
        /// Who is signed in.
        now: String,
        /// The name of the player of the link.
        link: String,
        /// The id of that player.
        user: String,
        /// The address of the page for the user who is signed in.
        stay: String,
    },
    /// The address leads nowhere, or to nothing that this viewer may see.
    Missing(Missing),
    /// The store is unavailable.
    Unavailable,
}

/// What an address does not lead to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// Any page.
    Page,
    /// A board.
    Board {
        /// Its id.
        name: String,
        /// Has the viewer signed in, and so would see it if it were there?
        is_signed_in: bool,
    },
    /// The main board is there, and only for those who have signed in.
    SignedOut,
}

/// A whole document.
pub fn document(options: LeptosOptions, frame: Frame, page: Document) -> impl IntoView {
    let locale = frame.language.locale();
    let title = match &page {
        Document::Board { .. } => frame.board.title.clone(),
        Document::Boards(_) => {
            format!("{} · {}", locale.text(Text::AllBoards), frame.board.title)
        }
        Document::Season(shown) => {
            let (what, board) = (locale.text(Text::FinalStandings), &frame.board.title);
            match &*shown.season.name {
                "" => format!("{what} · {board}"),
                season => format!("{what} · {season} · {board}"),
            }
        }
        Document::Player { user, .. } => {
            format!("{} · {}", user.user.username, frame.board.title)
        }
        Document::PlayerNow { user, .. } => format!("{} · {}", user.username, frame.board.title),
        Document::Team(shown) => format!("{} · {}", shown.team.username, frame.board.title),
        Document::Found { query, .. } => format!("{query} · {}", frame.board.title),
        Document::SwitchPlayer { .. } => {
            format!(
                "{} · {}",
                locale.text(Text::SwitchPlayer),
                frame.board.title
            )
        }
        Document::Missing(Missing::SignedOut) => {
            format!("{} · {}", locale.text(Text::SignIn), frame.board.title)
        }
        Document::Missing(_) => {
            format!("{} · {}", locale.text(Text::NotFound), frame.board.title)
        }
        Document::Unavailable => {
            format!("{} · {}", locale.text(Text::Unavailable), frame.board.title)
        }
    };
    let files = frame.files.clone();
    let boot = match page {
        Document::Board { refreshes, .. } => Some((Some(files.clone()), refreshes)),
        Document::Unavailable => Some((None, true)),
        _ => None,
    };
    let turn = frame.turn.clone();
    // A document without our script turns by itself.
    let turns_alone = frame.turn.clone().filter(|_| boot.is_none());
    let code = frame.language.code();
    let view = match frame.view {
        View::Whole => "whole",
        View::Kiosk => "kiosk",
        View::Embed => "embed",
    };
    view! {
        <!DOCTYPE html>
        <html lang=code>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                // Before the styles: it does not wait for them.
                {boot.map(|(files, refreshes)| view! { <Boot files refreshes turn /> })}
                {turns_alone
                    .map(|Turn { to, seconds }| {
                        view! { <meta http-equiv="refresh" content=format!("{seconds};url={to}") /> }
                    })}
                <meta name="color-scheme" content="light dark" />
                <meta name="format-detection" content=NO_DETECTION />
                <title>{title}</title>
                {frame.sharing.clone().map(|sharing| view! { <SharingTags sharing /> })}
                {theme_color("light", THEME_LIGHT)}
                {theme_color("dark", THEME_DARK)}
                <link rel="icon" href=base_path::link("/favicon.svg") type="image/svg+xml" />
                <link rel="apple-touch-icon" href=base_path::link("/apple-touch-icon.png") />
                <link rel="manifest" href=base_path::link("/manifest.webmanifest") />
                <link rel="stylesheet" href=base_path::link(&files.css) />
                <AutoReload options />
                <script type="module" src=base_path::link("/local-times.js")></script>
            </head>
            <body class="page" data-view=view>
                {body(frame, page)}
            </body>
        </html>
    }
}

fn theme_color(scheme: &str, colour: &'static str) -> impl IntoView + use<> {
    html::meta()
        .attr("name", "theme-color")
        .attr("content", colour)
        .attr("media", format!("(prefers-color-scheme: {scheme})"))
}

fn body(frame: Frame, page: Document) -> AnyView {
    let locale = frame.language.locale();
    match page {
        Document::Board {
            snapshot,
            race,
            refreshes,
        } => {
            let whole = frame.view == View::Whole;
            let mut snapshot = snapshot;
            snapshot.info = without_past_start(snapshot.info);
            let (board, boards) = (snapshot.info.clone(), snapshot.boards.clone());
            let (total, shown) = (snapshot.board.total_users, snapshot.board.page);
            // A name may be any text. In a script, browsers look for its end alone.
            let json = serde_json::to_string(&*snapshot).unwrap_or_default();
            let json = json.replace('<', "\\u003c");
            // Rendered on its own, because the script compares the number of its nodes.
            let live = view! { <App state=PageState::new(*snapshot) list=NodeRef::new() /> };
            let live = live.to_html();
            view! {
                <NotLive
                    locale=locale.clone()
                    view=frame.view
                    query=frame.query.clone()
                    refreshes
                />
                <BoardBar locale=locale.clone() view=frame.view board=board.clone() boards />
                <div id="app" data-nodes=count_nodes(&live) inner_html=live></div>
                {whole
                    .then(|| {
                        view! {
                            <PagesNav locale=locale.clone() board=board.clone() total page=shown />
                            <SearchForm
                                locale=locale.clone()
                                board=board.clone()
                                query=String::new()
                            />
                            <a
                                class="control without-scripts"
                                href=base_path::link(&format!("{}?q=", board.home()))
                            >
                                {locale.text(Text::FindPlayer)}
                            </a>
                            <RaceChart locale=locale.clone() format=board.format race />
                            <Languages language=frame.language query=frame.query.clone() locale=locale.clone() />
                        }
                            .into_any()
                    })}
                <script type="application/json" id="snapshot" inner_html=json></script>
            }
            .into_any()
        }
        Document::Boards(boards) => view! {
            <Home frame=frame.clone() />
            <LinkFailed frame=frame.clone() />
            <main>
                <Boards locale=locale.clone() boards />
            </main>
            <Languages language=frame.language query=frame.query.clone() locale />
        }
        .into_any(),
        Document::Season(shown) => view! {
            <Home frame=frame.clone() />
            <LinkFailed frame=frame.clone() />
            <main class="finals">
                <Season locale=locale.clone() board=frame.board.clone() shown=*shown />
            </main>
            <Languages language=frame.language query=frame.query.clone() locale />
        }
        .into_any(),
        Document::Player { user, boards } => {
            let board = frame.board.clone();
            player(
                &frame,
                view! { <Player locale board user=*user boards /> }.into_any(),
            )
        }
        Document::PlayerNow { user, boards } => {
            let board = frame.board.clone();
            player(
                &frame,
                view! { <PlayerNow locale board user=*user boards /> }.into_any(),
            )
        }
        Document::Team(shown) => {
            let board = frame.board.clone();
            player(
                &frame,
                view! { <Team locale board shown=*shown /> }.into_any(),
            )
        }
        Document::Found { query, found } => view! {
            <Home frame=frame.clone() />
            <LinkFailed frame=frame.clone() />
            <main>
                <SearchForm
                    locale=locale.clone()
                    board=frame.board.clone()
                    query=query.clone()
                />
                <Found locale=locale.clone() board=frame.board.clone() query found />
            </main>
            <Languages language=frame.language query=frame.query.clone() locale />
        }
        .into_any(),
        Document::SwitchPlayer {
            now,
            link,
            user,
            stay,
        } => {
            let names = [("name", isolated(&now)), ("other", isolated(&link))];
            let [name, other] = &names;
            let both = [(name.0, &*name.1), (other.0, &*other.1)];
            view! {
                <Home frame=frame.clone() />
                <main class="message">
                    <h1>{locale.text(Text::SwitchPlayer)}</h1>
                    <p>{locale.with(Text::SwitchPlayerMore, &both)}</p>
                    // To the address of the question itself.
                    <form method="post">
                        <input type="hidden" name="user" value=user />
                        <button type="submit" class="control">
                            {locale.with(Text::SwitchTo, &[("name", &other.1)])}
                        </button>
                    </form>
                    <p>
                        <a href=stay>{locale.with(Text::StayAs, &[("name", &name.1)])}</a>
                    </p>
                </main>
                <Languages language=frame.language query=frame.query.clone() locale />
            }
            .into_any()
        }
        Document::Missing(missing) => {
            let back = match missing {
                Missing::Page => (frame.board.home(), Text::ToTheBoard),
                Missing::Board { .. } | Missing::SignedOut => {
                    ("/boards".to_owned(), Text::AllBoards)
                }
            };
            let (what, more) = match missing {
                Missing::Page => (Text::NotFound, vec![locale.text(Text::NotFoundMore)]),
                Missing::Board { name, is_signed_in } => {
                    let name = isolated(&name);
                    let mut more = vec![locale.with(Text::NoBoard, &[("name", &name)])];
                    if !is_signed_in {
                        let sentences = [Text::PerhapsSignIn, Text::SignInLink];
                        more.push(sentences.map(|text| locale.text(text)).join(" "));
                    }
                    (Text::NotFound, more)
                }
                Missing::SignedOut => {
                    let sentences = [Text::SignInMore, Text::SignInLink];
                    (Text::SignIn, sentences.map(|text| locale.text(text)).into())
                }
            };
            message(&frame, what, more, back)
        }
        Document::Unavailable => {
            let more = vec![locale.text(Text::TriesAgain)];
            let back = (frame.board.home(), Text::ToTheBoard);
            message(&frame, Text::Unavailable, more, back)
        }
    }
}

/// How many nodes a browser makes of this HTML as leptos writes it, in which `<` and `>`
/// stand for tags and comments alone: elements, comments, and the texts between.
fn count_nodes(mut html: &str) -> usize {
    let mut nodes = 0;
    while !html.is_empty() {
        let end = if html.starts_with("<!--") {
            "-->"
        } else if html.starts_with('<') {
            ">"
        } else {
            ""
        };
        nodes += usize::from(!html.starts_with("</"));
        let length = match end {
            "" => html.find('<'),
            end => html.find(end).map(|at| at + end.len()),
        };
        html = &html[length.unwrap_or(html.len())..];
    }
    nodes
}

/// A name within a sentence that may be written the other way (Unicode's first strong
/// isolate).
fn isolated(name: &str) -> String {
    format!("\u{2068}{name}\u{2069}")
}

fn player(frame: &Frame, main: AnyView) -> AnyView {
    let locale = frame.language.locale();
    view! {
        <Home frame=frame.clone() />
        <LinkFailed frame=frame.clone() />
        {main}
        <SearchForm locale=locale.clone() board=frame.board.clone() query=String::new() />
        <Languages language=frame.language query=frame.query.clone() locale />
    }
    .into_any()
}

fn message(frame: &Frame, what: Text, more: Vec<String>, back: (String, Text)) -> AnyView {
    let locale = frame.language.locale();
    let more = more.into_iter().map(|text| view! { <p>{text}</p> });
    let (path, name) = back;
    view! {
        <Home frame=frame.clone() />
        <LinkFailed frame=frame.clone() />
        <main class="message">
            <h1>{locale.text(what)}</h1>
            {more.collect_view()}
            <p>
                <a href=base_path::link(&path)>{locale.text(name)}</a>
            </p>
        </main>
        <Languages language=frame.language query=frame.query.clone() locale />
    }
    .into_any()
}

/// A warning that a sign-in link is not valid, if one was opened.
#[component]
fn LinkFailed(
    /// Whether one was.
    frame: Frame,
) -> impl IntoView {
    frame.link_failed.then(|| {
        view! {
            <div class="notice" data-severity="warning">
                <p>{frame.language.locale().text(Text::LinkFailed)}</p>
            </div>
        }
    })
}

/// The link back to the board, on other pages.
#[component]
fn Home(
    /// Whose title it bears.
    frame: Frame,
) -> impl IntoView {
    view! {
        <header class="masthead home">
            <a href=base_path::link(&frame.board.home())>
                <Mark />
                <span>{frame.board.title.clone()}</span>
            </a>
        </header>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_counted_as_a_browser_makes_them() {
        for (html, nodes) in [
            ("", 0),
            ("text", 1),
            ("<p></p>", 1),
            ("<p>text</p>", 2),
            ("a<!>b", 3),
            ("<!--<() />-->", 1),
            (r#"<p class="a &gt; b"><img alt=""> &lt; </p>"#, 3),
            ("<ol><li>1</li><li><b>2</b> 3</li><!></ol>after", 9),
        ] {
            assert_eq!(count_nodes(html), nodes, "{html}");
        }
    }
}
