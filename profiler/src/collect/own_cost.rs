//! What this program itself costs: its own CPU time, and the run time of its BPF programs, which is charged to their
//! victims.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd},
    time::{Duration, Instant},
};

use aya::Ebpf;

/// CPU time of this process so far, user + system, in nanoseconds.
pub fn cpu_time_ns() -> u64 {
    // SAFETY: a structure of integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is valid for writes.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) } != 0 {
        return 0;
    }
    let ns = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
    ns(usage.ru_utime) + ns(usage.ru_stime)
}

/// Peak resident memory of this process, in bytes.
pub fn peak_rss() -> u64 {
    // SAFETY: a structure of integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is valid for writes.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) } != 0 {
        return 0;
    }
    usage.ru_maxrss as u64 * 1024
}

/// `BPF_ENABLE_STATS` (include/uapi/linux/bpf.h).
const BPF_ENABLE_STATS: libc::c_int = 32;

/// Measures the run time of BPF programs, one second in ten: the measurement itself costs 150 ns a run.
#[derive(Debug, Default)]
pub struct RunTime {
    enabled: Option<(OwnedFd, Instant, u64)>,
    rounds: u32,
}

/// A measured stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Run time of the programs, in nanoseconds.
    pub run_ns: u64,
    /// Over how long, in nanoseconds.
    pub over_ns: u64,
}

impl RunTime {
    /// To be called once a second. Returns what the second that just ended measured, if it did.
    pub fn tick(&mut self, ebpf: &Ebpf) -> Measured {
        let measured = self.take(ebpf);
        if self.rounds.is_multiple_of(10) {
            self.enabled = enable().ok().map(|fd| (fd, Instant::now(), total(ebpf)));
        }
        self.rounds += 1;
        measured
    }

    /// Ends a measurement that is under way.
    pub fn take(&mut self, ebpf: &Ebpf) -> Measured {
        let Some((statistics, since, before)) = self.enabled.take() else {
            return Measured::default();
        };
        let over: Duration = since.elapsed();
        let run_ns = total(ebpf).saturating_sub(before);
        drop(statistics);
        Measured {
            run_ns,
            over_ns: over.as_nanos() as u64,
        }
    }
}

/// The run time of all programs of the object since statistics were first on.
fn total(ebpf: &Ebpf) -> u64 {
    let run_time = |program: &aya::programs::Program| Some(program.info().ok()?.run_time().as_nanos() as u64);
    ebpf.programs().filter_map(|(_, program)| run_time(program)).sum()
}

/// Statistics are on while the descriptor is open.
fn enable() -> io::Result<OwnedFd> {
    // `bpf_attr.enable_stats.type`: 0 is run time.
    let attributes = 0u32;
    // SAFETY: the attribute is valid for reads of its size.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_ENABLE_STATS,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
