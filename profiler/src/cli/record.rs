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

    /// What to record (cpu,off-cpu; may be repeated) [default: cpu,states]
    #[arg(long, value_enum, value_name = "PROBE", value_delimiter = ',')]
    pub probe: Vec<ProbeName>,

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
