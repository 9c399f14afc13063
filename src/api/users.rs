//! `/api/v1/users/{id}`: registering users, looking one up, and letting one go.

use app::wire::UserScore;
use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;

use super::{
    Admin, Api, Problem, Publisher,
    body::{Body, Object, UserPath},
};
use crate::{store::Command, text};

#[derive(Deserialize)]
struct UserBody {
    username: String,
    avatar: Option<String>,
}

/// `GET`: name, score and rank.
pub(super) async fn get(
    State(api): State<Api>,
    UserPath(user): UserPath,
) -> Result<Json<UserScore>, Problem> {
    api.live
        .user_score(user)
        .map(Json)
        .ok_or_else(|| Problem::not_found("no user with this id is registered"))
}

/// `PUT`: registers a user, or changes name and picture.
pub(super) async fn put(
    State(api): State<Api>,
    _: Publisher,
    UserPath(user): UserPath,
    body: Body,
) -> Result<(StatusCode, Json<UserScore>), Problem> {
    let Object(UserBody { username, avatar }) = body.json()?;
    let profile = text::profile(&username, avatar.as_deref())
        .map_err(|error| Problem::invalid(error.to_string()))?;
    let known = api.live.knows(user);
    for outcome in api
        .live
        .append(vec![Command::PutUser { user, profile }])
        .await?
    {
        outcome?;
    }
    let status = if known {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let now = api.live.user_score(user);
    let now = now.ok_or_else(|| Problem::unavailable("the user is not on the board yet"))?;
    Ok((status, Json(now)))
}

/// `DELETE`: takes a user off the board, and closes the user's sockets.
pub(super) async fn delete(
    State(api): State<Api>,
    _: Publisher,
    UserPath(user): UserPath,
) -> Result<StatusCode, Problem> {
    for outcome in api.live.append(vec![Command::DeleteUser(user)]).await? {
        outcome?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST …/revoke`: makes all tokens void that the user, registered or not, has
/// now, and closes the sockets that were opened with them. A token must say when
/// it was issued (`iat`) to be taken from then on, and be a second younger.
pub(super) async fn revoke(
    State(api): State<Api>,
    _: Admin,
    UserPath(user): UserPath,
) -> Result<StatusCode, Problem> {
    let issued_until = api.live.now().0 / 1000;
    let command = Command::RevokeTokens { user, issued_until };
    for outcome in api.live.append(vec![command]).await? {
        outcome?;
    }
    Ok(StatusCode::NO_CONTENT)
}
