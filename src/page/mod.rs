//! The page: rendered by the server from the board as it is, for a viewer or for
//! whoever is signed in.
//!
//! Signing in is a link ([`sign_in`]): `/?token=…` puts a token into a cookie that
//! scripts cannot read. The page itself is handed a short-lived [`token`] of its own,
//! with which it connects to the hub.
//!
//! `/?view=embed` is for frames on pages of others (`http.embed_origins`). There
//! nobody is signed in, whatever cookies come along: what the page of a stranger
//! surrounds is nobody's own.

mod cache;
mod cookies;
mod language;
mod manifest;
mod picture;
mod policy;
mod race;
mod rows;
mod share;
mod sign_in;
mod token;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use app::{
    base_path::BasePath,
    files::PageFiles,
    server::{Document, Frame, document},
    texts::Language,
    wire::{PageSnapshot, ScoreRow, UserScore, View},
};
use axum::{
    Extension, Json, Router,
    body::{Body, to_bytes},
    extract::{DefaultBodyLimit, Path, Query, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, RETRY_AFTER, SET_COOKIE, VARY},
    },
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use leptos::{config::LeptosOptions, nonce::Nonce, prelude::provide_context};
use tower_http::{CompressionLevel, compression::CompressionLayer};

use crate::{
    auth::{Identity, Tokens},
    board::{Ties, Timestamp, UserId},
    limits::{Answers, Client, Limits, Unanswered},
    listener::ClientAddress,
    live::{LiveBoard, MAX_QUERY_CHARS, Version},
    wire,
};

use cache::{Content, Key, Rendered, Unrendered};
pub use cache::{PageCache, UnavailablePages, page_cache};
pub use policy::Origins;
use race::NumberedRace;
pub use race::Races;
pub use share::Pictures;
use sign_in::Outcome;
use token::SocketToken;

/// The largest form that is read, in bytes: an id fits.
const MAX_FORM: usize = 1024;
/// Rows on either side of whoever is signed in.
const WINDOW: usize = 2;
/// Points of the chart of one player.
const CHART_POINTS: usize = 240;
/// Players that a search shows.
const FOUND: usize = 20;

/// How long somebody waits who is signed in, and whose page is rendered for nobody else:
/// a classroom of 100 that opens it at once is through before, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the routes of the page need.
#[derive(Clone)]
pub struct Pages {
    /// The board.
    pub live: LiveBoard,
    /// Whose cookies are believed.
    pub tokens: Arc<Tokens>,
    /// What the board is called.
    pub title: Arc<str>,
    /// How long the token of a page lives.
    pub token_ttl: Duration,
    /// What leptos wants to know.
    pub leptos: LeptosOptions,
    /// The files that the page loads.
    pub files: PageFiles,
    /// Whose pictures and frames are welcome.
    pub origins: Arc<Origins>,
    /// When it starts.
    pub starts: Option<SystemTime>,
    /// How the first ones came there.
    pub races: Races,
    /// By which pages are rendered, with those for whoever is not signed in.
    pub cache: PageCache,
    /// What is shown in place of a page that is too much now.
    pub unavailable_pages: UnavailablePages,
    /// The origin under which the page is known, if it was configured.
    pub public_url: Arc<str>,
    /// Under which path it is there.
    pub base: BasePath,
    /// The picture for links.
    pub pictures: Pictures,
    /// By which requests are answered in turn.
    pub answers: Answers,
    /// When a page may connect.
    pub limits: Arc<Limits>,
}

/// All routes of the page.
pub fn routes(pages: Pages) -> Router {
    Router::new()
        .route("/", get(index).post(sign_in::switch))
        .route("/players/{id}", get(player).post(sign_in::switch))
        .layer(from_fn_with_state(pages.clone(), sign_in::links))
        .route("/page/token", get(token::token))
        .route("/page/rows", get(rows::rows))
        .route("/share.png", get(share::image))
        .route("/manifest.webmanifest", get(manifest::manifest))
        .route("/sign-out", post(sign_in::sign_out))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(from_fn_with_state(
            pages.clone(),
            sign_in::refuse_other_sites,
        ))
        // Files are compressed when they are built; a page only now, for each viewer anew,
        // because of the token in it: so it must be cheap.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(from_fn_with_state(pages.clone(), in_turn))
        .with_state(pages)
}

