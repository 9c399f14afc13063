//! `podium reset`: an operator decides that a board is deleted.

use clap::Args;

use super::{CliError, ConfigFile, redis_servers, runtime};
use crate::store::redis;

/// Deletes all keys of the board in Redis, and begins with an empty board in a new epoch,
/// which all servers show, also those that run. It says first what is there, and does it
/// with --yes alone. It cannot be undone.
#[derive(Args, Debug)]
pub(super) struct Reset {
    /// Do it. Without this, it is only said what would be done.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    config: ConfigFile,
}

impl Reset {
    pub(super) fn run(self) -> Result<(), CliError> {
        let tables = self.config.load()?.tables;
        let servers = redis_servers(&tables.store.url)?;
        let runtime = runtime()?;
        runtime.block_on(async {
            let reset = redis::Reset::plan(servers, &tables.main()).await?;
            println!("{reset}");
            if !self.yes {
                return Err(CliError::Unconfirmed);
            }
            reset.run().await?;
            println!("Done: the board is empty.");
            Ok(())
        })
    }
}
