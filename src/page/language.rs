//! The language of a page: the one that the user chose, or the first that the browser asks
//! for and the page has.

use app::{base_path::BasePath, texts::Language, wire::View};
use axum::http::{HeaderMap, HeaderValue, header::ACCEPT_LANGUAGE};
use cookie::time::Duration;

use super::cookies;

/// The cookie that remembers a choice.
const COOKIE_NAME: &str = "podium_lang";
/// For how long.
const REMEMBERED: Duration = Duration::days(365);

/// The language of a visit. For a frame on a page of others no cookie is read.
pub(super) fn preferred(headers: &HeaderMap, view: View) -> Language {
    let chosen = if view == View::Embed {
        None
    } else {
        cookies::find(headers, COOKIE_NAME)
    };
    let chosen = chosen.and_then(|code| Language::of(&code));
    let accepted = || {
        let accepted = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
        most_wanted(accepted)
    };
    chosen.or_else(accepted).unwrap_or_default()
}

/// The language of the highest quality (RFC 9110, 12.5.4), and of equal ones the first.
/// Austria's German is German. What cannot be read is not wanted.
fn most_wanted(accepts: &str) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for range in accepts.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let code = parts.next()?.split('-').next()?.to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        let quality = quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
        if let Some(language) = Language::of(&code)
            && quality > best.map_or(0.0, |(quality, _)| quality)
        {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

/// The value of `Set-Cookie` that remembers a language.
pub(super) fn cookie(language: Language, base: &BasePath, is_secure: bool) -> Option<HeaderValue> {
    let code = language.code().to_owned();
    cookies::value(COOKIE_NAME.into(), base, code, REMEMBERED, is_secure)
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE;

    use super::*;

    fn preferred_by(accepts: &str, cookies: &str) -> &'static str {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, accepts.parse().unwrap());
        headers.insert(COOKIE, cookies.parse().unwrap());
        preferred(&headers, View::Whole).code()
    }

    #[test]
    fn a_choice_goes_before_what_the_browser_asks_for() {
        assert_eq!(preferred_by("de-AT,de;q=0.9,en;q=0.5", ""), "de");
        assert_eq!(preferred_by("de", "a=b; podium_lang=es"), "es");
        assert_eq!(preferred_by("es;q=0.4,en;q=0.9", "podium_lang=tlh"), "en");
        assert_eq!(preferred_by("de-AT", ""), "de");
        assert_eq!(preferred_by("fr-CH, ES-419;q=0.9, en;q=0.8", ""), "es");
        assert_eq!(preferred_by("fr,de;q=0", ""), "en");
        assert_eq!(preferred_by("de;q=NaN,es;q=0.1", ""), "es");
        assert_eq!(preferred_by("fr", ""), "en");
        assert_eq!(preferred_by("", ""), "en");
    }
}
