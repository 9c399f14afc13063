//! Who is signed in, by the cookies of the page.

use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use super::{Pages, cookies};
use crate::{
    auth::{Identity, Role, bearer},
    board::UserId,
};

/// The cookie that holds the token of the user who is signed in.
const SESSION: &str = "podium_token";
/// The cookie that holds the token of a link until its question is answered: only the
/// browser and we can read it there.
const PENDING: &str = "podium_link";
/// How long the question may take, in seconds.
const PENDING_FOR: u64 = 300;
/// The longest token that signs in, in bytes. Browsers take cookies of 4096 bytes with
/// their names (RFC 6265bis, section 5.6), and drop longer ones without a word.
const TOKEN_MAX_BYTES: usize = 4000;

impl Pages {
    /// The player who is signed in; nobody in a frame on a page of others.
    pub(super) fn signed_in(&self, is_embedded: bool, headers: &HeaderMap) -> Option<Identity> {
        if is_embedded {
            return None;
        }
        self.player(&self.read_cookie(headers, SESSION)?)
    }

    /// The registered player who is signed in by the cookie, or the user of the token in
    /// `Authorization`, if it is no viewer's.
    pub fn signed_in_user(&self, headers: &HeaderMap) -> Option<UserId> {
        if let Some(player) = self.signed_in(false, headers) {
            return Some(player.user);
        }
        let token = bearer(headers.get(AUTHORIZATION)?.to_str().ok()?)?;
        let identity = self.tokens.verify(token).ok()?;
        let is_known = match identity.role {
            Role::Viewer => false,
            Role::Player => self.live.knows(identity.user),
            Role::Publisher | Role::Admin => true,
        };
        (is_known && !self.live.is_revoked(&identity)).then_some(identity.user)
    }

    /// The registered player to whom a token belongs. Publishers and admins have
    /// nothing on this page that a viewer has not.
    pub(super) fn player(&self, token: &str) -> Option<Identity> {
        if token.len() > TOKEN_MAX_BYTES {
            return None;
        }
        let identity = self.tokens.verify_unended(token).ok()?;
        // Of one that ends within the second nothing is left.
        let is_player = identity.role == Role::Player
            && !self.tokens.remaining(&identity).is_zero()
            && self.live.knows(identity.user)
            && !self.live.is_revoked(&identity);
        is_player.then_some(identity)
    }

    /// The player of the link whose question is open, and its token.
    pub(super) fn pending(&self, headers: &HeaderMap) -> Option<(Identity, String)> {
        let token = self.read_cookie(headers, PENDING)?;
        Some((self.player(&token)?, token))
    }

    /// The cookies by which a player is signed in for as long as the token is valid.
    pub(super) fn begin_session(
        &self,
        headers: &HeaderMap,
        player: Identity,
        token: String,
    ) -> Vec<HeaderValue> {
        let remaining = self.tokens.remaining(&player).as_secs();
        self.set_cookie(headers, SESSION, token, remaining)
    }

    /// The cookies by which nobody is signed in.
    pub(super) fn end_session(&self, headers: &HeaderMap) -> Vec<HeaderValue> {
        let mut cookies = cookies::remove(headers, &self.base, SESSION);
        cookies.extend(self.end_question(headers));
        cookies
    }

    /// The cookies that hold the token of a link until its question is answered.
    pub(super) fn begin_question(&self, headers: &HeaderMap, token: String) -> Vec<HeaderValue> {
        self.set_cookie(headers, PENDING, token, PENDING_FOR)
    }

    /// The cookies by which no question is open.
    pub(super) fn end_question(&self, headers: &HeaderMap) -> Vec<HeaderValue> {
        cookies::remove(headers, &self.base, PENDING)
    }

    fn read_cookie(&self, headers: &HeaderMap, name: &str) -> Option<String> {
        let is_secure = cookies::is_secure(&self.public_url, headers);
        cookies::read(headers, &self.base, is_secure, name)
    }

    fn set_cookie(
        &self,
        headers: &HeaderMap,
        name: &str,
        text: String,
        seconds: u64,
    ) -> Vec<HeaderValue> {
        let is_secure = cookies::is_secure(&self.public_url, headers);
        cookies::set(headers, &self.base, is_secure, name, text, seconds)
    }
}
