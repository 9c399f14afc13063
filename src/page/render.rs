//! Documents as answers: rendered, or from the cache, with the headers that all of them
//! have. What is rendered depends on nothing of the request but what is passed here.

use std::{sync::Arc, time::Duration};

use app::{
    server::{Document, Frame, Missing, Turn, document},
    sharing::Sharing,
    wire::{BoardInfo, MAIN},
};
use axum::{
    Json,
    body::{Body, to_bytes},
    extract::Request,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_SECURITY_POLICY, RETRY_AFTER, SET_COOKIE},
    },
    response::{Html, IntoResponse, Response},
};
use leptos::{nonce::Nonce, prelude::provide_context};

use super::{
    Pages, Visit,
    cache::{Content, Key, Rendered, Unrendered},
    caching::not_stored,
    language, policy,
    token::SocketToken,
};
use crate::{
    board::BoardId,
    limits::Unanswered,
    live::{self, Version},
    wire,
};

/// What the program is called, where no board has a title to show.
const NAME: &str = "Podium";

/// How long a user who is signed in waits for a page, which is rendered for this user
/// alone: a classroom of 100 that opens it at once is through before, on a slow machine
/// too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A page to be rendered.
pub(super) struct Page {
    /// Its board; see [`Pages::front`] if it is of none.
    pub(super) board: Option<BoardInfo>,
    pub(super) document: Document,
    /// The part of its query that its links repeat, to be followed by more.
    pub(super) query: String,
    /// What it says of itself to those who show a link to it.
    pub(super) sharing: Option<Sharing>,
    /// What a kiosk shows next.
    pub(super) turn: Option<Turn>,
}

/// A page whose links repeat nothing.
impl From<Document> for Page {
    fn from(document: Document) -> Page {
        Page {
            board: None,
            document,
            query: String::new(),
            sharing: None,
            turn: None,
        }
    }
}

impl Pages {
    /// A page that is the same for all who are not signed in, from the cache or rendered
    /// for it. What it shows is of this version of the board or a newer one.
    pub(super) async fn render_for_all(
        &self,
        visit: Visit,
        version: Version,
        content: Content,
        page: impl FnOnce(SocketToken) -> Page + Send + 'static,
    ) -> Response {
        let key = Key {
            version,
            view: visit.view,
            language: visit.language,
            link_failed: visit.link_failed,
            content,
        };
        let pages = self.clone();
        let rendered = self.cache.get(visit.client, key, async move |permit| {
            let (nonce, token) = (Nonce::new(), pages.page_token(None, None));
            let text = token.token.clone();
            let html = pages.html(&nonce, visit, page(token)).await;
            drop(permit);
            let html = html.map_err(Unanswered::Failed)?;
            Ok(Arc::new(Rendered::new(&html, &text, &nonce)))
        });
        match rendered.await {
            Ok(page) => self.filled(&page, visit),
            Err(why) => self.unavailable(&why, visit).await,
        }
    }

    /// A page for one user alone.
    pub(super) async fn render_for_one(
        &self,
        visit: Visit,
        page: impl FnOnce() -> Page + Send + 'static,
    ) -> Response {
        let nonce = Nonce::new();
        let (pages, its_nonce) = (self.clone(), nonce.clone());
        let rendered = self
            .cache
            .once(visit.client, PATIENCE, async move |permit| {
                let html = pages.html(&its_nonce, visit, page()).await;
                drop(permit);
                let html = html.map_err(Unanswered::Failed)?;
                Ok(Arc::new(Rendered::new(&html, "", "")))
            });
        match rendered.await {
            Ok(page) => self.answer(page.fill("", ""), &nonce, visit),
            Err(why) => self.unavailable(&why, visit).await,
        }
    }

    /// The page that says that there is nothing at this address.
    pub(super) async fn render_missing(&self, visit: Visit) -> Response {
        self.render_missing_as(visit, Missing::Page, None).await
    }

