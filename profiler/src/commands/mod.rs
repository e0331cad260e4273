//! One function per subcommand.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;
use clap::Parser as _;

use crate::cli::{Cli, Command};

mod doctor;
mod export;
mod filter;
mod logging;
mod memory;
mod output;
mod reading;
mod record;
mod report;
mod settings;
mod start;
mod target;
mod top;
mod user;
mod view;

/// Runs what the command line asks for, the name of the program first. The exit code is the program's.
///
/// # Errors
/// Whatever went wrong, with the thing, the cause and the next step.
pub fn run(line: &[OsString]) -> Result<ExitCode> {
    let cli = Cli::parse_from(line);
    logging::start(cli.verbose);
    match cli.command {
        Command::Doctor(options) => doctor::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Record(options) => record::run(options, cli.verbose),
        Command::Report(options) => report::run(&options),
        Command::Top(options) => top::run(options, line, cli.verbose),
    }
}
