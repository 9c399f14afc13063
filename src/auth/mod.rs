//! Tokens: who a user is, and what the user may do.
//!
//! A token is a JWT signed with HS256. So is a [ticket](ticket), and neither is ever
//! accepted as the other. Nothing here knows sockets or HTTP.

pub mod ticket;
mod validity;

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize, de::IgnoredAny};

pub use crate::role::Role;
use crate::{
    board::{Timestamp, UserId},
    clock,
    config::{AuthTable, Secret},
};
use ticket::Tickets;
use validity::Validity;

/// What a valid token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
    /// When the token was issued, in seconds since 1970-01-01T00:00:00Z, if it
    /// says.
    pub issued: Option<u64>,
    /// When what it was shown for ends, in seconds since 1970-01-01T00:00:00Z: at its
    /// `exp`, or when the leeway is over if it was shown after that.
    pub expires: u64,
}

/// A token is not valid. The sender does not learn why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Authentication failed")]
pub struct InvalidToken;

/// The token of a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// A page issued it, for a viewer without an account: a page may renew it as often as
    /// it is asked to.
    OfPage(Identity),
    /// Another issuer signed it, and its end stands.
    OfOthers(Identity),
}

/// Signs tokens, and checks them.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    issuer: Option<String>,
    audience: Option<String>,
    leeway: Duration,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    tickets: Tickets,
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    /// The specification's name for `sub`.
    #[serde(rename = "userId")]
    user_id: Option<String>,
    #[serde(default)]
    role: Role,
    exp: f64,
    iat: Option<f64>,
    nbf: Option<f64>,
    /// See [`Issued`].
    #[serde(default)]
    pg: bool,
    /// A ticket has these two, and is no token.
    #[serde(rename = "actionType")]
    action_type: Option<IgnoredAny>,
    #[serde(rename = "scoreIncrease")]
    score_increase: Option<IgnoredAny>,
}

/// What was found in a token that is taken.
#[derive(Debug, PartialEq)]
struct Verified {
    identity: Identity,
    /// Did a page hand it out?
    is_of_page: bool,
    /// Is it taken by the leeway alone?
    has_ended: bool,
}

impl Verified {
    fn unended(self) -> Result<Verified, InvalidToken> {
        if self.has_ended {
            Err(InvalidToken)
        } else {
            Ok(self)
        }
    }
}

#[derive(Serialize)]
struct Issued<'a> {
    sub: String,
    role: Role,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    /// Did a page issue it for a viewer? No other issuer writes this claim.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pg: bool,
}

impl Tokens {
    /// Tokens signed with `secret` and tickets signed with `ticket_secret`, with
    /// the issuer and audience of `table`.
    pub fn new(secret: &Secret, ticket_secret: &Secret, table: &AuthTable) -> Tokens {
        let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Tokens {
            encoding: EncodingKey::from_secret(secret.0.as_bytes()),
            decoding: DecodingKey::from_secret(secret.0.as_bytes()),
            validation: validation(table),
            issuer: named(&table.issuer),
            audience: named(&table.audience),
            leeway: table.leeway,
            clock: Box::new(clock::now),
            tickets: Tickets::new(ticket_secret, table),
        }
    }