/// The page for all addresses that lead nowhere.
pub fn missing(pages: Pages) -> MethodRouter {
    get(missing_page)
        .layer(from_fn_with_state(pages.clone(), in_turn))
        .with_state(pages)
}

async fn in_turn(
    State(pages): State<Pages>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
    next: Next,
) -> Response {
    let asked = request.headers().clone();
    match pages.answers.answer(address.into(), request, next).await {
        Ok(answer) => answer,
        Err(why) => {
            pages
                .unavailable(&why, Visit::of(&query, &asked), &asked)
                .await
        }
    }
}

async fn index(
    State(pages): State<Pages>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let visit = Visit::of(&query, request.headers());
    let client = Client::from(address);
    // Before anything that is shown is read: it is of this version or a newer one.
    let version = pages.live.version();
    if let Some(name) = query.get("q") {
        let query: String = name.chars().take(MAX_QUERY_CHARS).collect();
        let mut found = match pages.live.search(client, name, FOUND).await {
            Ok(found) => found,
            Err(why) => return pages.unavailable(&why, visit, request.headers()).await,
        };
        for user in &mut found.users {
            pages.hide_picture(&mut user.avatar);
        }
        let content = Content::Found {
            query: query.clone(),
            part: search_part(request.uri().query().unwrap_or_default()),
        };
        let page = |_| Document::Found { query, found };
        return pages
            .render_for_all(client, visit, version, content, page, request)
            .await;
    }
    // Addresses count pages from 1, and no board has more than these.
    let page = match query.get("page").map(|page| page.parse::<u32>()) {
        None => None,
        Some(Ok(page)) if page > 0 => Some(u64::from(page) - 1),
        Some(_) => return pages.render_missing(client, visit, request).await,
    };
    let you = pages.visitor(is_embedded(&query), request.headers());
    let race = if page.is_none() && visit.view == View::Whole {
        pages.races.latest(&pages.live).await
    } else {
        NumberedRace::default()
    };
    let refreshes = query.get("refresh").is_none_or(|refresh| refresh != "off");
    let content = Content::Board {
        page,
        refreshes,
        origin: share::origin(&pages.public_url, request.headers()),
        race: race.number,
        is_before_start: pages.starts_later().is_some(),
    };
    let board = {
        let pages = pages.clone();
        move |token| Document::Board {
            snapshot: Box::new(pages.snapshot(you, &visit, page, token)),
            race: race.race,
            refreshes,
        }
    };
    if you.is_none() {
        return pages
            .render_for_all(client, visit, version, content, board, request)
            .await;
    }
    let token = pages.page_token(you, None);
    let board = move || board(token);
    pages.render_for_one(client, visit, board, request).await
}

/// The page of one player.
async fn player(
    State(pages): State<Pages>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let visit = Visit::of(&query, request.headers());
    let client = Client::from(address);
    let version = pages.live.version();
    let Some(user) = UserId::parse(&id) else {
        return pages.render_missing(client, visit, request).await;
    };
    let page = match pages.live.history(client, user, CHART_POINTS).await {
        Ok(history) => history.map(|mut history| {
            pages.hide_picture(&mut history.user.avatar);
            Document::Player(Box::new(history))
        }),
        // What is now is known here.
        Err(_) => pages.live.user_score(user).map(|mut user| {
            pages.hide_picture(&mut user.avatar);
            Document::PlayerNow(Box::new(user))
        }),
    };
    let Some(page) = page else {
        return pages.render_missing(client, visit, request).await;
    };
    let content = Content::Player {
        user,
        has_past: matches!(page, Document::Player(_)),
    };
    let page = |_| page;
    pages
        .render_for_all(client, visit, version, content, page, request)
        .await
}

