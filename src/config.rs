//! The configuration: `Leptos.toml`, then environment variables over it.
//!
//! `PODIUM_TABLE__KEY` overrides any key; `JWT_SECRET`, `TICKET_SECRET`, `REDIS_URL`
//! and `FRONTEND_URLS` work as they stand, and each of them with `_FILE` names a file
//! that holds the value. The `leptos` table is read by leptos itself.

mod strength;
mod variables;

use std::{
    collections::BTreeMap,
    env,
    fmt::{self, Display},
    fs,
    net::IpAddr,
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, SystemTime},
};

use app::{base_path::BasePath, pictures::normal_origin};
use ipnet::IpNet;
use leptos_config::{LeptosOptions, errors::LeptosConfigError};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};

use crate::{
    board::{BoardId, Direction, Operator, Rules, Score, Ties},
    store::{StoreUrl, redis::Retention},
    text, wire,
};
use variables::Variables;

/// The file that is read when no other is named.
pub const DEFAULT_FILE: &str = "Leptos.toml";

/// The weakest secret that is taken, in bits: as much as the hash of HS256 withstands of
/// guessing, by the strength that NIST SP 800-57, part 1, asks for beyond 2030.
pub const SECRET_MIN_BITS: f64 = 128.0;

/// The variables that hold secrets.
const JWT_SECRET: &str = "JWT_SECRET";
const TICKET_SECRET: &str = "TICKET_SECRET";

/// Chooses a store, unless the variable of the key itself does.
const REDIS_URL: &str = "REDIS_URL";
const STORE_URL: &str = "PODIUM_STORE__URL";

/// The fewest points of a history, and the most: of very many, Redis would be busy with
/// one user for long.
const HISTORY: RangeInclusive<u64> = 100..=20_000;
/// The fewest entries of a log in Redis: a node reads some hundred at once.
const KEPT_ENTRIES: u64 = 1000;
/// For how long action ids can be remembered in Redis: 10 years at most.
const REMEMBERED: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(10 * 365 * 24 * 3600);

/// The most by which clocks may differ from ours: the answer to a revocation waits for
/// so long, and proxies wait a minute for an answer.
const LONGEST_LEEWAY: Duration = Duration::from_secs(30);

/// The highest limit of a declared type: so many rows the store may look through
/// for one action.
const MOST_LIMITED: u32 = 10_000;

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the page is served and its files lie, as leptos names it.
    pub leptos: LeptosOptions,
    /// Our own tables.
    pub tables: Tables,
    /// The key that signs tokens, if one was given.
    pub jwt_secret: Option<Secret>,
    /// The key that signs tickets, if it is one of its own.
    ticket_secret: Option<Secret>,
    /// What is said at the start, because it is probably not meant as it is.
    pub warnings: Vec<String>,
}

/// A value that is never printed.
#[derive(Clone)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The tables of `Leptos.toml` that are Podium's own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tables {
    /// Where the log is kept.
    pub store: StoreTable,
    /// The board.
    pub board: BoardTable,
    /// How ranks are given.
    pub ranking: RankingTable,
    /// Whose tokens are believed.
    pub auth: AuthTable,
    /// Who may call from other origins.
    pub http: HttpTable,
    /// Socket.IO.
    pub socket: SocketTable,
    /// How much anybody may do.
    pub limits: LimitsTable,
    /// What players are congratulated on.
    pub achievements: AchievementsTable,
    /// How the server ends.
    pub shutdown: ShutdownTable,
    /// What actions are worth.
    pub actions: ActionsTable,
    /// The table of leptos, which reads it itself.
    package: IgnoredTable,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct IgnoredTable {
    #[serde(rename = "metadata")]
    _metadata: Option<Ignored>,
}

#[derive(Clone, Debug)]
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Ignored)
    }
}

/// `[store]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreTable {
    /// `sqlite:FILE`, or `redis://HOST:PORT`.
    #[serde(deserialize_with = "from_text")]
    pub url: StoreUrl,
    /// How long Redis knows the id of an action.
    #[serde(with = "humantime_serde")]
    pub remember_actions: Duration,
    /// How many entries of the log Redis keeps, about.
    pub keep_entries: NonZeroU64,
    /// How many points of a user's history Redis keeps.
    pub history: NonZeroU64,
}

