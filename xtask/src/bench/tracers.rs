//! Tracers that stand in the way of what a program does, and what they add to a system call or a context switch: a program
//! that does little else runs again and again, with each tracer and without, in turns.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{
    Bench,
    counter::other_cpus,
    memory::Statistics,
    peers::cpus,
    running::{Running, fdinfo},
    table::{Table, median},
};
use crate::process::output;

/// How long one run of the program lasts without a tracer.
const RUN: Duration = Duration::from_millis(150);

/// Of this many runs the fastest counts: whatever else happens on the machine only adds.
const RUNS: usize = 10;

/// Beside a tracer that makes the program this slow, fewer runs do.
const ENOUGH: Duration = Duration::from_secs(5);

/// A tracer that cannot be seen to be at work is taken to be after this.
const START_UP: Duration = Duration::from_millis(2500);

/// How long a tracer may take until its programs run.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tracer that uses less CPU time than this in half a second is no longer starting, in seconds.
const CALM: f64 = 0.05;

/// Iterations of the program that show whether a tracer's BPF programs run.
const TRIAL: u64 = 2000;

/// Beside a tracer that makes do without BPF, a run has this many times fewer iterations.
const FEWER: u64 = 20;

/// Who traces.
pub(super) struct Tracer {
    pub(super) name: &'static str,
    pub(super) way: Way,
    /// What starts it, or why nothing does.
    pub(super) command: Result<Command, String>,
}

/// How a tracer comes to see the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By BPF programs, whose runs the kernel counts.
    Bpf,
    /// By other means; until SIGINT.
    Other,
    /// It starts the program itself, and stops it at every call.
    Around,
}

/// The program that makes calls or switches.
pub(super) struct Load {
    /// Its events, as the tables call one.
    pub(super) event: &'static str,
    /// What an event is.
    pub(super) note: &'static str,
    pub(super) unit: &'static str,
    /// Units in a second.
    pub(super) per_second: f64,
    /// Events in an iteration.
    pub(super) events: u32,
    /// The program and its arguments for so many iterations.
    pub(super) command: fn(u64) -> Vec<String>,
    /// The seconds that an iteration took, from the program's own account and the number of iterations.
    pub(super) seconds: fn(&str, u64) -> Option<f64>,
}

/// The table of a load: what an event takes without a tracer, and what each tracer adds; that also as a multiple of what
/// each of the `yardsticks` (a name, and how the table calls it) adds.
pub(super) fn measure(
    bench: &Bench,
    title: &'static str,
    load: &Load,
    tracers: &[Tracer],
    yardsticks: &[(&str, &str)],
) -> Result<Table> {
    let event = load.event;
    let bare = format!("1: a {event}");
    let added = format!("2: added to a {event}");
    let mut table = Table::new(title);
    table.note(&bare, "nothing", load.note);
    for tracer in tracers {
        if let Err(reason) = &tracer.command {
            table.note(&added, tracer.name, &format!("unavailable: {reason}"));
        }
    }
    let iterations = load.calibrate()?;
    for _ in 0..bench.effort.rounds {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for tracer in tracers {
            let Ok(command) = &tracer.command else { continue };
            without.push(load.fastest(None, iterations, RUNS)?);
            match traced(bench, load, tracer, command, iterations) {
                Ok(value) => with.push((tracer.name, value)),
                Err(error) => table.note(&added, tracer.name, &format!("failed: {error:#}")),
            }
        }
        let nothing = median(&without).context("there is no tracer")?;
        table.add(&bare, "nothing", load.unit, nothing);
        for (name, value) in &with {
            table.add(&added, name, load.unit, value - nothing);
            for (index, (yardstick, called)) in yardsticks.iter().enumerate() {
                // Within a round, so that the machine's mood is the same on both sides.
                let other = with.iter().find(|(other, _)| other == yardstick);
                let other = other.map(|(_, value)| value - nothing);
                // One that seems to cost nothing measures nothing.
                if let Some(other) = other.filter(|&other| other > 0.0 && name != yardstick) {
                    let measure = format!("{}: the same, as a multiple of {called}", index + 3);
                    table.add(&measure, name, "×", (value - nothing) / other);
                }
            }
        }
    }
    table.rows.sort_by(|a, b| a.measure.cmp(&b.measure));
    Ok(table)
}

/// What an event takes beside a tracer, in the load's unit.
fn traced(bench: &Bench, load: &Load, tracer: &Tracer, command: &Command, iterations: u64) -> Result<f64> {
    if tracer.way == Way::Around {
        return load.fastest(Some(command), iterations / FEWER, 1);
    }
    let iterations = if tracer.way == Way::Bpf {
        iterations
    } else {
        iterations / FEWER
    };
    let trial = || load.run(None, TRIAL).map(|_| TRIAL * u64::from(load.events));
    let value = |_| load.fastest(None, iterations, RUNS);
    beside(bench, tracer.way, command, &other_cpus(), trial, value)
}

