//! What the page is made of. Components show signals, and know no socket.
//! A text that changes fills an element, as [`words`](words::words).
//!
//! Buttons listen by `on:click:capture`, which is the same for what has no children that
//! are clicked: leptos has it without its code to delegate events, which is 2 % of what
//! the browser is sent.

mod app;
mod avatar;
mod board;
mod controls;
mod header;
mod mark;
mod notice;
mod words;
mod you;

pub(crate) use app::App;
#[cfg(feature = "ssr")]
pub(crate) use {avatar::Avatar, mark::Mark};
