//! The program that counts its own progress, window by window.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{Bench, peers::cpus, table::median};

/// One line of the counter.
#[derive(Clone, Copy, Debug)]
struct Tick {
    arrived: Instant,
    /// `CLOCK_MONOTONIC`, in nanoseconds, at the end of the tick.
    time_ns: u64,
    units: u64,
    /// What the median interrupt took in the tick, in nanoseconds; 0: there was none.
    interrupt_ns: u64,
}

/// How the program got on in a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Units a second.
    pub(super) rate: f64,
    /// What an interrupt took from the program, in nanoseconds: the median over ticks of their medians.
    pub(super) interrupt_ns: f64,
}

/// `tests/workloads/counter.c`, on the last CPU, where nothing else is put.
#[derive(Debug)]
pub(super) struct Counter {
    child: Child,
    ticks: Receiver<Tick>,
}

impl Counter {
    pub(super) fn start(bench: &Bench) -> Result<Self> {
        // In a scheduling class that keeps whatever else runs on this machine off its CPU: nice values do not reach
        // beyond the session (autogroups).
        let mut child = Command::new("chrt")
            .args(["-f", "1", "taskset", "-c", &(cpus() - 1).to_string()])
            .arg(bench.workload("counter")?)
            .args(["1000000", "10"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start chrt, of Debian's package util-linux")?;
        let lines = BufReader::new(child.stdout.take().expect("standard output was piped")).lines();
        let (sender, ticks) = channel();
        // Ends with the counter, or with whoever wanted its ticks.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let arrived = Instant::now();
                let mut numbers = line.split(' ').filter_map(|number| number.parse::<u64>().ok());
                if let (Some(time_ns), Some(units), Some(interrupt_ns)) =
                    (numbers.next(), numbers.next(), numbers.next())
                {
                    let tick = Tick {
                        arrived,
                        time_ns,
                        units,
                        interrupt_ns,
                    };
                    if sender.send(tick).is_err() {
                        break;
                    }
                }
            }
        });
        let counter = Self { child, ticks };
        // The first moments are not like the rest: page faults, a CPU that wakes up.
        counter.pace(Duration::from_millis(500))?;
        Ok(counter)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it gets on over the next `window`.
    pub(super) fn pace(&self, window: Duration) -> Result<Pace> {
        let from = Instant::now();
        std::thread::sleep(window);
        let until = Instant::now();
        let ticks: Vec<Tick> = self
            .ticks
            .try_iter()
            .filter(|tick| tick.arrived > from && tick.arrived <= until)
            .collect();
        let ([first, rest @ ..], Some(last)) = (&ticks[..], ticks.last()) else {
            bail!("the counter does not count");
        };
        let units: u64 = rest.iter().map(|tick| tick.units).sum();
        let ns = last.time_ns.saturating_sub(first.time_ns);
        if ns == 0 {
            bail!("the counter ticked once in {window:?}");
        }
        let interrupts: Vec<f64> = ticks
            .iter()
            .map(|tick| tick.interrupt_ns as f64)
            .filter(|&ns| ns > 0.0)
            .collect();
        Ok(Pace {
            rate: units as f64 * 1e9 / ns as f64,
            interrupt_ns: median(&interrupts).unwrap_or(0.0),
        })
    }

    /// What `CLOCK_MONOTONIC` shows at `instant`, in nanoseconds.
    pub(super) fn monotonic_ns(&self, instant: Instant) -> Result<u64> {
        std::thread::sleep(Duration::from_millis(100));
        // The line that was passed on fastest is the best comparison of the two clocks.
        let tick = self
            .ticks
            .try_iter()
            .min_by_key(|tick| {
                tick.arrived.duration_since(instant).as_nanos() as i128 - i128::from(tick.time_ns)
            })
            .context("the counter does not count")?;
        let since = u64::try_from(tick.arrived.duration_since(instant).as_nanos()).unwrap_or(u64::MAX);
        Ok(tick.time_ns.saturating_sub(since))
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and that is as wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The CPUs that the counter leaves to the profilers, as `taskset -c` has them; empty if there is but one.
pub(super) fn other_cpus() -> String {
    match cpus() {
        0 | 1 => String::new(),
        2 => "0".to_owned(),
        count => format!("0-{}", count - 2),
    }
}
