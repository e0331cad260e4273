//! What the administrator, the distribution and the machine have set, as `/proc` and `/sys` tell it.

use std::{
    ffi::CStr,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use super::Errno;

/// What is set. `None`: there is no such setting, or it cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `kernel.unprivileged_bpf_disabled`.
    pub unprivileged_bpf_disabled: Option<i64>,
    /// `kernel.perf_event_paranoid`.
    pub perf_event_paranoid: Option<i64>,
    /// `kernel.kptr_restrict`.
    pub kptr_restrict: Option<i64>,
    /// Whether `/proc/kallsyms` really shows addresses.
    pub kernel_addresses: Option<bool>,
    /// `kernel.perf_event_max_sample_rate`: samples a second and CPU, above which the kernel throttles.
    pub max_sample_rate: Option<i64>,
    /// `kernel.perf_cpu_time_max_percent`: the kernel lowers the rate above when sampling takes more. 0: it does not.
    pub cpu_time_max_percent: Option<i64>,
    /// `net.core.bpf_jit_enable`.
    pub jit: Option<i64>,
    /// The lockdown mode: `none`, `integrity`, `confidentiality`.
    pub lockdown: Option<String>,
    /// Where tracefs is mounted and readable.
    pub tracefs: Option<PathBuf>,
    /// The kernel's source of time, such as `tsc`.
    pub clock_source: Option<String>,
    /// Memory that could be had, in bytes: of the host, or of the cgroup where that is less.
    pub memory_available: Option<u64>,
    /// How much memory may be locked, in bytes; `None`: any amount. Maps count only before Linux 5.11.
    pub memory_lockable: Option<u64>,
}

impl Settings {
    /// Reads them.
    pub fn gather() -> Self {
        Self {
            unprivileged_bpf_disabled: number("/proc/sys/kernel/unprivileged_bpf_disabled"),
            perf_event_paranoid: number("/proc/sys/kernel/perf_event_paranoid"),
            kptr_restrict: number("/proc/sys/kernel/kptr_restrict"),
            kernel_addresses: kernel_addresses(),
            max_sample_rate: number("/proc/sys/kernel/perf_event_max_sample_rate"),
            cpu_time_max_percent: number("/proc/sys/kernel/perf_cpu_time_max_percent"),
            jit: number("/proc/sys/net/core/bpf_jit_enable"),
            lockdown: text("/sys/kernel/security/lockdown").and_then(|modes| chosen(&modes)),
            tracefs: ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]
                .map(PathBuf::from)
                .into_iter()
                .find(|path| fs::read_dir(path.join("events")).is_ok()),
            clock_source: text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            memory_available: memory_available(),
            memory_lockable: memory_lockable(),
        }
    }
}

/// `uname -r` and `uname -m`.
pub fn uname() -> (String, String) {
    // SAFETY: `utsname` is arrays of characters: all zero is a value.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a `utsname` of ours.
    unsafe { libc::uname(&raw mut name) };
    let text = |field: &[libc::c_char]| {
        let bytes: Vec<u8> = field.iter().map(|&c| c.cast_unsigned()).collect();
        CStr::from_bytes_until_nul(&bytes)
            .map(|text| text.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    (text(&name.release), text(&name.machine))
}

/// Major and minor number of a kernel release such as `6.1.0-28-amd64`.
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The size of a file that can be opened.
pub(super) fn size_of(path: &str) -> Result<u64, Errno> {
    let file = File::open(path).map_err(Errno::from)?;
    file.metadata().map(|found| found.len()).map_err(Errno::from)
}

/// Where cgroup v2 is mounted.
pub fn cgroup2_mount() -> Option<PathBuf> {
    cgroup2_in(&text("/proc/self/mountinfo")?)
}

fn text(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

fn number(path: impl AsRef<Path>) -> Option<i64> {
    text(path)?.parse().ok()
}

/// Fields of `/proc/PID/mountinfo`: …, mount point (the fifth), …, `-`, file system, …
fn cgroup2_in(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        kind.starts_with("cgroup2 ").then(|| PathBuf::from(point))
    })
}

/// The word in brackets: `none [integrity] confidentiality`.
fn chosen(modes: &str) -> Option<String> {
    let (_, rest) = modes.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

fn kernel_addresses() -> Option<bool> {
    let file = File::open("/proc/kallsyms").ok()?;
    // Per-CPU symbols, which come first on some kernels, have small numbers; functions are soon reached.
    let lines = BufReader::new(file.take(1 << 20)).lines();
    Some(lines.map_while(Result::ok).any(|line| shows_address(&line)))
}

fn shows_address(line: &str) -> bool {
    let mut fields = line.split(' ');
    let address = fields.next().and_then(|hex| u64::from_str_radix(hex, 16).ok());
    let is_function = fields.next().is_some_and(|kind| kind.eq_ignore_ascii_case("t"));
    is_function && address.is_some_and(|address| address != 0)
}

fn memory_available() -> Option<u64> {
    let host = mem_available(&text("/proc/meminfo")?);
    let cgroup = cgroup_memory_left();
    match (host, cgroup) {
        (Some(host), Some(cgroup)) => Some(host.min(cgroup)),
        (host, cgroup) => host.or(cgroup),
    }
}

fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Since Linux 5.11, maps count for the memory cgroup of their creator: the tightest limit above us.
fn cgroup_memory_left() -> Option<u64> {
    let root = cgroup2_mount()?;
    let groups = text("/proc/self/cgroup")?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    root.join(own)
        .ancestors()
        .take_while(|path| path.starts_with(&root))
        .filter_map(|path| {
            let max = number(path.join("memory.max"))?;
            let used = number(path.join("memory.current"))?;
            u64::try_from(max.saturating_sub(used).max(0)).ok()
        })
        .min()
}

fn memory_lockable() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to an `rlimit` of ours.
    let failed = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } != 0;
    (!failed && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_whatever_distributions_call_their_kernels() {
        assert_eq!(version("6.1.0-28-cloud-amd64"), Some((6, 1)));
        assert_eq!(version("5.15.167.4-microsoft-standard-WSL2"), Some((5, 15)));
        assert_eq!(version("6.18-rc1"), Some((6, 18)));
        assert_eq!(version("unknown"), None);
    }

    #[test]
    fn the_cgroup_mount_is_found_among_the_old_ones() {
        let mounts = "\
36 31 0:33 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw
";
        assert_eq!(cgroup2_in(mounts), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(cgroup2_in(""), None);
    }

    #[test]
    fn the_lockdown_mode_is_the_one_in_brackets() {
        assert_eq!(
            chosen("none [integrity] confidentiality"),
            Some("integrity".into())
        );
        assert_eq!(chosen("none"), None);
    }

    #[test]
    fn zeroed_addresses_are_not_addresses() {
        assert!(shows_address("ffffffff81000000 T _stext"));
        assert!(!shows_address("0000000000000000 T _stext"));
        // A per-CPU offset is small and shown to everybody.
        assert!(!shows_address("0000000000001000 A cpu_info"));
        assert!(!shows_address(""));
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(
            mem_available("MemTotal: 10 kB\nMemAvailable:    2048 kB\n"),
            Some(2 << 20)
        );
    }
}
