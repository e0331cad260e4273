//! `profiler top`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::{
    duration,
    record::overhead,
    target::{SamplingOptions, TargetOptions},
};

/// Show what the whole system does and what it waits for, live; or play a recording in the same views.
#[derive(Debug, Args)]
#[command(after_help = "Views, by their keys:
  0 Overview   the host at a glance: charts of the last minutes, processes, hottest paths, worst waits
  1 Functions  the hottest functions, sampled
  2 Processes  the hottest processes, sampled
  3 Stacks     who called what
  4 Time       how threads spent their time: ran, wanted a CPU, waited and for what; measured, not sampled
  5 I/O        system calls by process, call and kind of object, each counted and timed; and the slowest of them
  6 Heat       a map of the last minutes, second by second; Enter twice chooses a range for all views
  7 Locks      which locks threads wait for, for how long and where, and who holds them
Time and I/O do not go with -G and --comm: these can be asked of the running thread only.
With the name of a trace it opens that, whole; Space plays it, , and . go a window back and forth. No privileges needed.
Enter opens what is under the cursor, Esc goes back, f shows only that everywhere, r records it to a trace, ? shows all keys.")]
pub struct TopOptions {
    /// Show this trace instead of what happens now
    #[arg(value_name = "FILE", conflicts_with_all = ["all", "pids", "tids", "cgroup", "comm", "no_calls", "no_locks", "no_states",
          "max_overhead", "frequency", "event", "no_kernel", "no_user", "max_stack"])]
    pub trace: Option<PathBuf>,

    #[command(flatten)]
    pub target: TargetOptions,

    #[command(flatten)]
    pub sampling: SamplingOptions,

    /// Look over the last so much time (10s, 60s, 5m), over all since the start (start), or over all of which half is
    /// forgotten in so much time (decay:10s); w changes it
    /// [default: 10s; of a trace: start]
    #[arg(short, long, value_name = "TIME", value_parser = window)]
    pub window: Option<TopWindow>,

    /// Renew the picture so often; more seldom where that would cost more than 2 % of a CPU
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = refresh)]
    pub refresh: Duration,

    /// Leave out system calls: each is counted and timed at a cost of some 0.3 µs, for the view I/O
    #[arg(long)]
    pub no_calls: bool,

    /// Leave out waits for locks, of programs and of the kernel, for the view Locks
    #[arg(long)]
    pub no_locks: bool,

    /// Take stacks of waits, too: t then shows where threads wait. Costs every system call some 0.1 µs
    #[arg(long, conflicts_with_all = ["no_states", "trace"])]
    pub off_cpu: bool,

    /// What all of it may cost, in percent of the time of all CPUs; above it probes are turned off, the dearest first, and
    /// the header says so [default: 3]
    #[arg(long, value_name = "PERCENT", value_parser = overhead)]
    pub max_overhead: Option<f64>,

    /// Leave out what threads do and wait for, and system calls and locks with it: the views Time, I/O and Locks stay empty
    #[arg(long)]
    pub no_states: bool,

    /// Colours for a dark terminal, for a light one, or 16 that any has [default: as the terminal says; NO_COLOR wins]
    #[arg(long, value_enum)]
    pub theme: Option<TopTheme>,

    /// Sort functions by this; s changes it
    #[arg(long, value_enum, default_value_t = TopSort::Own)]
    pub sort: TopSort,

    /// Read settings and keys from this file [default: $XDG_CONFIG_HOME/profiler/config.toml or
    /// ~/.config/profiler/config.toml, under sudo root's, else that of who called it]; flags count more
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,

    /// Read no settings file
    #[arg(long, conflicts_with = "config", help_heading = "Settings")]
    pub no_config: bool,

    /// Print a settings file with everything that can be set, as it is by default
    #[arg(long, help_heading = "Settings")]
    pub print_config: bool,
}

/// Over which time to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopWindow {
    /// The last so much time.
    Last(Duration),
    /// All since the start.
    Start,
    /// All, of which half is forgotten in so much time.
    Decaying(Duration),
}

/// By what functions are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TopSort {
    /// Time in the function itself
    #[value(name = "self")]
    Own,
    /// Time in the function and in what it called
    Total,
}

/// Which colours to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TopTheme {
    /// 256 colours on a dark ground
    Dark,
    /// 256 colours on a light ground
    Light,
    /// 16 colours
    #[value(name = "16")]
    Sixteen,
}

fn window(text: &str) -> Result<TopWindow, String> {
    const LIMITS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);
    // Longer, and what is to be half forgotten would be gone for want of room.
    const HALVES: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);
    if text == "start" {
        return Ok(TopWindow::Start);
    }
    if let Some(half) = text.strip_prefix("decay:") {
        return match duration(half) {
            Ok(time) if HALVES.contains(&time) => Ok(TopWindow::Decaying(time)),
            Ok(_) => Err("give decay:1s to decay:30s".to_owned()),
            Err(error) => Err(format!(
                "{error}; it is decay: and the time in which half is forgotten"
            )),
        };
    }
    match duration(text) {
        Ok(time) if LIMITS.contains(&time) => Ok(TopWindow::Last(time)),
        Ok(_) => Err("give 1s to 10m, or start for all since the start".to_owned()),
        Err(error) => Err(format!("{error}; or give start for all since the start")),
    }
}

fn refresh(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        time if time >= Duration::from_millis(100) && time <= Duration::from_secs(60) => Ok(time),
        _ => Err("give 100ms to 60s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_time_or_all_since_the_start() {
        assert_eq!(window("start"), Ok(TopWindow::Start));
        assert_eq!(window("2m"), Ok(TopWindow::Last(Duration::from_secs(120))));
        assert_eq!(
            window("decay:5s"),
            Ok(TopWindow::Decaying(Duration::from_secs(5)))
        );
        assert!(window("decay:10m").unwrap_err().contains("decay:30s"));
        assert!(window("decay:").unwrap_err().contains("half"));
        assert!(window("11m").unwrap_err().contains("1s to 10m"));
        assert!(window("soon").unwrap_err().contains("start"));
    }

    #[test]
    fn the_picture_is_not_renewed_faster_than_one_can_look() {
        assert_eq!(refresh("1"), Ok(Duration::from_secs(1)));
        assert!(refresh("1ms").is_err());
    }
}
