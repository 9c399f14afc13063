//! The components of the live page. They show signals, and know no socket. A text that
//! changes fills an element, by [`reactive_text`](reactive_text::reactive_text).
//!
//! Buttons listen by `on:click:capture`, which is the same for elements without children that
//! are clicked. It spares the browser leptos's code to delegate events, 2 % of the page's.

mod app;
mod avatar;
mod board;
mod controls;
mod header;
mod mark;
mod notice;
mod reactive_text;
mod you;

pub(crate) use app::App;
#[cfg(feature = "ssr")]
pub(crate) use {avatar::Avatar, mark::Mark};
