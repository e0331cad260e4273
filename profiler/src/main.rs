//! Parse, run, print the error chain; the only exit.

use std::process::ExitCode;

use clap::Parser as _;
use profiler::{cli::Cli, commands};

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one place where errors are shown")]
            {
                eprintln!("profiler: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
