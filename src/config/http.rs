//! `[http]`: under which address the board is served, and which other origins it trusts.

use app::{base_path::BasePath, pictures::normal_origin};
use serde::Deserialize;

use super::{ConfigError, values::from_text, variables::variable};

/// Overrides `http.frontend_urls`.
const FRONTEND_URLS: &str = "FRONTEND_URLS";

/// `[http]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpTable {
    /// Origins of other pages that may call and connect.
    pub frontend_urls: Vec<String>,
    /// Origins from which pictures of users are shown, beside our own.
    pub avatar_origins: Vec<String>,
    /// Origins of other pages that may show `/?view=embed` in a frame.
    pub embed_origins: Vec<String>,
    /// The origin of the page's address; empty for the one of each request.
    pub public_url: String,
    /// The path of the page's address, as `/board`; empty for the root.
    #[serde(deserialize_with = "from_text")]
    pub base_path: BasePath,
}

impl HttpTable {
    /// Takes `FRONTEND_URLS`, if that is set, and writes origins as browsers do.
    pub(super) fn complete(&mut self) -> Result<(), ConfigError> {
        if let Some(urls) = variable(FRONTEND_URLS)? {
            self.frontend_urls = urls.split(',').map(Into::into).collect();
        }
        let lists = [
            ("http.frontend_urls, FRONTEND_URLS", &mut self.frontend_urls),
            ("http.avatar_origins", &mut self.avatar_origins),
            ("http.embed_origins", &mut self.embed_origins),
        ];
        for (key, origins) in lists {
            for origin in origins.iter_mut() {
                let text = origin.trim();
                *origin = origin_or_empty(text).ok_or_else(|| {
                    let problem =
                        format!("{text:?} is not an origin: write it as https://example.org");
                    ConfigError::value(key, problem)
                })?;
            }
            origins.retain(|origin| !origin.is_empty());
        }
        let text = self.public_url.trim();
        let without_slash = text.strip_suffix('/').unwrap_or(text);
        self.public_url = origin_or_empty(without_slash).ok_or_else(|| {
            let problem = format!("{text:?} is no origin: write it as https://example.org");
            ConfigError::value("http.public_url", problem)
        })?;
        Ok(())
    }

    /// All origins from which pictures are shown that may not be those of an address
    /// without one.
    pub fn picture_origins(&self) -> Vec<String> {
        let mut origins = self.avatar_origins.clone();
        if !self.public_url.is_empty() && !origins.contains(&self.public_url) {
            origins.push(self.public_url.clone());
        }
        origins
    }
}

/// An origin as browsers write it; nothing stays nothing.
fn origin_or_empty(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    normal_origin(text)
}
