//! `cargo xtask dist`: one static binary with the BPF object inside, to be copied to any host.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    process::{cargo, output, run as run_command},
    say, setup, workspace,
};

#[derive(clap::Args)]
pub(crate) struct Options {}

/// `e_machine` of an ELF file for BPF.
const EM_BPF: [u8; 2] = 247_u16.to_le_bytes();

pub(crate) fn run(_: &Options) -> Result<ExitCode> {
    setup::ensure()?;
    let binary = build()?;
    check(&binary)?;
    let size = fs::metadata(&binary)
        .with_context(|| format!("cannot read {}", binary.display()))?
        .len();
    say(&format!(
        "{}: {:.1} MB, static, checked",
        binary.display(),
        size as f64 / 1e6
    ));
    Ok(ExitCode::SUCCESS)
}

/// Builds the static binary and gives its path.
pub(crate) fn build() -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    run_command(
        cargo()
            .args([
                "build",
                "--release",
                "--package",
                "profiler",
                "--target",
                &target,
                "--target-dir",
                "target",
            ])
            // By --config and for the target alone: build scripts and macros stay dynamic.
            .arg("--config")
            .arg(format!(
                "target.{target}.rustflags=[\"-Ctarget-feature=+crt-static\"]"
            ))
            // Function names stay, so that it can be profiled itself; lines are not worth their size.
            .args(["--config", "profile.release.strip=\"debuginfo\""])
            .env_remove("RUSTFLAGS"),
    )?;
    let built = workspace().join("target").join(&target).join("release/profiler");
    let dist = workspace().join("target/dist");
    fs::create_dir_all(&dist).with_context(|| format!("cannot create {}", dist.display()))?;
    let binary = dist.join("profiler");
    fs::copy(&built, &binary)
        .with_context(|| format!("cannot copy {} to {}", built.display(), binary.display()))?;
    Ok(binary)
}

/// Fails unless the binary needs nothing but a kernel.
fn check(binary: &Path) -> Result<()> {
    let headers = output(
        Command::new("readelf")
            .args(["--wide", "--program-headers", "--dynamic"])
            .arg(binary),
    )?;
    if let Some(line) = headers
        .lines()
        .find(|line| line.contains("INTERP") || line.contains("(NEEDED)"))
    {
        bail!("{} is not static: {}", binary.display(), line.trim());
    }
    let bytes = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let is_object = |file: &[u8]| file.starts_with(b"\x7fELF") && file.get(18..20) == Some(&EM_BPF);
    if !bytes.windows(20).any(is_object) {
        bail!("{} has no BPF object inside", binary.display());
    }
    for arguments in [&["--version"][..], &["doctor"]] {
        runs_alone(binary, arguments)?;
    }
    Ok(())
}

/// Runs the binary with an empty environment, away from the workspace. `doctor` may find something: any exit but a
/// panic's or a signal's is an answer.
fn runs_alone(binary: &Path, arguments: &[&str]) -> Result<()> {
    const PANIC: i32 = 101;
    let output = Command::new(binary)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let answered = output.status.code().is_some_and(|code| code != PANIC) && !output.stdout.is_empty();
    if !answered {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{} {} with an empty environment: {}: {said}",
            binary.display(),
            arguments.join(" "),
            output.status
        );
    }
    Ok(())
}
