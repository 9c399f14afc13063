//! Names and pictures that are sent, of people and of teams.

use app::pictures::normal_origin;
use axum::http::{HeaderMap, header::HOST};

use super::{Api, Problem};
use crate::{board::Profile, text};

/// Reads a name and a picture, which must not be a page of this server.
pub(super) fn profile(
    api: &Api,
    headers: &HeaderMap,
    username: &str,
    avatar: Option<&str>,
) -> Result<Profile, Problem> {
    let asked = headers.get(HOST).and_then(|host| host.to_str().ok());
    let asked = asked.and_then(|host| normal_origin(&format!("http://{host}")));
    let own: Vec<&str> = [&*api.public_url]
        .into_iter()
        .chain(asked.as_deref())
        .collect();
    text::profile(username, avatar, &own).map_err(|error| Problem::invalid(error.to_string()))
}
