//! The programs of `tests/workloads`, built when a test asks for them: by its Makefile, and those that have crates in them
//! by cargo.

use std::{
    fs,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use crate::{Missing, find_program};

/// Make is not to run twice at once in one directory.
static TURN: Mutex<()> = Mutex::new(());

/// Builds the workload `name`; see [`crate::Lab::workload`].
pub(crate) fn build(name: &str) -> Result<PathBuf, Missing> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    fs::create_dir_all(&target).expect("cargo made the target directory");
    let target = target.canonicalize().expect("the target directory is there");
    if package(name).join("Cargo.toml").is_file() {
        by_cargo(name, &target)
    } else {
        by_make(name, &target)
    }
}

/// Where a workload is that has crates in it.
fn package(name: &str) -> PathBuf {
    let name = name.strip_suffix("_stripped").unwrap_or(name);
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads").join(name)
}

fn by_make(name: &str, target: &Path) -> Result<PathBuf, Missing> {
    find_program("make")?;
    find_program("cc")?;
    if name.starts_with("cpp") {
        find_program("c++")?;
    }
    if name.starts_with("rust") {
        find_program("rustc")?;
    }
    for (end, program) in [("_lld", "ld.lld"), ("_musl", "musl-gcc"), ("_go", "go")] {
        if name.ends_with(end) {
            find_program(program)?;
        }
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    let program = target.join("workloads").join(name);
    let mut make = Command::new("make");
    make.arg("--silent")
        .arg("-C")
        .arg(&sources)
        .arg(format!("OUT={}", target.join("workloads").display()))
        .arg(&program)
        .env_remove("MAKEFLAGS")
        .env_remove("RUSTFLAGS");
    run(name, &mut make, target);
    built(name, program)
}

/// Optimised, as programs in production are; `NAME_stripped` is without debug information.
fn by_cargo(name: &str, target: &Path) -> Result<PathBuf, Missing> {
    find_program("cargo")?;
    let package = name.strip_suffix("_stripped").unwrap_or(name);
    let directory = target.join("workloads/cargo");
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--release", "--locked", "--package", package])
        .arg("--target-dir")
        .arg(&directory)
        .env_remove("RUSTFLAGS");
    run(name, &mut cargo, target);
    let program = directory.join("release").join(package);
    if package == name {
        return built(name, program);
    }
    find_program("strip")?;
    let stripped = directory.join("release").join(name);
    let mut strip = Command::new("strip");
    strip.arg("--strip-debug").arg("-o").arg(&stripped).arg(&program);
    run(name, &mut strip, target);
    built(name, stripped)
}

/// Runs a part of the build of `name`. As root by way of sudo, nothing is left behind that the owner of the sources
/// cannot remove.
fn run(name: &str, command: &mut Command, target: &Path) {
    let owner = fs::metadata(target).expect("the target directory is there");
    // SAFETY: no arguments, no memory.
    if unsafe { libc::geteuid() } == 0 && owner.uid() != 0 {
        command.uid(owner.uid()).gid(owner.gid());
    }
    let output = command.output().expect("it is installed");
    assert!(
        output.status.success(),
        "cannot build the workload {name}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn built(name: &str, program: PathBuf) -> Result<PathBuf, Missing> {
    assert!(
        program.is_file(),
        "the build of {name} left no {}",
        program.display()
    );
    Ok(program)
}
