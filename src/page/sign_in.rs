//! Signing in by a link, and out by a button.
//!
//! A link is any page's address with `token=…`. Whoever opens it is sent to the same
//! address without it, whatever became of the link, so that it is not in an address for
//! longer than that. Where somebody else is signed in already, the page asks first: the
//! link may be of anybody.
//!
//! A browser asks for an address for many reasons: pictures, frames, to be fast. Only a
//! person who opens a page signs in; and only our own pages send forms.

use std::collections::HashMap;

use app::{base_path::BasePath, server::Document};
use axum::{
    Extension, Form,
    extract::{Query, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode, Uri,
        header::{
            ACCEPT, AUTHORIZATION, CACHE_CONTROL, LOCATION, REFERRER_POLICY, RETRY_AFTER,
            SET_COOKIE,
        },
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{Pages, Visit, cookies, is_embedded};
use crate::{
    auth::{Identity, Role, bearer},
    board::UserId,
    listener::ClientAddress,
    origin::is_same_origin,
};

/// The cookie that holds the token of whoever is signed in.
const SESSION: &str = "podium_token";
/// The cookie that holds the token of a link until its question is answered: nobody but
/// the browser and we can read it there.
const PENDING: &str = "podium_link";
/// How long the question may take, in seconds.
const PENDING_FOR: u64 = 300;
/// The longest token that signs in, in bytes. Browsers take cookies of 4096 bytes with
/// their names (RFC 6265bis, section 5.6), and drop longer ones without a word.
const TOKEN_MAX_BYTES: usize = 4000;

/// The parameter that makes a link.
const TOKEN: &str = "token";
/// The parameter that says what became of one.
const OUTCOME: &str = "signin";

/// What became of a link, if it did not just sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is not valid.
    Failed,
    /// Somebody else is signed in, and is asked.
    Asks,
}

impl Outcome {
    /// What an address says.
    pub(super) fn of(query: &HashMap<String, String>) -> Option<Outcome> {
        let code = query.get(OUTCOME)?;
        let all = [Outcome::Failed, Outcome::Asks];
        all.into_iter().find(|outcome| outcome.code() == code)
    }

    fn code(self) -> &'static str {
        match self {
            Outcome::Failed => "failed",
            Outcome::Asks => "ask",
        }
    }
}

/// Follows a link, asks what it leaves to be asked, and lets all else pass.
pub(super) async fn links(
    State(pages): State<Pages>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(answer) = pages.follow_link(&request) {
        return answer;
    }
    let query = query_of(request.uri());
    if request.method() == Method::GET
        && Outcome::of(&query) == Some(Outcome::Asks)
        && !is_embedded(&query)
        && let Some(question) = pages.question(request.uri(), request.headers())
    {
        let visit = Visit::of(&query, request.headers());
        let question = move || question;
        return pages
            .render_for_one(address.into(), visit, question, request)
            .await;
    }
    next.run(request).await
}

/// What the form of the question says.
#[derive(Deserialize)]
pub(super) struct Answer {
    /// Whom it has shown: another link may have been opened meanwhile.
    user: String,
}

/// The question was answered: the player of the link is to be signed in.
pub(super) async fn switch(
    State(pages): State<Pages>,
    uri: Uri,
    headers: HeaderMap,
    Form(answer): Form<Answer>,
) -> Response {
    let mut cookies = cookies::remove(&headers, &pages.base, PENDING);
    let pending = pages.pending(&headers);
    let wanted = pending.filter(|(player, _)| UserId::parse(&answer.user) == Some(player.user));
    let Some((player, token)) = wanted.filter(|_| !is_embedded(&query_of(&uri))) else {
        return redirect(&address(&pages.base, &uri, Some(Outcome::Failed)), cookies);
    };
    cookies.extend(pages.session(&headers, player, token));
    redirect(&address(&pages.base, &uri, None), cookies)
}

