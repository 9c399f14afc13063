//! What `main` is by the log in Redis, of which nothing is changed.

use super::{connect::connect, fault::Fault, load, servers::Servers, stored_log::StoredLog};
use crate::{
    board::{BoardId, Settings},
    store::StoreError,
};

/// The settings of `main`; `None` if nothing is there, or if it is of an early form, in which
/// the log does not say.
///
/// # Errors
/// If Redis cannot be reached, or what is there is not what it should be.
pub(in crate::store) async fn main_settings(
    servers: &Servers,
) -> Result<Option<Settings>, StoreError> {
    let log = StoredLog::new(servers, &Settings::default());
    let found = find(&log).await;
    found.map_err(|fault| fault.at(servers.to_string()))
}

async fn find(log: &StoredLog) -> Result<Option<Settings>, Fault> {
    let mut connection = connect(&log.servers, &log.keys).await?.commands;
    if log.find(&mut connection).await?.is_none() {
        return Ok(None);
    }
    let (_, heads) = load::heads(&mut connection, log).await?;
    let main = BoardId::default();
    let head = heads.into_iter().find(|head| head.id == main);
    Ok(head.map(|head| (*head.settings).clone()))
}
