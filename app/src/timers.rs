//! What happens later. On the server nothing does.

use std::time::Duration;

/// Runs a task once this time has passed.
#[cfg(feature = "hydrate")]
pub(crate) fn after(wait: Duration, task: impl FnOnce() + 'static) {
    leptos::prelude::set_timeout(task, wait);
}

/// Runs nothing.
#[cfg(not(feature = "hydrate"))]
pub(crate) fn after(_wait: Duration, _task: impl FnOnce() + 'static) {}
