//! What to record and how: the same flags for every command that records.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What to record. Without a target it is the whole system. Filters of different kinds must all hold.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Target")]
pub struct TargetOptions {
    /// The whole system (the default)
    #[arg(short, long)]
    pub all: bool,

    /// Only these processes and those they fork (17,18; may be repeated)
    #[arg(
        short,
        long = "pid",
        value_name = "PID",
        value_delimiter = ',',
        conflicts_with = "all"
    )]
    pub pids: Vec<u32>,

    /// Only these threads (17,18; may be repeated)
    #[arg(
        short,
        long = "tid",
        value_name = "TID",
        value_delimiter = ',',
        conflicts_with = "all"
    )]
    pub tids: Vec<u32>,

    /// Only tasks in this cgroup (v2) or below it: a path such as /system.slice/nginx.service
    #[arg(short = 'G', long, value_name = "PATH", conflicts_with = "all")]
    pub cgroup: Option<PathBuf>,

    /// Only threads whose name matches; * and ? are wild cards
    #[arg(long, value_name = "GLOB", conflicts_with = "all")]
    pub comm: Option<String>,
}

/// The most user frames that the kernel side can hold (`profiler_common::config::MAX_USER_FRAMES`).
pub const MAX_STACK: u32 = 512;

/// How to sample.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingOptions {
    /// Samples a second on every CPU
    #[arg(short = 'F', long, alias = "freq", value_name = "HZ", default_value_t = 99, value_parser = clap::value_parser!(u32).range(1..=9999))]
    pub frequency: u32,

    /// What makes the sampler fire
    #[arg(short, long, value_enum, default_value_t = Event::CpuClock)]
    pub event: Event,

    /// Leave out kernel stacks
    #[arg(long)]
    pub no_kernel: bool,

    /// Leave out user stacks
    #[arg(long)]
    pub no_user: bool,

    /// The most user frames of a stack
    #[arg(long, value_name = "FRAMES", default_value_t = MAX_STACK,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_STACK)))]
    pub max_stack: u32,
}

/// What can be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProbeName {
    /// Where threads spend their time on a CPU
    Cpu,
    /// What every thread does and what it waits for: exact times
    States,
    /// System calls, each counted and timed, and the slow ones with their stacks; with states
    Syscalls,
    /// Requests to block devices: how long they queue, and how long the device takes
    Block,
    /// Waits for locks, of programs and of the kernel, with who held them; with states
    Lock,
    /// Where threads wait: stacks that weigh what the waits last; with states. Costs every system call some 0.1 µs
    OffCpu,
}

/// What is recorded without being asked for.
pub const DEFAULT_PROBES: [ProbeName; 5] = [
    ProbeName::Cpu,
    ProbeName::States,
    ProbeName::Syscalls,
    ProbeName::Block,
    ProbeName::Lock,
];

/// What a recording may cost, unless the user says what to record, in percent of the time of all CPUs.
pub const MAX_OVERHEAD: f64 = 3.0;

/// What makes the sampler fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Event {
    /// The software clock: time on a CPU; works everywhere
    CpuClock,
    /// The hardware's cycles, where samples really arrive
    Cycles,
}
