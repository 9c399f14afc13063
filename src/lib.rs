//! Podium, a live scoreboard that people run themselves.
//!
//! docs/ARCHITECTURE.md has the picture, and the rules of who may call whom.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod actions;
pub mod api;
pub mod auth;
pub mod blocking;
pub mod board;
pub mod board_settings;
pub mod calendar;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod etag;
pub mod formula;
pub mod hub;
pub mod limits;
pub mod listener;
pub mod live;
pub mod log_throttle;
pub mod metrics;
mod origin;
pub mod page;
pub mod people;
pub mod role;
pub mod serve;
pub mod store;
pub mod text;
pub mod vital;
pub mod whole;
pub mod wire;
