//! Tickets: one action each, which the back end of an app signs and its page redeems. A
//! ticket can be redeemed once.
//!
//! Nothing here remembers a ticket: its `jti` is the id of its action, and the
//! store counts an action id once.

use std::time::Duration;

use jsonwebtoken::{
    DecodingKey, Validation, decode, decode_header,
    errors::{Error, ErrorKind},
};
use serde::Deserialize;

use super::{
    validation,
    validity::{Untimely, Validity},
};
use crate::{
    board::{Timestamp, UserId},
    config::{AuthTable, Secret},
    whole::{NotWhole, Written},
};

/// Checks tickets.
pub struct Tickets {
    key: DecodingKey,
    validation: Validation,
    max_ttl: Duration,
    leeway: Duration,
}

/// The claims of a valid ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The user who acted.
    pub user: UserId,
    /// The id of the action.
    pub action_id: String,
    /// The kind of action.
    pub action_type: String,
    /// The points it is worth, unless its type has points of its own.
    pub score_increase: Option<Result<i64, NotWhole>>,
    /// The board that it counts on, if it names one.
    pub board: Option<String>,
    /// Its points for the second score, if there are any.
    pub tiebreak_increase: Option<Result<i64, NotWhole>>,
}

/// Why a ticket is refused. Who has signed a ticket may know all of its claims, so the
/// answer has the reason; for one that is not signed it has none.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RefusedTicket {
    /// It is no JWT, or not ours.
    #[error(
        "it is no JWT that was signed with HS256 by TICKET_SECRET, or by JWT_SECRET where there \
         is no TICKET_SECRET"
    )]
    NotSigned,
    /// A claim is not there.
    #[error("it has no claim `{0}`")]
    Missing(String),
    /// A claim has the wrong form.
    #[error("a claim has the wrong form: {0}")]
    Malformed(String),
    /// `iss` is not the one that is configured.
    #[error("its `iss` is not auth.issuer")]
    Issuer,
    /// `aud` is not the one that is configured.
    #[error("its `aud` is not auth.audience")]
    Audience,
    /// `exp` is over.
    #[error("it has expired: sign a new one, with the same `jti` if the action is the same")]
    Expired,
    /// `nbf` or `iat` is still to come.
    #[error("it is not valid yet: its `{0}` is in the future")]
    Early(&'static str),
    /// `exp` is too far away.
    #[error(
        "it is valid for too long: its `exp` may be at most {} away (auth.ticket_max_ttl)",
        humantime::format_duration(*.0)
    )]
    TooLong(Duration),
    /// It is redeemed with the token of another user.
    #[error("it is for another user than the token in the header")]
    OtherUser,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    sub: Option<String>,
    jti: Option<String>,
    action_type: Option<String>,
    score_increase: Option<Written>,
    board: Option<String>,
    tiebreak_increase: Option<Written>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl Tickets {
    /// Tickets signed with `secret`, with the issuer and audience of `table`.
    pub(super) fn new(secret: &Secret, table: &AuthTable) -> Tickets {
        Tickets {
            key: DecodingKey::from_secret(secret.0.as_bytes()),
            validation: validation(table),
            max_ttl: table.ticket_max_ttl,
            leeway: table.leeway,
        }
    }

    /// The claims of a ticket that `bearer` redeems at `now`.
    ///
    /// # Errors
    /// If it is not ours, not complete, not of this time, or not the bearer's.
    pub fn verify(
        &self,
        ticket: &str,
        bearer: UserId,
        now: Timestamp,
    ) -> Result<Ticket, RefusedTicket> {
        // A header that cannot be read is no claim of the wrong form.
        decode_header(ticket).map_err(|_| RefusedTicket::NotSigned)?;
        let Claims {
            sub,
            jti,
            action_type,
            score_increase,
            board,
            tiebreak_increase,
            exp,
            nbf,
            iat,
        } = decode(ticket, &self.key, &self.validation)?.claims;
        let exp = exp.ok_or_else(|| missing("exp"))?;
        let sub = sub.ok_or_else(|| missing("sub"))?;
        let action_id = jti.ok_or_else(|| missing("jti"))?;
        let action_type = action_type.ok_or_else(|| missing("actionType"))?;

        let timely = Validity { iat, nbf, exp }.check(now, self.leeway);
        timely.map_err(|untimely| match untimely {
            Untimely::Expired => RefusedTicket::Expired,
            Untimely::Early(claim) => RefusedTicket::Early(claim),
        })?;
        if exp > now.0 as f64 / 1000.0 + self.max_ttl.as_secs_f64() {
            return Err(RefusedTicket::TooLong(self.max_ttl));
        }
        let user = sub
            .parse()
            .map_err(|_| RefusedTicket::Malformed("`sub` is not a UUID".into()))?;
        if user != bearer {
            return Err(RefusedTicket::OtherUser);
        }
        Ok(Ticket {
            user,
            action_id,
            action_type,
            score_increase: score_increase.as_ref().map(Written::whole),
            board,
            tiebreak_increase: tiebreak_increase.as_ref().map(Written::whole),
        })
    }
}