    /// The same, with the time by another clock than that of this machine.
    pub fn with_clock(self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Tokens {
        Tokens {
            clock: Box::new(clock),
            ..self
        }
    }

    /// The time by which tokens and tickets are issued and checked.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// For how long a token is still valid, in whole seconds.
    pub fn remaining(&self, identity: &Identity) -> Duration {
        Duration::from_secs(identity.expires.saturating_sub(self.seconds()))
    }

    /// The same, in whole seconds since 1970-01-01T00:00:00Z.
    pub fn seconds(&self) -> u64 {
        self.now().0 / 1000
    }

    /// The tickets of users who have these tokens.
    pub fn tickets(&self) -> &Tickets {
        &self.tickets
    }

    /// By how much the clock of an issuer of tokens may differ from ours.
    pub fn leeway(&self) -> Duration {
        self.leeway
    }

    /// The user to whom a token belongs.
    ///
    /// # Errors
    /// If it is not one of ours, is not of this time, or names no user.
    pub fn verify(&self, token: &str) -> Result<Identity, InvalidToken> {
        self.verify_at(token, self.now())
            .map(|verified| verified.identity)
    }

    /// Who a token belongs to whose `exp` is still to come: another one may be derived from
    /// it, which the leeway would otherwise prolong again and again.
    ///
    /// # Errors
    /// As [`Tokens::verify`], and if `exp` is over.
    pub fn verify_unended(&self, token: &str) -> Result<Identity, InvalidToken> {
        self.verify_at(token, self.now())
            .and_then(Verified::unended)
            .map(|verified| verified.identity)
    }

    /// The viewer to whom a token belongs, and whether a page issued it.
    ///
    /// # Errors
    /// As [`Tokens::verify_unended`], and if it is no token of a viewer.
    pub fn verify_viewer(&self, token: &str) -> Result<Viewer, InvalidToken> {
        let verified = self.verify_at(token, self.now())?.unended()?;
        match (verified.identity, verified.is_of_page) {
            (viewer, true) if viewer.role == Role::Viewer => Ok(Viewer::OfPage(viewer)),
            (viewer, false) if viewer.role == Role::Viewer => Ok(Viewer::OfOthers(viewer)),
            _ => Err(InvalidToken),
        }
    }

    fn verify_at(&self, token: &str, now: Timestamp) -> Result<Verified, InvalidToken> {
        let claims = decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_| InvalidToken)?
            .claims;
        if claims.action_type.is_some() || claims.score_increase.is_some() {
            return Err(InvalidToken);
        }
        let validity = Validity {
            iat: claims.iat,
            nbf: claims.nbf,
            exp: claims.exp,
        };
        validity.check(now, self.leeway).map_err(|_| InvalidToken)?;
        let ends = validity.ends(now, self.leeway);
        let user = match (&claims.sub, &claims.user_id) {
            (Some(sub), Some(user)) if sub != user => return Err(InvalidToken),
            (Some(id), _) | (None, Some(id)) => id.parse().map_err(|_| InvalidToken)?,
            (None, None) => return Err(InvalidToken),
        };
        let identity = Identity {
            user,
            role: claims.role,
            issued: claims.iat.map(|issued| issued as u64),
            expires: ends as u64,
        };
        Ok(Verified {
            identity,
            is_of_page: claims.pg,
            has_ended: validity.has_ended(now),
        })
    }

    /// A token for a user, which ends after `ttl`.
    ///
    /// # Errors
    /// If it cannot be signed, which a secret that was checked rules out.
    pub fn issue(&self, user: UserId, role: Role, ttl: Duration) -> Result<String, InvalidToken> {
        self.sign(user, role, Some(self.seconds()), ttl, false)
    }

    /// A token derived from another, which ends after `ttl`. It counts as issued when that
    /// one was, so it is revoked with it.
    ///
    /// # Errors
    /// As [`Tokens::issue`].
    pub fn derive(&self, from: Identity, ttl: Duration) -> Result<String, InvalidToken> {
        self.sign(from.user, from.role, from.issued, ttl, false)
    }

    /// A token that a page issues for a new viewer, which ends after `ttl`.
    ///
    /// # Errors
    /// As [`Tokens::issue`].
    pub fn issue_viewer(&self, user: UserId, ttl: Duration) -> Result<String, InvalidToken> {
        self.sign(user, Role::Viewer, Some(self.seconds()), ttl, true)
    }

    /// A later token for the viewer of a page; see [`Tokens::derive`].
    ///
    /// # Errors
    /// As [`Tokens::issue`].
    pub fn renew_viewer(&self, viewer: Identity, ttl: Duration) -> Result<String, InvalidToken> {
        self.sign(viewer.user, Role::Viewer, viewer.issued, ttl, true)
    }

    fn sign(
        &self,
        user: UserId,
        role: Role,
        iat: Option<u64>,
        ttl: Duration,
        pg: bool,
    ) -> Result<String, InvalidToken> {
        let claims = Issued {
            sub: user.to_string(),
            role,
            exp: self.seconds().saturating_add(ttl.as_secs()),
            iat,
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
            pg,
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(|_| InvalidToken)
    }
}

/// HS256, and the issuer and audience of `table`. The times are for [`Validity`].
fn validation(table: &AuthTable) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let mut required = Vec::new();
    validation.validate_aud = !table.audience.is_empty();
    if !table.issuer.is_empty() {
        validation.set_issuer(&[&table.issuer]);
        required.push("iss");
    }
    if !table.audience.is_empty() {
        validation.set_audience(&[&table.audience]);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    validation
}

/// The token in the value of an `Authorization` header.
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> u64 {
        clock::now().0 / 1000
    }

