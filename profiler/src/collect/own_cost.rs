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
    enabled: Option<(OwnedFd, Instant, Vec<Run>)>,
    rounds: u32,
}

/// A measured stretch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Over how long, in nanoseconds; 0: nothing was measured.
    pub over_ns: u64,
    /// What each program ran.
    pub programs: Vec<Run>,
}

/// What a program ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The program's name.
    pub name: String,
    /// For how long, in nanoseconds.
    pub ns: u64,
    /// How often.
    pub runs: u64,
}

impl Measured {
    /// Run time of all programs, in nanoseconds.
    pub fn run_ns(&self) -> u64 {
        self.programs.iter().map(|run| run.ns).sum()
    }
}

impl RunTime {
    /// Measures from now to the next tick.
    pub fn start(&mut self, ebpf: &Ebpf) {
        self.enabled = enable().ok().map(|fd| (fd, Instant::now(), runs(ebpf)));
    }

    /// To be called once a second. Returns what the second that just ended measured, if it did.
    pub fn tick(&mut self, ebpf: &Ebpf) -> Measured {
        let measured = self.take(ebpf);
        self.rounds += 1;
        if self.rounds.is_multiple_of(10) {
            self.start(ebpf);
        }
        measured
    }

    /// Ends a measurement that is under way.
    pub fn take(&mut self, ebpf: &Ebpf) -> Measured {
        let Some((statistics, since, before)) = self.enabled.take() else {
            return Measured::default();
        };
        let over: Duration = since.elapsed();
        let mut programs = runs(ebpf);
        for run in &mut programs {
            if let Some(before) = before.iter().find(|before| before.name == run.name) {
                run.ns = run.ns.saturating_sub(before.ns);
                run.runs = run.runs.saturating_sub(before.runs);
            }
        }
        drop(statistics);
        Measured {
            over_ns: over.as_nanos() as u64,
            programs,
        }
    }
}

/// What all programs of the object ran since statistics were first on.
fn runs(ebpf: &Ebpf) -> Vec<Run> {
    let run = |(name, program): (&str, &aya::programs::Program)| {
        let info = program.info().ok()?;
        Some(Run {
            name: name.to_owned(),
            ns: info.run_time().as_nanos() as u64,
            runs: info.run_count(),
        })
    };
    ebpf.programs().filter_map(run).collect()
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
