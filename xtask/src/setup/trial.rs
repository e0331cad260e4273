//! Proof that a toolchain works: it builds an object of two lines.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::{
    ebpf::{TARGET, Toolchain},
    process::output,
    workspace,
};

/// The profile is that of the workspace, so that the real build finds `core` built.
const MANIFEST: &str = "\
[package]
name = \"trial\"
edition = \"2024\"

[profile.release]
debug = \"line-tables-only\"
lto = \"thin\"

[workspace]
";

const PROGRAM: &str = "\
#![no_std]
#![no_main]

#[unsafe(no_mangle)]
#[unsafe(link_section = \"socket\")]
pub extern \"C\" fn trial(context: *const u32) -> u64 {
    context as u64
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
";

/// `e_machine` of an ELF file for BPF.
const EM_BPF: u16 = 247;

pub(super) fn build(toolchain: &Toolchain) -> Result<()> {
    let target_directory = workspace().join("target/ebpf");
    let package = target_directory.join("trial");
    fs::create_dir_all(package.join("src"))
        .and_then(|()| fs::write(package.join("Cargo.toml"), MANIFEST))
        .and_then(|()| fs::write(package.join("src/main.rs"), PROGRAM))
        .with_context(|| format!("cannot write {}", package.display()))?;
    let mut command = toolchain.cargo("build", &package, &target_directory);
    output(command.arg("--quiet")).context("a trial object cannot be built")?;

    let path = target_directory.join(TARGET).join("release/trial");
    let object = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if object.get(18..20) != Some(&EM_BPF.to_le_bytes()) {
        bail!("{} is not an ELF file for BPF", path.display());
    }
    if !object.windows(5).any(|name| name == b".BTF\0") {
        bail!("{} has no BTF", path.display());
    }
    Ok(())
}
