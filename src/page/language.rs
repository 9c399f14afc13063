//! In which language somebody is answered: the one that they chose, or the first
//! that their browser asks for and the page has.

use app::{base_path::BasePath, texts::Language, wire::View};
use axum::http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_LANGUAGE, COOKIE},
};
use cookie::{Cookie, SameSite, time::Duration};

/// The cookie that remembers a choice.
const COOKIE_NAME: &str = "podium_lang";
/// For how long.
const REMEMBERED: Duration = Duration::days(365);

/// The language of a visitor. On the page of a stranger no cookie is read.
pub(super) fn preferred(headers: &HeaderMap, view: View) -> Language {
    let cookies = headers.get_all(COOKIE).iter();
    let chosen = cookies
        .filter(|_| view != View::Embed)
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == COOKIE_NAME)
        .and_then(|cookie| Language::of(cookie.value()));
    let asked = || {
        let asked = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
        most_wanted(asked)
    };
    chosen.or_else(asked).unwrap_or_default()
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

/// Remembers a language.
pub(super) fn cookie(language: Language, base: &BasePath, is_secure: bool) -> Option<HeaderValue> {
    let cookie = Cookie::build((COOKIE_NAME, language.code()))
        .path(base.of_cookies().to_owned())
        .http_only(true)
        .secure(is_secure)
        .same_site(SameSite::Lax)
        .max_age(REMEMBERED);
    HeaderValue::from_str(&cookie.to_string()).ok()
}

#[cfg(test)]
mod tests {
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
