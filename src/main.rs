//! The `podium` command: parses, calls, exits.

use std::process::ExitCode;

use clap::Parser;
use podium::cli::{self, Cli};

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podium: {error}");
            ExitCode::FAILURE
        }
    }
}
