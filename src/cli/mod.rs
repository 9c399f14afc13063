//! The command line: what each command takes, and what it does with the parts.

mod adopt;
mod import;
mod migrate;
mod reset;
mod serve;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::{
    auth::{Role, Tokens},
    config::{Config, ConfigError},
    serve::{ServeError, WaitError},
    store::{self, StoreError, StoreUrl, migration::MigrateError, redis::Servers},
    text::{self, InvalidText},
    vital,
};

/// A live scoreboard that you run yourself.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the page, the API and the hub.
    Serve(serve::Serve),
    /// Print a token for a user.
    Token(Token),
    Import(import::Import),
    /// Move the board between an SQLite file and Redis.
    Migrate(migrate::Migrate),
    /// Go on with what is left of a board, when something of it is missing.
    Adopt(adopt::Adopt),
    /// Delete a board in Redis, and begin with an empty one.
    Reset(reset::Reset),
    /// Check the configuration, and say what is wrong with it.
    CheckConfig(ConfigFile),
}

/// Which configuration is meant.
#[derive(Args, Debug)]
struct ConfigFile {
    /// The file [default: Leptos.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref())
    }
}

/// The board in Redis that a command is about.
fn redis_servers(url: &StoreUrl) -> Result<&Servers, CliError> {
    match url {
        StoreUrl::Redis(servers) => Ok(servers),
        StoreUrl::Sqlite(_) => Err(CliError::NotRedis(url.clone())),
    }
}

#[derive(Args, Debug)]
struct Token {
    /// Whose token it is.
    #[arg(long, value_name = "UUID")]
    user: String,
    /// What it allows.
    #[arg(long, value_enum, default_value = "player")]
    role: Role,
    /// How long it is valid.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    ttl: Duration,
    #[command(flatten)]
    config: ConfigFile,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The store cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A value on the command line cannot be used.
    #[error("{0}")]
    Text(#[from] InvalidText),
    /// A file cannot be imported.
    #[error("{0}")]
    Import(#[from] import::ImportError),
    /// The board was not moved.
    #[error("{0}")]
    Migrate(#[from] MigrateError),
    /// The command is for another kind of store.
    #[error(
        "{0} is no Redis, and this is for a board in Redis. A board in a file begins anew when \
         the server is stopped and all files of its name are moved away, also those that end in \
         -wal, -shm and .lock"
    )]
    NotRedis(StoreUrl),
    /// `--yes` is missing.
    #[error("nothing was changed: to do this, run it again with --yes")]
    Unconfirmed,
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; is another server running there? LEPTOS_SITE_ADDR chooses another address"
    )]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server could not serve on.
    #[error("{0}")]
    Serve(#[from] ServeError),
    /// The token could not be signed.
    #[error("the token could not be signed")]
    Sign,
    /// The system refused something that should not fail.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl CliError {
    /// The exit code of the process.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            CliError::Serve(ServeError::Failed(_)) => ExitCode::from(vital::EXIT_CODE),
            _ => ExitCode::FAILURE,
        }
    }
}

impl From<WaitError> for CliError {
    fn from(error: WaitError) -> CliError {
        match error {
            WaitError::Store(error) => CliError::Store(error),
            WaitError::System(error) => CliError::System(error),
        }
    }
}

/// Runs a command to its end.
///
/// # Errors
/// If it failed. The message says what to do about it.
pub fn run(cli: Cli) -> Result<(), CliError> {
    match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Token(token) => token.run(),
        Command::Import(import) => import.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Adopt(adopt) => adopt.run(),
        Command::Reset(reset) => reset.run(),
        Command::CheckConfig(file) => check_config(&file),
    }
}

impl Token {
    fn run(self) -> Result<(), CliError> {
        let config = self.config.load()?;
        let user = text::user_id(&self.user)?;
        let tokens = Tokens::new(
            config.secrets.jwt()?,
            config.secrets.ticket()?,
            &config.tables.auth,
        );
        let token = tokens
            .issue(user, self.role, self.ttl)
            .map_err(|_| CliError::Sign)?;
        println!("{token}");
        Ok(())
    }
}

/// A runtime for a command that waits for one thing at a time.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn check_config(file: &ConfigFile) -> Result<(), CliError> {
    let config = file.load()?;
    config.secrets.jwt()?;
    config.secrets.ticket()?;
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    let runtime = runtime()?;
    let tables = &config.tables;
    for risk in runtime.block_on(store::risks(&tables.store.url)) {
        println!("Beware: {risk}.");
    }
    // What cannot be read, a start will say.
    if let Ok(Some(main)) = runtime.block_on(store::main_settings(&tables.store.url))
        && let Some(overruled) = config.main.overruled_by(&main)
    {
        println!("Beware: {overruled}.");
    }
    println!("The configuration is good.");
    Ok(())
}
