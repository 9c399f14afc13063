//! `GET /manifest.webmanifest`: what a device needs to install the page as an app.

use axum::{
    Json,
    extract::State,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::Pages;

/// The longest name that fits beneath an icon, in characters.
const SHORT_NAME: usize = 12;

pub(super) async fn get(State(pages): State<Pages>) -> Response {
    let home = pages.base.link("/");
    let title = pages.front().title;
    let icon = |src: &str, sizes: &str, kind: &str, purpose: &str| json!({ "src": pages.base.link(src), "sizes": sizes, "type": kind, "purpose": purpose });
    let manifest = json!({
        "name": title,
        "short_name": short_name(&title),
        "id": home,
        "start_url": home,
        "scope": home,
        "display": "standalone",
        // Until the page has loaded, which knows the scheme: its ground in the light.
        "theme_color": app::server::THEME_LIGHT,
        "background_color": app::server::THEME_LIGHT,
        "icons": [
            icon("/favicon.svg", "any", "image/svg+xml", "any"),
            icon("/icon-192.png", "192x192", "image/png", "any"),
            icon("/icon-512.png", "512x512", "image/png", "any"),
            icon("/icon-maskable-512.png", "512x512", "image/png", "maskable"),
        ],
    });
    let about = [
        (CONTENT_TYPE, "application/manifest+json"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (about, Json(manifest)).into_response()
}

/// As many whole words of a title as fit, or the beginning of the first.
fn short_name(title: &str) -> String {
    let mut short = String::new();
    for word in title.split_whitespace() {
        let longer = format!("{short} {word}").trim_start().to_owned();
        if longer.chars().count() > SHORT_NAME {
            break;
        }
        short = longer;
    }
    if short.is_empty() {
        title.chars().take(SHORT_NAME).collect()
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_made_of_whole_words_if_it_can_be() {
        assert_eq!(short_name("Podium"), "Podium");
        assert_eq!(short_name("World Cup 2022 of Scoreboards"), "World Cup");
        assert_eq!(short_name("Donaudampfschifffahrt"), "Donaudampfsc");
    }
}
