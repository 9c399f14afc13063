//! Which pictures are shown. The server checks before it renders, and the page before the
//! browser loads them, which would report an error for each of the others.

use crate::base_path::BasePath;

/// The first part of the paths at which our own server has something else than
/// pictures: every viewer of the picture would request that.
const NOT_PICTURES: [&str; 10] = [
    "",
    "api",
    "healthz",
    "metrics",
    "page",
    "players",
    "readyz",
    "share.png",
    "sign-out",
    "socket.io",
];

/// From where pictures are shown. Origins are written as [`normal_origin`] does.
#[derive(Clone, Debug, Default)]
pub struct PictureOrigins {
    /// Origins of others, or our own where it is named in addresses too.
    pub shown: Vec<String>,
    /// The origins of our own server, as far as they are known.
    pub own: Vec<String>,
    /// Under which path it is there.
    pub base: BasePath,
}

impl PictureOrigins {
    /// May a picture be shown?
    pub fn allow(&self, address: &str) -> bool {
        let is_shown = is_local(address)
            || origin_of(address).is_some_and(|origin| self.shown.contains(&origin));
        is_shown && !is_own_page(address, &self.own, &self.base)
    }
}

/// Is it an address without an origin, which is on our own server?
fn is_local(address: &str) -> bool {
    // Browsers take a backslash for a slash, and two of them for another host.
    address.starts_with('/') && !address[1..].starts_with(['/', '\\'])
}

/// Is this the address of something on our own server, as it is known under `own`, that
/// is no picture? Every viewer of a board requests all pictures on it. None of these
/// requests may act for the viewer, or cost the server much.
pub fn is_own_page(address: &str, own: &[impl AsRef<str>], base: &BasePath) -> bool {
    let path = if is_local(address) {
        address
    } else {
        let Some(authority) = authority_of(address) else {
            return false;
        };
        let is_own = |origin: &str| authority_of(origin).as_ref() == Some(&authority);
        if !own.iter().any(|origin| is_own(origin.as_ref())) {
            return false;
        }
        let (_, rest) = split_scheme(address).unwrap_or_default();
        rest.find(['/', '\\', '?', '#'])
            .map_or("", |end| &rest[end..])
    };
    let path = path.split('#').next().unwrap_or_default();
    let path = base.strip(path).unwrap_or(path);
    let mut segments = path.split('/').skip(1);
    let first = segments.clone().next().unwrap_or_default();
    // Ours have no query. Paths that browsers would rewrite are not followed.
    path.contains(['?', '\\']) || segments.any(is_dots) || NOT_PICTURES.contains(&first)
}

/// `.` and `..`, however they are written (WHATWG URL, section 4.1).
fn is_dots(segment: &str) -> bool {
    // Searching a text for another takes 2 kB of the page's code.
    let segment = segment.to_ascii_lowercase();
    [".", "%2e", "..", ".%2e", "%2e.", "%2e%2e"].contains(&&*segment)
}

/// The host and port of an address, with TLS or without.
fn authority_of(address: &str) -> Option<String> {
    let origin = origin_of(address)?;
    let (_, authority) = split_scheme(&origin)?;
    let plain = [":443", ":80"]
        .iter()
        .find_map(|port| authority.strip_suffix(port));
    Some(plain.unwrap_or(authority).to_owned())
}

/// The origin of the page in this browser.
#[cfg(feature = "hydrate")]
pub(crate) fn own_origins() -> Vec<String> {
    let address = leptos::prelude::document().base_uri().ok().flatten();
    address
        .and_then(|address| origin_of(&address))
        .into_iter()
        .collect()
}

/// The server has left out the other pictures before it renders.
#[cfg(not(feature = "hydrate"))]
pub(crate) fn own_origins() -> Vec<String> {
    Vec::new()
}

/// The origin of an address with scheme and host, such as `https://example.org`.
pub fn origin_of(address: &str) -> Option<String> {
    let (scheme, rest) = split_scheme(address)?;
    // Browsers take a backslash for a slash.
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    normal_origin(&format!("{scheme}://{authority}"))
}

/// An origin as browsers write it: in lower case, without the scheme's own port.
/// `None` if it is none.
pub fn normal_origin(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, authority) = split_scheme(&text)?;
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    // What else could stand here would be a name and a password, or a trick.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let authority = authority.strip_suffix(port).unwrap_or(authority);
    let is_authority = !authority.is_empty() && authority.bytes().all(is_plain);
    is_authority.then(|| format!("{scheme}://{authority}"))
}

