//! The rustup route: any of its toolchains that has, or can be given, the component `rust-src`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{check_version, linker, rust_source, version};
use crate::{
    ebpf::Toolchain,
    process::{output, run},
    say,
};

/// Installed beside toolchains that are too old, or too new for our linkers.
const KNOWN_GOOD: &str = "1.95.0";

/// Seconds after which a download that does not come is given up.
const DOWNLOAD_LIMIT: &str = "180";

pub(super) fn prepare() -> Result<Toolchain> {
    let sysroot = usable_sysroot()?;
    let cargo = sysroot.join("bin/cargo");
    let linker = linker::with_rustc_llvm(&cargo, &sysroot.join("lib"))?;
    toolchain(&sysroot, linker)
}

fn toolchain(sysroot: &Path, linker: PathBuf) -> Result<Toolchain> {
    let rustc = sysroot.join("bin/rustc");
    Ok(Toolchain {
        route: "rustup".into(),
        cargo: sysroot.join("bin/cargo"),
        version: version(&rustc)?,
        rustc,
        libraries: sysroot.join("lib"),
        linker,
    })
}

/// The first toolchain that is new enough and has the source; if none has it, the first that can be given it.
fn usable_sysroot() -> Result<PathBuf> {
    let list = output(Command::new("rustup").args(["toolchain", "list"])).context("rustup is not here")?;
    let mut fitting = Vec::new();
    let mut reasons = Vec::new();
    for name in in_order(&list) {
        match sysroot(name).and_then(|sysroot| check_version(&sysroot.join("bin/rustc")).map(|()| sysroot)) {
            Ok(sysroot) if rust_source(&sysroot.join("lib")).exists() => return Ok(sysroot),
            Ok(sysroot) => fitting.push((name, sysroot)),
            Err(error) => reasons.push(format!("{error:#}")),
        }
    }
    if fitting.is_empty() {
        say(&format!(
            "installing the rustup toolchain {KNOWN_GOOD} for the BPF object"
        ));
        let mut rustup = Command::new("timeout");
        rustup.args([
            DOWNLOAD_LIMIT,
            "rustup",
            "toolchain",
            "install",
            KNOWN_GOOD,
            "--profile",
            "minimal",
        ]);
        match run(&mut rustup).and_then(|()| sysroot(KNOWN_GOOD)) {
            Ok(sysroot) => fitting.push((KNOWN_GOOD, sysroot)),
            Err(error) => reasons.push(format!("{error:#}")),
        }
    }
    for (name, sysroot) in fitting {
        say(&format!(
            "adding the component rust-src to the rustup toolchain {name}"
        ));
        let mut rustup = Command::new("timeout");
        rustup.args([
            DOWNLOAD_LIMIT,
            "rustup",
            "component",
            "add",
            "rust-src",
            "--toolchain",
            name,
        ]);
        match run(&mut rustup) {
            Ok(()) if rust_source(&sysroot.join("lib")).exists() => return Ok(sysroot),
            Ok(()) => reasons.push(format!("{name} still has no source of core")),
            Err(error) => reasons.push(format!("{error:#}")),
        }
    }
    bail!("no toolchain with rust-src ({})", reasons.join("; "))
}

/// The names in what `rustup toolchain list` prints, the active one first.
fn in_order(list: &str) -> Vec<&str> {
    let (active, others): (Vec<&str>, Vec<&str>) = list.lines().partition(|line| line.contains("active"));
    active
        .into_iter()
        .chain(others)
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

fn sysroot(toolchain: &str) -> Result<PathBuf> {
    output(Command::new("rustup").args(["run", toolchain, "rustc", "--print", "sysroot"])).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_active_toolchain_is_tried_first() {
        let list =
            "nightly-x86_64-unknown-linux-gnu\nstable-x86_64-unknown-linux-gnu (active, default)\n1.95.0\n";
        let names = [
            "stable-x86_64-unknown-linux-gnu",
            "nightly-x86_64-unknown-linux-gnu",
            "1.95.0",
        ];
        assert_eq!(in_order(list), names);
    }
}
