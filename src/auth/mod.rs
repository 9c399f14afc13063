//! Tokens: who somebody is, and what they may do.
//!
//! A token is a JWT signed with HS256. So is a [ticket](ticket), and neither is
//! ever taken for the other. Nothing here knows sockets or HTTP.

pub mod ticket;

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    board::UserId,
    clock,
    config::{AuthTable, Secret},
    wire,
};
use ticket::Tickets;

/// How far ahead of ours the clock of whoever issues tokens may be, in seconds.
const MAX_AHEAD: u64 = 60;

/// What somebody may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May watch.
    Viewer,
    /// Is on the board, and may watch.
    #[default]
    Player,
    /// May send actions and register users.
    Publisher,
    /// May do everything.
    Admin,
}

impl Role {
    /// May the role send actions for others and register users?
    pub fn publishes(self) -> bool {
        matches!(self, Role::Publisher | Role::Admin)
    }
}

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
    /// When the token ends, in seconds since 1970-01-01T00:00:00Z.
    pub expires: u64,
}

/// A token is not valid; why is not told to whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Authentication failed")]
pub struct InvalidToken;

/// Signs tokens, and checks them.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    issuer: Option<String>,
    audience: Option<String>,
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
    /// May have a fraction (RFC 7519, section 2, `NumericDate`), as `iat` may.
    exp: f64,
    iat: Option<f64>,
    /// A ticket has these two, and is no token.
    #[serde(rename = "actionType")]
    action_type: Option<IgnoredAny>,
    #[serde(rename = "scoreIncrease")]
    score_increase: Option<IgnoredAny>,
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
}

impl Tokens {
    /// Tokens signed with `secret` and tickets signed with `ticket_secret`, with
    /// the issuer and audience of `table`.
    pub fn new(secret: &Secret, ticket_secret: &Secret, table: &AuthTable) -> Tokens {
        let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut validation = validation(table, &["exp"]);
        validation.leeway = 0;
        validation.validate_nbf = true;
        Tokens {
            encoding: EncodingKey::from_secret(secret.0.as_bytes()),
            decoding: DecodingKey::from_secret(secret.0.as_bytes()),
            validation,
            issuer: named(&table.issuer),
            audience: named(&table.audience),
            tickets: Tickets::new(ticket_secret, table),
        }
    }

    /// The tickets of those who have these tokens.
    pub fn tickets(&self) -> &Tickets {
        &self.tickets
    }

    /// Who a token belongs to.
    ///
    /// # Errors
    /// If it is not one of ours, has ended, or names no user.
    pub fn verify(&self, token: &str) -> Result<Identity, InvalidToken> {
        let claims = decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_| InvalidToken)?
            .claims;
        if claims.action_type.is_some() || claims.score_increase.is_some() {
            return Err(InvalidToken);
        }
        let user = match (&claims.sub, &claims.user_id) {
            (Some(sub), Some(user)) if sub != user => return Err(InvalidToken),
            (Some(id), _) | (None, Some(id)) => wire::user_id(id).ok_or(InvalidToken)?,
            (None, None) => return Err(InvalidToken),
        };
        let issued = claims.iat.map(|issued| issued as u64);
        // Or it could never be revoked.
        if issued.is_some_and(|issued| issued > now() + MAX_AHEAD) {
            return Err(InvalidToken);
        }
        Ok(Identity {
            user,
            role: claims.role,
            issued,
            expires: claims.exp as u64,
        })
    }

    /// A token for somebody, which ends after `ttl`.
    ///
    /// # Errors
    /// If it cannot be signed, which a secret that was checked rules out.
    pub fn issue(&self, user: UserId, role: Role, ttl: Duration) -> Result<String, InvalidToken> {
        self.sign(user, role, Some(now()), ttl)
    }

    /// A token for whoever has shown another, which ends after `ttl`. It counts as
    /// issued when that one was, so it is revoked with it.
    ///
    /// # Errors
    /// As [`Tokens::issue`].
    pub fn derive(&self, from: Identity, ttl: Duration) -> Result<String, InvalidToken> {
        self.sign(from.user, from.role, from.issued, ttl)
    }

    fn sign(
        &self,
        user: UserId,
        role: Role,
        iat: Option<u64>,
        ttl: Duration,
    ) -> Result<String, InvalidToken> {
        let claims = Issued {
            sub: wire::user_text(user),
            role,
            exp: now().saturating_add(ttl.as_secs()),
            iat,
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(|_| InvalidToken)
    }
}

/// HS256, the issuer and audience of `table`, and these claims beside them.
fn validation(table: &AuthTable, claims: &[&str]) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    let mut required = claims.to_vec();
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

/// Seconds since 1970-01-01T00:00:00Z.
pub fn now() -> u64 {
    clock::now().0 / 1000
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
        assert_eq!(Some(identity.user), wire::user_id(id));
        assert_eq!(identity.role, Role::Player);
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let id = "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11";
        let (past, future) = (now() - 1, now() + 60);
        let refused = [
            serde_json::json!({ "sub": id }),
            serde_json::json!({ "sub": id, "exp": past }),
            serde_json::json!({ "sub": id, "exp": future, "nbf": future }),
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