/// `[board]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoardTable {
    /// What the page calls it.
    pub title: String,
    /// Rows of the visible board.
    pub top: NonZeroUsize,
    /// `highest` or `lowest` first.
    pub direction: DirectionName,
    /// `sum`, `best` or `latest`.
    pub operator: OperatorName,
    /// When it starts, if that is to be told.
    #[serde(deserialize_with = "moment")]
    pub starts: Option<SystemTime>,
}

/// `[ranking]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RankingTable {
    /// `earliest`, `competition` or `dense`.
    pub ties: TiesName,
}

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthTable {
    /// The `iss` that a token must have; any if empty.
    pub issuer: String,
    /// The `aud` that a token must have; any if empty.
    pub audience: String,
    /// How long the token lives that a page hands its viewer.
    #[serde(with = "humantime_serde")]
    pub page_token_ttl: Duration,
    /// The longest time that a ticket may be valid from now.
    #[serde(with = "humantime_serde")]
    pub ticket_max_ttl: Duration,
    /// By how much the clock of whoever signs tokens and tickets may differ from ours.
    #[serde(with = "humantime_serde")]
    pub leeway: Duration,
}

/// `[http]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpTable {
    /// Origins of other pages that may call and connect.
    pub frontend_urls: Vec<String>,
    /// Origins from which pictures of users are shown, beside our own.
    pub avatar_origins: Vec<String>,
    /// Origins of other pages that may show `/?view=embed` in a frame.
    pub embed_origins: Vec<String>,
    /// The origin under which the page is known to others; empty for whichever they
    /// ask for.
    pub public_url: String,
    /// Under which path it is there, as `/board`; empty for the root.
    #[serde(deserialize_with = "from_text")]
    pub base_path: BasePath,
}

/// `[socket]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SocketTable {
    /// Between two pings.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// How long a pong may take.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
    /// The largest message of a client, in bytes.
    pub max_message: NonZeroUsize,
    /// How much may wait for a client before it counts as slow, in bytes.
    pub send_queue: NonZeroUsize,
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsTable {
    /// Addresses and networks that the limits per IP do not touch.
    #[serde(deserialize_with = "networks")]
    pub allow: Vec<IpNet>,
    /// Proxies that are believed when they say for whom a request is.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Connections from one address in `connections_window`.
    pub connections_per_ip: NonZeroU32,
    /// See `connections_per_ip`.
    #[serde(with = "humantime_serde")]
    pub connections_window: Duration,
    /// Sockets of one address at once.
    pub sockets_per_ip: NonZeroU32,
    /// Sockets of one user at once.
    pub sockets_per_user: NonZeroU32,
    /// Socket.IO events of one user in a minute.
    pub events_per_minute: NonZeroU32,
    /// TCP connections of one address at once.
    pub connections_at_once_per_ip: NonZeroU32,
    /// Packets of one session in a second, ten times as many at once.
    pub packets_per_second: NonZeroU32,
    /// Packets of all sessions of one address.
    pub packets_per_second_per_ip: NonZeroU32,
    /// Packets of all sessions.
    pub packets_per_second_in_all: NonZeroU32,
    /// Bytes of one session in a second, ten times as many at once.
    pub bytes_per_second: NonZeroU32,
    /// Bytes of all sessions of one address.
    pub bytes_per_second_per_ip: NonZeroU32,
    /// Bytes of all sessions.
    pub bytes_per_second_in_all: NonZeroU32,
    /// Searches that are computed at once.
    pub concurrent_searches: NonZeroUsize,
    /// Histories that are read at once.
    pub concurrent_histories: NonZeroUsize,
    /// Pages that are rendered at once; 0 stands for the number of cores.
    pub concurrent_renders: usize,
}

