//! The settings of a board as JSON: what the API takes and shows, and what stores write.

use std::{
    num::NonZeroU32,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{
    board::{
        BoardId, Derivation, Direction, Every, Format, GroupId, Operator, Order, Period, Rules,
        Settings, Source, Style, TeamScore, Ties, Timestamp, Visibility,
    },
    calendar::{self, CalendarError},
    text::{self, Flaw, InvalidText},
};

/// The most rows of the visible board.
pub const MAX_TOP: usize = 1000;
/// The most types of actions that a derived board may name.
pub const MAX_TYPES: usize = 64;
/// The most members of a team that count, where not all do: each change of one of them looks
/// at all that count.
pub const MAX_BEST: u32 = 1000;
/// The longest title, unit and name of a group, in characters.
const MAX_TITLE: usize = 100;
const MAX_UNIT: usize = 16;
const MAX_GROUP: usize = 64;
/// The longest name of a time zone, in characters: twice the longest of the IANA database.
const MAX_ZONE: usize = 64;

/// See the module. What is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SettingsJson {
    /// What people read above the board; its id if it is empty.
    pub title: String,
    /// `highest` or `lowest` first.
    pub direction: DirectionJson,
    /// `sum`, `best`, `latest` or `count`.
    pub operator: OperatorJson,
    /// `earliest`, `competition` or `dense`.
    pub ties: TiesJson,
    /// Rows of the visible board, 1 to 1000; 10 if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// How scores are written.
    pub format: FormatJson,
    /// The second score, which decides where the first is equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiebreak: Option<TiebreakJson>,
    /// The board that it is derived from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Only actions of these types count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// Only actions of people in this group count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `team`, if teams stand on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<ByJson>,
    /// So many of a team's members count, the best: 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<u32>,
    /// It begins anew in each period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<PeriodJson>,
    /// `public`, `unlisted` or `private`.
    pub visibility: VisibilityJson,
    /// Do all registered people stand on it?
    pub everyone: bool,
    /// Before this no action counts: ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<String>,
    /// From this on no action counts: ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident = $of:ty { $($variant:ident = $value:path),+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        #[allow(missing_docs)]
        pub enum $name { $($variant),+ }

        impl From<$of> for $name {
            fn from(value: $of) -> $name {
                match value { $($value => $name::$variant),+ }
            }
        }

        impl From<$name> for $of {
            fn from(name: $name) -> $of {
                match name { $($name::$variant => $value),+ }
            }
        }

        impl Default for $name {
            fn default() -> $name {
                <$of>::default().into()
            }
        }
    };
}

names! {
    /// Which scores rank higher.
    DirectionJson = Direction { Highest = Direction::HighestFirst, Lowest = Direction::LowestFirst }
}
names! {
    /// How an action's points become a score.
    OperatorJson = Operator {
        Sum = Operator::Sum, Best = Operator::Best, Latest = Operator::Latest,
        Count = Operator::Count
    }
}
names! {
    /// Which rank equal scores are given.
    TiesJson = Ties {
        Earliest = Ties::Earliest, Competition = Ties::Competition, Dense = Ties::Dense
    }
}
names! {
    /// Who may see a board.
    VisibilityJson = Visibility {
        Public = Visibility::Public, Unlisted = Visibility::Unlisted, Private = Visibility::Private
    }
}

/// How scores are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct FormatJson {
    /// As what.
    pub style: StyleJson,
    /// Digits after the point: a score is in units of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// What is counted, such as `km`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// As what scores are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum StyleJson {
    #[default]
    Points,
    Decimal,
    Duration,
}

/// The second score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TiebreakJson {
    /// Which second scores rank higher.
    pub direction: DirectionJson,
}

/// Who stands on a derived board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ByJson {
    Team,
}

/// How long a season lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PeriodJson {
    /// `day`, `week` or `month`.
    pub every: EveryJson,
    /// The time zone in which days begin, by its name in the IANA database; UTC if it is left
    /// out.
    #[serde(default = "utc")]
    pub zone: String,
    /// Before this no action counts: ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<String>,
}

fn utc() -> String {
    "UTC".into()
}

/// A length of seasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum EveryJson {
    Day,
    Week,
    Month,
}

