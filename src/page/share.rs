//! What others show of the board beside a link to it: a few words, and a picture.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::{Duration, Instant},
};

use app::{pictures::normal_origin, sharing::Sharing, texts::Text, wire::PageSnapshot};
use axum::{
    body::Bytes,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH},
    },
    response::{IntoResponse, Response},
};
use tokio::sync::Mutex;

use super::{Pages, picture};
use crate::wire;

/// The picture is drawn at most once in this time, however often the board changes
/// and whoever asks.
const DRAWN_EVERY: Duration = Duration::from_secs(1);

/// The picture that was drawn last.
pub type Shared = Arc<Mutex<Option<Drawn>>>;

/// A picture, and of which state of the board it is.
#[derive(Clone)]
pub struct Drawn {
    epoch: String,
    seq: u64,
    at: Instant,
    /// `None` if it could not be drawn.
    picture: Option<(Bytes, String)>,
}

/// `GET /share.png`. What the address says after it does not matter: pages put the
/// state of the board there, so that nobody shows an old picture for a new link.
pub(super) async fn image(State(pages): State<Pages>, headers: HeaderMap) -> Response {
    let Some((png, etag)) = newest(pages).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|known| {
        let known = known.to_str().unwrap_or_default().split(',');
        known.map(str::trim).any(|tag| tag == "*" || tag == etag)
    });
    let about = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, etag)];
    if known {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, [(CONTENT_TYPE, "image/png")], png).into_response()
}

async fn newest(pages: Pages) -> Option<(Bytes, String)> {
    // One at a time: whoever comes meanwhile waits, and gets the same.
    let mut shared = pages.shared.clone().lock_owned().await;
    let (epoch, seq) = pages.live.read(|epoch, board| (epoch, board.seq()));
    if let Some(drawn) = &*shared
        && ((drawn.epoch == epoch.to_string() && drawn.seq == seq)
            || drawn.at.elapsed() < DRAWN_EVERY)
    {
        return drawn.picture.clone();
    }
    // It ends there even if whoever asked goes away: asking and leaving is no way to
    // have it drawn more often.
    let draw = move || {
        let board = pages
            .live
            .read(|epoch, board| wire::leaderboard(epoch, board, 0..picture::ROWS));
        let png = picture::png(&pages.title, &board);
        let picture = png.map(|png| {
            let mut hasher = DefaultHasher::new();
            png.hash(&mut hasher);
            (png.into(), format!("\"{:016x}\"", hasher.finish()))
        });
        *shared = Some(Drawn {
            epoch: board.epoch,
            seq: board.seq,
            at: Instant::now(),
            picture: picture.clone(),
        });
        picture
    };
    tokio::task::spawn_blocking(draw).await.ok().flatten()
}

/// What the page says of itself to those who show a link to it.
/// `origin` is where the page is to be found.
pub(super) fn sharing(origin: Option<String>, page: &PageSnapshot) -> Sharing {
    let seq = page.board.seq;
    Sharing {
        title: page.title.clone(),
        description: description(page),
        url: origin.as_ref().map(|origin| format!("{origin}/")),
        image: origin.map(|origin| format!("{origin}/share.png?seq={seq}")),
        image_width: picture::WIDTH,
        image_height: picture::HEIGHT,
    }
}

/// Where the page is to be found: as configured, or as whoever asks for it says. What
/// they say is said to nobody who says otherwise.
pub(super) fn origin(public_url: &str, headers: &HeaderMap) -> Option<String> {
    match public_url {
        "" => asked_origin(headers),
        url => Some(url.to_owned()),
    }
}

fn asked_origin(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let scheme = headers.get("x-forwarded-proto");
    let is_encrypted = scheme.is_some_and(|scheme| scheme == "https");
    normal_origin(&format!(
        "http{}://{host}",
        if is_encrypted { "s" } else { "" }
    ))
}

/// In the language of whoever shows the link.
fn description(page: &PageSnapshot) -> String {
    let PageSnapshot { locale, board, .. } = page;
    let players = locale.players(board.total_users);
    // The first row of a page further down leads nobody.
    if board.page.is_some() {
        return players;
    }
    match board.top_scores.first() {
        Some(leader) => {
            let points = locale.points(leader.score);
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
            asked("board.example", Some("gopher")),
            board("http://board.example")
        );
        for host in ["board.example/x", "a@board.example", "a\"b", ""] {
            assert_eq!(asked(host, None), None, "{host:?}");
        }
        assert_eq!(asked_origin(&HeaderMap::new()), None);
    }
}