    const HOUR: Duration = Duration::from_secs(3600);

    fn tokens(secret: &str, issuer: &str, audience: &str) -> Tokens {
        let table = AuthTable {
            issuer: issuer.into(),
            audience: audience.into(),
            ..AuthTable::default()
        };
        let secret = Secret(secret.repeat(8));
        Tokens::new(&secret, &secret, &table)
    }

    fn signed(claims: &serde_json::Value, algorithm: Algorithm) -> String {
        let key = EncodingKey::from_secret("secret".repeat(8).as_bytes());
        encode(&Header::new(algorithm), claims, &key).expect("signs")
    }

    #[test]
    fn a_token_says_whose_it_is() {
        let tokens = tokens("secret", "", "");
        let user = UserId([7; 16]);
        for role in [Role::Viewer, Role::Player, Role::Publisher, Role::Admin] {
            let token = tokens.issue(user, role, HOUR).expect("signs");
            let identity = tokens.verify(&token).expect("valid");
            assert_eq!((identity.user, identity.role), (user, role));
        }
    }

    #[test]
    fn the_claims_of_the_specification_are_enough() {
        let id = "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11";
        let token = signed(
            &serde_json::json!({ "userId": id, "exp": now() + 60 }),
            Algorithm::HS256,
        );
        let identity = tokens("secret", "", "").verify(&token).expect("valid");
        assert_eq!(Ok(identity.user), id.parse());
        assert_eq!(identity.role, Role::Player);
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let id = "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11";
        let (past, future) = (now() - 6, now() + 60);
        let refused = [
            serde_json::json!({ "sub": id }),
            serde_json::json!({ "sub": id, "exp": past }),
            serde_json::json!({ "sub": id, "exp": "tomorrow" }),
            serde_json::json!({ "sub": id, "exp": future, "nbf": future }),
            serde_json::json!({ "sub": id, "exp": future, "nbf": "now" }),
            serde_json::json!({ "sub": id, "exp": future, "iat": future }),
            serde_json::json!({ "sub": id, "exp": future, "iat": [] }),
            serde_json::json!({ "sub": id, "exp": future, "role": "owner" }),
            serde_json::json!({ "sub": "somebody", "exp": future }),
            serde_json::json!({ "exp": future }),
            serde_json::json!({ "sub": id, "exp": future, "actionType": "goal" }),
            serde_json::json!({ "sub": id, "exp": future, "role": "admin", "scoreIncrease": 0 }),
            serde_json::json!({ "sub": id, "userId": "1d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11", "exp": future }),
        ];
        let tokens_ = tokens("secret", "", "");
        for claims in refused {
            let token = signed(&claims, Algorithm::HS256);
            assert_eq!(tokens_.verify(&token), Err(InvalidToken), "{claims}");
        }
        let good = serde_json::json!({ "sub": id, "exp": future });
        assert!(tokens_.verify(&signed(&good, Algorithm::HS256)).is_ok());
        assert!(tokens_.verify(&signed(&good, Algorithm::HS512)).is_err());
        assert!(
            tokens("other", "", "")
                .verify(&signed(&good, Algorithm::HS256))
                .is_err()
        );
        assert!(tokens_.verify("not a token").is_err());
    }

