//! Problem documents: what every error of the API looks like (RFC 9457).

use std::borrow::Cow;

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    actions::InvalidAction,
    auth::ticket::RefusedTicket,
    board::Contradiction,
    limits::Unanswered,
    live::{AppendError, HistoryError},
    store::{LimitReached, Refusal, StoreError},
};

/// After how many seconds a command that was not stored may be sent again.
const RETRY_SECONDS: u64 = 1;

/// The same for a store that cannot write, which is seldom over in a second.
const RETRY_LATER_SECONDS: u64 = 5;

/// What went wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: Cow<'static, str>,
    /// After how many seconds the same may be tried again.
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// What the header says, where several answers share the headers.
    #[serde(rename = "retryAfter", skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Problem {
    pub(super) const NO_TOKEN: Problem = Problem::fixed(
        StatusCode::UNAUTHORIZED,
        "Authentication token required",
        "send a token in the header `Authorization: Bearer …`",
    );
    pub(super) const INVALID_TOKEN: Problem = Problem::fixed(
        StatusCode::UNAUTHORIZED,
        "Authentication failed",
        "the token is not valid, has expired or was revoked: ask for a new one",
    );
    pub(super) const FORBIDDEN: Problem = Problem::fixed(
        StatusCode::FORBIDDEN,
        "Forbidden",
        "this needs a token of the role publisher or admin; a player hands in a ticket, with a \
         token of their own",
    );
    pub(super) const ADMIN_ONLY: Problem = Problem::fixed(
        StatusCode::FORBIDDEN,
        "Forbidden",
        "this needs a token of the role admin",
    );
    pub(super) const METHOD_NOT_ALLOWED: Problem = Problem::fixed(
        StatusCode::METHOD_NOT_ALLOWED,
        "Method not allowed",
        "this route does not take that method",
    );

    /// The longest detail, in characters. What was sent may be repeated in it.
    const LONGEST: usize = 1000;

    const fn fixed(status: StatusCode, title: &'static str, detail: &'static str) -> Problem {
        Problem {
            status,
            title,
            detail: Cow::Borrowed(detail),
            retry_after: None,
        }
    }

    fn new(
        status: StatusCode,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Problem {
        Problem {
            status,
            title,
            detail: shortened(detail.into()),
            retry_after: None,
        }
    }

    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "Bad request", detail)
    }

    pub(super) fn invalid(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid value", detail)
    }

    pub(super) fn not_found(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "Not found", detail)
    }

    pub(super) fn too_large(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Too large", detail)
    }

    pub(crate) fn unavailable(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            retry_after: Some(RETRY_SECONDS),
            ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", detail)
        }
    }

    fn later(self) -> Problem {
        Problem {
            retry_after: Some(RETRY_LATER_SECONDS),
            ..self
        }
    }

    pub(super) fn limit_reached(action_type: &str, reached: LimitReached) -> Problem {
        let detail = format!("{action_type} {reached}");
        Problem {
            retry_after: Some(reached.retry_after),
            ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "Limit reached", detail)
        }
    }

    /// A history could not be read, as the log says.
    pub(super) fn no_history(error: HistoryError) -> Problem {
        match error {
            Unanswered::Failed(_) => {
                Problem::unavailable("the history cannot be read now: ask again a little later")
            }
            why => Problem::unanswered(&why, "histories"),
        }
    }

    /// Something was not computed that costs much; `what` says of which kind.
    pub(super) fn unanswered<E>(why: &Unanswered<E>, what: &str) -> Problem {
        let (title, detail) = match why {
            Unanswered::QueueFull => (
                "Too many requests",
                format!("your address asks for too many {what}: ask again a little later"),
            ),
            Unanswered::Busy | Unanswered::TookTooLong => (
                "Unavailable",
                format!("too many {what} are asked for: ask again a little later"),
            ),
            Unanswered::Panicked | Unanswered::Failed(_) => (
                "Internal error",
                "the server has a fault, as its log says: please report it".to_owned(),
            ),
        };
        Problem {
            retry_after: why.retry_after(),
            ..Problem::new(why.status(), title, detail)
        }
    }

    /// The document, for where several answers share one response.
    pub(super) fn document(&self) -> impl Serialize + '_ {
        Document {
            kind: "about:blank",
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            retry_after: self.retry_after,
        }
    }
}

