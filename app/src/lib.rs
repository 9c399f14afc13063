//! The Podium page: rendered by the server, hydrated in the browser.
//!
//! Data goes one way: the client hands events of the socket to the state, the state sets
//! signals, components show signals. No component knows the client.

// The page is one type, of which every element is a layer.
#![recursion_limit = "256"]

#[cfg(all(feature = "ssr", feature = "hydrate"))]
compile_error!("`ssr` is for the server and `hydrate` for the browser: build with one of them");

mod banners;
pub mod base_path;
#[cfg(feature = "hydrate")]
mod client;
mod clock;
mod components;
mod connection;
mod dates;
#[cfg(feature = "hydrate")]
mod decode;
mod delta;
#[cfg(feature = "hydrate")]
mod entry;
pub mod files;
mod focus;
mod format;
mod index;
#[cfg(feature = "hydrate")]
mod js;
#[cfg(feature = "hydrate")]
mod kiosk;
#[cfg(feature = "hydrate")]
mod motion;
pub mod pictures;
#[cfg(feature = "hydrate")]
mod race_chart;
#[cfg(feature = "ssr")]
pub mod server;
#[cfg(feature = "ssr")]
pub mod sharing;
mod state;
pub mod texts;
mod timers;
mod version;
#[cfg(feature = "hydrate")]
mod viewport;
pub mod wire;
