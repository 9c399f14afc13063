//! Work that takes a while, on a thread of its own.

use std::{future::pending, panic::resume_unwind};

use tokio::task::spawn_blocking;

/// What `work` says, which runs beside the runtime's tasks and to its end, even if nobody
/// waits for it. If it panics, so does this.
pub async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends, and whoever waits here with it.
            Err(_) => pending().await,
        },
    }
}
