//! What this kernel and these privileges allow.
//!
//! [`Facts::gather`] looks: it reads `/proc` and `/sys` and tries out small system calls, leaving nothing behind.
//! [`checks()`] judges: a pure function from facts to lines that say what was found, what it means and what mends it.
//! `doctor` shows every line; `record` and `top` ask the same probes when they have to choose or to refuse.

pub mod bpf;
pub mod check;
pub mod clock;
mod errno;
mod judge;
pub mod privileges;
pub mod settings;

pub use check::{Check, Status};
pub use clock::Ticks;
pub use errno::Errno;
pub use judge::checks;

use std::path::PathBuf;

use bpf::{Attempt, Bpf};
use privileges::Privileges;
use settings::Settings;

use super::perf_event::Clock;

/// Everything that decides what can be recorded on this host. Values that could not be read are `None`.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub machine: String,
    /// The size of the kernel's type information in bytes, or why it cannot be read.
    pub btf: Result<u64, Errno>,
    /// Who we are and what we may.
    pub privileges: Privileges,
    /// What the administrator has set.
    pub settings: Settings,
    /// Which clocks tick.
    pub clocks: Vec<(Clock, Result<Ticks, Errno>)>,
    /// Whether events of every process on a CPU may be opened.
    pub system_wide: Attempt,
    /// What `bpf()` takes.
    pub bpf: Bpf,
    /// Where cgroup v2 is mounted.
    pub cgroup2: Option<PathBuf>,
    /// Whether separate debug files are installed under `/usr/lib/debug`.
    pub debug_files: bool,
}

impl Facts {
    /// Looks. Takes about a fifth of a second, most of it spent waiting for clocks to tick.
    pub fn gather() -> Self {
        let (release, machine) = settings::uname();
        Self {
            release,
            machine,
            btf: settings::size_of("/sys/kernel/btf/vmlinux"),
            privileges: Privileges::gather(),
            settings: Settings::gather(),
            clocks: clock::CLOCKS.map(|clock| (clock, clock::try_out(clock))).to_vec(),
            system_wide: clock::system_wide(),
            bpf: Bpf::gather(),
            cgroup2: settings::cgroup2_mount(),
            debug_files: std::path::Path::new("/usr/lib/debug/.build-id").is_dir(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_works_with_whatever_privileges_there_are() {
        let facts = Facts::gather();
        assert!(settings::version(&facts.release).is_some(), "{}", facts.release);
        assert!(!checks(&facts).is_empty());
    }

    #[test]
    fn an_ordinary_user_is_told_what_is_missing() {
        let facts = std::thread::spawn(|| {
            const NOBODY: libc::uid_t = 65534;
            // Without the library, which would change the user of every thread. Fails where we are no root already.
            // SAFETY: takes numbers, and changes this thread only, which ends with the test.
            unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
            Facts::gather()
        })
        .join()
        .unwrap();
        if facts.privileges.suffice() {
            // Capabilities that do not hang on the user: nothing is missing then.
            return;
        }
        let checks = checks(&facts);
        let missing = |name| {
            checks
                .iter()
                .any(|check| check.name == name && check.status == Status::Missing)
        };
        assert!(missing("privileges"), "{checks:#?}");
        assert!(missing("bpf()"), "{checks:#?}");
        assert!(!check::can_record(&checks));
    }
}
