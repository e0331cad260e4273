//! Who was running.

use serde::{Deserialize, Serialize};

use super::table::Id;

/// One program image run by one process: `execve` starts a new row, so that samples keep the command they belong to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Process {
    /// User space's process id (the kernel's `tgid`), in the host's namespace.
    pub pid: u32,
    /// The parent's process id; 0 where it is not known.
    pub ppid: u32,
    /// The command name (`comm` of the first thread), at most 15 bytes. Untrusted text.
    pub name: String,
    /// The path of the executable; empty for kernel threads and where it was gone. Untrusted text.
    pub exe: String,
    /// The cgroup v2 path, else the `name=systemd` path, such as `/system.slice/nginx.service`; empty if not known.
    pub cgroup: String,
    /// The systemd unit that owns it, from the cgroup path; empty if none.
    pub unit: String,
    /// The container id, from the cgroup path; empty if none.
    pub container: String,
    /// When this image was first seen, in nanoseconds since the recording began (0: it ran before).
    pub start_ns: u64,
    /// A kernel thread, which has no user space.
    pub kernel_thread: bool,
}

/// A thread under the name it had. A thread that renames itself starts a new row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Thread {
    /// The program image it ran in.
    pub process: Id<Process>,
    /// User space's thread id (the kernel's `pid`), in the host's namespace.
    pub tid: u32,
    /// The thread's name, at most 15 bytes. Untrusted text.
    pub name: String,
}
