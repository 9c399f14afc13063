//! Variables of the environment: those that override a key of `Leptos.toml`, those that
//! nearly do, and those with names of their own.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    ffi::OsString,
    fs,
    path::PathBuf,
};

use config::{Config, File, FileFormat, Map, Source, Value, ValueKind};

use super::ConfigError;

/// Every key with its default.
const FILE: &str = include_str!("../../Leptos.toml");

const PREFIX: &str = "PODIUM_";

/// Between a table and a key.
const SEPARATOR: &str = "__";

/// In this table users name keys themselves.
const ACTIONS: &str = "actions.";

/// Variables that are read under other names.
const OTHERS: [&str; 5] = [
    "JWT_SECRET",
    "TICKET_SECRET",
    "REDIS_URL",
    "FRONTEND_URLS",
    "LEPTOS_SITE_ADDR",
];

/// What follows the prefix in variables of the project's own scripts and tests.
const SCRIPTS: [&str; 3] = ["BIN", "TOOLS", "SEED"];

/// What it begins with in others of them.
const GROUPS: [&str; 2] = ["BENCH_", "TEST_"];

/// The value of a variable, or the content of the file that `NAME_FILE` names. An empty
/// one is not set.
///
/// # Errors
/// If that file cannot be read.
pub(super) fn variable(name: &str) -> Result<Option<String>, ConfigError> {
    if let Ok(value) = env::var(name)
        && !value.is_empty()
    {
        return Ok(Some(value));
    }
    let Some(path) = env::var_os(format!("{name}_FILE")).filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let path = PathBuf::from(path);
    match fs::read_to_string(&path) {
        Ok(value) => Ok(Some(value.trim_end().to_owned())),
        Err(source) => Err(ConfigError::Unreadable { path, source }),
    }
}

/// The variables that override keys.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Variables {
    /// Variables of keys that hold one value, as texts: the type of a key's field decides
    /// how it is read.
    pub(super) values: HashMap<String, String>,
    /// Keys that hold a list.
    pub(super) lists: BTreeMap<String, Vec<String>>,
    /// About variables that look like a key, and are none.
    pub(super) warnings: Vec<String>,
}

impl Variables {
    /// Reads those among `variables` that begin with `PODIUM_`.
    ///
    /// # Errors
    /// If one names a key that there is not, or holds no text.
    pub(super) fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Variables, ConfigError> {
        let known = known()?;
        let mut read = Variables::default();
        for (name, value) in variables {
            let name = name.to_string_lossy().into_owned();
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if !rest.contains(SEPARATOR) {
                let is_ours =
                    SCRIPTS.contains(&rest) || GROUPS.iter().any(|group| rest.starts_with(group));
                if !is_ours && !is_of_a_service(rest, &value.to_string_lossy()) {
                    let nearest = nearest(rest, &known);
                    let warning = format!("{name} is not read: did you mean {nearest}?");
                    read.warnings.push(warning);
                }
                continue;
            }
            let problem = |problem| ConfigError::Variable {
                name: name.clone(),
                problem,
            };
            let key = rest.to_lowercase().replace(SEPARATOR, ".");
            let value = value
                .into_string()
                .map_err(|_| problem("is not UTF-8".to_owned()))?;
            match known.get(&key) {
                Some(Kind::List) => {
                    let items = value.split(',').map(|item| item.trim().to_owned());
                    read.lists.insert(key, items.collect());
                }
                Some(Kind::Value) => {
                    read.values.insert(name, value);
                }
                None if key.starts_with(ACTIONS) => {
                    read.values.insert(name, value);
                }
                None => {
                    let nearest = nearest(rest, &known);
                    return Err(problem(format!(
                        "there is no key {key}; did you mean {nearest}?"
                    )));
                }
            }
        }
        read.warnings.sort();
        Ok(read)
    }
}

/// Is it one of those that Kubernetes and Docker make for a service whose name is `podium`,
/// or begins so? `rest` is what follows `PODIUM_`.
fn is_of_a_service(rest: &str, value: &str) -> bool {
    let words: Vec<&str> = rest.split('_').collect();
    let is_port = |words: &[&str]| {
        let [port, number, protocol] = words else {
            return false;
        };
        *port == "PORT"
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && ["TCP", "UDP", "SCTP"].contains(protocol)
    };
    words.ends_with(&["SERVICE", "HOST"])
        || words.windows(2).any(|words| words == ["SERVICE", "PORT"])
        || words.windows(3).any(is_port)
        // Somebody who means a port writes a number alone.
        || (words.ends_with(&["PORT"]) && value.contains("://"))
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Value,
    List,
}

/// All keys, with their tables.
fn known() -> Result<BTreeMap<String, Kind>, ConfigError> {
    let file = Config::builder()
        .add_source(File::from_str(FILE, FileFormat::Toml))
        .build()?;
    let mut known = BTreeMap::new();
    for (table, keys) in file.collect()? {
        // Leptos reads its own.
        if table == "package" {
            continue;
        }
        let keys: Map<String, Value> = keys.into_table()?;
        for (key, value) in keys {
            let kind = match value.kind {
                ValueKind::Array(_) => Kind::List,
                _ => Kind::Value,
            };
            known.insert(format!("{table}.{key}"), kind);
        }
    }
    Ok(known)
}

