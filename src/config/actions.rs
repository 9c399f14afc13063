//! `[actions]`: types of actions, their points and limits.

use std::{collections::BTreeMap, fmt, num::NonZeroU32};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use super::ConfigError;
use crate::{board::Score, text};

/// The highest limit of a declared type: so many rows the store may look through
/// for one action.
const MAX_LIMIT: u32 = 10_000;

/// `[actions]`
#[derive(Clone, Debug, Default)]
pub struct ActionsTable {
    /// Are types refused that are not declared?
    pub only_declared: bool,
    /// The types that are declared, by their names.
    pub declared: BTreeMap<String, DeclaredTable>,
}

/// By hand, because what serde derives for a flattened map forgets which key an
/// error is about.
impl<'de> Deserialize<'de> for ActionsTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = ActionsTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ActionsTable, A::Error> {
                let mut table = ActionsTable::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "only_declared" {
                        table.only_declared = map.next_value()?;
                    } else {
                        table.declared.insert(key, map.next_value()?);
                    }
                }
                Ok(table)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// `[actions.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredTable {
    /// What an action is worth.
    #[serde(deserialize_with = "score")]
    pub points: Score,
    /// How many count for one user in a minute; any number without it.
    pub per_minute: Option<NonZeroU32>,
    /// How many count for one user in a day; any number without it.
    pub per_day: Option<NonZeroU32>,
}

impl ActionsTable {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        for (name, declared) in &self.declared {
            if let Err(error) = text::action_type(name) {
                let problem = format!("{name:?} cannot be a type: {error}");
                return Err(ConfigError::value("actions", problem));
            }
            let mut limits = [declared.per_minute, declared.per_day]
                .into_iter()
                .flatten();
            if limits.any(|limit| limit.get() > MAX_LIMIT) {
                let problem = format!(
                    "{name}.per_minute and {name}.per_day are 1 to {MAX_LIMIT}; without them any \
                     number counts"
                );
                return Err(ConfigError::value("actions", problem));
            }
        }
        Ok(())
    }
}

/// Points within the range of scores.
fn score<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Score, D::Error> {
    let points = i64::deserialize(deserializer)?;
    Score::new(points).ok_or_else(|| D::Error::custom("points must be within ±9007199254740991"))
}