/// `POST /sign-out`
pub(super) async fn sign_out(State(pages): State<Pages>, headers: HeaderMap) -> Response {
    let base = &pages.base;
    let mut cookies = cookies::remove(&headers, base, SESSION);
    cookies.extend(cookies::remove(&headers, base, PENDING));
    redirect(&base.link("/"), cookies)
}

/// Refuses what a page of another site sends: whatever a form of ours does, only a page
/// of ours asks for it.
pub(super) async fn refuse_other_sites(
    State(pages): State<Pages>,
    request: Request,
    next: Next,
) -> Response {
    if request.method().is_safe() || is_same_origin(&pages.public_url, request.headers()) {
        return next.run(request).await;
    }
    (
        StatusCode::FORBIDDEN,
        [(CACHE_CONTROL, "no-store")],
        "a page of another site has sent this, so nothing was done; if it was a page of this \
         board, http.public_url has to be the origin under which browsers know it\n",
    )
        .into_response()
}

impl Pages {
    /// The answer to an address with a token; `None` if there is none in it.
    pub(super) fn follow_link(&self, request: &Request) -> Option<Response> {
        let (uri, headers) = (request.uri(), request.headers());
        let query = query_of(uri);
        let token = query.get(TOKEN)?;
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return None;
        }
        if is_prefetch(headers) {
            // What is not a success is asked for again when it is needed.
            let later = [(CACHE_CONTROL, "no-store"), (RETRY_AFTER, "0")];
            return Some((StatusCode::SERVICE_UNAVAILABLE, later).into_response());
        }
        let is_opened = request.method() == Method::GET && is_navigation(headers);
        if is_embedded(&query) || !is_opened {
            return Some(redirect(&address(&self.base, uri, None), Vec::new()));
        }
        let Some(player) = self.player(token) else {
            return Some(redirect(
                &address(&self.base, uri, Some(Outcome::Failed)),
                Vec::new(),
            ));
        };
        let token = token.clone();
        let (outcome, cookies) = match self.signed_in(headers) {
            Some(now) if now.user != player.user => {
                let is_secure = cookies::is_secure(&self.public_url, headers);
                let asked =
                    cookies::set(headers, &self.base, is_secure, PENDING, token, PENDING_FOR);
                (Some(Outcome::Asks), asked)
            }
            // An older link of the same player takes nothing away.
            Some(now) if now.expires > player.expires => (None, Vec::new()),
            _ => (None, self.session(headers, player, token)),
        };
        Some(redirect(&address(&self.base, uri, outcome), cookies))
    }

    /// The question whom to sign in, if there is one.
    fn question(&self, uri: &Uri, headers: &HeaderMap) -> Option<Document> {
        let now = self.signed_in(headers)?;
        let (player, _) = self.pending(headers)?;
        if now.user == player.user {
            return None;
        }
        let name = |of: Identity| Some(self.live.user_score(of.user)?.username);
        Some(Document::SwitchPlayer {
            now: name(now)?,
            link: name(player)?,
            user: player.user.to_string(),
            stay: address(&self.base, uri, None),
        })
    }

    /// The cookies by which a player is signed in for as long as the token is valid.
    fn session(&self, headers: &HeaderMap, player: Identity, token: String) -> Vec<HeaderValue> {
        let is_secure = cookies::is_secure(&self.public_url, headers);
        let remaining = self.tokens.remaining(&player).as_secs();
        cookies::set(headers, &self.base, is_secure, SESSION, token, remaining)
    }

    /// The player whose token the cookie holds.
    fn signed_in(&self, headers: &HeaderMap) -> Option<Identity> {
        let is_secure = cookies::is_secure(&self.public_url, headers);
        self.player(&cookies::read(headers, &self.base, is_secure, SESSION)?)
    }

    /// The registered player who is signed in by the cookie, or whoever has shown a token
    /// that is no viewer's.
    pub fn signed_in_user(&self, headers: &HeaderMap) -> Option<UserId> {
        if let Some(player) = self.signed_in(headers) {
            return Some(player.user);
        }
        let token = bearer(headers.get(AUTHORIZATION)?.to_str().ok()?)?;
        let identity = self.tokens.verify(token).ok()?;
        let is_known = match identity.role {
            Role::Viewer => false,
            Role::Player => self.live.knows(identity.user),
            Role::Publisher | Role::Admin => true,
        };
        (is_known && !self.live.is_revoked(&identity)).then_some(identity.user)
    }

    /// The player of the link whose question is open, and its token.
    fn pending(&self, headers: &HeaderMap) -> Option<(Identity, String)> {
        let is_secure = cookies::is_secure(&self.public_url, headers);
        let token = cookies::read(headers, &self.base, is_secure, PENDING)?;
        Some((self.player(&token)?, token))
    }

    /// The registered player to whom a token belongs. Publishers and admins have
    /// nothing on this page that a viewer has not.
    fn player(&self, token: &str) -> Option<Identity> {
        if token.len() > TOKEN_MAX_BYTES {
            return None;
        }
        let identity = self.tokens.verify_unended(token).ok()?;
        // Of one that ends within the second nothing is left.
        let is_player = identity.role == Role::Player
            && !self.tokens.remaining(&identity).is_zero()
            && self.live.knows(identity.user)
            && !self.live.is_revoked(&identity);
        is_player.then_some(identity)
    }

    /// Who is signed in; nobody in a frame.
    pub(super) fn visitor(&self, is_embedded: bool, headers: &HeaderMap) -> Option<Identity> {
        (!is_embedded).then(|| self.signed_in(headers)).flatten()
    }
}