/// A text without its middle, if it is too long: it begins with what is at fault, and ends with
/// the cure.
fn shortened(text: Cow<'static, str>) -> Cow<'static, str> {
    const HALF: usize = Problem::LONGEST / 2;
    if text.chars().nth(Problem::LONGEST).is_none() {
        return text;
    }
    let start = text.char_indices().nth(HALF).map_or(0, |(at, _)| at);
    let end = text.char_indices().nth_back(HALF - 1);
    let end = end.map_or(text.len(), |(at, _)| at);
    format!("{} … {}", &text[..start], &text[end..]).into()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let detail = refusal.to_string();
        match refusal {
            Refusal::UnknownUser | Refusal::UnknownTeam | Refusal::UnknownBoard(_) => {
                Problem::not_found(detail)
            }
            Refusal::Conflict
            | Refusal::Derived { .. }
            | Refusal::NotStarted
            | Refusal::Ended
            | Refusal::Settings(
                Contradiction::Decided
                | Contradiction::Counted
                | Contradiction::TiebreakOf(_)
                | Contradiction::EveryoneStands
                | Contradiction::ShownBy(_),
            )
            | Refusal::TooManyBoards(_)
            | Refusal::IsMain
            | Refusal::HasDerived(_) => Problem::new(StatusCode::CONFLICT, "Conflict", detail),
            Refusal::OutOfRange | Refusal::Settings(_) | Refusal::Calendar(_) => {
                Problem::invalid(detail)
            }
            Refusal::LimitReached(reached) => {
                Problem::limit_reached("an action of this type", reached)
            }
        }
    }
}

impl From<InvalidAction> for Problem {
    fn from(error: InvalidAction) -> Problem {
        Problem::invalid(error.to_string())
    }
}

impl From<RefusedTicket> for Problem {
    fn from(error: RefusedTicket) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "Ticket refused", error.to_string())
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Problem {
        match error {
            AppendError::Refused(refusal) => refusal.into(),
            AppendError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        // The message of a database is for the log, and not for clients.
        log(&error, "a request could not be stored");
        match error {
            // Perhaps all that is lost is the answer.
            StoreError::Unreachable(_) => Problem::unavailable(
                "the store cannot be reached: send the same again a little later, and what was \
                 stored already is not counted twice",
            ),
            StoreError::NoAnswer => Problem::unavailable(
                "the store does not answer, and may have stored this or not: send the same \
                 again, under the same ids, and it is counted once",
            )
            .later(),
            // The ids matter here too: the command may have been stored, and the answer lost.
            StoreError::Unwritable(_) => Problem::unavailable(format!(
                "{error}; send the same again later, under the same ids, and it is counted once"
            ))
            .later(),
            _ => Problem::unavailable("nothing was stored: send the same again a little later"),
        }
    }
}

/// A store that is unreachable or cannot write says so itself, once; each request would do
/// so too.
fn log(error: &StoreError, what: &str) {
    match error {
        StoreError::Unreachable(_) | StoreError::Unwritable(_) => tracing::debug!(%error, "{what}"),
        _ => tracing::warn!(%error, "{what}"),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.document())).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_not_repeated_at_length() {
        let problem = Problem::invalid(format!("zone: {} is none: give one", "ü".repeat(100_000)));
        assert!(problem.detail.chars().count() <= Problem::LONGEST + 3);
        assert!(problem.detail.starts_with("zone: üü"), "{}", problem.detail);
        assert!(problem.detail.ends_with("üü is none: give one"));
        let short = "ü".repeat(Problem::LONGEST);
        assert_eq!(Problem::invalid(short.clone()).detail, short);
    }

    #[test]
    fn problems_that_pass_say_when_to_retry() {
        let retry_after = |problem: Problem| {
            let response = problem.into_response();
            response.headers().get(RETRY_AFTER).cloned()
        };
        assert_eq!(retry_after(Problem::unavailable("wait")).unwrap(), "1");
        let error = StoreError::InUse("podium.db".into());
        assert_eq!(retry_after(error.into()).unwrap(), "1");
        let error = StoreError::Unreachable("connection refused to 192.0.2.1".into());
        let unreachable = Problem::from(error);
        assert_eq!(unreachable.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            !unreachable.detail.contains("192.0.2.1"),
            "{}",
            unreachable.detail
        );
        assert_eq!(retry_after(unreachable).unwrap(), "1");
        let full = Problem::from(StoreError::Unwritable("the disk is full".into()));
        assert!(full.detail.contains("because the disk is full"));
        assert_eq!(retry_after(full).unwrap(), "5");
        let no_answer = Problem::from(StoreError::NoAnswer);
        assert!(no_answer.detail.contains("may have stored this or not"));
        assert_eq!(retry_after(no_answer).unwrap(), "5");
        assert!(retry_after(Problem::FORBIDDEN).is_none());
    }
}
