//! The store in Redis: the suite, and what only a server can suffer.

use podium::{
    board::{BoardId, Rules},
    store::{self, StoreError, StoreUrl, redis::Retention},
};

use crate::{
    server::Server,
    store_suite,
    suite::{Fixture, Follower, Running},
};

/// Opens the board at an address.
pub async fn open_at(url: &str, rules: Rules) -> Result<Running, StoreError> {
    open_keeping(url, rules, Retention::default()).await
}

pub async fn open_keeping(
    url: &str,
    rules: Rules,
    retention: Retention,
) -> Result<Running, StoreError> {
    let mut url: StoreUrl = url.parse().unwrap();
    if let StoreUrl::Redis(place) = &mut url {
        place.retention = retention;
    }
    let (opened, ready) = store::open(&url, &BoardId::default(), rules).await?;
    let follower = Follower::new(&opened);
    Ok(Running {
        store: ready.start(follower.clone())?,
        epoch: opened.epoch,
        follower,
        announcements: opened.announcements,
        revoked: opened.revoked,
    })
}

impl Fixture for Server {
    fn new() -> Server {
        Server::new()
    }

    async fn open(&self, rules: Rules) -> Running {
        open_at(&self.url(), rules).await.unwrap()
    }
}

store_suite!(Server);
