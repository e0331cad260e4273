//! The kernel and what surrounds us.

use crate::collect::kernel::{Check, Facts, settings};

/// The oldest kernel on which every release is tested.
const SUPPORTED: (u32, u32) = (6, 1);
/// The oldest kernel that has what the programs call (`bpf_loop`).
const OLDEST: (u32, u32) = (5, 17);
/// Before it, locked memory was counted instead of a cgroup's.
const MAPS_COUNTED_AS_MEMORY: (u32, u32) = (5, 11);
/// What recording the whole system may take, in bytes, and what one process.
const MEMORY_SYSTEM: u64 = 250_000_000;
const MEMORY_PROCESS: u64 = 64_000_000;

pub(super) fn kernel(facts: &Facts) -> Check {
    const NAME: &str = "kernel";
    let release = facts.release.as_str();
    match settings::version(release) {
        Some(version) if version >= SUPPORTED => {
            Check::ok(NAME, format!("{release} (6.1 and later are supported)"))
        }
        Some(version) if version >= OLDEST => Check::degraded(
            NAME,
            release,
            "it should work, but nobody tests it: 6.1 is the oldest that is supported",
            "update the kernel, or try, and compare a short recording with what you know",
        ),
        Some(_) => Check::missing(
            NAME,
            release,
            "it lacks what the programs call (bpf_loop came with 5.17)",
            "update the kernel to 6.1 or later",
        ),
        None => Check::degraded(
            NAME,
            format!("{release:?}"),
            "this is no release number, so it cannot be told whether it is 6.1 or later",
            "see whether the lines below are ok",
        ),
    }
}

pub(super) fn architecture(facts: &Facts) -> Check {
    const NAME: &str = "architecture";
    match facts.machine.as_str() {
        "x86_64" => Check::ok(NAME, "x86_64"),
        other => Check::missing(
            NAME,
            other,
            "stacks are unwound on x86_64 only",
            "record on an x86_64 host; report and export work here",
        ),
    }
}

pub(super) fn types(facts: &Facts) -> Check {
    const NAME: &str = "BTF";
    match facts.btf {
        Ok(size) => Check::ok(
            NAME,
            format!("/sys/kernel/btf/vmlinux, {:.1} MB", size as f64 / 1e6),
        ),
        Err(error) => Check::missing(
            NAME,
            format!("/sys/kernel/btf/vmlinux: {error}"),
            "without the kernel's type information, its data cannot be read safely",
            "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (every large distribution's is)",
        ),
    }
}

/// What is not the kernel's: memory, clocks to tell the time by, containers, debug files.
pub(super) fn surroundings(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![memory(facts)];
    checks.extend(locked_memory(facts));
    checks.extend([
        time(facts),
        pids(facts),
        cgroups(facts),
        tracefs(facts),
        debug_files(facts),
    ]);
    checks
}

fn memory(facts: &Facts) -> Check {
    const NAME: &str = "memory";
    let Some(available) = facts.settings.memory_available else {
        return Check::degraded(
            NAME,
            "what is available cannot be read",
            "recording the whole system takes up to 250 MB",
            "mount /proc",
        );
    };
    let found = format!("{} MB available", available / 1_000_000);
    if available < MEMORY_PROCESS {
        Check::missing(
            NAME,
            found,
            "recording takes some 64 MB for one process and up to 250 MB for the whole system",
            "free some, or raise the memory limit of this cgroup",
        )
    } else if available < 2 * MEMORY_SYSTEM {
        Check::degraded(
            NAME,
            found,
            "recording the whole system takes up to 250 MB: less would be left than it takes",
            "record one process with -p (some 64 MB), or free some",
        )
    } else {
        Check::ok(NAME, found)
    }
}

fn locked_memory(facts: &Facts) -> Option<Check> {
    let version = settings::version(&facts.release)?;
    let limit = facts.settings.memory_lockable?;
    (version < MAPS_COUNTED_AS_MEMORY).then(|| {
        Check::degraded(
            "locked memory",
            format!("at most {} kB", limit / 1000),
            "this kernel counts maps as locked memory",
            "ulimit -l unlimited",
        )
    })
}