    /// The same where it is known what is missing. A kiosk asks on.
    pub(super) async fn render_missing_as(
        &self,
        visit: Visit,
        what: Missing,
        turn: Option<Turn>,
    ) -> Response {
        let content = Content::Missing {
            what: what.clone(),
            boards: self.live.read(|_, state| state.boards_version()),
            turn: turn.clone(),
        };
        let page = |_| Page {
            turn,
            ..Document::Missing(what).into()
        };
        let version = Version::default();
        let mut response = self.render_for_all(visit, version, content, page).await;
        if response.status().is_success() {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        response
    }

    /// The page that says that another cannot be shown now. It is the same for all, so it
    /// costs next to nothing, and needs no permit.
    pub(super) async fn unavailable<E>(&self, why: &Unanswered<E>, visit: Visit) -> Response {
        let Visit { view, language, .. } = visit;
        let boards = self.live.read(|_, state| state.boards_version());
        let pages = &self.unavailable_pages;
        let page = pages.get(view, language, boards, async || {
            let (nonce, token) = (Nonce::new(), self.page_token(None, None));
            let visit = Visit {
                link_failed: false,
                ..visit
            };
            let html = self.html(&nonce, visit, Document::Unavailable.into());
            Ok(Rendered::new(&html.await?, &token.token, &nonce))
        });
        let mut response = match page.await {
            Ok(page) => self.filled(&page, visit),
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

    /// What a page knows of a board.
    pub(super) fn info_of(&self, board: &BoardId) -> BoardInfo {
        let info = self
            .live
            .read_board(board, |_, view| wire::board_info(view));
        info.unwrap_or_default()
    }

    /// The board to which pages lead back that are of none: `main`, and nothing of what it is
    /// unless everybody may see it.
    pub(super) fn front(&self) -> BoardInfo {
        let info = self.live.read_board(&BoardId::default(), |_, view| {
            let is_for_all = live::Viewer::Public.may_see(view.board().settings());
            is_for_all.then(|| wire::board_info(view))
        });
        info.flatten().unwrap_or_else(|| BoardInfo {
            id: MAIN.to_owned(),
            title: NAME.to_owned(),
            ..BoardInfo::default()
        })
    }

    /// A document whose scripts have this nonce.
    async fn html(&self, nonce: &Nonce, visit: Visit, page: Page) -> Result<String, Unrendered> {
        let Page {
            board,
            document: shown,
            query,
            sharing,
            turn,
        } = page;
        let frame = Frame {
            board: board.unwrap_or_else(|| self.front()),
            language: visit.language,
            view: visit.view,
            link_failed: visit.link_failed,
            query,
            files: self.files.clone(),
            sharing,
            turn,
        };
        let (nonce, base) = (nonce.clone(), self.base.clone());
        let context = move || {
            // In place of the nonce that leptos has made.
            provide_context(nonce.clone());
            provide_context(base.clone());
        };
        let options = self.leptos.clone();
        let shell = move || document(options.clone(), frame.clone(), shown.clone());
        let render = leptos_axum::render_app_to_stream_with_context(context, shell);
        let response = render(Request::new(Body::empty())).await;
        let html = to_bytes(response.into_body(), usize::MAX).await;
        let html = html.map_err(|_| Unrendered)?;
        String::from_utf8(html.into()).map_err(|_| Unrendered)
    }

    /// A cached page, with a token and a nonce of this answer's own.
    fn filled(&self, page: &Rendered, visit: Visit) -> Response {
        let (nonce, token) = (Nonce::new(), self.page_token(None, None));
        self.answer(page.fill(&token.token, &nonce), &nonce, visit)
    }

    /// A document with the headers that all documents have.
    fn answer(&self, html: String, nonce: &Nonce, visit: Visit) -> Response {
        let response = if visit.wants_json {
            Json(html).into_response()
        } else {
            Html(html).into_response()
        };
        // It holds a token, and the board as it is now.
        let mut response = not_stored(response, visit.is_embedded());
        let headers = response.headers_mut();
        let policy = policy::policy(nonce, &self.origins, visit.is_embedded());
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        if visit.is_chosen
            && let Some(cookie) = language::cookie(visit.language, &self.base, visit.is_secure)
        {
            headers.append(SET_COOKIE, cookie);
        }
        response
    }
}