fn split_scheme(address: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = address.split_once(':')?;
    Some((scheme, rest.strip_prefix("//")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(list: &[&str]) -> Vec<String> {
        list.iter().map(|&origin| origin.to_owned()).collect()
    }

    #[test]
    fn pictures_of_allowed_origins_and_our_own_are_shown() {
        let origins = PictureOrigins {
            shown: origins(&["https://pictures.example", "http://localhost:8080"]),
            own: Vec::new(),
            base: BasePath::default(),
        };
        for address in [
            "/a.png",
            "https://pictures.example/a.png",
            "https://pictures.example?id=7",
            "HTTPS://Pictures.Example:443/a.png",
            "http://localhost:8080/a.png",
        ] {
            assert!(origins.allow(address), "{address}");
        }
        for address in [
            "//pictures.example/a.png",
            "/\\pictures.example/a.png",
            "http://pictures.example/a.png",
            "https://pictures.example:8443/a.png",
            "https://pictures.example.evil.example/a.png",
            "https://pictures.example@evil.example/a.png",
            "https://evil.example\\@pictures.example/a.png",
            "https://evil.example/https://pictures.example/",
            "data:image/png;base64,AAAA",
            "https://",
            "",
        ] {
            assert!(!origins.allow(address), "{address}");
        }
    }

    #[test]
    fn nothing_of_our_own_server_is_shown_but_pictures() {
        let origins = PictureOrigins {
            shown: origins(&["https://board.example", "https://pictures.example"]),
            own: origins(&["https://board.example", ""]),
            base: BasePath::default(),
        };
        for address in [
            "/a.png",
            "/avatars/7",
            "/avatars/a..png",
            "https://board.example/a.png",
            "https://pictures.example/?token=a",
            "https://pictures.example/players/7?size=80",
        ] {
            assert!(origins.allow(address), "{address}");
        }
        for address in [
            "/",
            "/?token=a",
            "/#a.png",
            "/a.png?token=a",
            "/players/7",
            "/page/token",
            "/sign-out",
            "/socket.io/",
            "/avatars/../players/7",
            "/avatars/.%2E/players/7",
            "/%2e/players/7",
            "/avatars\\..\\",
            "https://board.example",
            "https://board.example?token=a",
            "https://board.example/?token=a",
            "HTTPS://Board.example:443/?token=a",
            "https://board.example\\?token=a",
            "https://board.example/a.png?size=80",
            "https://board.example/players/7",
        ] {
            assert!(!origins.allow(address), "{address}");
        }
        // A request without TLS may be redirected there.
        for address in [
            "http://board.example/?token=a",
            "http://board.example:80/?token=a",
            "http://board.example:443/?token=a",
        ] {
            assert!(
                is_own_page(address, &origins.own, &origins.base),
                "{address}"
            );
        }
        assert!(!is_own_page(
            "http://board.example:8080/?token=a",
            &origins.own,
            &origins.base
        ));
    }

    #[test]
    fn the_board_under_a_path_is_known_there_too() {
        let origins = PictureOrigins {
            shown: origins(&["https://board.example"]),
            own: origins(&["https://board.example"]),
            base: BasePath("/board".into()),
        };
        for address in [
            "/board/a.png",
            "/a.png",
            "https://board.example/board/a.png",
            "https://board.example/other/a.png",
        ] {
            assert!(origins.allow(address), "{address}");
        }
        for address in [
            "/board",
            "/board/",
            "/board/players/7",
            "/players/7",
            "https://board.example/board/page/rows",
            "https://board.example/board/sign-out",
        ] {
            assert!(!origins.allow(address), "{address}");
        }
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        let normal = [
            ("https://Example.org", "https://example.org"),
            ("https://example.org:443", "https://example.org"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ];
        for (text, expected) in normal {
            assert_eq!(normal_origin(text).as_deref(), Some(expected));
        }
        for other in [
            "example.org",
            "ftp://example.org",
            "https://",
            "https://example.org/",
            "https://*",
            "https://example.org; script-src *",
        ] {
            assert_eq!(normal_origin(other), None, "{other}");
        }
    }
}
