//! Publishes again and again how many clients are connected to this node, and counts those
//! of all nodes.

use tokio::time::{MissedTickBehavior, interval};

use crate::{
    live::Live,
    store::{AllNodes, Connected, Health, PRESENCE_EVERY},
};

/// Goes on until the store is closed. While it is unreachable, the last counts stay.
pub(super) async fn follow(live: Live) {
    let metrics = live.metrics().clone();
    let mut every = interval(PRESENCE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let here = Connected {
            sockets: metrics.sockets.get().unsigned_abs(),
            users: metrics.users_online.get().unsigned_abs(),
        };
        if let Ok(AllNodes { nodes, all }) = live.presence(here).await {
            metrics.nodes.set(nodes.cast_signed());
            metrics.all_sockets.set(all.sockets.cast_signed());
            metrics.all_users_online.set(all.users.cast_signed());
        }
        if *live.health().borrow() == Health::Closed {
            return;
        }
    }
}
