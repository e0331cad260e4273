//! `cargo xtask bench`: what profiling costs, measured beside the peers that Debian has, in one run.
//!
//! Each figure is a median of several measurements that took turns with the peers', so that a machine that changes its
//! speed changes it for all. A peer that is not there is listed as such, with the reason.

mod calls;
mod cost;
mod counter;
mod locks;
mod memory;
mod own;
mod peers;
mod report;
mod running;
mod switches;
mod table;
mod tracers;

use std::{env, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail};

use self::{memory::Statistics, peers::Peers, table::Table};
use crate::{
    apt,
    process::{as_root, cargo, is_root, run as run_command},
    say, setup, workspace,
};

/// What the peers and the programs under load come from.
const PACKAGES: [&str; 8] = [
    "bpftrace",
    "bpfcc-tools",
    "g++",
    "gcc",
    "linux-perf",
    "make",
    "strace",
    "util-linux",
];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fewer and shorter measurements: minutes, not an hour
    #[arg(long)]
    quick: bool,

    /// One JSON object in place of the tables
    #[arg(long)]
    json: bool,

    /// Only these chapters (default: all)
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Chapter>,

    /// Everything is built: measure (what the command tells itself when it becomes root)
    #[arg(long, hide = true)]
    built: bool,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Chapter {
    /// What one sample costs the profiled program, at 9999 Hz
    Sample,
    /// Whether the profiled program is slower at 99 Hz
    Slowdown,
    /// CPU time of the profiler itself, and the size of its traces
    Own,
    /// Run time of BPF programs per run
    Bpf,
    /// Peak memory and the time to the first sample
    Memory,
    /// How long a report takes
    Report,
    /// What the accounting of system calls costs a call
    Calls,
    /// What the states of threads cost a context switch
    Switches,
    /// Whether programs are slower while their waits for locks are followed
    Locks,
}

/// How often and how long is measured.
struct Effort {
    /// Measurements of each figure.
    rounds: usize,
    /// One window in which the profiled program counts.
    window: Duration,
    /// One stretch over which a profiler's own CPU time is counted.
    stretch: Duration,
    /// Pairs of windows with and without a profiler that shall not be felt.
    pairs: usize,
    /// The system-wide recording that is reported.
    recording: Duration,
}

/// What every chapter needs.
struct Bench {
    peers: Peers,
    workloads: PathBuf,
    effort: Effort,
    directory: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if !options.built {
        build()?;
    }
    if !is_root() {
        let error = std::os::unix::process::CommandExt::exec(
            as_root("env")
                .arg(format!("PATH={}", env::var("PATH").unwrap_or_default()))
                .arg(env::current_exe().context("cannot find this program's own path")?)
                .args(env::args_os().skip(1))
                .arg("--built"),
        );
        return Err(error).context("cannot become root");
    }
    let chapters = if options.only.is_empty() {
        <Chapter as clap::ValueEnum>::value_variants()
    } else {
        &options.only
    };
    let directory = env::temp_dir().join(format!("profiler-bench-{}", std::process::id()));
    std::fs::create_dir(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let bench = Bench {
        peers: Peers::find(&workspace().join("target/release/profiler")),
        workloads: workspace().join("target/workloads"),
        effort: Effort::new(options.quick),
        directory: directory.clone(),
    };
    let uncounted = Statistics::off();
    if let Err(error) = &uncounted {
        say(&format!(
            "what runs of BPF programs cost may be too high: {error:#}"
        ));
    }
    let tables = measure(&bench, chapters, |table| {
        if !options.json {
            print(&table.to_string());
        }
    });
    drop(uncounted);
    std::fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    if options.json {
        let tables: Vec<String> = tables.iter().map(Table::json).collect();
        print(&format!("{{\"version\":1,\"tables\":[{}]}}", tables.join(",")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures chapter by chapter; `done` sees each table as soon as it is there.
fn measure(bench: &Bench, chapters: &[Chapter], done: impl Fn(&Table)) -> Vec<Table> {
    let mut tables = vec![bench.peers.table()];
    tables.iter().for_each(&done);
    for chapter in chapters {
        say(&format!("measuring: {chapter:?}"));
        let measured = match chapter {
            Chapter::Sample => cost::per_sample(bench),
            Chapter::Slowdown => cost::slowdown(bench),
            Chapter::Own => own::measure(bench),
            Chapter::Bpf => memory::bpf_run_time(bench),
            Chapter::Memory => memory::measure(bench),
            Chapter::Report => report::measure(bench),
            Chapter::Calls => calls::measure(bench),
            Chapter::Switches => switches::measure(bench),
            Chapter::Locks => locks::measure(bench),
        };
        // What was measured before is not thrown away.
        let table = measured.unwrap_or_else(|error| {
            let mut table = Table::new("Not measured");
            table.note(&format!("{chapter:?}"), "–", &format!("failed: {error:#}"));
            table
        });
        done(&table);
        tables.push(table);
    }
    tables
}

#[expect(clippy::print_stdout, reason = "the tables are the result")]
fn print(text: &str) {
    println!("{text}");
}

/// Builds, as the developer, what is measured.
fn build() -> Result<()> {
    setup::ensure()?;
    if let Err(error) = apt::install("the peers of the benchmark", &PACKAGES) {
        say(&format!("going on without: {error:#}"));
    }
    run_command(
        cargo()
            .args(["build", "--quiet", "--release", "--package", "profiler"])
            .args(["--target-dir", "target"]),
    )?;
    let out = workspace().join("target/workloads");
    run_command(
        std::process::Command::new("make")
            .args(["--silent", "-C"])
            .arg(workspace().join("tests/workloads"))
            .arg(format!("OUT={}", out.display()))
            .args(["counter", "threads", "forkstorm", "locks"].map(|name| out.join(name))),
    )
    .context("cannot build the programs that are profiled")
}

impl Effort {
    fn new(quick: bool) -> Self {
        let seconds = Duration::from_secs;
        if quick {
            Self {
                rounds: 3,
                window: seconds(1),
                stretch: seconds(5),
                pairs: 20,
                recording: seconds(15),
            }
        } else {
            Self {
                rounds: 7,
                window: seconds(2),
                stretch: seconds(20),
                pairs: 30,
                recording: seconds(60),
            }
        }
    }
}

impl Bench {
    /// The path of a workload.
    fn workload(&self, name: &str) -> Result<PathBuf> {
        let path = self.workloads.join(name);
        if !path.is_file() {
            bail!("{} is not built: run without --built", path.display());
        }
        Ok(path)
    }
}
