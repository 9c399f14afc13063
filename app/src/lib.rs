//! The Podium page: rendered by the server, brought to life in the browser.
//!
//! Data goes one way: the socket hands events to the state, the state sets
//! signals, components show signals. No component knows a socket.

// The page is one type, of which every element is a layer.
#![recursion_limit = "256"]

#[cfg(all(feature = "ssr", feature = "hydrate"))]
compile_error!("`ssr` is for the server and `hydrate` for the browser: build with one of them");

mod backoff;
mod banners;
pub mod base_path;
mod clock;
mod components;
mod delta;
#[cfg(feature = "hydrate")]
mod entry;
pub mod files;
mod format;
mod index;
mod liveness;
#[cfg(feature = "hydrate")]
mod motion;
pub mod pictures;
#[cfg(feature = "hydrate")]
mod reading;
mod resync;
#[cfg(feature = "ssr")]
pub mod server;
mod session;
#[cfg(feature = "ssr")]
pub mod sharing;
#[cfg(feature = "hydrate")]
mod sight;
#[cfg(feature = "hydrate")]
mod socket;
mod state;
pub mod texts;
mod version;
pub mod wire;
