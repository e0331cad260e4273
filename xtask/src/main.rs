//! Developer commands. `cargo xtask --help` lists them; each has a file.

mod apt;
mod ebpf;
mod process;
mod run;
mod setup;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer commands of profiler")]
enum Command {
    /// Find or install the toolchain that builds the BPF object
    Setup(setup::Options),
    /// Set up, build, and run profiler as root: cargo xtask run -- top
    Run(run::Options),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Setup(options) => setup::run(&options),
        Command::Run(options) => run::run(&options),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Tells the developer what is done; standard output belongs to the results.
#[expect(clippy::print_stderr, reason = "the one place that talks to the developer")]
fn say(text: &str) {
    eprintln!("xtask: {text}");
}

/// The root of the workspace.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
        .to_owned()
}