/// `[achievements]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AchievementsTable {
    /// Who is told of a player who takes first place for the first time.
    pub first_place: ToldName,
    /// Who is told of a player who gets into the top for the first time.
    pub top: ToldName,
    /// How many places the top has.
    pub top_places: NonZeroU64,
    /// How long the banner stays.
    #[serde(with = "humantime_serde")]
    pub duration: Duration,
}

/// `[shutdown]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShutdownTable {
    /// Between the notice to all clients and the end.
    #[serde(with = "humantime_serde")]
    pub notice: Duration,
}

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

/// Values of `board.direction`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum DirectionName {
    #[default]
    Highest,
    Lowest,
}

/// Values of `board.operator`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum OperatorName {
    #[default]
    Sum,
    Best,
    Latest,
}

/// Values of `ranking.ties`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum TiesName {
    #[default]
    Earliest,
    Competition,
    Dense,
}

/// Values of `achievements.first_place` and `achievements.top`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ToldName {
    All,
    Player,
    Nobody,
}

impl Default for StoreTable {
    fn default() -> Self {
        let Retention {
            actions,
            entries,
            history,
        } = Retention::default();
        StoreTable {
            url: StoreUrl::Sqlite("podium.db".into()),
            remember_actions: actions,
            keep_entries: entries,
            history,
        }
    }
}

impl Default for BoardTable {
    fn default() -> Self {
        BoardTable {
            title: "Podium".into(),
            top: const { NonZeroUsize::new(10).unwrap() },
            direction: DirectionName::default(),
            operator: OperatorName::default(),
            starts: None,
        }
    }
}

impl Default for AuthTable {
    fn default() -> Self {
        AuthTable {
            issuer: String::new(),
            audience: String::new(),
            page_token_ttl: Duration::from_secs(3600),
            ticket_max_ttl: Duration::from_secs(24 * 3600),
            leeway: Duration::from_secs(5),
        }
    }
}

impl Default for SocketTable {
    fn default() -> Self {
        SocketTable {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(60),
            max_message: const { NonZeroUsize::new(16 * 1024).unwrap() },
            send_queue: const { NonZeroUsize::new(128 * 1024).unwrap() },
        }
    }
}

impl Default for LimitsTable {
    fn default() -> Self {
        LimitsTable {
            allow: Vec::new(),
            trusted_proxies: Vec::new(),
            connections_per_ip: const { NonZeroU32::new(100).unwrap() },
            connections_window: Duration::from_secs(15 * 60),
            sockets_per_ip: const { NonZeroU32::new(200).unwrap() },
            sockets_per_user: const { NonZeroU32::new(50).unwrap() },
            events_per_minute: const { NonZeroU32::new(60).unwrap() },
            connections_at_once_per_ip: const { NonZeroU32::new(1000).unwrap() },
            packets_per_second: const { NonZeroU32::new(50).unwrap() },
            packets_per_second_per_ip: const { NonZeroU32::new(2000).unwrap() },
            packets_per_second_in_all: const { NonZeroU32::new(50_000).unwrap() },
            bytes_per_second: const { NonZeroU32::new(64 * 1024).unwrap() },
            bytes_per_second_per_ip: const { NonZeroU32::new(1024 * 1024).unwrap() },
            bytes_per_second_in_all: const { NonZeroU32::new(32 * 1024 * 1024).unwrap() },
            concurrent_searches: const { NonZeroUsize::new(2).unwrap() },
            concurrent_histories: const { NonZeroUsize::new(2).unwrap() },
            concurrent_renders: 0,
        }
    }
}

impl Default for AchievementsTable {
    fn default() -> Self {
        AchievementsTable {
            first_place: ToldName::All,
            top: ToldName::Player,
            top_places: const { NonZeroU64::new(10).unwrap() },
            duration: Duration::from_secs(8),
        }
    }
}

