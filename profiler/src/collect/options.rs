//! What to record, and how.

use super::perf_event::Clock;

/// What to record, and how. No target at all means the whole system.
#[derive(Clone, Debug)]
pub struct Options {
    /// Samples a second and CPU, 1 to 9999.
    pub frequency: u32,
    /// What makes the sampler fire.
    pub clock: Clock,
    /// Only these processes and those they fork. `Some` with an empty list: a command that is about to start adds
    /// itself.
    pub pids: Option<Vec<u32>>,
    /// Only these threads.
    pub tids: Vec<u32>,
    /// Only tasks in this cgroup (v2) and below: its directory.
    pub cgroup: Option<std::path::PathBuf>,
    /// Only threads whose name matches: `*` any text, `?` any character.
    pub comm: Option<String>,
    /// On-CPU samples.
    pub cpu: bool,
    /// The states of threads.
    pub states: bool,
    /// Stacks of waits; needs the states.
    pub off_cpu: bool,
    /// System calls, counted and timed; needs the states.
    pub calls: bool,
    /// Block I/O.
    pub block: bool,
    /// Waits for locks; needs the states.
    pub locks: bool,
    /// System calls from this duration on are told of singly, in nanoseconds.
    pub slow_ns: u64,
    /// What all may cost, in percent of the time of all CPUs; above it probes are shed. `None`: whatever it takes.
    pub max_overhead: Option<f64>,
    /// Somebody looks on, and may do so for weeks: waits for locks that last long are told of before they end, and tables
    /// that have grown large begin anew.
    pub looks_on: bool,
    /// Kernel stacks.
    pub kernel_stacks: bool,
    /// User stacks.
    pub user_stacks: bool,
    /// The most user frames of a stack, at most `config::MAX_USER_FRAMES`.
    pub max_stack: u32,
    /// Log what the kernel programs say about themselves.
    pub log_kernel_side: bool,
    /// How often what is new is handed on, in milliseconds.
    pub window_ms: u64,
    /// What goes into the trace's metadata.
    pub command_line: Vec<String>,
    /// The command that is run, if one is.
    pub target_command: Vec<String>,
}

impl Options {
    /// Whether the kernel side lets only chosen processes through.
    pub fn by_pid(&self) -> bool {
        self.pids.is_some()
    }

    /// The period in the clock's unit: nanoseconds, or cycles at a nominal 1 GHz for the hardware's clock.
    pub fn period(&self) -> u64 {
        1_000_000_000 / u64::from(self.frequency.max(1))
    }

    /// The filters, in the words of the command line.
    pub fn filters(&self) -> Vec<String> {
        let pids = self.pids.iter().flatten().map(|pid| format!("pid {pid}"));
        let tids = self.tids.iter().map(|tid| format!("tid {tid}"));
        let cgroup = self
            .cgroup
            .iter()
            .map(|path| format!("cgroup {}", path.display()));
        let comm = self.comm.iter().map(|glob| format!("comm {glob}"));
        pids.chain(tids).chain(cgroup).chain(comm).collect()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            frequency: 99,
            clock: Clock::CpuClock,
            pids: None,
            tids: Vec::new(),
            cgroup: None,
            comm: None,
            cpu: true,
            states: true,
            off_cpu: false,
            calls: false,
            block: false,
            locks: false,
            slow_ns: 1_000_000,
            max_overhead: None,
            looks_on: false,
            kernel_stacks: true,
            user_stacks: true,
            max_stack: profiler_common::config::MAX_USER_FRAMES as u32,
            log_kernel_side: false,
            window_ms: 1_000,
            command_line: Vec::new(),
            target_command: Vec::new(),
        }
    }
}
