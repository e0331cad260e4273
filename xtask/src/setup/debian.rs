//! The Debian route: its compiler, its source of `core` and its LLVM.

use std::{env, path::PathBuf};

use anyhow::{Context as _, Result};

use super::{check_version, linker, version};
use crate::{apt, ebpf::Toolchain};

/// `-web` are the versions that Debian keeps new enough to build browsers.
const PACKAGES: [&str; 6] = [
    "rustc-web",
    "rust-web-src",
    "llvm-22-dev",
    "libzstd-dev",
    "zlib1g-dev",
    "g++",
];

pub(super) fn prepare() -> Result<Toolchain> {
    apt::install("the BPF toolchain", &PACKAGES)?;
    let rustc = PathBuf::from("/usr/bin/rustc");
    check_version(&rustc)?;
    // Debian's compiler works with any cargo: with the one that runs us.
    let cargo = env::var_os("CARGO").context("CARGO is not set: run this as `cargo xtask setup`")?;
    Ok(Toolchain {
        route: "debian".into(),
        linker: linker::with_debian_llvm(cargo.as_ref())?,
        cargo: cargo.into(),
        version: version(&rustc)?,
        rustc,
        libraries: "/usr/lib".into(),
    })
}
