//! `cargo xtask lint`: format and clippy, for the host's code and for the kernel's.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::{
    ebpf::Toolchain,
    process::{cargo, run as run_command},
    say, setup, workspace,
};

#[derive(clap::Args)]
pub(crate) struct Options {}

/// Runs all three to the end, so that one run shows everything.
pub(crate) fn run(_: &Options) -> Result<ExitCode> {
    let toolchain = setup::ensure()?;
    let format = run_command(cargo().args(["fmt", "--all", "--check"])).context("`cargo fmt` mends this");
    let host = run_command(
        cargo()
            .args([
                "clippy",
                "--workspace",
                "--exclude",
                "profiler-ebpf",
                "--all-targets",
                "--features",
                "tests/live",
            ])
            .args(["--", "-D", "warnings"]),
    );
    let object = lint_object(&toolchain);
    let mut code = ExitCode::SUCCESS;
    for error in [format, host, object].into_iter().filter_map(Result::err) {
        say(&format!("{error:#}"));
        code = ExitCode::FAILURE;
    }
    Ok(code)
}

fn lint_object(toolchain: &Toolchain) -> Result<()> {
    if !toolchain.cargo.with_file_name("cargo-clippy").exists() || toolchain.route != "rustup" {
        say("not run: clippy for the BPF object, which the toolchain for it does not have");
        return Ok(());
    }
    let workspace = workspace();
    let mut clippy = toolchain.cargo(
        "clippy",
        &workspace.join("profiler-ebpf"),
        &workspace.join("target/ebpf"),
    );
    // Clippy is found beside the compiler that it is made for.
    let tools = toolchain.cargo.parent().context("cargo lies in a directory")?;
    let path = std::env::var("PATH").unwrap_or_default();
    run_command(
        clippy
            .env("PATH", format!("{}:{path}", tools.display()))
            .args(["--", "-D", "warnings"]),
    )
}
