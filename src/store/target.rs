//! A board that is written to a store, record by record.

use super::{
    Opened, StoreError, StoreUrl,
    records::{Head, Lasting, Record},
    redis, sqlite,
};
use crate::board::{Epoch, Settings};

/// Where a board is written.
pub(super) enum Target {
    Sqlite(Box<sqlite::Target>),
    Redis(Box<redis::Target>),
}

impl Target {
    /// Claims a board, so that nobody can open it until it is set free; `None` if a board is
    /// there already that may not be replaced.
    pub(super) async fn claim(
        url: &StoreUrl,
        main: &Settings,
        head: Head,
        replace: bool,
    ) -> Result<Option<Target>, StoreError> {
        Ok(match url {
            StoreUrl::Sqlite(path) => sqlite::Target::claim(path, main, head, replace)?
                .map(|target| Target::Sqlite(Box::new(target))),
            StoreUrl::Redis(servers) => redis::Target::claim(servers, main, head, replace)
                .await?
                .map(|target| Target::Redis(Box::new(target))),
        })
    }

    /// The epoch that the board has there.
    pub(super) fn epoch(&self) -> Epoch {
        match self {
            Target::Sqlite(target) => target.epoch(),
            Target::Redis(target) => target.epoch(),
        }
    }

    /// What it forgets, if it forgets anything.
    pub(super) fn lasting(&self) -> Option<Lasting> {
        match self {
            Target::Sqlite(_) => None,
            Target::Redis(target) => Some(target.lasting()),
        }
    }

    /// What it retains of a record.
    pub(super) fn retain(&self, record: Record) -> Option<Record> {
        match self {
            Target::Sqlite(_) => Some(record),
            Target::Redis(target) => target.retain(record),
        }
    }

    pub(super) async fn write(&mut self, record: Record) -> Result<(), StoreError> {
        match self {
            Target::Sqlite(target) => target.write(record),
            Target::Redis(target) => target.write(record).await,
        }
    }

    /// Writes what the board is as a whole, and loads it as a server does.
    pub(super) async fn complete(&mut self) -> Result<Opened, StoreError> {
        match self {
            Target::Sqlite(target) => target.complete(),
            Target::Redis(target) => target.complete().await,
        }
    }

    pub(super) async fn read(
        &mut self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Target::Sqlite(target) => target.read(each).await,
            Target::Redis(target) => target.read(each).await,
        }
    }

    /// Lets others open the board.
    pub(super) async fn set_free(self) -> Result<(), StoreError> {
        match self {
            Target::Sqlite(target) => target.set_free(),
            Target::Redis(target) => target.set_free().await,
        }
    }
}
