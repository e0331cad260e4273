//! Who we are and what we may.

use std::fs;

/// A capability that matters here: its bit in `/proc/PID/status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Its number in `linux/capability.h`.
    pub bit: u8,
    /// Its name, as `setcap` takes it.
    pub name: &'static str,
    /// What goes without it.
    pub lost: &'static str,
    /// Whether nothing at all can be recorded without it.
    pub required: bool,
}

/// The kernel lets this one stand for several others.
pub const SYS_ADMIN: u8 = 21;
/// Open events of other processes and of the kernel.
pub const PERFMON: u8 = 38;
/// Load programs, create maps.
pub const BPF: u8 = 39;

/// Every capability that matters, the most important first.
pub const CAPABILITIES: &[Capability] = &[
    Capability {
        bit: BPF,
        name: "cap_bpf",
        lost: "no program can be loaded: nothing can be recorded",
        required: true,
    },
    Capability {
        bit: PERFMON,
        name: "cap_perfmon",
        lost: "no clock of the whole system can be opened and no tracing program loaded: nothing can be recorded",
        required: true,
    },
    Capability {
        bit: 19,
        name: "cap_sys_ptrace",
        lost: "mappings and binaries of other users' processes cannot be read: their stacks are incomplete and \
               without names",
        required: false,
    },
    Capability {
        bit: 2,
        name: "cap_dac_read_search",
        lost: "binaries in directories closed to this user cannot be read: their stacks are incomplete and \
               without names",
        required: false,
    },
    Capability {
        bit: 34,
        name: "cap_syslog",
        lost: "the kernel hides its addresses: kernel frames have no names",
        required: false,
    },
    Capability {
        bit: SYS_ADMIN,
        name: "cap_sys_admin",
        lost: "deleted binaries cannot be read through /proc/PID/map_files: they have no names",
        required: false,
    },
];

/// Inode numbers of the first namespaces (`linux/proc_ns.h`), which never change.
const INIT_USER_NAMESPACE: u64 = 0xEFFF_FFFD;
const INIT_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Who we are and what we may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// The effective user id.
    pub uid: u32,
    /// The effective capabilities, one bit each.
    pub effective: u64,
    /// 0: no seccomp, 1: strict, 2: a filter decides which system calls pass.
    pub seccomp: Option<u8>,
    /// Whether this is the host's user namespace: elsewhere, capabilities do not count for `bpf()` and
    /// `perf_event_open()`.
    pub host_users: Option<bool>,
    /// Whether this is the host's PID namespace.
    pub host_pids: Option<bool>,
}

impl Privileges {
    /// Those of this thread.
    pub fn gather() -> Self {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        // SAFETY: reads a number; cannot fail.
        let uid = unsafe { libc::geteuid() };
        Self {
            uid,
            effective: effective(),
            seccomp: field(&status, "Seccomp").and_then(|mode| mode.parse().ok()),
            host_users: namespace("user").map(|inode| inode == INIT_USER_NAMESPACE),
            host_pids: namespace("pid").map(|inode| inode == INIT_PID_NAMESPACE),
        }
    }

    /// Whether `capability` is there, itself or by `CAP_SYS_ADMIN` where the kernel takes that for it.
    pub fn has(&self, capability: &Capability) -> bool {
        let bit = |bit: u8| self.effective >> bit & 1 == 1;
        bit(capability.bit) || matches!(capability.bit, BPF | PERFMON) && bit(SYS_ADMIN)
    }

    /// The capabilities that are missing.
    pub fn missing(&self) -> impl Iterator<Item = &'static Capability> + '_ {
        CAPABILITIES.iter().filter(|capability| !self.has(capability))
    }

    /// Whether programs may be loaded and the whole system observed.
    pub fn suffice(&self) -> bool {
        self.missing().all(|capability| !capability.required) && self.host_users != Some(false)
    }
}

/// The effective capabilities of this thread. Unlike `/proc`, which may not be mounted, the system call is always
/// there.
fn effective() -> u64 {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Sets {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let mut header = Header {
        // `_LINUX_CAPABILITY_VERSION_3`: two groups of 32.
        version: 0x2008_0522,
        pid: 0,
    };
    let mut sets = [Sets::default(); 2];
    // SAFETY: this version writes two groups, and both pointers are to data of ours.
    let failed = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) } != 0;
    if failed {
        return 0;
    }
    u64::from(sets[0].effective) | u64::from(sets[1].effective) << 32
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

fn namespace(kind: &str) -> Option<u64> {
    let link = fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
    inode(link.to_str()?)
}

/// `pid:[4026531836]`.
fn inode(link: &str) -> Option<u64> {
    link.split_once('[')?.1.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sys_admin_stands_for_bpf_and_perfmon_and_not_for_the_rest() {
        let admin = Privileges {
            effective: 1 << SYS_ADMIN,
            ..Privileges::default()
        };
        let missing: Vec<_> = admin.missing().map(|capability| capability.name).collect();
        assert_eq!(missing, ["cap_sys_ptrace", "cap_dac_read_search", "cap_syslog"]);
        assert!(admin.suffice());
        assert!(!Privileges::default().suffice());
    }

    #[test]
    fn root_of_a_container_of_its_own_users_does_not_suffice() {
        let root = Privileges {
            effective: u64::MAX,
            host_users: Some(false),
            ..Privileges::default()
        };
        assert_eq!(root.missing().count(), 0);
        assert!(!root.suffice());
    }

    #[test]
    fn the_system_call_and_proc_agree() {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let told = u64::from_str_radix(field(&status, "CapEff").unwrap(), 16).unwrap();
        assert_eq!(effective(), told);
    }

    #[test]
    fn fields_of_the_status_are_found_by_their_whole_name() {
        let status = "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(field(status, "Seccomp"), Some("2"));
        assert_eq!(field(status, "Seccomp_filters"), Some("1"));
        assert_eq!(field(status, "Sec"), None);
        assert_eq!(inode("pid:[4026531836]"), Some(INIT_PID_NAMESPACE));
    }
}
