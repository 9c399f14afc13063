//! When the server is about to end: nobody new is let in, and those who are here
//! go one after the other, so that they do not come back all at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

/// A handle; clones are the same departure.
#[derive(Clone)]
pub struct Departure {
    is_closed: Arc<AtomicBool>,
    window: watch::Sender<Option<Duration>>,
}

impl Default for Departure {
    fn default() -> Self {
        Departure {
            is_closed: Arc::default(),
            window: watch::Sender::new(None),
        }
    }
}

impl Departure {
    /// Lets nobody new in from now on.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Is nobody new let in any more?
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Lets everybody go who is here, each at a moment of its own within this time.
    pub fn let_go(&self, within: Duration) {
        self.window.send_replace(Some(within));
    }

    /// Waits for the moment at which somebody is to go.
    pub(super) fn moment(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut window = self.window.subscribe();
        async move {
            let window = window.wait_for(Option::is_some).await;
            match window.map(|window| window.unwrap_or_default()) {
                Ok(window) => sleep(window.mul_f64(rand::random())).await,
                // Nobody will say so any more.
                Err(_) => std::future::pending().await,
            }
        }
    }
}
