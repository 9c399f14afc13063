//! What the page is made of. Components show signals and nothing else.

mod app;
mod avatar;
mod board;
mod header;
mod notice;
mod you;

pub(crate) use app::App;