async fn missing_page(
    State(pages): State<Pages>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    request: Request,
) -> Response {
    if let Some(answer) = pages.follow_link(&request) {
        return answer;
    }
    let visit = Visit::of(&HashMap::new(), request.headers());
    pages.render_missing(address.into(), visit, request).await
}

/// How somebody wants a page.
#[derive(Clone, Copy)]
struct Visit {
    view: View,
    language: Language,
    /// Was the language chosen here, and is to be remembered?
    is_chosen: bool,
    /// Was the page opened by a sign-in link that is not valid?
    link_failed: bool,
}

impl Visit {
    fn of(query: &HashMap<String, String>, headers: &HeaderMap) -> Visit {
        let view = match query.get("view").map(String::as_str) {
            Some("kiosk") => View::Kiosk,
            Some("embed") => View::Embed,
            _ => View::Whole,
        };
        let chosen = query.get("lang").and_then(|code| Language::of(code));
        Visit {
            view,
            language: chosen.unwrap_or_else(|| language::preferred(headers, view)),
            // Nobody's cookies are touched by the page of a stranger.
            is_chosen: chosen.is_some() && view != View::Embed && sign_in::is_navigation(headers),
            link_failed: view != View::Embed && Outcome::of(query) == Some(Outcome::Failed),
        }
    }
}

/// A document as HTML; or as a text in JSON, which no proxy on the way rewrites, for a
/// page of ours that has found itself rewritten.
fn written(html: String, asked: &HeaderMap) -> Response {
    let wants_json = |accept: &HeaderValue| accept == "application/json";
    if asked.get(ACCEPT).is_some_and(wants_json) {
        Json(html).into_response()
    } else {
        Html(html).into_response()
    }
}

/// An answer for one visitor at one moment; it depends on the cookie, unless it is
/// for a frame.
fn unkept(mut response: Response, is_embedded: bool) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        VARY,
        HeaderValue::from_static(if is_embedded {
            "accept-language"
        } else {
            "accept-language, cookie"
        }),
    );
    response
}

/// The part of a query that says what was looked for, to be followed by more. It stays
/// as it was written, so that nothing is to be quoted anew.
fn search_part(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| pair.starts_with("q="));
    pairs.flat_map(|pair| [pair, "&"]).collect()
}

/// Is this for a frame on somebody else's page?
fn is_embedded(query: &HashMap<String, String>) -> bool {
    query.get("view").is_some_and(|view| view == "embed")
}

impl Pages {
    /// Gives back the memory of pages and pictures that nobody asks for any more.
    pub fn forget_idle(&self) {
        self.cache.forget_idle();
        self.pictures.forget_idle();
    }

    /// The score of whoever is signed in.
    fn user_score(&self, you: Identity) -> Option<UserScore> {
        let mut score = self.live.user_score(you.user)?;
        self.hide_picture(&mut score.avatar);
        Some(score)
    }

    /// A page that is the same for all who are not signed in: as it was rendered for the
    /// first of them. What it shows is of this version of the board or a newer one.
    async fn render_for_all(
        &self,
        client: Client,
        visit: Visit,
        version: Version,
        content: Content,
        page: impl FnOnce(SocketToken) -> Document + Send + 'static,
        request: Request,
    ) -> Response {
        let asked = request.headers().clone();
        match self
            .rendered(client, visit, version, content, page, request)
            .await
        {
            Ok(page) => self.filled(&page, visit, &asked),
            Err(why) => self.unavailable(&why, visit, &asked).await,
        }
    }

