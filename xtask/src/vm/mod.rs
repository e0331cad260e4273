//! `cargo xtask vm`: the static binary on other kernels, under qemu.
//!
//! Each script of `tests/vm` gets a machine of its own, whose first process runs the script's commands; what they
//! print comes back over the serial console and is held against what the script expects. The emulation is qemu's own:
//! nested KVM is not to be had everywhere, and hangs where it half works.

mod cpio;
mod image;
mod kernel;
mod machine;
mod script;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};

use crate::{apt, dist, setup, tally::Tally, workspace};
use script::{Outcome, Script};

/// What builds the machines' programs and runs them.
const PACKAGES: [&str; 6] = ["qemu-system-x86", "dpkg", "gcc", "g++", "libc6-dev", "make"];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Debian's kernels to boot, by the start of their version
    #[arg(default_values = ["6.1", "6.12"])]
    kernels: Vec<String>,

    /// Only the scripts of tests/vm with this in their name
    #[arg(long)]
    script: Option<String>,

    /// Test this static binary instead of one that is built from the source
    #[arg(long)]
    binary: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "the checks are the result")]
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    apt::install("the virtual machines", &PACKAGES)?;
    let profiler = match &options.binary {
        Some(binary) => binary.clone(),
        None => {
            setup::ensure()?;
            dist::build()?
        }
    };
    let kernels = options
        .kernels
        .iter()
        .map(|version| kernel::find(version))
        .collect::<Result<Vec<_>>>()?;
    let directory = workspace().join("tests/vm");
    let mut tally = Tally::default();
    for path in script::files(&directory)? {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if options
            .script
            .as_ref()
            .is_some_and(|wanted| !name.contains(wanted))
        {
            continue;
        }
        let script = Script::read(&path)?;
        let image = image::build(&script, &profiler)?;
        for kernel in &kernels {
            let run = machine::boot(kernel, &image, script.cpus)
                .with_context(|| format!("cannot boot {}", kernel.display()))?;
            println!("{name} on {} ({:.0} s)", kernel::version(kernel), run.seconds);
            for (step, outcome) in script.judge(&run.console) {
                match outcome {
                    Outcome::Passed => tally.passed += 1,
                    Outcome::Failed(reason) => {
                        println!("  FAILED line {}: {}: {reason}", step.line, step.command);
                        tally.failed += 1;
                    }
                }
            }
        }
    }
    Ok(tally.close())
}
