//! One function per subcommand.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{Cli, Command};

mod doctor;
mod export;
mod filter;
mod logging;
mod output;
mod record;
mod report;
mod start;
mod target;
mod top;
mod view;

/// Runs what the command line asked for. The exit code is the program's.
///
/// # Errors
/// Whatever went wrong, with the thing, the cause and the next step.
pub fn run(cli: Cli) -> Result<ExitCode> {
    logging::start(cli.verbose);
    match cli.command {
        Command::Doctor(options) => doctor::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Record(options) => record::run(options, cli.verbose),
        Command::Report(options) => report::run(&options),
        Command::Top(options) => top::run(options, cli.verbose),
    }
}
