//! `cargo xtask run -- ARGS`: profiler from this source tree, as root.

use std::{env, os::unix::process::CommandExt as _, process::ExitCode};

use anyhow::{Context as _, Result};

use crate::{
    process::{as_root, cargo, run as run_command},
    setup, workspace,
};

/// What sudo would drop, and what changes what profiler prints.
const KEPT_VARIABLES: [&str; 5] = ["COLORTERM", "NO_COLOR", "RUST_BACKTRACE", "RUST_LOG", "TERM"];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What profiler is told: a command with its options
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Becomes profiler: its exit status and the terminal's signals are its own.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    setup::ensure()?;
    run_command(
        cargo()
            .args(["build", "--quiet", "--release", "--package", "profiler"])
            .args(["--target-dir", "target"]),
    )?;
    let binary = workspace().join("target/release/profiler");
    let mut command = as_root("env");
    for name in KEPT_VARIABLES {
        if let Ok(value) = env::var(name) {
            command.arg(format!("{name}={value}"));
        }
    }
    let error = command.arg(&binary).args(&options.arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", binary.display()))
}
