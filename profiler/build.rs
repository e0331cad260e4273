//! Builds the BPF object and tells the compiler where it is, as `PROFILER_EBPF_OBJECT`.

#[path = "../xtask/src/ebpf.rs"]
mod ebpf;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use ebpf::{TARGET, TOOLCHAIN_FILE, Toolchain};

/// What the object is made of, in the workspace.
const SOURCES: [&str; 6] = [
    "Cargo.toml",
    "profiler-common/Cargo.toml",
    "profiler-common/src",
    "profiler-ebpf/Cargo.toml",
    "profiler-ebpf/src",
    "xtask/src/ebpf.rs",
];

fn main() -> ExitCode {
    match build() {
        Ok(Built::Object(object)) => {
            println!("cargo::rustc-env=PROFILER_EBPF_OBJECT={}", object.display());
            ExitCode::SUCCESS
        }
        Ok(Built::NoToolchain) => {
            println!("cargo::error=the BPF toolchain is not set up here: run `cargo xtask setup` once");
            ExitCode::SUCCESS
        }
        // Cargo shows what the compiler said only for a build script that fails.
        Ok(Built::CompilerFailed) => ExitCode::FAILURE,
        Err(error) => {
            println!("cargo::error=cannot build the BPF object: {error}");
            ExitCode::SUCCESS
        }
    }
}

enum Built {
    Object(PathBuf),
    NoToolchain,
    CompilerFailed,
}

fn build() -> io::Result<Built> {
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let workspace = package
        .parent()
        .ok_or_else(|| io::Error::other("the package has no parent directory"))?;
    for path in SOURCES.iter().chain([&TOOLCHAIN_FILE]) {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }

    let Some(toolchain) = Toolchain::read(workspace)? else {
        return Ok(Built::NoToolchain);
    };
    for tool in [&toolchain.cargo, &toolchain.rustc, &toolchain.linker] {
        if !tool.exists() {
            return Ok(Built::NoToolchain);
        }
    }
    let target_directory = target_directory(&out).join("ebpf");
    let status = toolchain
        .cargo("build", &workspace.join("profiler-ebpf"), &target_directory)
        .status()?;
    if !status.success() {
        return Ok(Built::CompilerFailed);
    }
    // A copy of our own: another build of the workspace may replace the original at any time.
    let object = out.join("profiler.bpf.o");
    fs::copy(target_directory.join(TARGET).join("release/profiler"), &object)?;
    Ok(Built::Object(object))
}

/// The directory that cargo builds the workspace in, so that every profile shares one build of the object.
fn target_directory(out: &Path) -> &Path {
    out.ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").exists())
        .unwrap_or(out)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
