//! The page's cookies: how they are named, and for which connections they are.
//!
//! Those that are `Secure` and matter have the prefix `__Host-`: a browser takes it from
//! this very host over TLS alone (RFC 6265bis, section 4.1.3.2), so neither another host
//! of the same domain nor an attacker on a line without TLS can put one in its place.

use app::base_path::BasePath;
use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use cookie::{Cookie, SameSite, time::Duration};

const OF_HOST: &str = "__Host-";
/// Of those that are for one path of a host, browsers take no other prefix: then another
/// host of the same domain can set them too.
const OF_PATH: &str = "__Secure-";

/// Is the page asked for with TLS: as configured, or as a proxy says?
pub(super) fn is_secure(public_url: &str, headers: &HeaderMap) -> bool {
    public_url.starts_with("https://") || is_forwarded_from_https(headers)
}

/// Does a proxy say that the browser used TLS? Of several proxies the first
/// one talks with the browser, and `X-Forwarded-Proto` lists them in this order.
pub(super) fn is_forwarded_from_https(headers: &HeaderMap) -> bool {
    let schemes = headers.get("x-forwarded-proto");
    let first = schemes.and_then(|schemes| schemes.to_str().ok()?.split(',').next());
    first.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

/// What a cookie of this name holds. With TLS only the one with the prefix is read:
/// others could have put the other in its place.
pub(super) fn read(
    headers: &HeaderMap,
    base: &BasePath,
    is_secure: bool,
    name: &str,
) -> Option<String> {
    let plain = || find(headers, name).filter(|_| !is_secure);
    find(headers, &prefixed(base, name)).or_else(plain)
}

/// The values of `Set-Cookie` that remove a cookie, if the browser has it.
pub(super) fn remove(headers: &HeaderMap, base: &BasePath, name: &str) -> Vec<HeaderValue> {
    [(prefixed(base, name), true), (name.to_owned(), false)]
        .into_iter()
        .filter(|(name, _)| find(headers, name).is_some())
        .filter_map(|(name, is_secure)| value(name, base, String::new(), Duration::ZERO, is_secure))
        .collect()
}

/// The values of `Set-Cookie` by which this cookie is the only one of its name, for so
/// many seconds.
pub(super) fn set(
    headers: &HeaderMap,
    base: &BasePath,
    is_secure: bool,
    name: &str,
    text: String,
    seconds: u64,
) -> Vec<HeaderValue> {
    let max_age = Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    let (name, other) = if is_secure {
        (prefixed(base, name), name.to_owned())
    } else {
        (name.to_owned(), prefixed(base, name))
    };
    let mut values: Vec<_> = value(name, base, text, max_age, is_secure)
        .into_iter()
        .collect();
    if find(headers, &other).is_some() {
        values.extend(value(
            other,
            base,
            String::new(),
            Duration::ZERO,
            !is_secure,
        ));
    }
    values
}

fn prefixed(base: &BasePath, name: &str) -> String {
    let prefix = if base.is_empty() { OF_HOST } else { OF_PATH };
    format!("{prefix}{name}")
}

/// What the cookie of exactly this name holds.
pub(super) fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter();
    let found = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == name)?;
    Some(found.value().to_owned())
}

/// The value of `Set-Cookie` for a cookie of exactly this name.
pub(super) fn value(
    name: String,
    base: &BasePath,
    text: String,
    max_age: Duration,
    is_secure: bool,
) -> Option<HeaderValue> {
    let cookie = Cookie::build((name, text))
        .path(base.of_cookies().to_owned())
        .http_only(true)
        .secure(is_secure)
        // Not with what other sites ask for, but with links to here.
        .same_site(SameSite::Lax)
        .max_age(max_age);
    HeaderValue::from_str(&cookie.to_string()).ok()
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

    fn root() -> BasePath {
        BasePath::default()
    }

    #[test]
    fn cookies_of_a_path_are_for_that_path() {
        let base: BasePath = "/board".parse().unwrap();
        let plain = asked(&[("cookie", "podium_token=old")]);
        assert_eq!(
            set(&plain, &base, true, "podium_token", "new".into(), 60),
            [
                "__Secure-podium_token=new; HttpOnly; SameSite=Lax; Secure; Path=/board; Max-Age=60",
                "podium_token=; HttpOnly; SameSite=Lax; Path=/board; Max-Age=0",
            ]
        );
        let safe = asked(&[("cookie", "__Secure-podium_token=new")]);
        assert_eq!(
            read(&safe, &base, true, "podium_token").as_deref(),
            Some("new")
        );
        assert_eq!(
            remove(&safe, &base, "podium_token"),
            ["__Secure-podium_token=; HttpOnly; SameSite=Lax; Secure; Path=/board; Max-Age=0"]
        );
    }

    #[test]
    fn the_first_hop_says_whether_there_was_tls() {
        let is_https = |value| is_forwarded_from_https(&asked(&[("x-forwarded-proto", value)]));
        for value in [
            "https",
            "HTTPS",
            "https, http",
            "https,http",
            " https ,http",
        ] {
            assert!(is_https(value), "{value}");
        }
        for value in ["http", "http, https", "", "httpsx", ","] {
            assert!(!is_https(value), "{value}");
        }
        assert!(!is_forwarded_from_https(&asked(&[])));
        assert!(is_secure("https://board.example", &asked(&[])));
        assert!(!is_secure("http://board.example", &asked(&[])));
    }

    #[test]
    fn a_cookie_of_either_name_is_read_and_the_safer_one_first() {
        let old = asked(&[("cookie", "other=1; podium_token=old")]);
        assert_eq!(
            read(&old, &root(), false, "podium_token").as_deref(),
            Some("old")
        );
        let both = asked(&[("cookie", "podium_token=old; __Host-podium_token=new")]);
        assert_eq!(
            read(&both, &root(), false, "podium_token").as_deref(),
            Some("new")
        );
        assert_eq!(read(&asked(&[]), &root(), false, "podium_token"), None);
        assert_eq!(
            read(&old, &root(), true, "podium_token"),
            None,
            "anybody could have set it"
        );
        assert_eq!(
            read(&both, &root(), true, "podium_token").as_deref(),
            Some("new")
        );
    }

    #[test]
    fn of_two_names_only_one_is_left() {
        let old = asked(&[("cookie", "podium_token=old")]);
        let set = |is_secure| set(&old, &root(), is_secure, "podium_token", "new".into(), 60);
        assert_eq!(
            set(true),
            [
                "__Host-podium_token=new; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60",
                "podium_token=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0",
            ]
        );
        assert_eq!(
            set(false),
            ["podium_token=new; HttpOnly; SameSite=Lax; Path=/; Max-Age=60"]
        );
        let both = asked(&[("cookie", "podium_token=a; __Host-podium_token=b")]);
        assert_eq!(
            remove(&both, &root(), "podium_token"),
            [
                "__Host-podium_token=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0",
                "podium_token=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0",
            ]
        );
        assert!(remove(&asked(&[]), &root(), "podium_token").is_empty());
    }
}