/// Why settings are refused. Each message names the key and the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// A text is not one of those that it may be.
    #[error("{0}: {1}")]
    Text(&'static str, InvalidText),
    /// It would disturb the text around it.
    #[error("{0}: it {1}")]
    Flaw(&'static str, Flaw),
    /// Too long.
    #[error("{0}: at most {1} characters")]
    Length(&'static str, usize),
    /// Nothing is named.
    #[error("{0}: it is empty: give a name of 1 to 64 characters, or leave it out")]
    Empty(&'static str),
    /// No time.
    #[error("{0}: give a time, as in \"2030-01-31T18:00:00Z\"")]
    Time(&'static str),
    /// No rows, or too many.
    #[error("top: the visible board has 1 to 1000 rows")]
    Top,
    /// Digits that the style does not have.
    #[error("format.decimals: 0 to 3 for durations, 1 to 9 for decimal, none for points")]
    Decimals,
    /// Durations and units.
    #[error("format.unit: a duration has none: leave it out")]
    DurationUnit,
    /// No id of a board.
    #[error("of: a board id is 1 to 63 of a-z, 0-9 and -, and does not begin with -")]
    BoardId,
    /// Only for derived boards.
    #[error("{0}: only a derived board has it: name the board that it is derived from in of")]
    NotDerived(&'static str),
    /// Only for boards of teams.
    #[error("best: only a board of teams has it: add by: \"team\"")]
    NotOfTeams,
    /// No members, or too many.
    #[error("best: 1 to 1000 members of a team may count: leave it out for all of them")]
    Best,
    /// Too many types.
    #[error("types: at most 64")]
    Types,
    /// No such time zone.
    #[error("period.zone: {0}")]
    Zone(CalendarError),
}

impl From<&Settings> for SettingsJson {
    fn from(settings: &Settings) -> SettingsJson {
        let Rules {
            order,
            operator,
            top,
        } = settings.rules;
        let (style, decimals) = match settings.format.style {
            Style::Points => (StyleJson::Points, None),
            Style::Decimal { decimals } => (StyleJson::Decimal, Some(decimals)),
            Style::Duration { decimals } => (StyleJson::Duration, Some(decimals)),
        };
        let derivation = settings.derivation();
        let team = derivation.and_then(|it| it.team);
        let types = derivation.and_then(|it| it.types.as_ref());
        SettingsJson {
            title: settings.title.to_string(),
            direction: order.direction.into(),
            operator: operator.into(),
            ties: order.ties.into(),
            top: Some(top),
            format: FormatJson {
                style,
                decimals,
                unit: settings.format.unit.as_deref().map(str::to_owned),
            },
            tiebreak: order.tiebreak.map(|direction| TiebreakJson {
                direction: direction.into(),
            }),
            of: derivation.map(|it| it.of.to_string()),
            types: types.map(|types| types.iter().map(ToString::to_string).collect()),
            group: derivation.and_then(|it| it.group.as_ref().map(|group| group.0.to_string())),
            by: team.map(|_| ByJson::Team),
            best: match team {
                Some(TeamScore::Best(most)) => Some(most.get()),
                Some(TeamScore::Sum) | None => None,
            },
            period: derivation.and_then(|it| it.period.as_ref().map(period_json)),
            visibility: settings.visibility.into(),
            everyone: settings.everyone,
            starts: settings.starts.map(time_text),
            ends: settings.ends.map(time_text),
        }
    }
}

fn period_json(period: &Period) -> PeriodJson {
    PeriodJson {
        every: match period.every {
            Every::Day => EveryJson::Day,
            Every::Week => EveryJson::Week,
            Every::Month => EveryJson::Month,
        },
        zone: period.zone.to_string(),
        starts: period.starts.map(time_text),
    }
}

/// Reads settings that somebody sends. Stores read what they have written by [`TryFrom`]: a
/// stricter rule makes no board unreadable that there is.
///
/// # Errors
/// For the first key that is not as it must be.
pub fn sent(mut json: SettingsJson) -> Result<Settings, InvalidSettings> {
    json.title = shown("title", &json.title, MAX_TITLE)?;
    if let Some(unit) = &mut json.format.unit {
        *unit = shown("format.unit", unit, MAX_UNIT)?;
    }
    if let Some(name) = &mut json.group {
        *name = group("group", name)?.0.to_string();
    }
    if json.best.is_some_and(|most| most > MAX_BEST) {
        return Err(InvalidSettings::Best);
    }
    if let Some(period) = &json.period
        && period.zone.chars().nth(MAX_ZONE).is_some()
    {
        return Err(InvalidSettings::Length("period.zone", MAX_ZONE));
    }
    json.try_into()
}

/// Text that others are shown, or none.
fn shown(key: &'static str, text: &str, most: usize) -> Result<String, InvalidSettings> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    let text = text::shown(text, most).map_err(|flaw| match flaw {
        Flaw::TooLong(most) => InvalidSettings::Length(key, most),
        flaw => InvalidSettings::Flaw(key, flaw),
    });
    text.map(String::from)
}

impl TryFrom<SettingsJson> for Settings {
    type Error = InvalidSettings;

    fn try_from(json: SettingsJson) -> Result<Settings, InvalidSettings> {
        let top = json.top.unwrap_or(Rules::default().top);
        if !(1..=MAX_TOP).contains(&top) {
            return Err(InvalidSettings::Top);
        }
        Ok(Settings {
            title: words("title", &json.title, MAX_TITLE)?,
            rules: Rules {
                order: Order {
                    direction: json.direction.into(),
                    tiebreak: json.tiebreak.map(|it| it.direction.into()),
                    ties: json.ties.into(),
                },
                operator: json.operator.into(),
                top,
            },
            format: format(&json.format)?,
            visibility: json.visibility.into(),
            everyone: json.everyone,
            starts: time("starts", json.starts.as_deref())?,
            ends: time("ends", json.ends.as_deref())?,
            source: source(json)?,
        })
    }
}

fn format(json: &FormatJson) -> Result<Format, InvalidSettings> {
    let style = match (json.style, json.decimals) {
        (StyleJson::Points, None | Some(0)) => Style::Points,
        (StyleJson::Decimal, decimals @ (None | Some(1..=9))) => Style::Decimal {
            decimals: decimals.unwrap_or(2),
        },
        (StyleJson::Duration, decimals @ (None | Some(0..=3))) => Style::Duration {
            decimals: decimals.unwrap_or(3),
        },
        _ => return Err(InvalidSettings::Decimals),
    };
    let unit = json.unit.as_deref().filter(|unit| !unit.trim().is_empty());
    if unit.is_some() && matches!(style, Style::Duration { .. }) {
        return Err(InvalidSettings::DurationUnit);
    }
    let unit = unit
        .map(|unit| words("format.unit", unit, MAX_UNIT))
        .transpose()?;
    Ok(Format { style, unit })
}

fn source(json: SettingsJson) -> Result<Source, InvalidSettings> {
    let Some(of) = json.of else {
        let given = [
            ("types", json.types.is_some()),
            ("group", json.group.is_some()),
            ("by", json.by.is_some()),
            ("best", json.best.is_some()),
            ("period", json.period.is_some()),
        ];
        return match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((key, _)) => Err(InvalidSettings::NotDerived(key)),
            None => Ok(Source::Fed),
        };
    };
    let team = match (json.by, json.best) {
        (Some(ByJson::Team), Some(most)) => {
            let most = NonZeroU32::new(most).ok_or(InvalidSettings::Best)?;
            Some(TeamScore::Best(most))
        }
        (Some(ByJson::Team), None) => Some(TeamScore::Sum),
        (None, Some(_)) => return Err(InvalidSettings::NotOfTeams),
        (None, None) => None,
    };
    let types = json.types.map(|types| {
        if types.len() > MAX_TYPES {
            return Err(InvalidSettings::Types);
        }
        let checked = types.into_iter().map(|it| {
            text::action_type(&it).map_err(|error| match error {
                InvalidText::ActionType(flaw) => InvalidSettings::Flaw("types", flaw),
                error => InvalidSettings::Text("types", error),
            })?;
            Ok(it.into_boxed_str())
        });
        checked.collect::<Result<Box<[_]>, _>>()
    });
    let group = json.group.map(|name| {
        let name = words("group", &name, MAX_GROUP)?;
        if name.is_empty() {
            return Err(InvalidSettings::Empty("group"));
        }
        Ok(GroupId(name.into()))
    });
    Ok(Source::Derived(Derivation {
        of: BoardId::new(&of).ok_or(InvalidSettings::BoardId)?,
        types: types.transpose()?,
        group: group.transpose()?,
        team,
        period: json.period.map(period).transpose()?,
    }))
}

/// Reads the name of a group: up to 64 characters.
///
/// # Errors
/// If it is empty or too long, or would disturb the text around it.
pub fn group(key: &'static str, name: &str) -> Result<GroupId, InvalidSettings> {
    match shown(key, name, MAX_GROUP)? {
        name if name.is_empty() => Err(InvalidSettings::Empty(key)),
        name => Ok(GroupId(name.into())),
    }
}

fn period(json: PeriodJson) -> Result<Period, InvalidSettings> {
    let period = Period {
        every: match json.every {
            EveryJson::Day => Every::Day,
            EveryJson::Week => Every::Week,
            EveryJson::Month => Every::Month,
        },
        zone: json.zone.into(),
        starts: time("period.starts", json.starts.as_deref())?,
    };
    calendar::end_of_season(&period, Timestamp(0)).map_err(InvalidSettings::Zone)?;
    Ok(period)
}

fn words(key: &'static str, text: &str, most: usize) -> Result<Box<str>, InvalidSettings> {
    if text.chars().count() > most || text.contains(char::is_control) {
        return Err(InvalidSettings::Length(key, most));
    }
    Ok(text.trim().into())
}

fn time(key: &'static str, text: Option<&str>) -> Result<Option<Timestamp>, InvalidSettings> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let invalid = || InvalidSettings::Time(key);
    let time: jiff::Timestamp = text.trim().parse().map_err(|_| invalid())?;
    let millis = u64::try_from(time.as_millisecond()).map_err(|_| invalid())?;
    Ok(Some(Timestamp(millis)))
}

/// ISO 8601 with milliseconds, in UTC.
fn time_text(at: Timestamp) -> String {
    let time: SystemTime = UNIX_EPOCH + Duration::from_millis(at.0);
    humantime::format_rfc3339_millis(time).to_string()
}

/// The settings as a store writes them.
pub fn to_text(settings: &Settings) -> String {
    let json = SettingsJson::from(settings);
    serde_json::to_string(&json).unwrap_or_default()
}

/// The settings as a store has written them; `None` for what it has not.
pub fn from_text(text: &str) -> Option<Settings> {
    let json: SettingsJson = serde_json::from_str(text).ok()?;
    json.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(json: Value) -> Result<Settings, String> {
        let json: SettingsJson = serde_json::from_value(json).map_err(|it| it.to_string())?;
        sent(json).map_err(|it| it.to_string())
    }

    #[test]
    fn settings_come_back_as_they_were_written() {
        for json in [
            json!({}),
            json!({ "title": "Lap times", "direction": "lowest", "operator": "best",
                "ties": "dense", "top": 25, "format": { "style": "duration", "decimals": 3 },
                "visibility": "private", "starts": "2026-11-28T08:00:00.000Z" }),
            json!({ "operator": "count", "tiebreak": { "direction": "lowest" }, "everyone": true,
                "format": { "style": "decimal", "decimals": 2, "unit": "km" } }),
            json!({ "of": "main", "types": ["goal", "quiz"], "group": "U18", "by": "team",
                "best": 3, "period": { "every": "week", "zone": "Europe/Berlin" } }),
        ] {
            let settings = read(json.clone()).unwrap();
            let written = serde_json::to_value(SettingsJson::from(&settings)).unwrap();
            for (key, value) in json.as_object().unwrap() {
                assert_eq!(&written[key], value, "{key}");
            }
            assert_eq!(read(written), Ok(settings));
        }
    }

    #[test]
    fn what_contradicts_itself_names_its_key() {
        for (json, key) in [
            (json!({ "by": "team" }), "by"),
            (json!({ "best": 2 }), "best"),
            (json!({ "of": "main", "best": 2 }), "best"),
            (json!({ "period": { "every": "week" } }), "period"),
            (json!({ "of": "Main" }), "of"),
            (json!({ "top": 1001 }), "top"),
            (json!({ "starts": "tomorrow" }), "starts"),
            (json!({ "starts": "1969-01-01T00:00:00Z" }), "starts"),
            (json!({ "title": "a\nb" }), "title"),
            (json!({ "title": "a\u{202e}b" }), "title"),
            (json!({ "title": "\u{200b}" }), "title"),
            (json!({ "title": "x".repeat(101) }), "title"),
            (json!({ "format": { "unit": "k\u{200b}m" } }), "format.unit"),
            (json!({ "of": "main", "group": "U\u{202e}18" }), "group"),
            (json!({ "top": 0 }), "top"),
            (json!({ "of": "main", "by": "team", "best": 0 }), "best"),
            (json!({ "of": "main", "by": "team", "best": 1001 }), "best"),
            (
                json!({ "of": "main", "period": { "every": "day", "zone": "x".repeat(100_000) } }),
                "period.zone",
            ),
            (json!({ "format": { "decimals": 2 } }), "format.decimals"),
            (
                json!({ "format": { "style": "duration", "unit": "s" } }),
                "format.unit",
            ),
            (json!({ "of": "main", "group": " " }), "group"),
            (json!({ "of": "main", "types": [""] }), "types"),
            (
                json!({ "of": "main", "period": { "every": "day", "zone": "Mars" } }),
                "period.zone",
            ),
        ] {
            let error = read(json.clone()).unwrap_err();
            assert!(error.starts_with(&format!("{key}: ")), "{json}: {error}");
            assert!(error.len() < 200, "{error}");
        }
        // What a store has written is read, whatever is refused now.
        let written = Settings {
            title: "a\u{202e}b".into(),
            ..Settings::default()
        };
        assert_eq!(from_text(&to_text(&written)), Some(written));
        for json in [
            json!({ "colour": "red" }),
            json!({ "operator": "max" }),
            json!({ "of": "main", "period": { "every": "year" } }),
        ] {
            read(json).unwrap_err();
        }
    }
}
