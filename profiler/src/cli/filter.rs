//! Which part of a trace a view shows: the same flags for every command that reads a trace.

use std::{str::FromStr, time::Duration};

use clap::{Args, ValueEnum};

/// Which part of a trace to show. Filters of different kinds must all hold; of one kind, one must.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterOptions {
    /// Which time of threads to show
    #[arg(long, value_name = "TIME", value_enum, default_value_t)]
    pub profile: ProfileTime,

    /// Only these processes (17,18; may be repeated)
    #[arg(short, long = "pid", value_name = "PID", value_delimiter = ',')]
    pub pids: Vec<u32>,

    /// Only these threads (17,18; may be repeated)
    #[arg(short, long = "tid", value_name = "TID", value_delimiter = ',')]
    pub tids: Vec<u32>,

    /// Only threads whose name matches; * and ? are wild cards (may be repeated)
    #[arg(long = "comm", value_name = "GLOB")]
    pub comms: Vec<String>,

    /// Only what runs in this cgroup or below it
    #[arg(short = 'G', long, value_name = "PATH")]
    pub cgroup: Option<String>,

    /// Only what this systemd unit runs; .service may be left out
    #[arg(long, value_name = "UNIT")]
    pub unit: Option<String>,

    /// Only this container (its id or the begin of it)
    #[arg(long, value_name = "ID")]
    pub container: Option<String>,

    /// Only stacks that pass through this module, such as libc.so.6 (may be repeated)
    #[arg(long = "module", value_name = "NAME")]
    pub modules: Vec<String>,

    /// Only stacks that pass through a function whose name has this in it; without capitals, case does not matter
    #[arg(long = "function", value_name = "TEXT")]
    pub function: Option<String>,

    /// Only this stretch of the recording: 5s-10s, 5s+2s, 2m-, -500ms
    #[arg(long, value_name = "FROM-TO", allow_hyphen_values = true)]
    pub time: Option<TimeRange>,

    /// Leave kernel frames out of stacks; their samples count for the user function that called the kernel
    #[arg(long)]
    pub no_kernel: bool,

    /// Leave user frames out of stacks
    #[arg(long, conflicts_with = "no_kernel")]
    pub no_user: bool,
}

/// Which time of threads to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProfileTime {
    /// On a CPU
    #[default]
    Cpu,
    /// Off the CPU: blocked, or waiting for a CPU
    OffCpu,
    /// Both together, by the clock on the wall
    Wall,
    /// Waiting for locks that other threads had; idle waits are left out
    Lock,
}

/// A stretch of time since the recording began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// Where it begins.
    pub from: Duration,
    /// Where it ends (not included); `None`: with the recording.
    pub to: Option<Duration>,
}

impl FromStr for TimeRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((from, length)) = text.split_once('+') {
            let from = duration(from)?;
            let to = from.checked_add(duration(length)?).ok_or("the end is too late")?;
            return Self { from, to: Some(to) }.forward();
        }
        let (from, to) = text
            .split_once('-')
            .ok_or("give begin and end, such as 5s-10s, 5s+2s, 2m- or -500ms")?;
        let range = Self {
            from: if from.trim().is_empty() {
                Duration::ZERO
            } else {
                duration(from)?
            },
            to: if to.trim().is_empty() {
                None
            } else {
                Some(duration(to)?)
            },
        };
        range.forward()
    }
}

impl TimeRange {
    fn forward(self) -> Result<Self, String> {
        match self.to {
            Some(to) if to <= self.from => Err("the end is not after the begin".to_owned()),
            _ => Ok(self),
        }
    }
}

/// Reads `1.5s`, `500ms`, `2m`, `1h`, `10us`; a bare number is seconds.
///
/// # Errors
/// What is wrong with the text, in words for the person who typed it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit.trim() {
        "" | "s" => 1.0,
        "us" => 1e-6,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("unknown unit {other:?}; use us, ms, s, m or h")),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("{text:?} is not a duration such as 5s, 500ms or 2m"))?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| format!("{text:?} is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_seconds() {
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
    }

    #[test]
    fn what_is_no_duration_is_refused_in_words() {
        for text in ["", "s", "5 parsecs", "1.2.3s", "-5s", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn either_end_of_a_range_may_be_left_open() {
        let range = |from, to: Option<u64>| {
            Ok(TimeRange {
                from: Duration::from_secs(from),
                to: to.map(Duration::from_secs),
            })
        };
        assert_eq!("5s-10s".parse(), range(5, Some(10)));
        assert_eq!("5-".parse(), range(5, None));
        assert_eq!("-2m".parse(), range(0, Some(120)));
        assert_eq!("5s+2s".parse(), range(5, Some(7)));
        assert!("5s+0".parse::<TimeRange>().is_err());
        assert!("10s-5s".parse::<TimeRange>().is_err());
        assert!("10s".parse::<TimeRange>().is_err());
    }
}
