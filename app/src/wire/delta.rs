//! The changes between two versions of a board.

use serde::{Deserialize, Serialize, Serializer, de::Error, ser::SerializeMap};

/// What changed in rows that a client has. It states how rows are now, so it
/// also fits a client that has seen a part of it: `from` ≤ `seq` < `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoreboardDelta {
    /// The epoch of the log that `from` and `to` count in.
    pub epoch: String,
    /// It fits rows that hold this entry, or a later one.
    pub from: u64,
    /// The last entry that the rows hold with it.
    pub to: u64,
    /// Each row at most once.
    pub changes: Vec<RowChange>,
    /// How many users are ranked on the whole board.
    pub total_users: u64,
    /// When the entry `to` was written: ISO 8601.
    pub last_updated: String,
    /// Which page of the board is meant, if it is not the visible board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u64>,
    /// Which board, if it is not [`MAIN`](super::MAIN).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
}

/// How one user's row is now. In JSON both kinds are one flat object, of which a removed
/// row has `userId` and `gone` alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub enum RowChange {
    /// The user is not among the rows any more.
    Removed {
        /// A UUID.
        user_id: String,
    },
    /// The user's row is new, or another than before.
    Updated {
        /// A UUID.
        user_id: String,
        /// The position among the rows, counted from 0.
        index: usize,
        /// Points, within ±(2^53 − 1).
        score: i64,
        /// 1 or more.
        rank: u64,
        /// The second score, on a board that has one.
        tiebreak: Option<i64>,
        /// Name and picture, where the client may not know them.
        profile: Option<Profile>,
    },
}

/// Name and picture in a [`RowChange`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name to show.
    pub username: String,
    /// The address of a picture, or `Some(None)` for none where the client may know an
    /// earlier one.
    pub avatar: Option<Option<String>>,
}

impl RowChange {
    /// Whose row it is.
    pub fn user_id(&self) -> &str {
        match self {
            RowChange::Removed { user_id } | RowChange::Updated { user_id, .. } => user_id,
        }
    }
}

impl Serialize for RowChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("userId", self.user_id())?;
        match self {
            RowChange::Removed { .. } => object.serialize_entry("gone", &true)?,
            RowChange::Updated {
                index,
                score,
                rank,
                tiebreak,
                profile,
                ..
            } => {
                object.serialize_entry("index", index)?;
                object.serialize_entry("score", score)?;
                object.serialize_entry("rank", rank)?;
                if let Some(tiebreak) = tiebreak {
                    object.serialize_entry("tiebreak", tiebreak)?;
                }
                if let Some(profile) = profile {
                    object.serialize_entry("username", &profile.username)?;
                    if let Some(avatar) = &profile.avatar {
                        object.serialize_entry("avatar", avatar)?;
                    }
                }
            }
        }
        object.end()
    }
}

/// A [`RowChange`] as it is in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    user_id: String,
    #[serde(default)]
    gone: bool,
    index: Option<usize>,
    score: Option<i64>,
    rank: Option<u64>,
    tiebreak: Option<i64>,
    username: Option<String>,
    #[serde(default, deserialize_with = "present")]
    avatar: Option<Option<String>>,
}

/// A field that is there, and may be `null`.
fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl TryFrom<Fields> for RowChange {
    type Error = serde::de::value::Error;

    fn try_from(fields: Fields) -> Result<RowChange, Self::Error> {
        let user_id = fields.user_id;
        if fields.gone {
            return Ok(RowChange::Removed { user_id });
        }
        let missing = Self::Error::missing_field;
        Ok(RowChange::Updated {
            user_id,
            index: fields.index.ok_or_else(|| missing("index"))?,
            score: fields.score.ok_or_else(|| missing("score"))?,
            rank: fields.rank.ok_or_else(|| missing("rank"))?,
            tiebreak: fields.tiebreak,
            profile: fields.username.map(|username| Profile {
                username,
                avatar: fields.avatar,
            }),
        })
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_row_is_one_flat_object() {
        let updated = |profile| RowChange::Updated {
            user_id: "a".into(),
            index: 0,
            score: -3,
            rank: 7,
            tiebreak: None,
            profile,
        };
        let named = |avatar| {
            updated(Some(Profile {
                username: "A".into(),
                avatar,
            }))
        };
        for (change, json) in [
            (
                RowChange::Removed {
                    user_id: "a".into(),
                },
                r#"{"userId":"a","gone":true}"#,
            ),
            (
                updated(None),
                r#"{"userId":"a","index":0,"score":-3,"rank":7}"#,
            ),
            (
                named(None),
                r#"{"userId":"a","index":0,"score":-3,"rank":7,"username":"A"}"#,
            ),
            (
                named(Some(None)),
                r#"{"userId":"a","index":0,"score":-3,"rank":7,"username":"A","avatar":null}"#,
            ),
            (
                named(Some(Some("/a.png".into()))),
                r#"{"userId":"a","index":0,"score":-3,"rank":7,"username":"A","avatar":"/a.png"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&change).ok().as_deref(), Some(json));
            assert_eq!(serde_json::from_str::<RowChange>(json).ok(), Some(change));
        }
        let half = r#"{"userId":"a","index":0,"score":3}"#;
        assert!(serde_json::from_str::<RowChange>(half).is_err());
    }
}
