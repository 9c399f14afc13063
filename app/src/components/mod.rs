//! What the page is made of. Components show signals, and know no socket.

mod app;
mod avatar;
mod board;
mod controls;
mod header;
mod mark;
mod notice;
mod you;

pub(crate) use app::App;
#[cfg(feature = "ssr")]
pub(crate) use {avatar::Avatar, mark::Mark};
