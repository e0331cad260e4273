//! `cargo xtask setup`: a compiler with the source of `core`, and a linker for BPF.
//!
//! Two routes are known to work, and each covers machines that the other cannot: rustup's toolchain with `rust-src`,
//! and Debian's packages. A route is trusted only after it has built an object.

mod debian;
mod linker;
mod rustup;
mod trial;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::{
    ebpf::{TOOLCHAIN_FILE, Toolchain},
    process::output,
    say, workspace,
};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Take this route, and set up again if the other one was taken before
    #[arg(long)]
    route: Option<Route>,
}

#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Route {
    /// A rustup toolchain with rust-src; bpf-linker uses its LLVM
    Rustup,
    /// Debian's rustc-web, rust-web-src and llvm-22-dev
    Debian,
}

impl Route {
    fn name(self) -> &'static str {
        match self {
            Self::Rustup => "rustup",
            Self::Debian => "debian",
        }
    }

    fn prepare(self) -> Result<Toolchain> {
        match self {
            Self::Rustup => rustup::prepare(),
            Self::Debian => debian::prepare(),
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let toolchain = find(options.route)?;
    say(&format!(
        "the BPF toolchain is ready ({}, {})",
        toolchain.route, toolchain.version
    ));
    Ok(ExitCode::SUCCESS)
}

/// What every command that builds profiler calls first; silent when there is nothing to do.
pub(crate) fn ensure() -> Result<Toolchain> {
    find(None)
}

fn find(wanted: Option<Route>) -> Result<Toolchain> {
    let workspace = workspace();
    let before = Toolchain::read(&workspace).with_context(|| format!("cannot read {TOOLCHAIN_FILE}"))?;
    if let Some(toolchain) = before
        && wanted.is_none_or(|route| route.name() == toolchain.route)
        && still_there(&toolchain)
    {
        return Ok(toolchain);
    }

    let start = Instant::now();
    let mut failures = Vec::new();
    for route in [Route::Rustup, Route::Debian] {
        if wanted.is_some_and(|wanted| wanted != route) {
            continue;
        }
        match try_route(route, &workspace) {
            Ok(toolchain) => {
                let seconds = start.elapsed().as_secs_f64();
                say(&format!("set up by the {} route in {seconds:.0} s", route.name()));
                return Ok(toolchain);
            }
            Err(error) => {
                say(&format!(
                    "the {} route does not work here: {error:#}",
                    route.name()
                ));
                failures.push(format!("{}: {error:#}", route.name()));
            }
        }
    }
    bail!("no toolchain for the BPF object\n  {}", failures.join("\n  "))
}

fn try_route(route: Route, workspace: &Path) -> Result<Toolchain> {
    let toolchain = route.prepare()?;
    trial::build(&toolchain)?;
    let path = workspace.join(TOOLCHAIN_FILE);
    fs::write(&path, render(&toolchain)).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(toolchain)
}

/// Whether the tools are those that were tried.
fn still_there(toolchain: &Toolchain) -> bool {
    toolchain.linker.exists()
        && toolchain.cargo.exists()
        && rust_source(&toolchain.libraries).exists()
        && version(&toolchain.rustc).is_ok_and(|version| version == toolchain.version)
}

fn render(toolchain: &Toolchain) -> String {
    let Toolchain {
        route,
        cargo,
        rustc,
        version,
        libraries,
        linker,
    } = toolchain;
    format!(
        "# Written by `cargo xtask setup` for profiler/build.rs.\n\
         route = {route}\ncargo = {}\nrustc = {}\nversion = {version}\nlibraries = {}\nlinker = {}\n",
        cargo.display(),
        rustc.display(),
        libraries.display(),
        linker.display(),
    )
}

/// Where a toolchain whose libraries are in `libraries` keeps the source of `core`, if it has it.
fn rust_source(libraries: &Path) -> PathBuf {
    libraries.join("rustlib/src/rust/library/core/src/lib.rs")
}

fn version(rustc: &Path) -> Result<String> {
    output(Command::new(rustc).arg("--version"))
}

/// Fails for a compiler that is older than the workspace allows or has another LLVM than our linkers have.
fn check_version(rustc: &Path) -> Result<()> {
    let text = output(Command::new(rustc).arg("--version").arg("--verbose"))?;
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap_or_default()
    };
    let (release, llvm) = (value("release: "), value("LLVM version: "));
    let minor = release
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse::<u32>().ok())
        .unwrap_or(0);
    if minor < OLDEST_MINOR {
        bail!(
            "{} is Rust {release}; 1.{OLDEST_MINOR} is the oldest that works",
            rustc.display()
        );
    }
    if !llvm.starts_with(LLVM) {
        bail!(
            "{} has LLVM {llvm}; bpf-linker is built for {LLVM}",
            rustc.display()
        );
    }
    Ok(())
}

/// The 95 of `rust-version = "1.95"`.
const OLDEST_MINOR: u32 = 95;

/// The LLVM of Rust 1.95 to 1.97.
const LLVM: &str = "22.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_setup_writes_the_build_script_reads() {
        let toolchain = Toolchain {
            route: "rustup".into(),
            cargo: "/opt/with space/cargo".into(),
            rustc: "/opt/rustc".into(),
            version: "rustc 1.95.0 (59807616e 2026-04-14)".into(),
            libraries: "/opt/lib".into(),
            linker: "/opt/bpf-linker".into(),
        };
        let directory = std::env::temp_dir().join(format!("xtask-toolchain-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        assert_eq!(Toolchain::read(&directory).unwrap(), None);
        fs::write(directory.join(TOOLCHAIN_FILE), render(&toolchain)).unwrap();
        assert_eq!(Toolchain::read(&directory).unwrap(), Some(toolchain));
        fs::remove_dir_all(&directory).unwrap();
    }
}