impl Default for ShutdownTable {
    fn default() -> Self {
        ShutdownTable {
            notice: Duration::from_secs(30),
        }
    }
}

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The leptos table cannot be used.
    #[error("the leptos table of {path}, or a LEPTOS_ variable: {source}")]
    Leptos {
        /// The file.
        path: PathBuf,
        /// What leptos said.
        source: LeptosConfigError,
    },
    /// A key is unknown or its value is not of the right form.
    #[error("{0}")]
    Tables(#[from] config::ConfigError),
    /// A variable is for Podium, and cannot be taken.
    #[error("{name}: {problem}")]
    Variable {
        /// The variable.
        name: String,
        /// What to do about it.
        problem: String,
    },
    /// A value is of the right form and makes no sense.
    #[error("{key}: {problem}")]
    Value {
        /// The path of the key.
        key: &'static str,
        /// What to do about it.
        problem: String,
    },
}

impl Config {
    /// Reads a file, if it is there, and the environment.
    ///
    /// # Errors
    /// If a file that was named is missing, or something in it or in the
    /// environment cannot be used. The message names the key.
    pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                "[package.metadata.leptos]\noutput-name = \"podium\"\nsite-root = \"target/site\"\n"
                    .into()
            }
            Err(source) => {
                return Err(ConfigError::Unreadable {
                    path: path.into(),
                    source,
                });
            }
        };
        let leptos =
            leptos_config::get_config_from_str(&text).map_err(|source| ConfigError::Leptos {
                path: path.into(),
                source,
            })?;
        let Variables {
            values,
            lists,
            warnings,
        } = Variables::read(env::vars_os())?;
        let mut tables = config::Config::builder()
            .add_source(config::File::from_str(&text, config::FileFormat::Toml))
            .add_source(
                config::Environment::with_prefix("PODIUM")
                    .prefix_separator("_")
                    .separator("__")
                    .source(Some(values)),
            );
        for (key, list) in lists {
            tables = tables.set_override(key, list)?;
        }
        let mut tables: Tables = tables.build()?.try_deserialize()?;
        if let Some(urls) = variable("FRONTEND_URLS")? {
            tables.http.frontend_urls = urls.split(',').map(Into::into).collect();
        }
        if env::var_os(STORE_URL).is_none()
            && let Some(url) = variable(REDIS_URL)?
        {
            tables.store.url = redis_url(&url)?;
        }
        tables.store.url = tables.store.keep(tables.store.url.clone());
        tables.http.normalize()?;
        let jwt_secret = variable(JWT_SECRET)?.map(Secret);
        let ticket_secret = variable(TICKET_SECRET)?.map(Secret);
        tables.check()?;
        Ok(Config {
            leptos,
            tables,
            jwt_secret,
            ticket_secret,
            warnings,
        })
    }

    /// The secret, if it is fit to sign with.
    ///
    /// # Errors
    /// If there is none, or it could be guessed.
    pub fn strong_secret(&self) -> Result<&Secret, ConfigError> {
        let secret = self.jwt_secret.as_ref().ok_or_else(|| {
            let advice = advice(JWT_SECRET);
            ConfigError::Value {
                key: JWT_SECRET,
                problem: format!("is not set: {advice}; or try `podium serve --demo`"),
            }
        })?;
        strong(JWT_SECRET, secret)
    }

    /// The secret that signs tickets: its own, or the one that signs tokens.
    ///
    /// # Errors
    /// If there is none, or it could be guessed.
    pub fn ticket_secret(&self) -> Result<&Secret, ConfigError> {
        match &self.ticket_secret {
            Some(secret) => strong(TICKET_SECRET, secret),
            None => self.strong_secret(),
        }
    }
}

fn strong<'a>(key: &'static str, secret: &'a Secret) -> Result<&'a Secret, ConfigError> {
    let weak = |problem: &str| ConfigError::Value {
        key,
        problem: format!("{problem}, which is too weak: {}", advice(key)),
    };
    // Whatever it looks like, 122 bits of it are random (RFC 9562, section 5.4).
    if wire::user_id(&secret.0).is_some() {
        return Err(weak("is a UUID"));
    }
    let bits = strength::bits(&secret.0);
    if bits < SECRET_MIN_BITS {
        return Err(weak(&format!("has about {bits:.0} bits of 128")));
    }
    Ok(secret)
}

fn advice(key: &str) -> String {
    format!("set it to 32 random bytes, for example {key}=$(openssl rand -hex 32)")
}

