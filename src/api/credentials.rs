//! Who sends a request, by the token in `Authorization`.

use axum::{
    extract::FromRequestParts,
    http::{header::AUTHORIZATION, request::Parts},
};

use super::{Api, Problem};
use crate::{
    auth::{Identity, Role, bearer},
    live::Viewer,
};

/// A sender who may send actions and register users.
pub(super) struct Publisher;

impl FromRequestParts<Api> for Publisher {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Publisher, Problem> {
        if identity(parts, api)?.role.publishes() {
            Ok(Publisher)
        } else {
            Err(Problem::FORBIDDEN)
        }
    }
}

/// A sender who may do everything.
pub(super) struct Admin;

impl FromRequestParts<Api> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Admin, Problem> {
        match identity(parts, api)?.role {
            Role::Admin => Ok(Admin),
            _ => Err(Problem::ADMIN_ONLY),
        }
    }
}

/// A sender who may act or redeem a ticket: anybody but a viewer.
pub(super) struct Authenticated(pub(super) Identity);

impl FromRequestParts<Api> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Authenticated, Problem> {
        let identity = identity(parts, api)?;
        if identity.role == Role::Viewer {
            Err(Problem::FORBIDDEN)
        } else {
            Ok(Authenticated(identity))
        }
    }
}

/// As whom the sender looks at boards. A token that is not valid is refused; a player who is not
/// registered looks as everybody does.
pub(super) fn viewer(parts: &Parts, api: &Api) -> Result<Viewer, Problem> {
    if !parts.headers.contains_key(AUTHORIZATION) {
        return Ok(Viewer::Public);
    }
    let identity = identity(parts, api)?;
    if identity.role == Role::Player && !api.live.knows(identity.user) {
        return Ok(Viewer::Public);
    }
    Ok(Viewer::of(Some(identity.role)))
}

fn identity(parts: &Parts, api: &Api) -> Result<Identity, Problem> {
    let token = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| bearer(value.to_str().ok()?))
        .ok_or(Problem::NO_TOKEN)?;
    let identity = api.tokens.verify(token).ok();
    identity
        .filter(|identity| !api.live.is_revoked(identity))
        .ok_or(Problem::INVALID_TOKEN)
}
