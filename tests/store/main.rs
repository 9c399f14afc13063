//! One suite that every store must pass, and what belongs to one of them alone.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod cluster;
mod files;
mod hurt_files;
mod hurt_while_open;
mod kill;
mod migrate;
mod program;
mod redis;
mod redis_boards;
mod redis_evictions;
mod redis_faults;
mod server;
mod sqlite;
mod suite;
mod vital;
mod wal;