impl Tables {
    /// The rules of the board.
    pub fn rules(&self) -> Rules {
        Rules {
            direction: match self.board.direction {
                DirectionName::Highest => Direction::HighestFirst,
                DirectionName::Lowest => Direction::LowestFirst,
            },
            operator: match self.board.operator {
                OperatorName::Sum => Operator::Sum,
                OperatorName::Best => Operator::Best,
                OperatorName::Latest => Operator::Latest,
            },
            ties: match self.ranking.ties {
                TiesName::Earliest => Ties::Earliest,
                TiesName::Competition => Ties::Competition,
                TiesName::Dense => Ties::Dense,
            },
            top: self.board.top.get(),
        }
    }

    /// The board that plain events and routes mean.
    pub fn board_id(&self) -> BoardId {
        BoardId::default()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let value = |key, problem: &str| {
            Err(ConfigError::Value {
                key,
                problem: problem.into(),
            })
        };
        if self.board.top.get() > 1000 {
            return value("board.top", "the visible board has at most 1000 rows");
        }
        if self.auth.page_token_ttl < Duration::from_secs(10) {
            return value("auth.page_token_ttl", "give at least 10s");
        }
        if self.auth.leeway > LONGEST_LEEWAY {
            return value(
                "auth.leeway",
                "give a time from 0s to 30s: whoever revokes tokens waits as long",
            );
        }
        if self.auth.ticket_max_ttl.is_zero() {
            return value("auth.ticket_max_ttl", "give a time longer than 0");
        }
        for name in self.actions.declared.keys() {
            if let Err(error) = text::action_type(name) {
                return value("actions", &format!("{name:?} cannot be a type: {error}"));
            }
        }
        if !REMEMBERED.contains(&self.store.remember_actions) {
            return value("store.remember_actions", "give a time from 1m to 10y");
        }
        self.check_tickets(&self.store.url)?;
        if self.store.keep_entries.get() < KEPT_ENTRIES {
            return value("store.keep_entries", "give at least 1000");
        }
        if !HISTORY.contains(&self.store.history.get()) {
            return value("store.history", "give a number from 100 to 20000");
        }
        let at_once = 10 * u64::from(self.limits.bytes_per_second.get());
        if self.socket.max_message.get() as u64 > at_once {
            return value(
                "socket.max_message, limits.bytes_per_second",
                "a client may send ten times bytes_per_second at once: give at least a tenth of \
                 max_message",
            );
        }
        if self.limits.connections_window.is_zero() {
            return value("limits.connections_window", "give a time longer than 0");
        }
        if self
            .limits
            .trusted_proxies
            .iter()
            .any(|net| net.prefix_len() == 0)
        {
            return value(
                "limits.trusted_proxies",
                "everybody would be believed: name the networks of your proxies",
            );
        }
        if self.socket.ping_interval.is_zero() || self.socket.ping_timeout.is_zero() {
            return value(
                "socket.ping_interval, socket.ping_timeout",
                "give times longer than 0",
            );
        }
        for (name, declared) in &self.actions.declared {
            let limits = [declared.per_minute, declared.per_day];
            if limits
                .into_iter()
                .flatten()
                .any(|limit| limit.get() > MOST_LIMITED)
            {
                return value(
                    "actions",
                    &format!(
                        "{name}.per_minute and {name}.per_day are 1 to {MOST_LIMITED}; without \
                         them any number counts"
                    ),
                );
            }
        }
        if self.achievements.duration < Duration::from_secs(1) {
            return value("achievements.duration", "give at least 1s");
        }
        Ok(())
    }
}

