//! `profiler record`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{
    filter::duration,
    target::{ProbeName, SamplingOptions, TargetOptions},
};

/// Record a trace file.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  profiler record                        the whole system, until Ctrl-C
  profiler record -p 17 -d 30s           process 17 and its children for 30 seconds
  profiler record -F 999 -- ./bench -n 5 a command, from its first instruction to the end of its last child")]
pub struct RecordOptions {
    #[command(flatten)]
    pub target: TargetOptions,

    #[command(flatten)]
    pub sampling: SamplingOptions,

    /// What to record (cpu,off-cpu; may be repeated) [default: cpu,states,syscalls,block,lock]
    #[arg(long, value_enum, value_name = "PROBE", value_delimiter = ',')]
    pub probe: Vec<ProbeName>,

    /// What all of it may cost, in percent of the time of all CPUs: own CPU time and the time that the kernel programs
    /// take from others. Above it probes are turned off, the dearest first, and the trace says for how long
    /// [default: 3; no bound if --probe says what to record]
    #[arg(long, value_name = "PERCENT", value_parser = overhead)]
    pub max_overhead: Option<f64>,

    /// Record system calls that take this long each with its stack, path or peer, and who ended its wait: 10ms, 500us
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1ms")]
    pub slow: Duration,

    /// How long: 30s, 2m; a bare number is seconds
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,

    /// The trace file; an older one of this name becomes NAME.old
    #[arg(short, long, value_name = "FILE", default_value = "profiler.trace")]
    pub output: PathBuf,

    /// Where else to look for debug information: a directory with .build-id/ in it (may be repeated)
    #[arg(long = "debug-dir", value_name = "DIR")]
    pub debug_dirs: Vec<PathBuf>,

    /// Run the command as this user; the default is the user who called sudo
    #[arg(long, value_name = "NAME", requires = "command")]
    pub user: Option<String>,

    /// A command to run and record
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["pids", "tids", "cgroup", "comm", "all"])]
    pub command: Vec<String>,
}

pub(super) fn overhead(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim_end().parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent),
        _ => Err("give a number of percent above 0, up to 100".to_owned()),
    }
}
