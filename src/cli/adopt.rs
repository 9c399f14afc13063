//! `podium adopt`: an operator decides that a board goes on with what is left of it.

use std::path::Path;

use clap::Args;

use super::{CliError, ConfigFile, runtime};
use crate::{
    board::Settings,
    store::{StoreUrl, redis, sqlite},
};

/// Where something of a board is missing in its store, or is not what the servers have
/// shown, they stop writing, and change nothing. This says what is left, and with --yes
/// takes that as the board: a new epoch begins, and nothing is deleted. Servers on Redis
/// load it, also those that run; one with an SQLite file is to be stopped before.
#[derive(Args, Debug)]
pub(super) struct Adopt {
    /// Do it. Without this, it is only said what would be done.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    config: ConfigFile,
}

impl Adopt {
    pub(super) fn run(self) -> Result<(), CliError> {
        let tables = self.config.load()?.tables;
        let main = tables.main();
        let runtime = runtime()?;
        match &tables.store.url {
            StoreUrl::Redis(servers) => runtime.block_on(self.adopt_redis(servers, &main)),
            StoreUrl::Sqlite(path) => self.adopt_file(path),
        }
    }

    async fn adopt_redis(&self, servers: &redis::Servers, main: &Settings) -> Result<(), CliError> {
        let survey = redis::Survey::take(servers, main).await?;
        println!("{survey}");
        self.confirm()?;
        survey.adopt().await?;
        println!("Done: the board goes on.");
        Ok(())
    }

    fn adopt_file(&self, path: &Path) -> Result<(), CliError> {
        let survey = sqlite::Survey::take(path)?;
        println!("{survey}");
        if survey.is_fine() {
            return Ok(());
        }
        self.confirm()?;
        survey.adopt()?;
        println!("Done: start the server.");
        Ok(())
    }

    fn confirm(&self) -> Result<(), CliError> {
        if self.yes {
            Ok(())
        } else {
            Err(CliError::Unconfirmed)
        }
    }
}
