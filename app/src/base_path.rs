//! Under which path the board is found, where it shares its host with something else. All
//! addresses of the board's own begin with it, and are made here.

use serde::{Deserialize, Serialize};

/// Empty, or as `/board`: segments that each begin with a slash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BasePath(pub(crate) String);

impl BasePath {
    /// The address of a path of the board's own, which begins with a slash.
    pub fn link(&self, path: &str) -> String {
        let mut link = String::with_capacity(self.0.len() + path.len());
        link.push_str(&self.0);
        link.push_str(path);
        link
    }

    /// The address of a picture: one without an origin is on the board's own server, and
    /// may name the base path or leave it out.
    pub fn picture(&self, address: String) -> String {
        if address.starts_with('/') && self.strip(&address).is_none() {
            self.link(&address)
        } else {
            address
        }
    }

    /// The path within the board, which begins with a slash, of one under the base path.
    /// Nothing is under an empty one.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(&self.0).filter(|_| !self.is_empty())?;
        match rest {
            "" => Some("/"),
            _ => rest.starts_with('/').then_some(rest),
        }
    }

    /// Is the board at the root of its host?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path of a cookie for the board.
    pub fn of_cookies(&self) -> &str {
        if self.is_empty() { "/" } else { &self.0 }
    }
}

/// The address of a path of the board's own, in a document that is rendered.
#[cfg(feature = "ssr")]
pub(crate) fn link(path: &str) -> String {
    let base = leptos::prelude::use_context::<BasePath>();
    base.unwrap_or_default().link(path)
}

/// The address of a picture, in a document that is rendered.
#[cfg(feature = "ssr")]
pub(crate) fn picture(address: String) -> String {
    let base = leptos::prelude::use_context::<BasePath>();
    base.unwrap_or_default().picture(address)
}

/// The first segments of the board's own routes and files. A base path that began with one
/// would be ambiguous.
#[cfg(feature = "ssr")]
const OWN: [&str; 19] = [
    "api",
    "apple-touch-icon.png",
    "b",
    "boards",
    "desk",
    "favicon.svg",
    "healthz",
    "local-times.js",
    "manifest.webmanifest",
    "metrics",
    "openapi.json",
    "page",
    "pkg",
    "players",
    "readyz",
    "share.png",
    "sign-out",
    "socket.io",
    "vendor",
];

/// The longest base path, in bytes.
#[cfg(feature = "ssr")]
const LONGEST: usize = 128;

/// Why a text is no base path.
#[cfg(feature = "ssr")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidBasePath(String);

#[cfg(feature = "ssr")]
impl std::fmt::Display for InvalidBasePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "ssr")]
impl std::error::Error for InvalidBasePath {}

#[cfg(feature = "ssr")]
impl std::str::FromStr for BasePath {
    type Err = InvalidBasePath;

    fn from_str(text: &str) -> Result<BasePath, InvalidBasePath> {
        let invalid = |why: &str| {
            Err(InvalidBasePath(format!(
                "{text:?} is no base path: {why}; write it as \"/board\", or leave it empty"
            )))
        };
        let Some(rest) = text.strip_prefix('/') else {
            return match text {
                "" => Ok(BasePath::default()),
                _ => invalid("it has to begin with a slash"),
            };
        };
        if rest.ends_with('/') || rest.is_empty() {
            return invalid("it must not end with a slash");
        }
        if text.len() > LONGEST {
            return invalid("it has more than 128 characters");
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        for segment in rest.split('/') {
            if segment.is_empty() || segment == "." || segment == ".." {
                return invalid("each part between two slashes needs a name");
            }
            if !segment.bytes().all(is_plain) {
                return invalid(
                    "it may have letters from a to z, digits, \"-\", \".\", \"_\", \"~\"",
                );
            }
        }
        let first = rest.split('/').next().unwrap_or_default();
        if OWN.contains(&first) {
            return invalid("the board has an address of its own that begins like this");
        }
        Ok(BasePath(text.to_owned()))
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn base(text: &str) -> BasePath {
        text.parse().unwrap_or_default()
    }

    #[test]
    fn links_begin_with_it() {
        assert_eq!(base("").link("/players/7"), "/players/7");
        assert_eq!(base("/board").link("/"), "/board/");
        assert_eq!(base("/a/b").link("/?page=1"), "/a/b/?page=1");
    }

    #[test]
    fn what_is_under_it_is_found_within() {
        let board = base("/board");
        for (path, within) in [
            ("/board", Some("/")),
            ("/board/", Some("/")),
            ("/board/players/7", Some("/players/7")),
            ("/board/board/x", Some("/board/x")),
            ("/board//evil.example", Some("//evil.example")),
            ("/boards", None),
            ("/Board/", None),
            ("/", None),
            ("/players/7", None),
        ] {
            assert_eq!(board.strip(path), within, "{path}");
        }
        assert_eq!(base("").strip("/x"), None);
    }

    #[test]
    fn pictures_of_our_own_are_found_with_it_or_without() {
        let board = base("/board");
        for (address, shown) in [
            ("/a.png", "/board/a.png"),
            ("/board/a.png", "/board/a.png"),
            (
                "https://pictures.example/a.png",
                "https://pictures.example/a.png",
            ),
        ] {
            assert_eq!(board.picture(address.into()), shown);
            assert_eq!(base("").picture(address.into()), address);
        }
    }

    #[test]
    fn what_could_not_be_told_from_other_addresses_is_refused() {
        for text in ["", "/board", "/a/b-c/d_e.f~1", "/Board"] {
            assert_eq!(base(text).0, text);
        }
        let long = format!("/{}", "x".repeat(128));
        for text in [
            "/",
            "board",
            "/board/",
            "//board",
            "/a//b",
            "/a/../b",
            "/.",
            "/a b",
            "/a?b",
            "/a#b",
            "/a%20b",
            "/bräd",
            "/a\\b",
            "/a;b",
            "/api",
            "/socket.io",
            "/pkg/x",
            "/players",
            "https://board.example/board",
            &long,
        ] {
            let error = text.parse::<BasePath>().err().map(|why| why.to_string());
            let advises = |error: &String| error.contains("write it as \"/board\"");
            assert!(error.as_ref().is_some_and(advises), "{error:?}");
        }
    }
}
