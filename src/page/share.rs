//! What others show beside a link to the board: a description, and a picture
//! (`GET /share.png`).

use std::{convert::Infallible, mem::size_of, num::NonZeroUsize, sync::Arc, time::Duration};

use app::{
    base_path::BasePath, pictures::normal_origin, sharing::Sharing, texts::Text, wire::PageSnapshot,
};
use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, RETRY_AFTER, VARY},
    },
    response::{IntoResponse, Response},
};

use super::{OnBoard, Pages, cookies::is_forwarded_from_https, picture};
use crate::{
    blocking,
    board::BoardId,
    etag,
    limits::{Bounds, Client, FairPermit, Reason, Refusals, Unanswered, Work},
    listener::ClientAddress,
    live::{Version, Versions, Viewer},
    wire,
};

/// The picture is drawn at most once in this time, however often the board changes
/// and it is asked for; and at once when a user was deleted.
const DRAWN_EVERY: Duration = Duration::from_secs(1);

/// Bytes of pictures in the cache: some of the last.
const CACHED: u64 = 1024 * 1024;

/// Drawing, with the picture that was drawn last. Clones share it.
#[derive(Clone)]
pub(super) struct Pictures {
    versions: Arc<Versions>,
    /// `None` for one that could not be drawn.
    drawn: Work<(BoardId, Version), Option<Picture>, Infallible>,
}

/// A picture, and its entity tag.
#[derive(Clone)]
struct Picture {
    png: Bytes,
    etag: Arc<str>,
}

impl Pictures {
    /// No picture yet.
    pub(super) fn new(refusals: Refusals) -> Pictures {
        let bounds = Bounds {
            // All ask for the same one.
            concurrent: NonZeroUsize::MIN,
            cached: CACHED,
        };
        let bytes = |_: &(BoardId, Version), picture: &Option<Picture>| {
            let png = picture.as_ref().map_or(0, |picture| picture.png.len());
            size_of::<Picture>() + png
        };
        Pictures {
            versions: Arc::new(Versions::new(DRAWN_EVERY, 1)),
            drawn: Work::new(bounds, bytes, Reason::Picture, refusals),
        }
    }

    pub(super) fn forget_idle(&self) {
        self.drawn.forget_idle();
    }
}

/// The picture. The query of its address does not matter: pages put the state of the board
/// there, so that nobody shows an old picture for a new link.
pub(super) async fn get(
    State(pages): State<Pages>,
    OnBoard(board): OnBoard,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    headers: HeaderMap,
) -> Response {
    let live = pages.live.clone();
    let Picture { png, etag } = match newest(pages, board.clone(), address.into()).await {
        Ok(Some(picture)) => picture,
        Ok(None) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Err(why) => {
            let mut response = why.status().into_response();
            if let Some(seconds) = why.retry_after() {
                let headers = response.headers_mut();
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            return response;
        }
    };
    let about = [(CACHE_CONTROL, "no-cache"), (ETAG, &*etag)];
    let mut response = match etag::is_known(&headers, &etag) {
        true => (StatusCode::NOT_MODIFIED, about).into_response(),
        false => (about, [(CONTENT_TYPE, "image/png")], png).into_response(),
    };
    // As it is now: it may have become private meanwhile.
    if !live.shows(&board, Viewer::Public) {
        let private = [(CACHE_CONTROL, "private, no-cache"), (VARY, "cookie")];
        for (name, value) in private {
            let headers = response.headers_mut();
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

async fn newest(
    pages: Pages,
    board: BoardId,
    client: Client,
) -> Result<Option<Picture>, Unanswered<Infallible>> {
    let Pictures { versions, drawn } = pages.pictures.clone();
    let version = pages.live.version_by(&versions, &board);
    let key = (board.clone(), version);
    let draw = move |permit| {
        let _permit: FairPermit = permit;
        let (info, rows) = pages.live.read_board(&board, |epoch, view| {
            let rows = wire::leaderboard(epoch, view, 0..picture::ROWS);
            (wire::board_info(view), rows)
        })?;
        let png = picture::png(&info, &rows)?;
        Some(Picture {
            etag: etag::of(&png).into(),
            png: png.into(),
        })
    };
    let drawn = drawn.get(client, key, async move |permit| {
        Ok(blocking::on_thread(move || draw(permit)).await)
    });
    drawn.await
}

/// What the page says of itself to those who show a link to it.
/// `origin` is where the page is to be found.
pub(super) fn sharing(
    origin: Option<String>,
    base: &BasePath,
    board: &BoardId,
    page: &PageSnapshot,
) -> Sharing {
    let path = Pages::path_of(board);
    let below = path.trim_end_matches('/');
    let seq = page.board.seq;
    Sharing {
        title: page.info.title.clone(),
        description: description(page),
        url: origin
            .as_ref()
            .map(|origin| format!("{origin}{}", base.link(&path))),
        image: origin.map(|origin| {
            let picture = base.link(&format!("{below}/share.png"));
            format!("{origin}{picture}?seq={seq}")
        }),
        image_width: picture::WIDTH,
        image_height: picture::HEIGHT,
    }
}

/// Where the page is to be found: as configured, or by the `Host` of the request. The
/// cache of pages has it in its key, so it is shown to nobody with another host.
pub(super) fn origin(public_url: &str, headers: &HeaderMap) -> Option<String> {
    match public_url {
        "" => asked_origin(headers),
        url => Some(url.to_owned()),
    }
}

fn asked_origin(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let is_encrypted = is_forwarded_from_https(headers);
    normal_origin(&format!(
        "http{}://{host}",
        if is_encrypted { "s" } else { "" }
    ))
}

/// In the language of the visit.
fn description(page: &PageSnapshot) -> String {
    let PageSnapshot {
        info,
        locale,
        board,
        ..
    } = page;
    let players = locale.count(board.total_users, info.teams);
    // The first row of a page further down is not the leader.
    if board.page.is_some() {
        return players;
    }
    match board.top_scores.first() {
        Some(leader) => {
            let points = locale.result(&info.format, leader.score);
            let values = [("name", leader.username.as_str()), ("n", &points)];
            format!("{} {players}", locale.with(Text::Summary, &values))
        }
        None => locale.text(Text::NobodyYet),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn an_address_is_made_of_a_host_and_of_nothing_else() {
        let asked = |host: &'static str, scheme: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            if let Some(scheme) = scheme {
                headers.insert("x-forwarded-proto", HeaderValue::from_static(scheme));
            }
            asked_origin(&headers)
        };
        let board = |text: &str| Some(text.to_owned());
        assert_eq!(
            asked("Board.example:3000", None),
            board("http://board.example:3000")
        );
        assert_eq!(
            asked("board.example", Some("https")),
            board("https://board.example")
        );
        assert_eq!(
            asked("board.example", Some("https, http")),
            board("https://board.example")
        );
        assert_eq!(
            asked("board.example", Some("gopher")),
            board("http://board.example")
        );
        for host in ["board.example/x", "a@board.example", "a\"b", ""] {
            assert_eq!(asked(host, None), None, "{host:?}");
        }
        assert_eq!(asked_origin(&HeaderMap::new()), None);
    }
}
