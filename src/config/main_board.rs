//! What the configuration says of `main`, which counts for the first start alone: from then on
//! the log says what `main` is.

use std::fmt;

use serde_json::Value;

use crate::{board::Settings, board_settings::SettingsJson};

/// The keys that say what `main` is, and what they are called in its settings.
const KEYS: [(&str, &str); 5] = [
    ("board.title", "title"),
    ("board.top", "top"),
    ("board.direction", "direction"),
    ("board.operator", "operator"),
    ("ranking.ties", "ties"),
];

/// What the configuration says of `main`.
#[derive(Clone, Debug)]
pub struct MainBoard {
    /// What `main` is when the log begins.
    settings: Settings,
    /// The keys that somebody has set; the others say nothing.
    set: Vec<&'static str>,
}

/// What a configuration says otherwise than the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overruled(Vec<Difference>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Difference {
    key: &'static str,
    here: Value,
    on_log: Value,
}

impl MainBoard {
    /// These settings, of which those keys are set that `is_set` says.
    pub(super) fn new(settings: Settings, is_set: impl Fn(&str) -> bool) -> MainBoard {
        let keys = KEYS.into_iter().map(|(key, _)| key);
        MainBoard {
            settings,
            set: keys.filter(|key| is_set(key)).collect(),
        }
    }

    /// What it says otherwise than the log, if it does.
    pub fn overruled_by(&self, on_log: &Settings) -> Option<Overruled> {
        let [here, on_log] = [&self.settings, on_log].map(|settings| {
            let json = serde_json::to_value(SettingsJson::from(settings));
            json.unwrap_or_default()
        });
        let set = KEYS.into_iter().filter(|(key, _)| self.set.contains(key));
        let differences = set.filter_map(|(key, name)| {
            let (here, on_log) = (here[name].clone(), on_log[name].clone());
            (here != on_log).then_some(Difference { key, here, on_log })
        });
        let differences: Vec<Difference> = differences.collect();
        (!differences.is_empty()).then_some(Overruled(differences))
    }
}

/// What differs, which of both holds, and what to do.
impl fmt::Display for Overruled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "what main is stands on the log, which says otherwise than the configuration:",
        )?;
        for (i, it) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma} {} is {} and not {}", it.key, it.on_log, it.here)?;
        }
        f.write_str(
            ". The log holds: write the same into the configuration, or change main by PUT \
             /api/v1/boards/main, with all its settings as GET shows them",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Direction, Rules};

    #[test]
    fn what_is_set_and_differs_is_named_with_what_to_do() {
        let settings = |title: &str, top, direction| {
            let mut rules = Rules {
                top,
                ..Rules::default()
            };
            rules.order.direction = direction;
            Settings {
                title: title.into(),
                ..Settings::main(rules)
            }
        };
        let here = settings("Podium", 10, Direction::HighestFirst);
        let all = MainBoard::new(here.clone(), |_| true);
        assert_eq!(all.overruled_by(&here), None);
        let on_log = settings("The \"Cup\"", 25, Direction::LowestFirst);
        assert_eq!(
            all.overruled_by(&on_log).unwrap().to_string(),
            "what main is stands on the log, which says otherwise than the configuration: \
             board.title is \"The \\\"Cup\\\"\" and not \"Podium\", board.top is 25 and not 10, \
             board.direction is \"lowest\" and not \"highest\". The log holds: write the same \
             into the configuration, or change main by PUT /api/v1/boards/main, with all its \
             settings as GET shows them"
        );
        // A key that nobody has set says nothing.
        let some = MainBoard::new(here.clone(), |key| key == "board.top");
        let said = some.overruled_by(&on_log).unwrap().to_string();
        assert!(
            said.contains("board.top") && !said.contains("board.title"),
            "{said}"
        );
        assert_eq!(MainBoard::new(here, |_| false).overruled_by(&on_log), None);
    }
}
