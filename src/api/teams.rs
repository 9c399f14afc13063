//! `/api/v1/teams/{id}`: registering teams, and looking one up.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{HeaderMap, StatusCode, request::Parts},
};
use serde::{Deserialize, Serialize};

use super::{
    Api, Problem, Publisher,
    body::{Body, Object, path_part},
    profile::profile,
};
use crate::{
    board::TeamId,
    store::Command,
    text::{self, InvalidText},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamBody {
    name: String,
    avatar: Option<String>,
}

/// A team, as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TeamJson {
    team_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar: Option<String>,
}

/// A team whose id is the `{id}` of a path.
pub(super) struct TeamPath(TeamId);

impl<S: Send + Sync> FromRequestParts<S> for TeamPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<TeamPath, Problem> {
        let id = path_part(parts, state, "id").await?;
        team_id(&id.unwrap_or_default()).map(TeamPath)
    }
}

/// Reads the id of a team.
pub(super) fn team_id(text: &str) -> Result<TeamId, Problem> {
    let id = text.parse();
    id.map_err(|_| Problem::bad_request(format!("{text:?} is not a UUID")))
}

/// `GET`.
pub(super) async fn get(
    State(api): State<Api>,
    TeamPath(id): TeamPath,
) -> Result<Json<TeamJson>, Problem> {
    let team = shown(&api, id);
    team.map(Json)
        .ok_or_else(|| Problem::not_found("no team with this id is registered"))
}

/// `PUT`: registers a team, or changes name and picture.
pub(super) async fn put(
    State(api): State<Api>,
    _: Publisher,
    TeamPath(team): TeamPath,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<TeamJson>), Problem> {
    let Object(TeamBody { name, avatar }) = body.json()?;
    text::name(&name).map_err(|invalid| match invalid {
        InvalidText::Username(flaw) => Problem::invalid(format!("name {flaw}")),
        other => Problem::invalid(other.to_string()),
    })?;
    let profile = profile(&api, &headers, &name, avatar.as_deref())?;
    let is_known = shown(&api, team).is_some();
    api.live
        .append_one(Command::PutTeam { team, profile })
        .await?;
    let status = match is_known {
        true => StatusCode::OK,
        false => StatusCode::CREATED,
    };
    let team = shown(&api, team);
    let team = team.ok_or_else(|| Problem::unavailable("the team is not registered yet"))?;
    Ok((status, Json(team)))
}

fn shown(api: &Api, id: TeamId) -> Option<TeamJson> {
    api.live.read(|_, state| {
        let directory = state.directory();
        let team = directory.team_at(directory.index_of_team(id)?)?;
        Some(TeamJson {
            team_id: id.to_string(),
            name: team.profile.username.to_string(),
            avatar: team.profile.avatar.as_deref().map(str::to_owned),
        })
    })
}
