//! The page's token: whose it is, when it is renewed, and whether it can be used.

use super::backoff::{Backoff, LONGEST_WAIT};

/// The shortest wait before a token is renewed.
const SHORTEST_RENEWAL: f64 = 5_000.0;
/// A token is renewed after this part of its lifetime, and up to [`RENEWAL_JITTER`] of it
/// later, at random: pages that were opened together do not renew together.
const RENEW_AFTER: f64 = 0.7;
/// See [`RENEW_AFTER`].
const RENEWAL_JITTER: f64 = 0.1;

/// Identifies a token: whose it is, and which one of the page's it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenId {
    pub(super) user: Option<String>,
    pub(super) number: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Token {
    id: TokenId,
    pub(super) renew_at: f64,
    pub(super) expires_at: f64,
    is_rejected: bool,
    is_renewing: bool,
    renewals: Backoff,
}

impl Token {
    /// A token of this user, or of a viewer who is not signed in, for so many seconds.
    pub(super) fn new(user: Option<String>, expires_in: u64, now: f64, random: f64) -> Token {
        let mut token = Token {
            id: TokenId { user, number: 0 },
            renew_at: now,
            expires_at: now,
            is_rejected: false,
            is_renewing: false,
            renewals: Backoff::default(),
        };
        token.set_lifetime(expires_in, now, random);
        token
    }

    pub(super) fn id(&self) -> &TokenId {
        &self.id
    }

    /// Would the server accept the token?
    pub(super) fn is_usable(&self, now: f64) -> bool {
        !self.is_rejected && now < self.expires_at
    }

    /// The server has rejected the token, or will.
    pub(super) fn reject(&mut self) {
        self.is_rejected = true;
    }

    /// Is the token to be renewed now? If so, the request counts as sent.
    pub(super) fn renews(&mut self, now: f64) -> bool {
        let is_due = !self.is_renewing && self.renew_at <= now;
        self.is_renewing |= is_due;
        is_due
    }

    /// When it is to be renewed, unless a request is pending.
    pub(super) fn wake_at(&self) -> f64 {
        if self.is_renewing {
            f64::INFINITY
        } else {
            self.renew_at
        }
    }

    /// Renews a token that cannot be used when it is needed.
    pub(super) fn renew_unusable_at(&mut self, at: f64, now: f64) {
        if !self.is_usable(now) {
            self.renew_at = at;
        }
    }

    /// Forgets a pending request for a token that cannot be used: it may be lost.
    pub(super) fn restart_renewal(&mut self, now: f64) {
        if !self.is_usable(now) {
            self.is_renewing = false;
            self.renew_at = now;
        }
    }

    /// A token came, of this user and for so many seconds, or none did.
    pub(super) fn renewed(&mut self, token: Option<(Option<String>, u64)>, now: f64, random: f64) {
        self.is_renewing = false;
        let Some((user, expires_in)) = token else {
            self.renew_at = now + self.renewals.next(LONGEST_WAIT, random);
            return;
        };
        self.id = TokenId {
            user,
            number: self.id.number.wrapping_add(1),
        };
        self.is_rejected = false;
        self.renewals.reset();
        self.set_lifetime(expires_in, now, random);
    }

    fn set_lifetime(&mut self, expires_in: u64, now: f64, random: f64) {
        let lifetime = expires_in as f64 * 1000.0;
        let wait = lifetime * (RENEW_AFTER + RENEWAL_JITTER * random);
        self.renew_at = now + wait.max(SHORTEST_RENEWAL);
        self.expires_at = now + lifetime;
    }
}
