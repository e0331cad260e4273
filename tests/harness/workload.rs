//! The programs of `tests/workloads`, built by its Makefile when a test asks for them.

use std::{
    fs,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use crate::{Missing, find_program};

/// Make is not to run twice at once in one directory.
static MAKE: Mutex<()> = Mutex::new(());

/// Builds the workload `name`; see [`crate::Lab::workload`].
pub(crate) fn build(name: &str) -> Result<PathBuf, Missing> {
    let _turn = MAKE.lock().unwrap_or_else(PoisonError::into_inner);
    find_program("make")?;
    find_program("cc")?;
    if name.starts_with("cpp") {
        find_program("c++")?;
    }
    if name.starts_with("rust") {
        find_program("rustc")?;
    }
    if name.ends_with("_lld") {
        find_program("ld.lld")?;
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    fs::create_dir_all(&target).expect("cargo made the target directory");
    let target = target.canonicalize().expect("the target directory is there");
    let program = target.join("workloads").join(name);
    let mut make = Command::new("make");
    make.arg("--silent")
        .arg("-C")
        .arg(&sources)
        .arg(format!("OUT={}", target.join("workloads").display()))
        .arg(&program)
        .env_remove("MAKEFLAGS")
        .env_remove("RUSTFLAGS");
    // As root by way of sudo, nothing is left behind that the owner of the sources cannot remove.
    let owner = fs::metadata(&target).expect("the target directory is there");
    // SAFETY: no arguments, no memory.
    if unsafe { libc::geteuid() } == 0 && owner.uid() != 0 {
        make.uid(owner.uid()).gid(owner.gid());
    }
    let output = make.output().expect("make runs");
    assert!(
        output.status.success() && program.is_file(),
        "cannot build the workload {name}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(program)
}
