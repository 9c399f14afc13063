//! What a browser lets the page do: its Content-Security-Policy.

use app::{pictures::PictureOrigins, wire::ScoreRow};
use leptos::nonce::Nonce;

use crate::config::HttpTable;

/// The other sites that the page has to do with. All are origins as
/// [`app::pictures::normal_origin`] writes them.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    /// From where pictures are shown.
    pub(super) avatars: PictureOrigins,
    /// Who may show the embedded view in a frame.
    embedders: Vec<String>,
}

impl Origins {
    /// The origins of a configuration.
    pub(super) fn new(http: &HttpTable) -> Origins {
        Origins {
            avatars: PictureOrigins {
                shown: http.picture_origins(),
                own: [http.public_url.clone()].into(),
                base: http.base_path.clone(),
            },
            embedders: http.embed_origins.clone(),
        }
    }

    /// Removes a picture that the policy does not let browsers show, so that the server
    /// renders initials.
    pub(super) fn hide_picture(&self, avatar: &mut Option<String>) {
        avatar.take_if(|avatar| !self.avatars.allow(avatar));
    }

    /// The same for all of these rows.
    pub(super) fn hide_pictures(&self, rows: &mut [ScoreRow]) {
        for row in rows {
            self.hide_picture(&mut row.avatar);
        }
    }
}

/// The policy of one answer, in which the scripts that stand in the page itself have
/// this nonce.
pub(super) fn policy(nonce: &Nonce, origins: &Origins, is_embedded: bool) -> String {
    let framed_by: &[String] = if is_embedded { &origins.embedders } else { &[] };
    // `cargo leptos watch` reloads the page from a port of its own.
    let is_watched = std::env::var_os("LEPTOS_WATCH").is_some();
    let watched: &[&str] = if is_watched { &["ws:", "wss:"] } else { &[] };
    [
        "default-src 'self'".to_owned(),
        format!("script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'"),
        // Rows say by their style how long their bars are.
        "style-src 'self' 'unsafe-inline'".to_owned(),
        with("img-src 'self' data:", &origins.avatars.shown),
        with("connect-src 'self'", watched),
        "object-src 'none'".to_owned(),
        "base-uri 'none'".to_owned(),
        "form-action 'self'".to_owned(),
        with("frame-ancestors 'self'", framed_by),
    ]
    .join("; ")
}

fn with(directive: &str, sources: &[impl AsRef<str>]) -> String {
    let mut directive = directive.to_owned();
    for source in sources {
        directive.push(' ');
        directive.push_str(source.as_ref());
    }
    directive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_embedded_view_may_be_framed_by_others() {
        let origins = Origins {
            avatars: PictureOrigins {
                shown: vec!["https://pictures.example".into()],
                own: Vec::new(),
                base: Default::default(),
            },
            embedders: vec!["https://school.example".into()],
        };
        let page = policy(&Nonce::from_value("once"), &origins, false);
        assert!(page.contains("script-src 'self' 'nonce-once' 'wasm-unsafe-eval'; "));
        assert!(page.contains("img-src 'self' data: https://pictures.example; "));
        assert!(page.ends_with("frame-ancestors 'self'"), "{page}");
        let embedded = policy(&Nonce::from_value("once"), &origins, true);
        assert!(embedded.ends_with("frame-ancestors 'self' https://school.example"));
    }
}