fn missing(claim: &str) -> RefusedTicket {
    RefusedTicket::Missing(claim.into())
}

impl From<Error> for RefusedTicket {
    fn from(error: Error) -> RefusedTicket {
        match error.into_kind() {
            ErrorKind::MissingRequiredClaim(claim) => RefusedTicket::Missing(claim),
            ErrorKind::InvalidIssuer => RefusedTicket::Issuer,
            ErrorKind::InvalidAudience => RefusedTicket::Audience,
            // Claims are read after the signature was found to be good.
            ErrorKind::Json(error) => RefusedTicket::Malformed(error.to_string()),
            _ => RefusedTicket::NotSigned,
        }
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;

    const USER: &str = "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11";
    const NOW: u64 = 1_700_000_000;
    const AT_NOW: Timestamp = Timestamp(NOW * 1000);

    fn tickets() -> Tickets {
        Tickets::new(&secret("tickets"), &AuthTable::default())
    }

    fn secret(text: &str) -> Secret {
        Secret(text.repeat(8))
    }

    fn bearer() -> UserId {
        USER.parse().unwrap()
    }

    /// The claims of a ticket for a minute, with these over them.
    fn claims(changes: Value) -> Value {
        let mut claims = json!({
            "sub": USER, "jti": "a", "actionType": "quiz_solved", "scoreIncrease": 10,
            "exp": NOW + 60,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    fn without(name: &str) -> Value {
        let mut claims = claims(json!({}));
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    fn signed(claims: &Value) -> String {
        signed_by("tickets", Algorithm::HS256, claims)
    }

    fn signed_by(key: &str, algorithm: Algorithm, claims: &Value) -> String {
        let key = EncodingKey::from_secret(secret(key).0.as_bytes());
        encode(&Header::new(algorithm), claims, &key).unwrap()
    }

    fn check(claims: &Value) -> Result<Ticket, RefusedTicket> {
        tickets().verify(&signed(claims), bearer(), AT_NOW)
    }

    #[test]
    fn a_ticket_says_what_was_signed() {
        let ticket = Ticket {
            user: bearer(),
            action_id: "a".into(),
            action_type: "quiz_solved".into(),
            score_increase: Some(Ok(10)),
            board: None,
            tiebreak_increase: None,
        };
        assert_eq!(check(&claims(json!({}))), Ok(ticket.clone()));
        let on_board = Ticket {
            board: Some("laps".into()),
            tiebreak_increase: Some(Ok(2)),
            ..ticket.clone()
        };
        let named = claims(json!({ "board": "laps", "tiebreakIncrease": 2 }));
        assert_eq!(check(&named), Ok(on_board));
        let without_points = Ticket {
            score_increase: None,
            ..ticket
        };
        assert_eq!(check(&without("scoreIncrease")), Ok(without_points));
        let written_as_float = check(&claims(json!({ "scoreIncrease": 1e1 })));
        assert_eq!(
            written_as_float.map(|it| it.score_increase),
            Ok(Some(Ok(10)))
        );
    }

    #[test]
    fn what_must_be_there_is_named_when_it_is_not() {
        for name in ["sub", "jti", "actionType", "exp"] {
            let refused = check(&without(name)).unwrap_err();
            assert_eq!(refused, missing(name));
            assert_eq!(refused.to_string(), format!("it has no claim `{name}`"));
            assert_eq!(check(&claims(json!({ name: null }))), Err(refused));
        }
    }

    #[test]
    fn claims_of_another_form_are_refused() {
        for changes in [
            json!({ "sub": 7 }),
            json!({ "sub": "somebody" }),
            json!({ "jti": 7 }),
            json!({ "actionType": ["quiz_solved"] }),
            json!({ "exp": "tomorrow" }),
            json!({ "nbf": "now" }),
            json!({ "iat": "now" }),
        ] {
            let refused = check(&claims(changes.clone())).unwrap_err();
            let RefusedTicket::Malformed(_) = refused else {
                panic!("{changes}: {refused}");
            };
        }
    }

    #[test]
    fn a_ticket_has_its_time() {
        let day = 24 * 3600;
        let too_long = RefusedTicket::TooLong(Duration::from_secs(day));
        for (changes, refused) in [
            (json!({ "exp": NOW + 1 }), None),
            (json!({ "exp": NOW as f64 + 0.5 }), None),
            (json!({ "exp": NOW }), None),
            (json!({ "exp": NOW - 4 }), None),
            (json!({ "exp": NOW - 5 }), Some(RefusedTicket::Expired)),
            (json!({ "exp": NOW - 3600 }), Some(RefusedTicket::Expired)),
            (json!({ "exp": -1 }), Some(RefusedTicket::Expired)),
            (json!({ "exp": NOW + day }), None),
            (json!({ "exp": NOW + day + 1 }), Some(too_long.clone())),
            (json!({ "exp": 1e300 }), Some(too_long.clone())),
            (json!({ "nbf": NOW }), None),
            (json!({ "nbf": NOW + 5 }), None),
            (
                json!({ "nbf": NOW as f64 + 5.5 }),
                Some(RefusedTicket::Early("nbf")),
            ),
            (json!({ "nbf": 1e300 }), Some(RefusedTicket::Early("nbf"))),
            (json!({ "iat": NOW as f64 + 0.5 }), None),
            (json!({ "iat": NOW + 6 }), Some(RefusedTicket::Early("iat"))),
        ] {
            assert_eq!(check(&claims(changes.clone())).err(), refused, "{changes}");
        }
        assert!(too_long.to_string().contains("1day"), "{too_long}");
    }

    #[test]
    fn nobody_uses_the_ticket_of_another() {
        let ticket = signed(&claims(json!({})));
        let refused = tickets().verify(&ticket, UserId([7; 16]), AT_NOW);
        assert_eq!(refused, Err(RefusedTicket::OtherUser));
    }

    #[test]
    fn what_is_not_signed_by_the_key_is_refused_without_a_reason() {
        let claims = claims(json!({}));
        let good = signed(&claims);
        let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
            panic!("{good} has three parts");
        };
        let other = signed(&without("scoreIncrease"));
        let other_payload = other.split('.').nth(1).unwrap();
        // {"alg":"none"} and {"alg":"HS256"} without the rest.
        let (none, half) = ("eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9");
        for forged in [
            String::new(),
            "not a ticket".into(),
            signed_by("others", Algorithm::HS256, &claims),
            signed_by("tickets", Algorithm::HS512, &claims),
            signed_by("others", Algorithm::HS256, &without("exp")),
            format!("{none}.{payload}."),
            format!("{none}.{payload}.{signature}"),
            format!("{half}.{payload}.{signature}"),
            format!("{header}.{other_payload}.{signature}"),
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
            format!("{good}.{signature}"),
        ] {
            let refused = tickets().verify(&forged, bearer(), AT_NOW);
            assert_eq!(refused, Err(RefusedTicket::NotSigned), "{forged}");
        }
    }

    #[test]
    fn issuer_and_audience_are_checked_where_configured() {
        let table = AuthTable {
            issuer: "https://app.example".into(),
            audience: "podium".into(),
            ..AuthTable::default()
        };
        let strict = Tickets::new(&secret("tickets"), &table);
        let check = |issuer: &str, audience: &str| {
            let claims = claims(json!({ "iss": issuer, "aud": audience }));
            strict.verify(&signed(&claims), bearer(), AT_NOW).err()
        };
        assert_eq!(check("https://app.example", "podium"), None);
        assert_eq!(
            check("https://other.example", "podium"),
            Some(RefusedTicket::Issuer)
        );
        assert_eq!(
            check("https://app.example", "other"),
            Some(RefusedTicket::Audience)
        );
        let bare = strict.verify(&signed(&claims(json!({}))), bearer(), AT_NOW);
        assert!(matches!(bare, Err(RefusedTicket::Missing(_))), "{bare:?}");
    }
}
