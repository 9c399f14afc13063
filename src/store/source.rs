//! A board that is read from a store, record by record.

use super::{
    ActionId, Opened, StoreError, StoreUrl,
    records::{Counted, Record},
    redis, sqlite,
};
use crate::board::Settings;

/// Where a board is read.
pub(super) enum Source {
    Sqlite(Box<sqlite::Source>),
    Redis(Box<redis::Source>),
}

impl Source {
    /// Opens a board and loads it, with all ranks written; `None` if it is not there.
    pub(super) async fn open(
        url: &StoreUrl,
        main: &Settings,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        Ok(match url {
            StoreUrl::Sqlite(path) => sqlite::Source::open(path, main)?
                .map(|(opened, source)| (opened, Source::Sqlite(Box::new(source)))),
            StoreUrl::Redis(servers) => redis::Source::open(servers, main)
                .await?
                .map(|(opened, source)| (opened, Source::Redis(Box::new(source)))),
        })
    }

    /// As [`Source::open`], of a board that is only looked at.
    pub(super) async fn peek(
        url: &StoreUrl,
        main: &Settings,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        Ok(match url {
            StoreUrl::Sqlite(path) => sqlite::Source::peek(path, main)?
                .map(|(opened, source)| (opened, Source::Sqlite(Box::new(source)))),
            StoreUrl::Redis(servers) => redis::Source::peek(servers, main)
                .await?
                .map(|(opened, source)| (opened, Source::Redis(Box::new(source)))),
        })
    }

    /// What was counted under each of these ids, as far as the store knows it still.
    pub(super) async fn counted(
        &mut self,
        ids: &[ActionId],
    ) -> Result<Vec<Option<Counted>>, StoreError> {
        match self {
            Source::Sqlite(source) => source.counted(ids),
            Source::Redis(source) => source.counted(ids).await,
        }
    }

    pub(super) async fn read(
        &mut self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Source::Sqlite(source) => source.read(each).await,
            Source::Redis(source) => source.read(each).await,
        }
    }

    /// Has nobody written to it since it was opened?
    pub(super) async fn is_as_it_was(&mut self) -> Result<bool, StoreError> {
        match self {
            // It is locked.
            Source::Sqlite(_) => Ok(true),
            Source::Redis(source) => source.is_as_it_was().await,
        }
    }
}
