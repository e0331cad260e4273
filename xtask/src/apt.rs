//! Debian's packages.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    process::{as_root, output, run},
    say,
};

/// Installs those of `packages` that are missing, after saying so.
pub(crate) fn install(purpose: &str, packages: &[&str]) -> Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "{purpose} needs Debian's packages {list}, and there is no apt-get here: install their like by hand"
        );
    }
    say(&format!("installing Debian's packages for {purpose}: {list}"));
    if missing.iter().any(|package| !is_known(package)) {
        update()?;
    }
    run(apt_get()
        .args(["install", "--yes", "--no-install-recommends"])
        .args(&missing))
    .with_context(|| format!("cannot install {list} for {purpose}"))
}

/// Those of `packages` that are not installed.
pub(crate) fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    packages
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect()
}

/// Asks Debian for its newest list of packages.
pub(crate) fn update() -> Result<()> {
    // A third party's broken repository fails the command, but not what we want from Debian's.
    if let Err(error) = run(apt_get().args(["update", "--quiet"])) {
        say(&format!(
            "going on with the package lists that could be had: {error:#}"
        ));
    }
    Ok(())
}

/// Whether the lists on this machine name a version of `package` that can be installed.
pub(crate) fn is_known(package: &str) -> bool {
    output(Command::new("apt-cache").args(["policy", package]))
        .is_ok_and(|text| text.contains("Candidate: ") && !text.contains("Candidate: (none)"))
}

fn is_installed(package: &str) -> bool {
    output(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

fn apt_get() -> Command {
    let mut command = as_root("env");
    // Another apt may be at work, a machine's own daily one for example.
    command.args([
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=600",
        "-qq",
    ]);
    command
}
