//! One test's place: the machine to itself, a directory of its own, and everything in it ends with the test.

use std::{
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::TempDir;

use crate::{Missing, Record, workload};

/// Live tests measure shares of CPU time and cost: one at a time.
static TURN: Mutex<()> = Mutex::new(());

/// One test's place. Open it on the test's first line and keep it to the end.
#[derive(Debug)]
pub struct Lab {
    directory: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Lab {
    /// Waits for the machine to be free, and makes a directory.
    ///
    /// # Panics
    /// If this is not root: live tests load BPF programs.
    #[expect(clippy::new_without_default, reason = "it waits and takes a lock")]
    pub fn new() -> Self {
        // A test that failed has poisoned the lock, and that says nothing about this one.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: no arguments, no memory.
        let user = unsafe { libc::geteuid() };
        assert_eq!(user, 0, "live tests load BPF programs: run `cargo xtask live`");
        let directory = tempfile::Builder::new()
            .prefix("profiler-live-")
            .tempdir()
            .expect("a temporary directory");
        // Servers and unprivileged readers must get in.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("the directory is ours");
        Self {
            directory,
            _turn: turn,
        }
    }

    /// The test's directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A path in the test's directory.
    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.directory.path().join(name.as_ref())
    }

    /// A program of `tests/workloads`, built if it is not there or older than its source.
    ///
    /// # Errors
    /// If this machine lacks a compiler or linker it needs.
    ///
    /// # Panics
    /// If it does not compile.
    pub fn workload(&self, name: &str) -> Result<PathBuf, Missing> {
        workload::build(name)
    }

    /// A recording to be made, into the test's directory.
    pub fn record(&self) -> Record {
        Record::new(self.path("recording.trace"))
    }
}

/// A program on `PATH` or where Debian keeps what only root or its server runs.
///
/// # Errors
/// If it is not installed.
pub fn find_program(name: &str) -> Result<PathBuf, Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let postgres = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|version| version.path().join("bin"));
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from))
        .chain(postgres)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| Missing(format!("{name} is not installed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_installed_is_named() {
        assert_eq!(
            find_program("no-such-program"),
            Err(Missing("no-such-program is not installed".into()))
        );
        assert!(find_program("sh").is_ok());
    }
}
