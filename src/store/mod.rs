//! The store: takes commands, decides about each, writes the accepted ones to
//! the log, and answers only when they are durable.
//!
//! The store alone assigns `seq` and decides scores. It hands what it wrote to
//! a [`Fold`], in the order of the log and each entry once; ranks come back from
//! there. It never ranks, and never speaks to a client.

mod announcement_names;
mod command;
mod decide;
mod derived_history;
mod digests;
mod error;
pub mod history;
mod interface;
mod limit;
pub mod migration;
pub mod peek;
mod records;
pub mod redis;
mod source;
pub mod sqlite;
mod target;
mod url;

use std::sync::Arc;

use crate::{board::Settings, vital::Pulse};
pub use command::{Action, ActionId, Command, Outcome, Receipt, Refusal};
pub use derived_history::DerivedHistory;
pub use error::StoreError;
pub use history::{History, HistoryPoint, RecentAction};
pub use interface::{
    AllNodes, Connected, Fold, Folded, Health, LONGEST_APPEND, LONGEST_DERIVATION, LONGEST_WRITE,
    Opened, PRESENCE_EVERY, Store,
};
pub use limit::{ActionLimits, LimitReached, Window};
pub use url::{StoreUrl, UnknownUrl};

/// What puts at risk what will be stored there, as a sentence for each; for example a
/// network file system, which may lose what it has confirmed. It changes nothing, and says
/// nothing of a store that cannot be reached.
pub async fn risks(url: &StoreUrl) -> Vec<String> {
    match url {
        StoreUrl::Sqlite(path) => sqlite::risks(path),
        StoreUrl::Redis(servers) => redis::risks(servers).await,
    }
}

/// What `main` is by the log; `None` where nothing is there yet, or where only a start would
/// say, because it would bring what is there to the present form. It changes nothing.
///
/// # Errors
/// If what is there cannot be reached or read.
pub async fn main_settings(url: &StoreUrl) -> Result<Option<Settings>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => sqlite::main_settings(path),
        StoreUrl::Redis(servers) => redis::main_settings(servers).await,
    }
}

/// A store that was opened and loaded, and takes no commands yet.
pub enum Ready {
    /// An SQLite file.
    Sqlite(Box<sqlite::Ready>),
    /// Redis, or Valkey.
    Redis(Box<redis::Ready>),
}

impl Ready {
    /// Gives its writer a pulse: what writes to the log, and hands it to the fold. A
    /// server that cannot be reached is no failure of it.
    pub fn watched_by(mut self, pulse: Pulse) -> Ready {
        match &mut self {
            Ready::Sqlite(ready) => ready.pulse = pulse,
            Ready::Redis(ready) => ready.pulse = pulse,
        }
        self
    }

    /// Begins to take commands. What is written is handed to `fold`. It needs a
    /// runtime of tokio around it.
    ///
    /// # Errors
    /// If the store cannot start.
    pub fn start(self, fold: impl Fold) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Ready::Sqlite(ready) => Ok(Arc::new(ready.start(fold)?)),
            Ready::Redis(ready) => Ok(Arc::new(ready.start(fold))),
        }
    }
}

/// Opens a store and loads what is in it. In an empty one `main` has these settings; else
/// the log says which it has.
///
/// # Errors
/// If what is there cannot be opened or read.
pub async fn open(url: &StoreUrl, main: &Settings) -> Result<(Opened, Ready), StoreError> {
    match url {
        StoreUrl::Sqlite(path) => {
            let (opened, ready) = sqlite::open(path, main)?;
            Ok((opened, Ready::Sqlite(Box::new(ready))))
        }
        StoreUrl::Redis(servers) => {
            let (opened, ready) = redis::open(servers, main).await?;
            Ok((opened, Ready::Redis(Box::new(ready))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_stores_and_nothing_else_is() {
        for (url, path) in [
            ("sqlite:podium.db", "podium.db"),
            ("sqlite:/var/lib/podium.db", "/var/lib/podium.db"),
            ("sqlite:///var/lib/podium.db", "/var/lib/podium.db"),
        ] {
            assert_eq!(url.parse(), Ok(StoreUrl::Sqlite(path.into())));
        }
        for url in [
            "",
            "podium.db",
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            "sqlite:file:a.db?mode=memory",
            "postgres://localhost/podium",
        ] {
            assert_eq!(url.parse::<StoreUrl>(), Err(UnknownUrl), "{url}");
        }
    }
}
