//! The page: rendered by the server from the board as it is, for a viewer or for
//! whoever is signed in.
//!
//! Signing in is a link: `/?token=…` puts a token into a cookie that scripts
//! cannot read. The page itself is handed a short-lived token of its own, with
//! which it connects to the hub.
//!
//! `/?view=embed` is for frames on pages of others (`http.embed_origins`). There
//! nobody is signed in, whatever cookies come along: what the page of a stranger
//! surrounds is nobody's own.

mod manifest;
mod picture;
mod policy;
mod share;

use std::{collections::HashMap, sync::Arc, time::Duration};

use app::{
    files::PageFiles,
    pictures,
    wire::{PageSnapshot, PageToken, UserScore},
};
use axum::{
    Json, Router,
    extract::{Query, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, SET_COOKIE, VARY},
    },
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use cookie::{Cookie, SameSite};
use leptos::{
    config::LeptosOptions,
    nonce::use_nonce,
    prelude::{provide_context, use_context},
};
use leptos_axum::ResponseOptions;

use crate::{
    auth::{self, Identity, Role, Tokens},
    board::UserId,
    live::LiveBoard,
    wire,
};

/// The cookie that holds the token of whoever is signed in.
const COOKIE_NAME: &str = "podium_token";

pub use policy::Origins;
pub use share::Shared;

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
    /// The origin under which the page is known, if it was configured.
    pub public_url: Arc<str>,
    /// The picture for links, as it was drawn last.
    pub shared: Shared,
}

/// All routes of the page.
pub fn routes(pages: Pages) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/page/token", get(token))
        .route("/share.png", get(share::image))
        .route("/manifest.webmanifest", get(manifest::manifest))
        .route("/sign-out", post(sign_out))
        .with_state(pages)
}

async fn index(
    State(pages): State<Pages>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let is_embedded = is_embedded(&query);
    let link = query
        .get("token")
        .filter(|_| !is_embedded && is_visit(&request));
    let link_failed = match link.map(|token| pages.sign_in(token, request.headers())) {
        Some(Some(response)) => return response,
        Some(None) => true,
        None => false,
    };
    let you = pages.visitor(is_embedded, request.headers());
    let snapshot = pages.snapshot(you, link_failed);
    let sharing = share::sharing(&pages.public_url, request.headers(), &snapshot);
    let context = {
        let Pages { files, origins, .. } = pages.clone();
        move || {
            provide_context(snapshot.clone());
            provide_context(files.clone());
            provide_context(sharing.clone());
            // Leptos provides both before it asks for ours.
            if let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) {
                let policy = policy::policy(&nonce, &origins, is_embedded);
                if let Ok(policy) = HeaderValue::try_from(policy) {
                    response.insert_header(CONTENT_SECURITY_POLICY, policy);
                }
            }
        }
    };
    let options = pages.leptos.clone();
    let shell = move || app::shell(options.clone());
    let render = leptos_axum::render_app_to_stream_with_context(context, shell);
    // It holds a token, and the board of this moment.
    unkept(render(request).await, is_embedded)
}

/// An answer for one visitor at one moment; it depends on the cookie, unless it is
/// for a frame.
fn unkept(mut response: Response, is_embedded: bool) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !is_embedded {
        headers.insert(VARY, HeaderValue::from_static("cookie"));
    }
    response
}

/// Is this for a frame on somebody else's page?
fn is_embedded(query: &HashMap<String, String>) -> bool {
    query.get("view").is_some_and(|view| view == "embed")
}

/// Does somebody open the page, and not a picture on another one? A browser says
/// what a request is for; one that does not say is believed.
fn is_visit(request: &Request) -> bool {
    let destination = request.headers().get("sec-fetch-dest");
    request.method() == Method::GET
        && destination.is_none_or(|destination| destination == "document")
}

/// A fresh token for a page whose own ends or has ended. A viewer who shows the
/// old one remains the same viewer.
async fn token(
    State(pages): State<Pages>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let is_embedded = is_embedded(&query);
    let you = pages.visitor(is_embedded, &headers);
    let viewer = headers
        .get(AUTHORIZATION)
        .and_then(|value| {
            pages
                .tokens
                .verify(auth::bearer(value.to_str().ok()?)?)
                .ok()
        })
        .filter(|identity| pages.is_ours(*identity));
    let (token, expires_in) = pages.page_token(you, viewer);
    let page = PageToken {
        token,
        expires_in,
        you: you.and_then(|you| pages.user_score(you)),
    };
    unkept(Json(page).into_response(), is_embedded)
}

async fn sign_out(headers: HeaderMap) -> Response {
    let mut cookie = cookie(String::new(), 0, &headers);
    cookie.make_removal();
    with_cookie(&cookie)
}