/// What `value` gives, which gets its id, while a tracer is at work on the CPUs `cpus`. Its programs are known to run once
/// a `trial` makes them run as often as it says.
pub(super) fn beside<T>(
    bench: &Bench,
    way: Way,
    command: &Command,
    cpus: &str,
    trial: impl Fn() -> Result<u64>,
    value: impl FnOnce(u32) -> Result<T>,
) -> Result<T> {
    let log = bench.directory.join("log");
    let mut running = Running::start(command, cpus, &log)?;
    if way == Way::Bpf {
        await_programs(&mut running, &log, trial)?;
    } else {
        std::thread::sleep(START_UP);
    }
    running.check(&log)?;
    let value = value(running.pid())?;
    running.check(&log)?;
    // The figure is taken: it stands however the tracer ends, and one that does not end is killed.
    drop(running.stop());
    // What it was attached to is let go of after its end.
    std::thread::sleep(Duration::from_millis(200));
    Ok(value)
}

impl Load {
    /// What an event takes in the fastest of so many runs, in the load's unit; `around` starts the program.
    fn fastest(&self, around: Option<&Command>, iterations: u64, runs: usize) -> Result<f64> {
        let begun = Instant::now();
        let mut least = f64::INFINITY;
        for _ in 0..runs {
            least = least.min(self.run(around, iterations)?);
            if begun.elapsed() > ENOUGH {
                break;
            }
        }
        Ok(least * self.per_second / f64::from(self.events))
    }

    /// The iterations of a run.
    fn calibrate(&self) -> Result<u64> {
        let event = self.fastest(None, 10 * TRIAL, 3)? / self.per_second;
        Ok((RUN.as_secs_f64() / event / f64::from(self.events)) as u64)
    }

    /// Seconds that an iteration takes, on the last CPU.
    fn run(&self, around: Option<&Command>, iterations: u64) -> Result<f64> {
        let mut command = Command::new("env");
        command.arg("LC_ALL=C");
        if let Some(around) = around {
            command.arg(around.get_program()).args(around.get_args());
        }
        // In a scheduling class that keeps whatever else runs on this machine off its CPU, like the counter.
        command.args(["chrt", "-f", "1", "taskset", "-c", &(cpus() - 1).to_string()]);
        let program = (self.command)(iterations);
        let done = command.args(&program).output().context("cannot start env")?;
        // Some give their account as a result, some beside it.
        let said = [done.stdout, done.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        let said = said.concat();
        if !done.status.success() {
            bail!("{} failed ({}): {}", program.join(" "), done.status, said.trim());
        }
        (self.seconds)(&said, iterations).with_context(|| {
            format!(
                "{} does not say how long it took: {}",
                program.join(" "),
                said.trim()
            )
        })
    }
}

/// Waits until the tracer's programs run as often as a trial has events. Counting these runs costs each of them
/// something, so that ends here.
fn await_programs(running: &mut Running, log: &Path, trial: impl Fn() -> Result<u64>) -> Result<()> {
    let _statistics = Statistics::on()?;
    let pid = running.pid();
    let runs = || -> u64 {
        fdinfo(pid, "prog_id", "run_cnt")
            .iter()
            .map(|(_, runs)| runs)
            .sum()
    };
    loop {
        running.check(log)?;
        let before = runs();
        let events = trial()?;
        if runs().saturating_sub(before) >= events {
            settle(running);
            return Ok(());
        }
        if running.started.elapsed() > PATIENCE {
            bail!("its programs do not run");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Others of its programs may follow, and some tracers look at every process first.
fn settle(running: &Running) {
    let mut used = running.cpu();
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = running.cpu();
        if now - used < CALM || running.started.elapsed() > PATIENCE {
            return;
        }
        used = now;
    }
}

/// A command with its arguments, if there is the program.
pub(super) fn command(program: Result<PathBuf, String>, arguments: &[&str]) -> Result<Command, String> {
    let mut command = Command::new(program?);
    command.args(arguments);
    Ok(command)
}

/// What stands before the name of a tracepoint's argument in the dialect of the bpftrace that is here.
pub(super) fn bpftrace_arguments() -> &'static str {
    let script = "tracepoint:raw_syscalls:sys_enter { @[args.id] = count(); exit(); }";
    match output(Command::new("bpftrace").args(["-e", script])) {
        Ok(_) => "args.",
        // Up to 0.18, or there is none.
        Err(_) => "args->",
    }
}