impl Tables {
    /// Checks that a store would count each ticket once.
    ///
    /// # Errors
    /// If it would forget the ids of actions while tickets for them are valid.
    pub fn check_tickets(&self, url: &StoreUrl) -> Result<(), ConfigError> {
        let remembered = self.store.remember_actions;
        // It may be handed in again until its leeway is over.
        let valid = self.auth.ticket_max_ttl + self.auth.leeway;
        match url {
            // A file knows all ids for ever.
            StoreUrl::Sqlite(_) => Ok(()),
            StoreUrl::Redis(_) if remembered >= valid => Ok(()),
            StoreUrl::Redis(_) => Err(ConfigError::Value {
                key: "store.remember_actions, auth.ticket_max_ttl",
                problem: format!(
                    "Redis would know an action for {}, and count its ticket again, which may be \
                     valid for {}: set remember_actions to as much as ticket_max_ttl and \
                     auth.leeway together, or more",
                    humantime::format_duration(remembered),
                    humantime::format_duration(valid),
                ),
            }),
        }
    }
}

impl StoreTable {
    /// A store that is to keep as much as this says.
    pub fn keep(&self, mut url: StoreUrl) -> StoreUrl {
        if let StoreUrl::Redis(place) = &mut url {
            place.retention = Retention {
                actions: self.remember_actions,
                entries: self.keep_entries,
                history: self.history,
            };
        }
        url
    }
}

impl HttpTable {
    /// Writes origins as browsers do.
    fn normalize(&mut self) -> Result<(), ConfigError> {
        let lists = [
            ("http.frontend_urls, FRONTEND_URLS", &mut self.frontend_urls),
            ("http.avatar_origins", &mut self.avatar_origins),
            ("http.embed_origins", &mut self.embed_origins),
        ];
        for (key, origins) in lists {
            for origin in origins.iter_mut() {
                let text = origin.trim();
                if !text.is_empty() && normal_origin(text).is_none() {
                    let problem =
                        format!("{text:?} is not an origin: write it as https://example.org");
                    return Err(ConfigError::Value { key, problem });
                }
                *origin = normal_origin(text).unwrap_or_default();
            }
            origins.retain(|origin| !origin.is_empty());
        }
        let text = self.public_url.trim();
        let url = normal_origin(text.strip_suffix('/').unwrap_or(text));
        if !text.is_empty() && url.is_none() {
            return Err(ConfigError::Value {
                key: "http.public_url",
                problem: format!("{text:?} is no origin: write it as https://example.org"),
            });
        }
        self.public_url = url.unwrap_or_default();
        Ok(())
    }

    /// All origins from which pictures are shown that may not be those of an address
    /// without one.
    pub fn picture_origins(&self) -> Vec<String> {
        let mut origins = self.avatar_origins.clone();
        if !self.public_url.is_empty() && !origins.contains(&self.public_url) {
            origins.push(self.public_url.clone());
        }
        origins
    }
}

fn redis_url(url: &str) -> Result<StoreUrl, ConfigError> {
    match url.trim().parse() {
        Ok(url @ StoreUrl::Redis(_)) => Ok(url),
        // It is not shown, because it may hold a password.
        Ok(StoreUrl::Sqlite(_)) | Err(_) => Err(ConfigError::Value {
            key: REDIS_URL,
            problem: "is no address of Redis: write redis://USER:PASSWORD@HOST:PORT, or \
                      rediss:// for TLS"
                .into(),
        }),
    }
}

/// A variable, or what the file holds that `NAME_FILE` names. An empty one is not
/// set.
fn variable(name: &str) -> Result<Option<String>, ConfigError> {
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

fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    text.trim().parse().map_err(D::Error::custom)
}

/// RFC 3339, or nothing.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.trim() {
        "" => Ok(None),
        text => humantime::parse_rfc3339(text).map(Some).map_err(|_| {
            D::Error::custom("give a moment, as in \"2030-01-31T18:00:00Z\", or nothing")
        }),
    }
}

/// Points within the range of scores.
fn score<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Score, D::Error> {
    let points = i64::deserialize(deserializer)?;
    Score::new(points).ok_or_else(|| D::Error::custom("points must be within ±9007199254740991"))
}

/// Networks, and addresses, which are networks of one.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let texts = texts
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty());
    texts
        .map(|text| {
            let address = text.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| text.parse()).map_err(|_| {
                D::Error::custom(format!(
                    "{text:?} is not an address, or a network such as 192.0.2.0/24"
                ))
            })
        })
        .collect()
}
