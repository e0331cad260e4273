//! A machine, from power-on to power-off.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

/// Seconds after which a machine that does not end is switched off.
const LIMIT: &str = "600";

/// What came of a machine.
pub(super) struct Run {
    /// All that the serial console showed.
    pub(super) console: String,
    pub(super) seconds: f64,
}

pub(super) fn boot(kernel: &Path, image: &Path, cpus: u32) -> Result<Run> {
    let start = Instant::now();
    let output = Command::new("timeout")
        .args([LIMIT, "qemu-system-x86_64"])
        .args([
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-m",
            "2048",
            "-smp",
            &cpus.to_string(),
        ])
        .args([
            "-nodefaults",
            "-display",
            "none",
            "-serial",
            "stdio",
            "-no-reboot",
        ])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(image)
        // On a busy host the emulated timer is late, which the kernel would take for a broken one.
        .args([
            "-append",
            "console=ttyS0 panic=-1 loglevel=3 mitigations=off no_timer_check",
        ])
        .stdin(Stdio::null())
        .output()
        .context("cannot start qemu-system-x86_64")?;
    let console = String::from_utf8_lossy(&output.stdout).into_owned();
    if console.is_empty() {
        bail!(
            "no word on the serial console ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(Run {
        console,
        seconds: start.elapsed().as_secs_f64(),
    })
}
