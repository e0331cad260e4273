//! Developer commands. `cargo xtask --help` lists them; each has a file.

mod apt;
mod bench;
mod dist;
mod ebpf;
mod lint;
mod live;
mod process;
mod run;
mod setup;
mod tally;
mod test;
mod tidy;
mod vm;

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
    /// Run the unit and golden tests, and as root the short live tests
    Test(test::Options),
    /// Run the live tests, which load BPF programs: builds as you, runs as root
    Live(live::Options),
    /// Measure what profiling costs, beside the peers: builds as you, runs as root
    Bench(bench::Options),
    /// Check the format and run clippy, also on the BPF object
    Lint(lint::Options),
    /// Check the rules that only this code base has
    Tidy(tidy::Options),
    /// Build the static binary that runs on any host, and check it
    Dist(dist::Options),
    /// Boot other kernels and run the scripts of tests/vm on them
    Vm(vm::Options),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Setup(options) => setup::run(&options),
        Command::Run(options) => run::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Live(options) => live::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Lint(options) => lint::run(&options),
        Command::Tidy(options) => tidy::run(&options),
        Command::Dist(options) => dist::run(&options),
        Command::Vm(options) => vm::run(&options),
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
