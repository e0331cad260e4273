//! bpf-linker, in the version that fits the compiler's LLVM.
//!
//! It is kept in the user's cache directory: `cargo clean` does not lose it, and every clone shares it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use anyhow::{Context as _, Result};

use crate::{process::run, say};

/// The last version that can use the LLVM of the compiler it runs under. (0.10.0 writes BTF that the kernel refuses.)
const WITH_RUSTC_LLVM: &str = "0.10.4";

/// Linked to Debian's LLVM.
const WITH_DEBIAN_LLVM: &str = "0.13.0";

const DEBIAN_LLVM: &str = "/usr/lib/llvm-22";

pub(super) fn with_rustc_llvm(cargo: &Path, libraries: &Path) -> Result<PathBuf> {
    let home = cache_directory()?.join(format!("bpf-linker-{WITH_RUSTC_LLVM}-rustc"));
    install(cargo, WITH_RUSTC_LLVM, &home, |command| {
        command.env("LD_LIBRARY_PATH", libraries);
    })
}

pub(super) fn with_debian_llvm(cargo: &Path) -> Result<PathBuf> {
    let home = cache_directory()?.join(format!("bpf-linker-{WITH_DEBIAN_LLVM}-debian"));
    install(cargo, WITH_DEBIAN_LLVM, &home, |command| {
        command
            .args(["--no-default-features", "--features", "llvm-22"])
            // The first is read by bpf-linker, the second by llvm-sys.
            .env("LLVM_PREFIX", DEBIAN_LLVM)
            .env("LLVM_SYS_221_PREFIX", DEBIAN_LLVM);
    })
}

fn install(cargo: &Path, version: &str, home: &Path, adjust: impl FnOnce(&mut Command)) -> Result<PathBuf> {
    let linker = home.join("bin/bpf-linker");
    if linker.exists() {
        return Ok(linker);
    }
    say(&format!(
        "building bpf-linker {version} into {} (1 to 3 minutes)",
        home.display()
    ));
    // Built beside its place and moved there whole, so that a second setup never meets half of it.
    let workshop = home.with_file_name(format!("tmp-{}", process::id()));
    let mut command = Command::new(cargo);
    command
        .args([
            "install",
            "bpf-linker",
            "--version",
            version,
            "--locked",
            "--quiet",
            "--root",
        ])
        .arg(&workshop)
        .arg("--target-dir")
        .arg(workshop.join("target"))
        .env_remove("RUSTFLAGS");
    adjust(&mut command);
    let built = run(&mut command)
        .context("cannot build bpf-linker")
        .and_then(|()| {
            fs::create_dir_all(home.join("bin"))
                .with_context(|| format!("cannot create {}", home.display()))?;
            fs::rename(workshop.join("bin/bpf-linker"), &linker)
                .with_context(|| format!("cannot move bpf-linker to {}", linker.display()))
        });
    if workshop.exists() {
        fs::remove_dir_all(&workshop).with_context(|| format!("cannot remove {}", workshop.display()))?;
    }
    built.map(|()| linker)
}

fn cache_directory() -> Result<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
    {
        Some(cache) => cache,
        None => PathBuf::from(env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(cache.join("profiler-build"))
}
