//! Writes revocations again that the store has lost: Redis may lose its last second, or be
//! restored from an older copy, and no token may become valid again by that.

use std::time::Duration;

use tokio::time::sleep;

use crate::{live::Live, store::Health};

/// Before another attempt.
const PAUSE: Duration = Duration::from_secs(1);

/// Goes on until the store is closed.
pub(super) async fn follow(live: Live) {
    let mut health = live.health();
    let closed = async {
        _ = health.wait_for(|health| *health == Health::Closed).await;
    };
    let write = async {
        loop {
            // Why it cannot be written, the store says.
            if live.revoke_again().await.is_err() {
                sleep(PAUSE).await;
            }
        }
    };
    tokio::select! {
        () = closed => {}
        () = write => {}
    }
}
