//! `/api/v1/users` and `/api/v1/users/{id}`: registering users, looking one up, and letting one go.

use std::time::Duration;

use app::wire::UserScore;
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Deserializer};
use tokio::time::sleep;

use super::{
    Admin, Api, Problem, Publisher,
    body::{Body, Object, UserPath},
    moment::Present,
    of_board::OfBoard,
    profile::profile,
    teams::team_id,
};
use crate::{
    board::{BoardId, Profile, UserId},
    board_settings::{self, InvalidSettings},
    people::{self, ExternalId},
    store::{Command, Refusal},
    text, wire,
};

/// The most groups that a user may be in.
const MAX_GROUPS: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserBody {
    username: String,
    avatar: Option<String>,
    /// `null` for none; what is left out stays.
    #[serde(default, deserialize_with = "present")]
    team: Option<Option<String>>,
    groups: Option<Vec<String>>,
}

/// A field that is there, and may be `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `GET`: name, score and rank, on a board of teams those of a team too.
pub(super) async fn get(
    State(api): State<Api>,
    OfBoard(board): OfBoard,
    UserPath(user): UserPath,
    _: Present,
) -> Result<Json<UserScore>, Problem> {
    let user = api.live.competitor(&board, user);
    user.map(|user| Json(wire::user_score(&user)))
        .ok_or_else(|| Problem::not_found("no user with this id is registered"))
}

/// `PUT`: registers a user, or changes name and picture.
pub(super) async fn put(
    State(api): State<Api>,
    _: Publisher,
    UserPath(user): UserPath,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<UserScore>), Problem> {
    let Object(UserBody {
        username,
        avatar,
        team,
        groups,
    }) = body.json()?;
    let profile = profile(&api, &headers, &username, avatar.as_deref())?;
    let membership = membership(&api, user, team, groups)?;
    register(&api, user, profile, membership).await
}

/// What a user is to belong to from now on, if that is said. Nobody is registered for a team
/// that is not there, so that is looked up before.
fn membership(
    api: &Api,
    user: UserId,
    team: Option<Option<String>>,
    groups: Option<Vec<String>>,
) -> Result<Option<Command>, Problem> {
    if team.is_none() && groups.is_none() {
        return Ok(None);
    }
    let team = team.map(|team| team.as_deref().map(team_id).transpose());
    let team = team.transpose()?;
    let is_there = |team| {
        let index = api
            .live
            .read(|_, state| state.directory().index_of_team(team));
        index.is_some()
    };
    if let Some(Some(team)) = team
        && !is_there(team)
    {
        return Err(Refusal::UnknownTeam.into());
    }
    let groups = groups.map(|mut names| {
        names.sort();
        names.dedup();
        if names.len() > MAX_GROUPS {
            return Err(Problem::invalid(format!("groups: at most {MAX_GROUPS}")));
        }
        let invalid = |error: InvalidSettings| Problem::invalid(error.to_string());
        let group = |name: &String| board_settings::group("groups", name).map_err(invalid);
        names.iter().map(group).collect()
    });
    Ok(Some(Command::GroupUser {
        user,
        team,
        groups: groups.transpose()?,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewUserBody {
    username: String,
    external_id: Option<String>,
    avatar: Option<String>,
    #[serde(default, deserialize_with = "present")]
    team: Option<Option<String>>,
    groups: Option<Vec<String>>,
}

/// `POST`: registers a user, and makes the id. It is a new one, but for an `externalId`:
/// the same one is the same user, whose picture, team and groups stay if none are given.
pub(super) async fn post(
    State(api): State<Api>,
    _: Publisher,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<UserScore>), Problem> {
    let Object(NewUserBody {
        username,
        external_id,
        avatar,
        team,
        groups,
    }) = body.json()?;
    let external_id = external_id.as_deref().map(ExternalId::new).transpose();
    let external_id = external_id.map_err(|error| Problem::invalid(error.to_string()))?;
    let mut profile = profile(&api, &headers, &username, avatar.as_deref())?;
    let user = external_id.map_or_else(people::random, |id| id.user());
    if avatar.is_none() {
        profile.avatar = api.live.read(|_, state| {
            let known = state.directory().person(user);
            known.and_then(|known| known.profile.avatar.clone())
        });
    }
    let membership = membership(&api, user, team, groups)?;
    register(&api, user, profile, membership).await
}

/// 201 for a new user, and 200 for one who was known.
async fn register(
    api: &Api,
    user: UserId,
    profile: Profile,
    membership: Option<Command>,
) -> Result<(StatusCode, Json<UserScore>), Problem> {
    let known = api.live.knows(user);
    let commands = [Command::PutUser { user, profile }];
    let commands = commands.into_iter().chain(membership).collect();
    for outcome in api.live.append(commands).await? {
        outcome?;
    }
    let status = if known {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let user = api.live.user(&BoardId::default(), user);
    let user = user.ok_or_else(|| Problem::unavailable("the user is not on the board yet"))?;
    Ok((status, Json(wire::user_score(&user))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StandingBody {
    hidden: bool,
    /// Why, for the record.
    reason: Option<String>,
}

/// `PUT …/standing`: takes a user off all boards, or puts them back with all points.
pub(super) async fn put_standing(
    State(api): State<Api>,
    _: Admin,
    UserPath(user): UserPath,
    body: Body,
) -> Result<StatusCode, Problem> {
    let Object(StandingBody { hidden, reason }) = body.json()?;
    let reason = reason.as_deref().map(text::reason).transpose();
    let reason = reason.map_err(|error| Problem::invalid(error.to_string()))?;
    let command = Command::HideUser {
        user,
        hidden,
        reason,
    };
    api.live.append_one(command).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE`: takes a user off the board, and closes the user's sockets.
pub(super) async fn delete(
    State(api): State<Api>,
    _: Publisher,
    UserPath(user): UserPath,
) -> Result<StatusCode, Problem> {
    api.live.append_one(Command::DeleteUser(user)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST …/revoke`: makes all tokens void that the user, registered or not, has
/// now, and closes the sockets that were opened with them. A token must say when
/// it was issued (`iat`) to be taken from then on.
///
/// By a clock that is ahead of ours, a token may have been issued up to the leeway
/// later than now, so those are void too. The answer waits until no new token is
/// taken for one of them: one that is signed after it is valid.
pub(super) async fn revoke(
    State(api): State<Api>,
    _: Admin,
    UserPath(user): UserPath,
) -> Result<StatusCode, Problem> {
    let leeway = api.tokens.leeway();
    let issued_until =
        api.live.now().0 / 1000 + leeway.as_secs() + u64::from(leeway.subsec_nanos() > 0);
    let command = Command::RevokeTokens { user, issued_until };
    api.live.append_one(command).await?;
    let good_from = (issued_until + 1) * 1000;
    let wait = good_from.saturating_sub(api.live.now().0);
    // What is known of the clock of the log may have changed meanwhile.
    let longest = leeway + Duration::from_secs(2);
    sleep(Duration::from_millis(wait).min(longest)).await;
    Ok(StatusCode::NO_CONTENT)
}
