//! Why costly work has no result, and the HTTP answer that says so.

use axum::{
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

use super::NoPermit;

/// After how many seconds a client that was refused may ask again.
const RETRY_SECONDS: u64 = 1;

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered<E> {
    /// Too many of this client wait already.
    QueueFull,
    /// There was none in time, because other clients had their turns.
    Busy,
    /// The work was stopped, because it took too long.
    TookTooLong,
    /// Computing it has panicked, as the log says.
    Panicked,
    /// It could not be computed.
    Failed(E),
}

impl<E> Unanswered<E> {
    /// Was too much asked for? The same request may be answered later.
    pub fn is_refusal(&self) -> bool {
        match self {
            Unanswered::QueueFull | Unanswered::Busy | Unanswered::TookTooLong => true,
            Unanswered::Panicked | Unanswered::Failed(_) => false,
        }
    }

    /// What a failure means: an answer after all, or another failure.
    ///
    /// # Errors
    /// That one, or why there is no answer otherwise.
    pub fn recover<T, F>(self, with: impl FnOnce(E) -> Result<T, F>) -> Result<T, Unanswered<F>> {
        match self {
            Unanswered::Failed(error) => with(error).map_err(Unanswered::Failed),
            Unanswered::QueueFull => Err(Unanswered::QueueFull),
            Unanswered::Busy => Err(Unanswered::Busy),
            Unanswered::TookTooLong => Err(Unanswered::TookTooLong),
            Unanswered::Panicked => Err(Unanswered::Panicked),
        }
    }

    /// The status of an answer that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Unanswered::QueueFull => StatusCode::TOO_MANY_REQUESTS,
            Unanswered::Busy | Unanswered::TookTooLong => StatusCode::SERVICE_UNAVAILABLE,
            Unanswered::Panicked | Unanswered::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// After how many seconds the same may be asked again, if that helps.
    pub fn retry_after(&self) -> Option<u64> {
        self.is_refusal().then_some(RETRY_SECONDS)
    }
}

/// For answers without a text of their own.
impl<E> IntoResponse for Unanswered<E> {
    fn into_response(self) -> Response {
        let Some(seconds) = self.retry_after() else {
            return self.status().into_response();
        };
        let retry = [(RETRY_AFTER, HeaderValue::from(seconds))];
        let why = "too much is asked for: try again a little later\n";
        (self.status(), retry, why).into_response()
    }
}

impl<E> From<NoPermit> for Unanswered<E> {
    fn from(error: NoPermit) -> Unanswered<E> {
        match error {
            NoPermit::QueueFull => Unanswered::QueueFull,
            NoPermit::Busy => Unanswered::Busy,
        }
    }
}
