//! Which moment a route shows: the present one.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};

use super::Problem;

/// The query asks for no past moment. One that is ignored would be answered with what is there
/// now, as if that had been then.
pub(super) struct Present;

impl<S: Send + Sync> FromRequestParts<S> for Present {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Present, Problem> {
        // What cannot be read as a query at all is for those who read more of it.
        let query = Query::<HashMap<String, String>>::try_from_uri(&parts.uri);
        match query {
            Ok(Query(query)) if query.contains_key("at") => Err(Problem::bad_request(
                "at: past moments cannot be shown yet: leave it out, and the board is shown as it \
                 is now",
            )),
            _ => Ok(Present),
        }
    }
}
