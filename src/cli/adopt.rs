//! `podium adopt`: an operator decides that a board goes on with what is left of it.

use clap::Args;

use super::{CliError, ConfigFile, redis_place};
use crate::store::redis::Survey;

/// Where something of a board is missing in Redis, or is not what the servers have shown,
/// they stop writing, and change nothing. This says what is left, and with --yes takes that
/// as the board: a new epoch begins, and all servers load it, also those that run. Nothing
/// is deleted.
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
        let place = redis_place(&tables.store.url)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let survey = Survey::take(place, &tables.board_id(), tables.rules()).await?;
            println!("{survey}");
            if !self.yes {
                return Err(CliError::Unconfirmed);
            }
            survey.adopt().await?;
            println!("Done: the board goes on.");
            Ok(())
        })
    }
}
