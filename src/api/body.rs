//! Reading what a client sent: JSON bodies, ids and queries.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    marker::PhantomData,
};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request, rejection::QueryRejection},
    http::request::Parts,
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::error::Category;

use super::Problem;
use crate::board::UserId;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A body that is JSON, whatever its `Content-Type` says.
pub(super) struct Body(String);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body, Problem> {
        match Bytes::from_request(request, state).await {
            Ok(bytes) => text(bytes).map(Body),
            Err(rejection) if rejection.status() == 413 => {
                Err(Problem::too_large("a body has at most 1 MiB"))
            }
            Err(rejection) => Err(Problem::bad_request(rejection.body_text())),
        }
    }
}

/// The text of a body: UTF-8, which some programs begin with a byte order mark (RFC 8259,
/// section 8.1, lets us ignore it).
fn text(bytes: Bytes) -> Result<String, Problem> {
    // JSON begins with two characters of ASCII, or is a lone digit (RFC 4627, section 3).
    if matches!(
        *bytes,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..]
    ) {
        return Err(Problem::bad_request(
            "the body is UTF-16 or UTF-32: send it as UTF-8",
        ));
    }
    let bytes = if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.slice(BYTE_ORDER_MARK.len()..)
    } else {
        bytes
    };
    String::from_utf8(bytes.into()).map_err(|error| {
        let position = error.utf8_error().valid_up_to();
        Problem::bad_request(format!(
            "the body is not UTF-8 (byte {position}, counted from 0): send it as UTF-8"
        ))
    })
}

impl Body {
    /// Is it an array?
    pub(super) fn is_array(&self) -> bool {
        self.0.trim_ascii_start().starts_with('[')
    }

    /// Is it an object with this field, whatever that holds?
    pub(super) fn has_field(&self, name: &str) -> bool {
        let fields = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(&self.0);
        fields.is_ok_and(|fields| fields.contains_key(name))
    }

    /// The value.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let mut read = serde_json::Deserializer::from_str(&self.0);
        let value = serde_path_to_error::deserialize(&mut read);
        let value = value.map_err(|error| match error.inner().classify() {
            Category::Data => Problem::invalid(at_key(&error)),
            _ => self.not_json(error.inner()),
        })?;
        read.end().map_err(|error| self.not_json(&error))?;
        Ok(value)
    }

    fn not_json(&self, error: &serde_json::Error) -> Problem {
        Problem::bad_request(format!(
            "the body is not JSON: {error}{}",
            self.advice(error)
        ))
    }

    /// What to do about an error of syntax, if it is a usual one.
    fn advice(&self, error: &serde_json::Error) -> &'static str {
        let line = self.0.lines().nth(error.line().saturating_sub(1));
        let from = error.column().saturating_sub(1);
        let rest = line.and_then(|line| line.as_bytes().get(from..));
        let rest = rest.unwrap_or_default();
        let is_no_number = rest.starts_with(b"NaN") || rest.starts_with(b"Infinity");
        if is_no_number {
            ": JSON has no NaN and no Infinity"
        } else {
            ""
        }
    }
}

/// A JSON object. What serde derives for a struct also reads an array, by the
/// order of its fields; no client means that.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// What is wrong with a value, after the key that it is at.
pub(super) fn at_key(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    /// So many characters of a key are shown.
    const MOST: usize = 64;
    let what = error.inner();
    if error.path().iter().next().is_none() {
        return what.to_string();
    }
    let key = error.path().to_string();
    match key.char_indices().nth(MOST) {
        None => format!("{key}: {what}"),
        Some((end, _)) => format!("{}…: {what}", &key[..end]),
    }
}

/// A query cannot be read.
pub(super) fn bad_query(rejection: QueryRejection) -> Problem {
    Problem::bad_request(rejection.body_text())
}

/// The part of a path that its route calls so, if there is one.
pub(super) async fn path_part<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    name: &str,
) -> Result<Option<String>, Problem> {
    let path = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
    let Path(mut path) = path.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    Ok(path.remove(name))
}

/// A user whose id is the `{id}` of a path.
pub(super) struct UserPath(pub(super) UserId);

impl<S: Send + Sync> FromRequestParts<S> for UserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<UserPath, Problem> {
        let id = path_part(parts, state, "id").await?.unwrap_or_default();
        UserId::parse(&id)
            .map(UserPath)
            .ok_or_else(|| Problem::bad_request(format!("{id:?} is not a UUID")))
    }
}
