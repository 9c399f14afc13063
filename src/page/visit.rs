//! A visit: who asks for a page, and in which form.

use std::net::IpAddr;

use app::{texts::Language, wire::View};
use axum::{
    Extension,
    extract::{FromRequestParts, rejection::ExtensionRejection},
    http::{HeaderMap, header::ACCEPT, request::Parts},
};

use super::{
    Pages, cookies, language, navigation,
    query::{Outcome, PageQuery},
};
use crate::{limits::Client, listener::ClientAddress};

/// All that the answer to a request depends on, beside what the page shows and who is
/// signed in.
#[derive(Clone, Copy)]
pub(super) struct Visit {
    /// Whose turn it is.
    pub(super) client: Client,
    pub(super) view: View,
    pub(super) language: Language,
    /// Was the language chosen by this request, so that it is to be remembered?
    pub(super) is_chosen: bool,
    /// Was the page opened by a sign-in link that is not valid?
    pub(super) link_failed: bool,
    /// Was the page asked for with TLS?
    pub(super) is_secure: bool,
    /// Is the document wanted as a string in JSON? No proxy on the way rewrites that, so a
    /// page of ours asks for it that has found itself rewritten.
    pub(super) wants_json: bool,
}

impl Visit {
    pub(super) fn new(
        pages: &Pages,
        address: IpAddr,
        query: &PageQuery,
        headers: &HeaderMap,
    ) -> Visit {
        let view = query.view;
        let chosen = query.language;
        Visit {
            client: address.into(),
            view,
            language: chosen.unwrap_or_else(|| language::preferred(headers, view)),
            // A page of others changes no cookies of ours.
            is_chosen: chosen.is_some()
                && !query.is_embedded()
                && navigation::is_navigation(headers),
            link_failed: !query.is_embedded() && query.outcome == Some(Outcome::Failed),
            is_secure: cookies::is_secure(&pages.public_url, headers),
            wants_json: headers
                .get(ACCEPT)
                .is_some_and(|accept| accept == "application/json"),
        }
    }

    /// Is this for a frame on a page of others?
    pub(super) fn is_embedded(self) -> bool {
        self.view == View::Embed
    }
}

impl FromRequestParts<Pages> for Visit {
    type Rejection = ExtensionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        pages: &Pages,
    ) -> Result<Visit, Self::Rejection> {
        let Extension(ClientAddress(address)) = Extension::from_request_parts(parts, pages).await?;
        let query = PageQuery::of(&parts.uri);
        Ok(Visit::new(pages, address, &query, &parts.headers))
    }
}