/// The part of a query that stays beside a question, to be followed by more.
pub(super) fn question_part(uri: &Uri) -> String {
    let rest = rest_of_query(uri, &[TOKEN, OUTCOME, "lang"]);
    let rest = rest.into_iter().flat_map(|pair| [pair, "&"]);
    let rest: String = rest.collect();
    format!("{rest}{OUTCOME}={}&", Outcome::Asks.code())
}

/// Does a person open a page, and not a browser fetch something for another one?
///
/// Browsers say so (Fetch Metadata), unless the page is asked without TLS. Then `Accept`
/// tells: all of them ask for `text/html` when they open a page, and not for pictures,
/// scripts and styles.
pub(super) fn is_navigation(headers: &HeaderMap) -> bool {
    if is_prefetch(headers) {
        return false;
    }
    let says = |name| headers.get(name);
    match (says("sec-fetch-dest"), says("sec-fetch-mode")) {
        // There is no other mode with this destination, nor a frame.
        (Some(destination), _) => destination == "document",
        (None, Some(mode)) => mode == "navigate",
        (None, None) => accepts_html(headers),
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter();
    let mut ranges = ranges
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    ranges.any(|range| {
        let kind = range.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/html")
    })
}

/// Is it asked for before anybody wants it, under whatever name that has?
fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        .any(|purpose| {
            let purpose = purpose.to_ascii_lowercase();
            ["prefetch", "prerender", "preview"]
                .iter()
                .any(|early| purpose.contains(early))
        })
}

/// Where somebody is sent who opened this address: the same page, without a token and
/// with what became of it.
fn address(base: &BasePath, uri: &Uri, outcome: Option<Outcome>) -> String {
    // Two slashes would lead to another host.
    let path = uri.path().trim_start_matches(['/', '\\']);
    let outcome = outcome.map(|outcome| format!("{OUTCOME}={}", outcome.code()));
    let mut pairs = rest_of_query(uri, &[TOKEN, OUTCOME]);
    pairs.extend(outcome.as_deref());
    let query = pairs.join("&");
    let mark = if query.is_empty() { "" } else { "?" };
    base.link(&format!("/{path}{mark}{query}"))
}

