//! Podium, a live scoreboard that people run themselves.
//!
//! docs/ARCHITECTURE.md has the picture, and the rules of who may call whom.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod board;
pub mod store;
