//! What is in a machine: its first process, the script, profiler, and the workloads that the script asks for.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{cpio::Archive, script::Script};
use crate::{process::run, workspace};

/// Builds the first file system and gives its path.
pub(super) fn build(script: &Script, profiler: &Path) -> Result<PathBuf> {
    let directory = workspace().join("target/vm");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let mut archive = Archive::default();
    for name in ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"] {
        archive.directory(name);
    }
    archive.file("init", &read(&first_process(&directory)?)?);
    archive.file("script", script.commands().as_bytes());
    archive.file("bin/profiler", &read(profiler)?);
    for name in &script.programs {
        archive.file(&format!("bin/{name}"), &read(&workload(name)?)?);
    }
    let path = directory.join("initramfs");
    fs::write(&path, archive.finish()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn first_process(directory: &Path) -> Result<PathBuf> {
    let program = directory.join("init");
    run(Command::new("rustc")
        .args([
            "--edition",
            "2024",
            "-O",
            "-C",
            "panic=abort",
            "-C",
            "target-feature=+crt-static",
            "-o",
        ])
        .arg(&program)
        .arg(workspace().join("tests/vm/init.rs")))?;
    Ok(program)
}

fn workload(name: &str) -> Result<PathBuf> {
    let sources = workspace().join("tests/workloads");
    let built = workspace().join("target/workloads");
    let program = built.join(name);
    run(Command::new("make")
        .args(["--silent", "-C"])
        .arg(sources)
        .arg(format!("OUT={}", built.display()))
        .arg(&program)
        .env_remove("MAKEFLAGS"))?;
    Ok(program)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
