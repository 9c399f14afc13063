//! The server: one process that answers for the page, the API and the hub.
//!
//! [`Server`] puts the parts together and runs them; [`router`] has the routes;
//! [`engine_io`] stands before the library of Socket.IO. Before the store is open,
//! [`starting`] answers.

mod base_path;
mod engine_io;
mod files;
mod origins;
mod outage;
mod presence;
mod revocations;
mod router;
mod server;
mod shutdown;
mod site;
mod slow_body;
mod starting;
#[cfg(test)]
mod store_unreachable;

pub use engine_io::{Library, SignedIn, routes as engine_io};
pub use router::guard;
use router::header;
pub use server::{ServeError, Server};
pub use shutdown::Shutdown;
pub use starting::{WaitError, wait_for_store};