    /// A page for one user alone.
    async fn render_for_one(
        &self,
        client: Client,
        visit: Visit,
        page: impl FnOnce() -> Document + Send + 'static,
        request: Request,
    ) -> Response {
        let asked = request.headers().clone();
        let nonce = Nonce::new();
        let (pages, its_nonce) = (self.clone(), nonce.clone());
        let rendered = self.cache.once(client, PATIENCE, async move |permit| {
            let html = pages.html(&its_nonce, visit, page(), request).await;
            drop(permit);
            let html = html.map_err(Unanswered::Failed)?;
            Ok(Arc::new(Rendered::new(&html, "", "")))
        });
        match rendered.await {
            Ok(page) => {
                let page = written(page.with("", ""), &asked);
                self.answer(page, &nonce, visit, &asked)
            }
            Err(why) => self.unavailable(&why, visit, &asked).await,
        }
    }

    async fn render_missing(&self, client: Client, visit: Visit, request: Request) -> Response {
        let page = |_| Document::Missing;
        let version = Version::default();
        let mut response = self
            .render_for_all(client, visit, version, Content::Missing, page, request)
            .await;
        if response.status().is_success() {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        response
    }

    /// The page that says that another cannot be shown now. As everybody gets the same,
    /// it costs next to nothing, and needs no permit.
    async fn unavailable<E>(
        &self,
        why: &Unanswered<E>,
        visit: Visit,
        asked: &HeaderMap,
    ) -> Response {
        let Visit { view, language, .. } = visit;
        let page = self.unavailable_pages.get(view, language, async || {
            let (nonce, token) = (Nonce::new(), self.page_token(None, None));
            // The same for all.
            let visit = Visit {
                is_chosen: false,
                link_failed: false,
                ..visit
            };
            let request = Request::new(Body::empty());
            let html = self.html(&nonce, visit, Document::Unavailable, request);
            Ok(Rendered::new(&html.await?, &token.token, &nonce))
        });
        let mut response = match page.await {
            Ok(page) => self.filled(&page, visit, asked),
            Err(Unrendered) => {
                "the page cannot be shown now: try again a little later\n".into_response()
            }
        };
        *response.status_mut() = why.status();
        if let Some(seconds) = why.retry_after() {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// A page from the cache, or rendered for it.
    async fn rendered(
        &self,
        client: Client,
        visit: Visit,
        version: Version,
        content: Content,
        page: impl FnOnce(SocketToken) -> Document + Send + 'static,
        request: Request,
    ) -> Result<Arc<Rendered>, Unanswered<Unrendered>> {
        let key = Key {
            version,
            view: visit.view,
            language: visit.language,
            link_failed: visit.link_failed,
            content,
        };
        let pages = self.clone();
        let rendered = self.cache.get(client, key, async move |permit| {
            let (nonce, token) = (Nonce::new(), pages.page_token(None, None));
            let text = token.token.clone();
            let html = pages.html(&nonce, visit, page(token), request).await;
            drop(permit);
            let html = html.map_err(Unanswered::Failed)?;
            Ok(Arc::new(Rendered::new(&html, &text, &nonce)))
        });
        rendered.await
    }

    /// A page that all share, with a token and a nonce of this answer's own.
    fn filled(&self, page: &Rendered, visit: Visit, asked: &HeaderMap) -> Response {
        let (nonce, token) = (Nonce::new(), self.page_token(None, None));
        let page = written(page.with(&token.token, &nonce), asked);
        self.answer(page, &nonce, visit, asked)
    }

    /// A document whose scripts have this nonce.
    async fn html(
        &self,
        nonce: &Nonce,
        visit: Visit,
        page: Document,
        request: Request,
    ) -> Result<String, Unrendered> {
        let (sharing, query) = match &page {
            Document::Board { snapshot, .. } => {
                let origin = share::origin(&self.public_url, request.headers());
                let page = snapshot.board.page;
                let query = page.map(|page| format!("page={}&", page + 1));
                (
                    Some(share::sharing(origin, &self.base, snapshot)),
                    query.unwrap_or_default(),
                )
            }
            Document::Found { .. } => {
                let query = request.uri().query().unwrap_or_default();
                (None, search_part(query))
            }
            Document::SwitchPlayer { .. } => (None, sign_in::question_part(request.uri())),
            _ => (None, String::new()),
        };
        let frame = Frame {
            title: self.title.to_string(),
            language: visit.language,
            view: visit.view,
            link_failed: visit.link_failed,
            query,
            files: self.files.clone(),
            sharing,
        };
        let nonce = nonce.clone();
        // In place of the one that leptos has made.
        let base = self.base.clone();
        let context = move || {
            provide_context(nonce.clone());
            provide_context(base.clone());
        };
        let options = self.leptos.clone();
        let shell = move || document(options.clone(), frame.clone(), page.clone());
        let render = leptos_axum::render_app_to_stream_with_context(context, shell);
        let response = render(request).await;
        let html = to_bytes(response.into_body(), usize::MAX).await;
        let html = html.map_err(|_| Unrendered)?;
        String::from_utf8(html.into()).map_err(|_| Unrendered)
    }

    /// What every document says beside itself.
    fn answer(
        &self,
        response: Response,
        nonce: &Nonce,
        visit: Visit,
        asked: &HeaderMap,
    ) -> Response {
        let is_embedded = visit.view == View::Embed;
        // It holds a token, and the board of this moment.
        let mut response = unkept(response, is_embedded);
        let policy = policy::policy(nonce, &self.origins, is_embedded);
        if let Ok(policy) = HeaderValue::try_from(policy) {
            response
                .headers_mut()
                .insert(CONTENT_SECURITY_POLICY, policy);
        }
        if visit.is_chosen
            && let Some(cookie) = language::cookie(
                visit.language,
                &self.base,
                cookies::is_secure(&self.public_url, asked),
            )
        {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// When it begins, if it has not.
    fn starts_later(&self) -> Option<SystemTime> {
        self.starts.filter(|starts| *starts > SystemTime::now())
    }

    fn snapshot(
        &self,
        you: Option<Identity>,
        visit: &Visit,
        page: Option<u64>,
        SocketToken { token, expires_in }: SocketToken,
    ) -> PageSnapshot {
        let (mut board, mut around, mut you, margin) = self.live.read(|epoch, board| {
            let rows = rows::of(epoch, board, page);
            let around = you.and_then(|you| board.around(you.user, WINDOW));
            let around = around.map_or_else(Vec::new, |places| {
                wire::leaderboard(epoch, board, places).top_scores
            });
            let margin = match board.rules().ties {
                Ties::Earliest => 1,
                Ties::Competition | Ties::Dense => 0,
            };
            let you = you.and_then(|you| wire::user_score(epoch, board, you.user));
            (rows, around, you, margin)
        });
        if let Some(you) = &mut you {
            self.hide_picture(&mut you.avatar);
        }
        self.hide_pictures(&mut board.top_scores);
        self.hide_pictures(&mut around);
        let starts = self.starts_later();
        let starts = starts.and_then(|starts| starts.duration_since(UNIX_EPOCH).ok());
        PageSnapshot {
            base: self.base.clone(),
            title: self.title.to_string(),
            view: visit.view,
            locale: visit.language.locale(),
            board,
            you,
            around,
            margin,
            starts: starts.map(|it| wire::timestamp(Timestamp(it.as_millis() as u64))),
            token,
            expires_in,
            link_failed: visit.link_failed,
            avatar_origins: self.origins.avatars.shown.clone(),
        }
    }

    /// Leaves out what browsers would not show: the page's policy keeps them from it,
    /// so the server renders initials.
    fn hide_picture(&self, avatar: &mut Option<String>) {
        avatar.take_if(|avatar| !self.origins.avatars.allow(avatar));
    }

    fn hide_pictures(&self, rows: &mut [ScoreRow]) {
        for row in rows {
            self.hide_picture(&mut row.avatar);
        }
    }
}
