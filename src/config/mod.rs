//! The configuration: `Leptos.toml`, then environment variables over it.
//!
//! `PODIUM_TABLE__KEY` overrides any key; `JWT_SECRET`, `TICKET_SECRET`, `REDIS_URL`
//! and `FRONTEND_URLS` have names of their own, and each of them with `_FILE` names a file
//! that holds the value. The `leptos` table is read by leptos itself.
//!
//! Each section is a type in a file of its own, with its defaults and its validation, and
//! is passed to the part that it configures. The configuration knows domain types; none of
//! them knows the configuration.

mod achievements;
mod actions;
mod auth;
mod board;
mod error;
mod http;
mod limits;
mod main_board;
mod secrets;
mod shutdown;
mod socket;
mod store;
mod strength;
mod values;
mod variables;

use std::{env, fs, io::ErrorKind, path::Path};

use leptos_config::LeptosOptions;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    board::{Order, Rules, Settings},
    store::StoreUrl,
};
pub use achievements::{AchievementsTable, Recipients};
pub use actions::{ActionsTable, DeclaredTable};
pub use auth::AuthTable;
pub use board::{BoardTable, RankingTable};
pub use error::ConfigError;
pub use http::HttpTable;
pub use limits::LimitsTable;
pub use main_board::{MainBoard, Overruled};
pub use secrets::{Secret, Secrets};
pub use shutdown::ShutdownTable;
pub use socket::SocketTable;
pub use store::StoreTable;
use variables::Variables;

/// The file that is read when no other is named.
const DEFAULT_FILE: &str = "Leptos.toml";

/// What is read when that does not exist.
const WITHOUT_FILE: &str =
    "[package.metadata.leptos]\noutput-name = \"podium\"\nsite-root = \"target/site\"\n";

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of the server and the folder of the page's files, as leptos names them.
    pub leptos: LeptosOptions,
    /// Our own sections.
    pub tables: Tables,
    /// The keys that sign tokens and tickets.
    pub secrets: Secrets,
    /// What `main` is when the log begins.
    pub main: MainBoard,
    /// Warnings for the log, about what is probably a mistake.
    pub warnings: Vec<String>,
}

/// The tables of `Leptos.toml` that are Podium's own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tables {
    /// Where the log is stored.
    pub store: StoreTable,
    /// The board.
    pub board: BoardTable,
    /// How ranks are given.
    pub ranking: RankingTable,
    /// Which tokens are valid.
    pub auth: AuthTable,
    /// The address of the page, and other origins.
    pub http: HttpTable,
    /// Socket.IO.
    pub socket: SocketTable,
    /// How much clients may do.
    pub limits: LimitsTable,
    /// Which achievements are announced.
    pub achievements: AchievementsTable,
    /// How the server stops.
    pub shutdown: ShutdownTable,
    /// Types of actions.
    pub actions: ActionsTable,
    /// The table of leptos, which reads it itself.
    package: LeptosTable,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct LeptosTable {
    #[serde(rename = "metadata")]
    _metadata: IgnoredAny,
}

impl Config {
    /// Reads a file, if it exists, and the environment.
    ///
    /// # Errors
    /// If a file that was named is missing, or something in it or in the
    /// environment cannot be used. The message names the key.
    pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match fs::read_to_string(path) {
            Err(error) if file.is_none() && error.kind() == ErrorKind::NotFound => {
                WITHOUT_FILE.into()
            }
            read => read.map_err(|source| ConfigError::Unreadable {
                path: path.into(),
                source,
            })?,
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
        let set = tables.build()?;
        let mut tables: Tables = set.clone().try_deserialize()?;
        tables.store.complete()?;
        tables.http.complete()?;
        let secrets = Secrets::read()?;
        tables.validate()?;
        Ok(Config {
            leptos,
            main: MainBoard::new(tables.main(), |key| set.get::<config::Value>(key).is_ok()),
            tables,
            secrets,
            warnings,
        })
    }
}

impl Tables {
    /// What `main` is when the log begins.
    pub fn main(&self) -> Settings {
        Settings {
            title: self.board.title.as_str().into(),
            ..Settings::main(self.rules())
        }
    }

    fn rules(&self) -> Rules {
        Rules {
            order: Order {
                direction: self.board.direction,
                tiebreak: None,
                ties: self.ranking.ties,
            },
            operator: self.board.operator,
            top: self.board.top.get(),
        }
    }

    /// Checks that a store counts each ticket once.
    ///
    /// # Errors
    /// If it would forget the ids of actions while tickets for them are valid.
    pub fn check_tickets(&self, url: &StoreUrl) -> Result<(), ConfigError> {
        // A ticket may be redeemed until its leeway is over.
        let valid = self.auth.ticket_max_ttl + self.auth.leeway;
        self.store.check_tickets(url, valid)
    }

    /// Checks each section, and what sections say together.
    fn validate(&self) -> Result<(), ConfigError> {
        self.store.validate()?;
        self.board.validate()?;
        self.auth.validate()?;
        self.socket.validate()?;
        self.limits.validate()?;
        self.achievements.validate()?;
        self.actions.validate()?;
        self.check_tickets(&self.store.url)?;
        error::require(
            self.socket.max_message.get() as u64 <= self.limits.burst_bytes(),
            "socket.max_message, limits.bytes_per_second",
            "a client may send ten times bytes_per_second at once: give at least a tenth of \
             max_message",
        )
    }
}
