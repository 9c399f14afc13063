//! The `podium` command: parses, calls, exits.

use std::process::ExitCode;

use clap::Parser;
use podium::cli::{self, Cli};
use tikv_jemallocator::Jemalloc;

/// Gives memory back to the system a second after those who used it have gone
/// (.cargo/config.toml says so when it is compiled). What glibc was given under attack it
/// keeps, because what is still in use lies between.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podium: {error}");
            error.exit_code()
        }
    }
}
