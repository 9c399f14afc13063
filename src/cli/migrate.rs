//! `podium migrate`: moves the board between an SQLite file and Redis.

use std::time::{Duration, Instant};

use clap::Args;

use super::{CliError, ConfigFile, runtime};
use crate::store::{
    StoreUrl,
    migration::{Count, Migration, Progress, Summary},
};

/// Between two lines about how far it has come.
const PAUSE: Duration = Duration::from_secs(2);

/// Moves the board, with its log, users, ids of actions, announcements, revocations and
/// what counts against limits, and reads all of it back. Epoch and seq stay, so that
/// clients go on. Nothing is taken away at --from. It can be run again after it was
/// stopped at any moment; until it is through, no server opens the board at --to.
///
/// Stop all servers first. A file that a server has open is refused; if nodes write to
/// Redis meanwhile, the migration fails and says so.
///
/// To Redis goes what it would have kept itself: the latest store.keep_entries entries of
/// the log, ids of actions for as long as is left of store.remember_actions,
/// store.history points of each user's past, and announcements that have not ended. A
/// file gets all that Redis has. Its log has gaps then, and of a user whose past was
/// thinned out, the actions that are left are the ones that count in it.
#[derive(Args, Debug)]
pub(super) struct Migrate {
    /// Where the board is, as in sqlite:podium.db or redis://127.0.0.1:6379 [default:
    /// the configured store].
    #[arg(long, value_name = "URL")]
    from: Option<StoreUrl>,
    /// Where it shall be [default: the configured store].
    #[arg(long, value_name = "URL")]
    to: Option<StoreUrl>,
    /// Throw away a board that is at --to already. Whoever watched it begins anew.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    config: ConfigFile,
}

impl Migrate {
    pub(super) fn run(self) -> Result<(), CliError> {
        let tables = self.config.load()?.tables;
        let place = |url: Option<StoreUrl>| {
            let configured = || tables.store.url.clone();
            tables.store.with_retention(url.unwrap_or_else(configured))
        };
        let to = place(self.to);
        tables.check_tickets(&to)?;
        let migration = Migration {
            from: place(self.from),
            to,
            main: tables.main(),
            replace: self.replace,
        };
        let mut next = Instant::now();
        let report = |progress| {
            let is_step = matches!(progress, Progress::Loaded { .. });
            if is_step || next <= Instant::now() {
                next = Instant::now() + PAUSE;
                say(progress);
            }
        };
        let runtime = runtime()?;
        let summary = runtime.block_on(migration.run(report))?;
        conclude(&migration, summary);
        Ok(())
    }
}

fn say(progress: Progress) {
    match progress {
        Progress::Loaded { users, seq } => {
            eprintln!("loaded {users} users at entry {seq}");
        }
        Progress::Moved(records) => eprintln!("moved {records} records"),
        Progress::Checked(records) => eprintln!("checked {records} records"),
    }
}

fn conclude(migration: &Migration, summary: Summary) {
    let Migration { from, to, .. } = migration;
    println!("All boards are in {to}, and were read back from there:");
    for (what, Count { moved, left_out }) in [
        ("users", summary.users),
        ("boards, teams and standings", summary.boards),
        ("entries of the log", summary.entries),
        ("points of histories", summary.points),
        ("ids of actions", summary.actions),
        ("announcements", summary.announcements),
        ("users with revoked tokens", summary.revocations),
        ("actions within limits", summary.limited),
    ] {
        match left_out {
            0 => println!("  {moved} {what}"),
            _ => println!("  {moved} {what}; {left_out} that are not kept there were left out"),
        }
    }
    println!("Start servers on {to} only: what is in {from} will not follow.");
}
