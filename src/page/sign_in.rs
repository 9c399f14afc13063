//! Signing in by a link, and out by a button.
//!
//! A link is any page's address with `token=…`. The browser is redirected to the same
//! address without it, whatever became of the link, so that the token is not in an address
//! for longer than that. Where another user is signed in already, the page asks first: the
//! link may be of anybody.
//!
//! A browser asks for an address for many reasons: pictures, frames, to be fast. Only a
//! person who opens a page signs in; and only our own pages send forms.

use app::{base_path::BasePath, server::Document};
use axum::{
    Form,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode, Uri,
        header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    PageQuery, Pages, Visit,
    navigation::{is_navigation, is_prefetch},
    query::{LANGUAGE, OUTCOME, Outcome, TOKEN, rest_of_query},
    render::Page,
};
use crate::{auth::Identity, board::UserId, origin::is_same_origin};

/// Follows a link, asks what it leaves to be asked, and lets all else pass.
pub(super) async fn links(
    State(pages): State<Pages>,
    visit: Visit,
    query: PageQuery,
    request: Request,
    next: Next,
) -> Response {
    if let Some(answer) = pages.follow_link(&request) {
        return answer;
    }
    if request.method() == Method::GET
        && query.outcome == Some(Outcome::Asks)
        && let Some(question) = pages.question(visit, request.uri(), request.headers())
    {
        return pages.render_for_one(visit, move || question).await;
    }
    next.run(request).await
}

/// The form of the question.
#[derive(Deserialize)]
pub(super) struct Answer {
    /// The id of the player that it has shown: another link may have been opened meanwhile.
    user: String,
}

/// The question was answered: the player of the link is to be signed in.
pub(super) async fn switch(
    State(pages): State<Pages>,
    query: PageQuery,
    uri: Uri,
    headers: HeaderMap,
    Form(answer): Form<Answer>,
) -> Response {
    let mut cookies = pages.end_question(&headers);
    let pending = pages.pending(&headers);
    let wanted = pending.filter(|(player, _)| UserId::parse(&answer.user) == Some(player.user));
    let Some((player, token)) = wanted.filter(|_| !query.is_embedded()) else {
        return redirect(&address(&pages.base, &uri, Some(Outcome::Failed)), cookies);
    };
    cookies.extend(pages.begin_session(&headers, player, token));
    redirect(&address(&pages.base, &uri, None), cookies)
}

/// `POST /sign-out`
pub(super) async fn sign_out(State(pages): State<Pages>, headers: HeaderMap) -> Response {
    redirect(&pages.base.link("/"), pages.end_session(&headers))
}

/// Refuses what a page of another site sends: only our own pages have our forms.
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
        let query = PageQuery::of(uri);
        let is_embedded = query.is_embedded();
        let token = query.token?;
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return None;
        }
        if is_prefetch(headers) {
            // What is not a success is asked for again when it is needed.
            let later = [(CACHE_CONTROL, "no-store"), (RETRY_AFTER, "0")];
            return Some((StatusCode::SERVICE_UNAVAILABLE, later).into_response());
        }
        let is_opened = request.method() == Method::GET && is_navigation(headers);
        let (outcome, cookies) = if is_embedded || !is_opened {
            (None, Vec::new())
        } else {
            self.open_link(headers, token)
        };
        Some(redirect(&address(&self.base, uri, outcome), cookies))
    }

    /// What becomes of a link that a person opens, and the cookies to set.
    fn open_link(&self, headers: &HeaderMap, token: String) -> (Option<Outcome>, Vec<HeaderValue>) {
        let Some(player) = self.player(&token) else {
            return (Some(Outcome::Failed), Vec::new());
        };
        match self.signed_in(false, headers) {
            Some(now) if now.user != player.user => {
                (Some(Outcome::Asks), self.begin_question(headers, token))
            }
            // An older link of the same player takes nothing away.
            Some(now) if now.expires > player.expires => (None, Vec::new()),
            _ => (None, self.begin_session(headers, player, token)),
        }
    }

    /// The question which player is to be signed in, if there is one.
    fn question(&self, visit: Visit, uri: &Uri, headers: &HeaderMap) -> Option<Page> {
        let now = self.signed_in(visit.is_embedded(), headers)?;
        let (player, _) = self.pending(headers)?;
        if now.user == player.user {
            return None;
        }
        let name = |of: Identity| {
            self.live.read(|_, state| {
                let person = state.directory().person(of.user)?;
                Some(person.profile.username.to_string())
            })
        };
        let document = Document::SwitchPlayer {
            now: name(now)?,
            link: name(player)?,
            user: player.user.to_string(),
            stay: address(&self.base, uri, None),
        };
        Some(Page {
            board: None,
            document,
            query: question_part(uri),
            sharing: None,
            turn: None,
        })
    }
}

/// The part of a query that stays beside a question, to be followed by more.
fn question_part(uri: &Uri) -> String {
    let rest = rest_of_query(uri, &[TOKEN, OUTCOME, LANGUAGE]);
    let rest = rest.into_iter().flat_map(|pair| [pair, "&"]);
    let rest: String = rest.collect();
    format!("{rest}{OUTCOME}={}&", Outcome::Asks.code())
}

/// Where a request for this address is redirected: to the same page, without a token and
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

/// Redirects to an address, and leaves no trace of the one before.
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