/// The pairs of a query as they were written, but for those of these names.
fn rest_of_query<'a>(uri: &'a Uri, without: &[&str]) -> Vec<&'a str> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let is_wanted = |pair: &&str| {
        let mut read = form_urlencoded::parse(pair.as_bytes());
        read.next()
            .is_some_and(|(name, _)| !without.contains(&&*name))
    };
    pairs.filter(is_wanted).collect()
}

/// A query, read as the handlers of the page read it.
fn query_of(uri: &Uri) -> HashMap<String, String> {
    Query::try_from_uri(uri).map_or_else(|_| HashMap::new(), |Query(query)| query)
}

/// Sends somebody on, and leaves no trace of the address from which.
fn redirect(address: &str, cookies: Vec<HeaderValue>) -> Response {
    let location = HeaderValue::from_bytes(address.as_bytes());
    let location = location.unwrap_or(HeaderValue::from_static("/"));
    let mut response = (
        StatusCode::SEE_OTHER,
        [
            (LOCATION, location),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ],
    )
        .into_response();
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn only_opening_a_page_is_a_navigation() {
        const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        for headers in [
            &[
                ("sec-fetch-dest", "document"),
                ("sec-fetch-mode", "navigate"),
            ][..],
            &[("sec-fetch-mode", "navigate")],
            &[HTML],
            &[("accept", "application/xml, Text/HTML;q=0.9")],
        ] {
            assert!(is_navigation(&asked(headers)), "{headers:?}");
        }
        for headers in [
            &[
                ("sec-fetch-dest", "image"),
                ("sec-fetch-mode", "no-cors"),
                HTML,
            ][..],
            &[
                ("sec-fetch-dest", "iframe"),
                ("sec-fetch-mode", "navigate"),
                HTML,
            ],
            &[
                ("sec-fetch-dest", "empty"),
                ("sec-fetch-mode", "cors"),
                HTML,
            ],
            &[("sec-fetch-mode", "cors"), HTML],
            &[
                ("sec-fetch-dest", "document"),
                ("sec-purpose", "prefetch;prerender"),
            ],
            &[HTML, ("purpose", "prefetch")],
            &[HTML, ("x-moz", "prefetch")],
            &[("accept", "image/avif,image/webp,*/*;q=0.8")],
            &[("accept", "text/css,*/*;q=0.1")],
            &[("accept", "*/*")],
            &[("accept", "text/htmlx")],
            &[],
        ] {
            assert!(!is_navigation(&asked(headers)), "{headers:?}");
        }
    }

    #[test]
    fn everything_of_an_address_stays_but_the_token() {
        let after =
            |text: &str, outcome| address(&BasePath::default(), &text.parse().unwrap(), outcome);
        for (before, expected) in [
            ("/?token=a", "/"),
            ("/?token=a&view=kiosk&lang=de", "/?view=kiosk&lang=de"),
            (
                "/?q=a%26token=b+c&token=a&page=2",
                "/?q=a%26token=b+c&page=2",
            ),
            ("/?t%6fken=a&token=b&token", "/"),
            ("/?view=embed&token=a&&x", "/?view=embed&x"),
            ("/players/7?token=a&signin=ask", "/players/7"),
            ("//evil.example/?token=a", "/evil.example/"),
            ("/%2fevil.example?token=a", "/%2fevil.example"),
        ] {
            assert_eq!(after(before, None), expected, "{before}");
        }
        assert_eq!(
            after("/?token=a&view=kiosk", Some(Outcome::Failed)),
            "/?view=kiosk&signin=failed"
        );
        assert_eq!(
            after("/?signin=failed&token=a", Some(Outcome::Asks)),
            "/?signin=ask"
        );
        let uri = "/?signin=ask&lang=de&view=kiosk".parse().unwrap();
        assert_eq!(question_part(&uri), "view=kiosk&signin=ask&");
    }
}
