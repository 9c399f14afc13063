//! Redis's clock: asked, and as a node knows it between two answers.

use std::time::Instant;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;

use super::fault::Fault;
use crate::board::Timestamp;

/// What Redis's clock showed last, and when that was received.
pub(super) struct RedisClock(Mutex<(Timestamp, Instant)>);

impl RedisClock {
    /// Shows nothing until Redis has answered, which is before a board is found.
    pub(super) fn new() -> RedisClock {
        RedisClock(Mutex::new((Timestamp(0), Instant::now())))
    }

    /// Takes notice of what Redis's clock shows.
    pub(super) fn observe(&self, now: Timestamp) {
        *self.0.lock() = (now, Instant::now());
    }

    /// What it shows now, or did as long ago as an answer takes.
    pub(super) fn now(&self) -> Timestamp {
        let (shown, at) = *self.0.lock();
        Timestamp(shown.0 + at.elapsed().as_millis() as u64)
    }
}

/// What Redis's clock shows now.
pub(super) async fn now(connection: &mut MultiplexedConnection) -> Result<Timestamp, Fault> {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(connection).await?;
    Ok(Timestamp(seconds.saturating_mul(1000) + micros / 1000))
}