fn time(facts: &Facts) -> Check {
    const NAME: &str = "time";
    match facts.settings.clock_source.as_deref() {
        // Read without entering the kernel or the hypervisor.
        Some(fast @ ("tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page" | "arch_sys_counter")) => {
            Check::ok(NAME, fast)
        }
        Some(slow) => Check::degraded(
            NAME,
            slow,
            "it takes a microsecond or more to read, which each sample does twice",
            "see why the kernel gave up tsc: dmesg | grep -i -e tsc -e clocksource",
        ),
        None => Check::degraded(
            NAME,
            "the kernel's source of time cannot be read",
            "a slow one makes each sample dearer",
            "mount /sys",
        ),
    }
}

fn pids(facts: &Facts) -> Check {
    const NAME: &str = "PID namespace";
    match facts.privileges.host_pids {
        Some(true) => Check::ok(NAME, "the host's"),
        Some(false) => Check::degraded(
            NAME,
            "a container's own",
            "traces hold the host's process ids, which differ from those seen here; mappings of processes outside \
             cannot be read",
            "run on the host, or in a container that shares its PIDs (docker: --pid=host; kubernetes: hostPID: true)",
        ),
        None => Check::degraded(
            NAME,
            "unknown",
            "process ids may not be the host's",
            "mount /proc",
        ),
    }
}

fn cgroups(facts: &Facts) -> Check {
    const NAME: &str = "cgroup v2";
    match &facts.cgroup2 {
        Some(mount) => Check::ok(NAME, format!("mounted on {}", mount.display())),
        None => Check::degraded(
            NAME,
            "not mounted",
            "-G cannot filter by cgroup",
            "mount -t cgroup2 none /sys/fs/cgroup/unified",
        ),
    }
}

fn tracefs(facts: &Facts) -> Check {
    const NAME: &str = "tracefs";
    match &facts.settings.tracefs {
        Some(mount) => Check::ok(NAME, format!("mounted on {}", mount.display())),
        None => Check::degraded(
            NAME,
            "not mounted, or not readable by this user",
            "CPU profiles do without it; tracepoints cannot be looked up by name",
            "as root: mount -t tracefs nodev /sys/kernel/tracing",
        ),
    }
}

fn debug_files(facts: &Facts) -> Check {
    const NAME: &str = "debug files";
    if facts.debug_files {
        return Check::ok(NAME, "/usr/lib/debug/.build-id");
    }
    // Not a defect of this host: functions have names all the same.
    Check {
        meaning: "inlined calls and line numbers are known where binaries carry them".into(),
        mend:
            "to have them elsewhere, install -dbgsym or -debuginfo packages, here or where the report is read"
                .into(),
        ..Check::ok(NAME, "none under /usr/lib/debug")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{line, sound, troubles};
    use crate::collect::kernel::{Facts, Status};

    #[test]
    fn kernels_are_supported_untested_or_refused() {
        let status = |release: &str| {
            let facts = Facts {
                release: release.into(),
                ..sound()
            };
            line(&facts, "kernel").status
        };
        assert_eq!(status("6.1.0-28-amd64"), Status::Ok);
        assert_eq!(status("6.18.44"), Status::Ok);
        assert_eq!(status("7.0.0"), Status::Ok);
        assert_eq!(status("6.0.19"), Status::Degraded);
        assert_eq!(status("5.17.0"), Status::Degraded);
        assert_eq!(status("5.15.0-91-generic"), Status::Missing);
        assert_eq!(status("custom"), Status::Degraded);
    }

    #[test]
    fn little_memory_is_for_one_process_only() {
        let status = |available| {
            let mut facts = sound();
            facts.settings.memory_available = Some(available);
            line(&facts, "memory").status
        };
        assert_eq!(status(30_000_000), Status::Missing);
        assert_eq!(status(300_000_000), Status::Degraded);
        assert_eq!(status(2_000_000_000), Status::Ok);
    }

    #[test]
    fn locked_memory_matters_to_old_kernels_only() {
        let mut facts = sound();
        facts.settings.memory_lockable = Some(65536);
        assert_eq!(troubles(&facts), []);
        facts.release = "5.10.0".into();
        assert!(troubles(&facts).contains(&(Status::Degraded, "locked memory")));
    }

    #[test]
    fn hosts_without_debug_files_are_sound() {
        let facts = Facts {
            debug_files: false,
            ..sound()
        };
        assert_eq!(troubles(&facts), []);
        assert!(line(&facts, "debug files").text().contains("dbgsym"));
    }
}
