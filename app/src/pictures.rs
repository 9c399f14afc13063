//! Which pictures are shown: the server asks before it renders, and the page before
//! it asks the browser, which would refuse the others with a complaint each.

/// May a picture be shown, when those of these origins and our own may? Origins are
/// written as [`normal_origin`] does.
pub fn is_allowed(address: &str, origins: &[String]) -> bool {
    // Browsers take a backslash for a slash, and two of them for another host.
    let is_ours = address.starts_with('/') && !address[1..].starts_with(['/', '\\']);
    is_ours || origin_of(address).is_some_and(|origin| origins.contains(&origin))
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

    #[test]
    fn pictures_of_allowed_origins_and_our_own_are_shown() {
        let origins = ["https://pictures.example", "http://localhost:8080"].map(str::to_owned);
        for address in [
            "/a.png",
            "https://pictures.example/a.png",
            "https://pictures.example?id=7",
            "HTTPS://Pictures.Example:443/a.png",
            "http://localhost:8080/a.png",
        ] {
            assert!(is_allowed(address, &origins), "{address}");
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
            assert!(!is_allowed(address, &origins), "{address}");
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
