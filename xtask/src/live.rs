//! `cargo xtask live`: the tests that load BPF programs. Everything is built as you; only the tests run as root.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt,
    process::{as_root, cargo, output, run as run_command},
    say, setup,
    tally::Tally,
    workspace,
};

/// The part of the tests' names that marks the quick ones.
pub(crate) const SHORT: &str = "short::";

/// What the programs of `tests/workloads` are built with.
const COMPILERS: [&str; 4] = ["gcc", "g++", "libc6-dev", "make"];

/// Real servers and their load, the referee, the linker whose binaries once broke a peer, and compilers whose programs do
/// not say how to unwind them.
const SERVERS: [&str; 11] = [
    "redis-server",
    "redis-tools",
    "nginx",
    "postgresql",
    "wrk",
    "python3",
    "linux-perf",
    "lld",
    "musl-tools",
    "golang-go",
    "procps",
];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Also the tests that take minutes
    #[arg(long, conflicts_with = "filter")]
    all: bool,

    /// Test an unoptimised build: sooner built, but what it costs says nothing
    #[arg(long)]
    debug: bool,

    /// Only the tests with this in their name
    filter: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    setup::ensure()?;
    let live = Live::build(if options.debug {
        Build::Debug
    } else {
        Build::Release
    })?;
    live.prepare(options.all || options.filter.is_some())?;
    let filter = match &options.filter {
        Some(filter) => Some(filter.as_str()),
        None if options.all => None,
        None => Some(SHORT),
    };
    Ok(live.run(filter)?.close())
}

/// The live tests and the profiler that they test, built.
pub(crate) struct Live {
    tests: PathBuf,
    profiler: PathBuf,
}

/// How the profiler that is tested is built. The tests themselves wait more than they work.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Build {
    Debug,
    Release,
}

impl Live {
    pub(crate) fn build(how: Build) -> Result<Self> {
        let mut profiler = vec!["build", "--package", "profiler", "--bin", "profiler"];
        if how == Build::Release {
            profiler.push("--release");
        }
        Ok(Self {
            profiler: build(&profiler)?,
            tests: build(&[
                "test",
                "--no-run",
                "--package",
                "tests",
                "--features",
                "live",
                "--test",
                "live",
            ])?,
        })
    }

    /// Installs and mounts what the tests need, or says what is missing: a test that misses it says so as well.
    pub(crate) fn prepare(&self, with_servers: bool) -> Result<()> {
        let mut packages = COMPILERS.to_vec();
        if with_servers {
            packages.extend(SERVERS);
        }
        if let Err(error) = apt::install("the live tests", &packages) {
            say(&format!("going on without: {error:#}"));
        }
        mount_tracefs()
    }

    /// How many tests have `filter` in their name.
    pub(crate) fn count(&self, filter: Option<&str>) -> Result<u64> {
        let list = output(Command::new(&self.tests).args(filter).arg("--list"))?;
        let count = list.lines().filter(|line| line.ends_with(": test")).count();
        u64::try_from(count).context("too many tests")
    }

    /// Runs, as root, the tests with `filter` in their name.
    pub(crate) fn run(&self, filter: Option<&str>) -> Result<Tally> {
        let mut command = as_root("env");
        command
            .current_dir(workspace().join("tests"))
            .arg(variable("PROFILER_BIN", &self.profiler));
        // The workloads are built with the developer's own compilers, which root may not find.
        for name in [
            "PATH",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "HOME",
            "RUST_BACKTRACE",
            "CI",
        ] {
            if let Ok(value) = env::var(name) {
                command.arg(format!("{name}={value}"));
            }
        }
        Tally::of(command.arg(&self.tests).args(filter).arg("--test-threads=1"))
    }
}

/// Runs a cargo command that builds one executable, and gives its path.
fn build(arguments: &[&str]) -> Result<PathBuf> {
    run_command(cargo().args(arguments))?;
    // The same again, for its machine-readable side: nothing is left to build.
    let messages = output(
        cargo()
            .args(arguments)
            .args(["--quiet", "--message-format", "json"]),
    )?;
    executable(&messages).with_context(|| format!("cargo {} built no executable", arguments.join(" ")))
}

/// The last executable in cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    let (_, after) = messages.rsplit_once("\"executable\":\"")?;
    let (path, _) = after.split_once('"')?;
    Some(PathBuf::from(path))
}

fn variable(name: &str, value: &Path) -> std::ffi::OsString {
    let mut variable = std::ffi::OsString::from(name);
    variable.push("=");
    variable.push(value);
    variable
}

fn mount_tracefs() -> Result<()> {
    const TRACEFS: &str = "/sys/kernel/tracing";
    let is_mounted = || {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
        mounts
            .lines()
            .any(|line| line.split(' ').nth(2) == Some("tracefs"))
    };
    if is_mounted() {
        return Ok(());
    }
    say(&format!("mounting tracefs on {TRACEFS}"));
    run_command(as_root("mount").args(["-t", "tracefs", "tracefs", TRACEFS]))?;
    if !is_mounted() {
        bail!("tracefs is not in /proc/mounts although mount succeeded");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_among_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"executable\":\"/t/debug/deps/live-1\",\"fresh\":true}\n\
            {\"reason\":\"build-finished\",\"success\":true}";
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/deps/live-1")));
        assert_eq!(executable("{\"executable\":null}"), None);
    }
}