impl Pages {
    /// Puts a player's token into the cookie.
    fn sign_in(&self, token: &str, headers: &HeaderMap) -> Option<Response> {
        let player = self.player(token)?;
        let remaining = player.expires.saturating_sub(auth::now());
        Some(with_cookie(&cookie(token.to_owned(), remaining, headers)))
    }

    /// The player whose token the cookie holds.
    fn signed_in(&self, headers: &HeaderMap) -> Option<Identity> {
        let cookies = headers.get_all(COOKIE).iter();
        let token = cookies
            .filter_map(|value| value.to_str().ok())
            .flat_map(Cookie::split_parse)
            .filter_map(Result::ok)
            .find(|cookie| cookie.name() == COOKIE_NAME)?;
        self.player(token.value())
    }

    /// The registered player to whom a token belongs. Publishers and admins have
    /// nothing on this page that a viewer has not.
    fn player(&self, token: &str) -> Option<Identity> {
        let identity = self.tokens.verify(token).ok()?;
        // In its last second a token is valid and good for nothing.
        let is_player = identity.role == Role::Player
            && identity.expires > auth::now()
            && self.live.knows(identity.user)
            && !self.live.is_revoked(&identity);
        is_player.then_some(identity)
    }

    /// Who is signed in; nobody in a frame.
    fn visitor(&self, is_embedded: bool, headers: &HeaderMap) -> Option<Identity> {
        (!is_embedded).then(|| self.signed_in(headers)).flatten()
    }

    /// May the picture at this address be shown? The page's policy keeps browsers
    /// from any other, so for those the server renders initials.
    pub fn allowed_avatar(&self, address: &str) -> bool {
        pictures::is_allowed(address, &self.origins.avatars)
    }

    /// The score of whoever is signed in.
    fn user_score(&self, you: Identity) -> Option<UserScore> {
        let mut score = self.live.user_score(you.user)?;
        score.avatar = score.avatar.filter(|avatar| self.allowed_avatar(avatar));
        Some(score)
    }

    fn snapshot(&self, you: Option<Identity>, link_failed: bool) -> PageSnapshot {
        let (token, expires_in) = self.page_token(you, None);
        let mut board = self.live.read(|board| wire::top(self.live.epoch(), board));
        for row in &mut board.top_scores {
            row.avatar = row
                .avatar
                .take()
                .filter(|avatar| self.allowed_avatar(avatar));
        }
        PageSnapshot {
            title: self.title.to_string(),
            board,
            you: you.and_then(|you| self.user_score(you)),
            token,
            expires_in,
            link_failed,
            avatar_origins: self.origins.avatars.clone(),
        }
    }

    /// Was it a page that handed this viewer a token? Only those are made up; a
    /// viewer's token in the name of a player is not ours to prolong.
    fn is_ours(&self, viewer: Identity) -> bool {
        viewer.role == Role::Viewer
            && !self.live.knows(viewer.user)
            && !self.live.is_revoked(&viewer)
    }

    /// A token for the page's socket, and for how many seconds it is valid. It
    /// never outlives the one that signed in.
    fn page_token(&self, you: Option<Identity>, viewer: Option<Identity>) -> (String, u64) {
        let (token, ttl) = match (you, viewer) {
            (Some(you), _) => {
                let remaining = Duration::from_secs(you.expires.saturating_sub(auth::now()));
                let ttl = remaining.min(self.token_ttl);
                (self.tokens.derive(you, ttl), ttl)
            }
            (None, Some(viewer)) => {
                let token = self.tokens.derive(viewer, self.token_ttl);
                (token, self.token_ttl)
            }
            (None, None) => {
                let new = UserId(rand::random());
                let token = self.tokens.issue(new, Role::Viewer, self.token_ttl);
                (token, self.token_ttl)
            }
        };
        // Without a token the page shows the board and says that it is not live.
        (token.unwrap_or_default(), ttl.as_secs())
    }
}

/// The cookie, for encrypted connections alone where the proxy says that this is
/// one.
fn cookie(value: String, seconds: u64, headers: &HeaderMap) -> Cookie<'static> {
    let scheme = headers.get("x-forwarded-proto");
    let max_age = i64::try_from(seconds).unwrap_or(i64::MAX);
    Cookie::build((COOKIE_NAME, value))
        .path("/")
        .http_only(true)
        .secure(scheme.is_some_and(|scheme| scheme == "https"))
        .same_site(SameSite::Lax)
        .max_age(cookie::time::Duration::seconds(max_age))
        .build()
}

fn with_cookie(cookie: &Cookie<'_>) -> Response {
    let mut response = Redirect::to("/").into_response();
    match HeaderValue::from_str(&cookie.to_string()) {
        Ok(value) => {
            response.headers_mut().insert(SET_COOKIE, value);
            response
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