/// The variable that is written most like this one.
fn nearest(rest: &str, known: &BTreeMap<String, Kind>) -> String {
    let keys = known
        .keys()
        .map(|key| format!("{PREFIX}{}", key.to_uppercase().replace('.', SEPARATOR)));
    let names = keys.chain(OTHERS.map(str::to_owned));
    let distance = |name: &String| {
        let bare = [PREFIX, "LEPTOS_"]
            .iter()
            .find_map(|it| name.strip_prefix(it));
        strsim::damerau_levenshtein(rest, bare.unwrap_or(name))
    };
    names.min_by_key(distance).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Variables, String> {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        Variables::read(variables).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_texts_and_lists_are_split() {
        let read = read(&[
            ("PODIUM_AUTH__AUDIENCE", "0123"),
            ("PODIUM_LIMITS__ALLOW", "10.0.0.0/8, 192.0.2.7"),
            ("PODIUM_ACTIONS__QUIZ_SOLVED__POINTS", "10"),
            ("HOME", "/root"),
        ])
        .unwrap();
        assert_eq!(read.values["PODIUM_AUTH__AUDIENCE"], "0123");
        assert_eq!(read.values["PODIUM_ACTIONS__QUIZ_SOLVED__POINTS"], "10");
        assert_eq!(read.lists["limits.allow"], ["10.0.0.0/8", "192.0.2.7"]);
        assert_eq!(read.warnings, [""; 0]);
    }

    #[test]
    fn a_variable_that_is_nearly_a_key_is_named_with_it() {
        for (name, meant) in [
            ("PODIUM_BOARD_TOP", "PODIUM_BOARD__TOP"),
            ("PODIUM_BOARDTOP", "PODIUM_BOARD__TOP"),
            ("PODIUM_TOP", "PODIUM_BOARD__TOP"),
            ("PODIUM_STORE_URL", "PODIUM_STORE__URL"),
            ("PODIUM_HTTP_FRONTEND_URLS", "PODIUM_HTTP__FRONTEND_URLS"),
            ("PODIUM_JWT_SECRET", "JWT_SECRET"),
            ("PODIUM_REDIS_URL", "REDIS_URL"),
            ("PODIUM_SITE_ADDR", "LEPTOS_SITE_ADDR"),
        ] {
            let read = read(&[(name, "5")]).unwrap();
            let expected = format!("{name} is not read: did you mean {meant}?");
            assert_eq!(read.warnings, [expected]);
            assert!(read.values.is_empty());
        }
        for (name, meant) in [
            ("PODIUM_BOARD__TOPP", "PODIUM_BOARD__TOP"),
            ("PODIUM_BORD__TOP", "PODIUM_BOARD__TOP"),
            ("PODIUM_BOARD__TOP__ROWS", "PODIUM_BOARD__TOP"),
            (
                "PODIUM_LIMITS__TRUSTED_PROXY",
                "PODIUM_LIMITS__TRUSTED_PROXIES",
            ),
        ] {
            let refused = read(&[(name, "5")]).unwrap_err();
            assert!(
                refused.starts_with(&format!("{name}: there is no key")),
                "{refused}"
            );
            assert!(
                refused.ends_with(&format!("did you mean {meant}?")),
                "{refused}"
            );
        }
    }

    /// Kubernetes makes variables for each service; a service may have our name.
    #[test]
    fn variables_of_others_are_no_mistake() {
        for (name, value) in [
            ("PODIUM_SERVICE_HOST", "10.0.0.1"),
            ("PODIUM_SERVICE_PORT", "3000"),
            ("PODIUM_SERVICE_PORT_HTTP", "3000"),
            ("PODIUM_PORT", "tcp://10.0.0.1:3000"),
            ("PODIUM_PORT_3000_TCP", "tcp://10.0.0.1:3000"),
            ("PODIUM_PORT_3000_TCP_ADDR", "10.0.0.1"),
            ("PODIUM_REDIS_SERVICE_HOST", "10.0.0.1"),
            ("PODIUM_REDIS_PORT", "tcp://10.0.0.1:6379"),
            ("PODIUM_BIN", "target/debug/podium"),
            ("PODIUM_TEST_KILL_STORE", "1"),
            ("PODIUMS", "x"),
        ] {
            let read = read(&[(name, value)]);
            assert_eq!(read, Ok(Variables::default()), "{name}");
        }
    }

    #[test]
    fn variables_that_look_like_those_of_others_are_told() {
        for (name, value) in [
            ("PODIUM_PORT", "8080"),
            ("PODIUM_PORTS", "tcp://10.0.0.1:3000"),
            ("PODIUM_PORT_NUMBER", "3000"),
            ("PODIUM_BIND", "0.0.0.0"),
            ("PODIUM_BINARY", "x"),
            ("PODIUM_SEEDED", "1"),
            ("PODIUM_TOOLSET", "x"),
            ("PODIUM_SERVICE_URL", "http://h"),
            ("PODIUM_SERVICE_HOSTNAME", "h"),
        ] {
            let warnings = read(&[(name, value)]).unwrap().warnings;
            let [warning] = &warnings[..] else {
                panic!("{name}: {warnings:?}");
            };
            assert!(
                warning.starts_with(&format!("{name} is not read")),
                "{warning}"
            );
        }
    }
}