    #[test]
    fn times_may_have_fractions_and_differ_a_little() {
        let id = "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11";
        let now = Timestamp(1_700_000_000_250);
        let tokens = tokens("secret", "", "");
        let check = |claims: serde_json::Value| {
            let mut all = serde_json::json!({ "sub": id, "exp": 1_700_000_060.5 });
            for (name, value) in claims.as_object().unwrap() {
                all[name] = value.clone();
            }
            tokens.verify_at(&signed(&all, Algorithm::HS256), now)
        };
        for claims in [
            serde_json::json!({ "iat": 1_700_000_000.5 }),
            serde_json::json!({ "iat": 1_700_000_005.25, "nbf": 1_700_000_005.25 }),
            serde_json::json!({ "exp": 1_700_000_000.5 }),
            serde_json::json!({ "exp": 1_699_999_995.5 }),
            serde_json::json!({ "exp": 1_699_999_996 }),
        ] {
            assert!(check(claims.clone()).is_ok(), "{claims}");
        }
        for claims in [
            serde_json::json!({ "iat": 1_700_000_005.5 }),
            serde_json::json!({ "nbf": 1_700_000_005.5 }),
            serde_json::json!({ "exp": 1_699_999_995.25 }),
            serde_json::json!({ "exp": 1_699_999_995 }),
        ] {
            assert_eq!(check(claims.clone()), Err(InvalidToken), "{claims}");
        }
        let identity = |claims| check(claims).unwrap().identity;
        let timely = identity(serde_json::json!({ "iat": 1_699_999_999.5 }));
        assert_eq!(timely.issued, Some(1_699_999_999));
        assert_eq!(timely.expires, 1_700_000_060);
        // What is taken by the leeway ends with it.
        let late = identity(serde_json::json!({ "exp": 1_699_999_998.5 }));
        assert_eq!(late.expires, 1_700_000_003);
    }

    #[test]
    fn nothing_is_derived_from_a_token_that_has_ended() {
        let user = UserId([7; 16]);
        for (age, is_unended) in [(0, true), (59, true), (60, false), (64, false)] {
            let issued = tokens("secret", "", "");
            let at = issued.now().0;
            let minute = Duration::from_secs(60);
            let player = issued.issue(user, Role::Player, minute).expect("signs");
            let viewer = issued.issue_viewer(user, minute).expect("signs");
            let later = issued.with_clock(move || Timestamp(at + age * 1000));
            assert!(later.verify(&player).is_ok(), "{age}");
            assert_eq!(later.verify_unended(&player).is_ok(), is_unended, "{age}");
            assert_eq!(later.verify_viewer(&viewer).is_ok(), is_unended, "{age}");
        }
    }

    #[test]
    fn a_viewer_whom_a_page_made_up_stays_one() {
        let tokens = tokens("secret", "", "");
        let user = UserId([7; 16]);
        let Ok(Viewer::OfPage(viewer)) = tokens
            .issue_viewer(user, HOUR)
            .and_then(|token| tokens.verify_viewer(&token))
        else {
            panic!("a page handed it out");
        };
        assert_eq!((viewer.user, viewer.role), (user, Role::Viewer));
        let renewed = tokens.renew_viewer(viewer, HOUR).expect("signs");
        let renewed = tokens.verify_viewer(&renewed);
        assert!(matches!(renewed, Ok(Viewer::OfPage(_))), "{renewed:?}");
        let other = tokens.issue(user, Role::Viewer, HOUR).expect("signs");
        let other = tokens.verify_viewer(&other);
        let Ok(Viewer::OfOthers(other)) = other else {
            panic!("{other:?}");
        };
        let derived = tokens.derive(other, HOUR).expect("signs");
        let derived = tokens.verify_viewer(&derived);
        assert!(matches!(derived, Ok(Viewer::OfOthers(_))), "{derived:?}");
        for role in [Role::Player, Role::Publisher, Role::Admin] {
            let token = tokens.issue(user, role, HOUR).expect("signs");
            assert_eq!(tokens.verify_viewer(&token), Err(InvalidToken));
        }
    }

    #[test]
    fn issuer_and_audience_are_checked_where_configured() {
        let strict = tokens("secret", "https://login.example", "podium");
        let user = UserId([7; 16]);
        let token = strict.issue(user, Role::Player, HOUR).expect("signs");
        assert!(strict.verify(&token).is_ok());
        assert!(tokens("secret", "", "").verify(&token).is_ok());
        assert!(
            tokens("secret", "https://login.example", "other")
                .verify(&token)
                .is_err()
        );
        assert!(
            tokens("secret", "https://other.example", "podium")
                .verify(&token)
                .is_err()
        );
        let bare = tokens("secret", "", "")
            .issue(user, Role::Player, HOUR)
            .expect("signs");
        assert!(strict.verify(&bare).is_err());
    }

    #[test]
    fn a_bearer_header_is_read_leniently_and_nothing_else() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for other in ["abc", "Basic abc", "Bearer", "Bearer ", ""] {
            assert_eq!(bearer(other), None, "{other:?}");
        }
    }
}
