//! `profiler report`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum, ValueHint};

use super::{FilterOptions, filter::duration};

#[derive(Debug, Args)]
#[command(after_help = "\
The first line says how far the recording can be trusted. Shares are of the samples that the filters leave: of busy \
threads, unless --profile says otherwise; idle CPUs are not among them. ± is the 95 % interval: a difference smaller \
than that may be chance.

--view states shows what threads did all the time, in percent of it, measured at every switch and not sampled. Sleeping \
and waiting for events is idle: rows are sorted, and left out, by the rest. A span of time that \
--time cuts counts in proportion.

--view syscalls and --view block count and time every call and every request, by process. Calls that by their nature \
wait for events or for a time (epoll_wait, poll, accept, nanosleep, …), and reads from terminals, are idle: they stand \
last, and shares are of the others. p50 is the time that half of the calls did not exceed, at most 6.25 % wrong; so \
p90, p99. Calls are added up about once a second: of what --time cuts, a second counts whole if its middle lies within. \
--comm is the name of the process here.

--view slow, files and sockets show the calls that took longest, which are recorded one by one. They leave out idle \
ones, unless --idle is given; a call counts, whole, if any of it lies within --time. <- leads from a call to what the \
thread that ended its wait had been doing meanwhile, and from there on.

--view wakers shows who ended the waits that were sampled.

--view locks shows which locks threads waited for, the dearest first, who waited where, and who held the lock: as the \
lock's own word says (held by), or who ended the wait (ended by), which is the last that held it. Short waits are kept by \
chance and stand for others, so that counts and times are estimates with their interval. Condition variables, parked \
threads, joins and semaphores are idle waits: they stand apart. Of a wait that --time cuts, what \
lies within counts, as of all waits that were sampled; average and longest are of whole waits. \
Circles of threads that still waited for each other at the end are suspected deadlocks. It wants a recording with \
--probe lock; with cpu,off-cpu, too, it knows what holders did.

--view async shows which tasks of an async runtime (tokio, with symbols) kept their worker from other tasks: those that \
left the CPU within a poll, and those that are suspected of polls as long as --threshold, because all samples of the \
worker in a row are in the same task, and it is not there so often that this is chance. It wants a recording with --probe cpu,off-cpu; with syscalls, too, it knows single \
calls.

Exit status: 0, or 5 for a recording below --min-quality; 1 error, 2 usage.")]
pub struct ReportOptions {
    /// The trace to read
    #[arg(value_name = "FILE", default_value = "profiler.trace", value_hint = ValueHint::FilePath)]
    pub trace: PathBuf,

    /// The trace to read, as perf has it
    #[arg(short, long, value_name = "FILE", conflicts_with = "trace", value_hint = ValueHint::FilePath)]
    pub input: Option<PathBuf>,

    /// What to show
    #[arg(long, value_name = "VIEW", value_enum, default_value_t)]
    pub view: ReportView,

    /// Show the call tree, callers above
    #[arg(long)]
    pub tree: bool,

    /// Show the tree from the other end: the functions that were executing, and who called them
    #[arg(long)]
    pub inverted: bool,

    /// Show who was busy instead of which functions; with --view states, syscalls, wakers and block, whose it is
    /// [default: process]
    #[arg(long, value_name = "WHAT", conflicts_with_all = ["tree", "inverted"])]
    pub by: Option<By>,

    /// What functions are sorted by [default: self]
    #[arg(short, long, value_name = "KEY", conflicts_with_all = ["tree", "inverted", "by"])]
    pub sort: Option<SortKey>,

    /// Sort functions by the time in them and in what they call: --sort total
    #[arg(long, conflicts_with_all = ["sort", "tree", "inverted", "by"])]
    pub children: bool,

    /// Leave out what has a smaller share than this [default: 0.5; with --json 0]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub percent_limit: Option<f64>,

    /// Show this many lines at most
    #[arg(short = 'n', long, value_name = "LINES")]
    pub limit: Option<usize>,

    /// With --view slow, files and sockets: show calls that wait for events or sleep, too
    #[arg(long)]
    pub idle: bool,

    /// With --view async: suspect polls that last this long (20ms, 1s) [default: 100ms]; with --view locks: only waits
    /// that lasted this long
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub threshold: Option<Duration>,

    /// With --view locks: whose locks [default: all]
    #[arg(long, value_name = "WHOSE", value_enum)]
    pub kind: Option<LockKind>,

    /// Never cut names to the width of the terminal, nor stacks to a few frames
    #[arg(long)]
    pub full_names: bool,

    /// Write one JSON document
    #[arg(long)]
    pub json: bool,

    /// Write one page for any browser with all of it, instead of text: as `profiler export -o FILE.html`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "tree", "inverted", "by", "sort", "children", "limit", "percent_limit", "full_names", "idle", "threshold", "view"], value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,

    /// Exit with status 5 if more than the rest to 100 was lost, did not run, or has an incomplete stack
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub min_quality: Option<f64>,

    /// Look here for separate debug files and name functions anew (may be repeated)
    #[arg(long = "debug-dir", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub debug_dirs: Vec<PathBuf>,

    #[command(flatten)]
    pub filter: FilterOptions,
}

/// What to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportView {
    /// Where the samples were: functions, --tree, --inverted or --by
    #[default]
    Functions,
    /// What threads did all the time: ran, waited for a CPU, a disk, a lock, …
    States,
    /// Which system calls were made, how often they failed, and how long they took
    Syscalls,
    /// The slowest calls, each with its arguments, its stack, and what it really waited for
    Slow,
    /// Which files, devices and pipes slow calls were on
    Files,
    /// Which peers slow calls on sockets were to
    Sockets,
    /// Who ended the waits of whom
    Wakers,
    /// Which locks threads waited for, who held them, and what those did meanwhile
    Locks,
    /// What block devices were asked for, and how long it took in them and before
    Block,
    /// Which tasks of an async runtime blocked their worker, or are suspected of long polls
    Async,
}

/// Whose locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LockKind {
    /// Those of programs: mutexes, rw locks, condition variables, …
    User,
    /// Those of the kernel
    Kernel,
}

/// What samples are put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Process id and name
    Process,
    /// Thread id and name
    Thread,
    /// Name of the thread
    Comm,
    /// Module that was executing
    Module,
    /// Crate, package or namespace of the function that was executing
    #[value(alias = "crate")]
    Package,
    /// cgroup path
    Cgroup,
    /// systemd unit
    Unit,
    /// Container id
    Container,
    /// How the walk of the stack ended
    Outcome,
}

/// What functions are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortKey {
    /// Time in the function itself
    #[value(name = "self")]
    SelfTime,
    /// Time in the function and in what it calls
    Total,
    /// Name of the function
    Name,
    /// Name of the module
    Module,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("give a number from 0 to 100".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_may_have_its_sign_and_nothing_else() {
        assert_eq!(percent("99.5 %"), Ok(99.5));
        assert_eq!(percent("0"), Ok(0.0));
        for text in ["", "nan", "-1", "100.1", "1e3", "inf"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}
