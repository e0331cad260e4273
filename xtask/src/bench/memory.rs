//! Peak memory, the time to the first sample, and what BPF programs take per run.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{
    Bench,
    counter::{Counter, other_cpus},
    peers::{Kind, Peer, Target, cpus},
    running::{Running, fdinfo, peak_resident},
    table::Table,
};
use crate::process::output;

const STATISTICS: &str = "/proc/sys/kernel/bpf_stats_enabled";

const KINDS: [Kind; 6] = [
    Kind::Profiler,
    Kind::PerfFramePointers,
    Kind::PerfDwarf,
    Kind::Bpftrace,
    Kind::Bcc,
    Kind::Samply,
];

/// While this lives, the kernel counts the runs of BPF programs, or does not.
pub(super) struct Statistics(String);

impl Statistics {
    pub(super) fn on() -> Result<Self> {
        Self::set("1")
    }

    /// Counting costs every run of every program something. Whoever was killed while it counted left it on.
    pub(super) fn off() -> Result<Self> {
        Self::set("0")
    }

    fn set(value: &str) -> Result<Self> {
        let before = fs::read_to_string(STATISTICS).with_context(|| format!("cannot read {STATISTICS}"))?;
        fs::write(STATISTICS, value).with_context(|| format!("cannot write {STATISTICS}"))?;
        Ok(Self(before))
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        // A value that was there before can be put back; there is nobody left to tell if not.
        let _ = fs::write(STATISTICS, self.0.trim());
    }
}

pub(super) fn measure(bench: &Bench) -> Result<Table> {
    let mut table = Table::new("Memory, and the time to the first sample");
    let first = "time to the first sample";
    bench.peers.note_missing(&mut table, first, &KINDS);
    let _statistics = Statistics::on()?;
    let counter = Counter::start(bench)?;
    for _ in 0..bench.effort.rounds {
        for peer in bench.peers.of(&KINDS) {
            let target = Target::Pid(counter.pid());
            match one(bench, &mut table, peer, target, "-p at 999 Hz", Some(&counter)) {
                Ok(Some(seconds)) => table.add(first, peer.name, "ms", seconds * 1000.0),
                Ok(None) => table.note(first, peer.name, "unavailable: it does not say when"),
                Err(error) => table.note(first, peer.name, &format!("failed: {error:#}")),
            }
        }
    }
    drop(counter);
    let log = bench.directory.join("load.log");
    let mut storm = Command::new(bench.workload("forkstorm")?);
    let _storm = Running::start(storm.args(["100000", "100"]), "", &log)?;
    for peer in bench.peers.of(&KINDS) {
        one(
            bench,
            &mut table,
            peer,
            Target::System,
            "system-wide at 999 Hz",
            None,
        )?;
    }
    table.rows.sort_by_key(|row| row.measure.clone());
    Ok(table)
}

/// Memory while recording; gives the seconds to the first sample.
fn one(
    bench: &Bench,
    table: &mut Table,
    peer: &Peer,
    target: Target,
    case: &str,
    counter: Option<&Counter>,
) -> Result<Option<f64>> {
    let (file, log) = (bench.directory.join("memory"), bench.directory.join("log"));
    let Some(command) = peer.command(target, 999, &file) else {
        return Ok(None);
    };
    let mut running = Running::start(&command, &other_cpus(), &log)?;
    let mut ran = None;
    let (mut resident, mut maps) = (0, 0);
    let mut looked = Instant::now();
    while running.started.elapsed() < bench.effort.stretch {
        if ran.is_none() {
            let runs = fdinfo(running.pid(), "prog_id", "run_cnt");
            ran = runs
                .iter()
                .any(|(_, runs)| *runs > 0)
                .then(|| running.started.elapsed());
            std::thread::sleep(Duration::from_millis(1));
        } else {
            std::thread::sleep(Duration::from_millis(50));
        }
        if looked.elapsed() > Duration::from_millis(200) {
            looked = Instant::now();
            resident = peak_resident(running.pid()).unwrap_or(0).max(resident);
            maps = fdinfo(running.pid(), "map_id", "memlock")
                .iter()
                .map(|(_, bytes)| bytes)
                .sum::<u64>()
                .max(maps);
        }
    }
    running.check(&log)?;
    let started = running.started;
    running.stop()?;
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    table.add(
        &format!("{case}: peak resident"),
        peer.name,
        "MB",
        megabytes(resident),
    );
    table.add(&format!("{case}: BPF maps"), peer.name, "MB", megabytes(maps));
    if let (Some(counter), Kind::PerfFramePointers | Kind::PerfDwarf) = (counter, peer.kind) {
        let start_ns = counter.monotonic_ns(started)?;
        return Ok(first_of_perf(&file).map(|time| time - start_ns as f64 / 1e9));
    }
    Ok(ran.map(|ran| ran.as_secs_f64()))
}

/// When perf took its first sample, in seconds of the monotonic clock.
fn first_of_perf(file: &std::path::Path) -> Option<f64> {
    let script = "perf script -F time -G -i \"$0\" 2>/dev/null | head -n 1";
    let line = output(Command::new("sh").args(["-c", script]).arg(file)).ok()?;
    line.trim().trim_end_matches(':').parse().ok()
}

/// What a BPF program takes per sample, with every CPU busy in 17 user frames.
pub(super) fn bpf_run_time(bench: &Bench) -> Result<Table> {
    let measure = "run time of the sampler per run";
    let kinds = [
        Kind::Empty,
        Kind::ProfilerNoStacks,
        Kind::Profiler,
        Kind::Bpftrace,
        Kind::Bcc,
    ];
    let mut table = Table::new("Run time of BPF programs (every CPU busy, 17 user frames)");
    bench.peers.note_missing(&mut table, measure, &kinds);
    let _statistics = Statistics::on()?;
    let log = bench.directory.join("load.log");
    let mut busy = Vec::new();
    for cpu in 0..cpus() {
        let mut counter = Command::new(bench.workload("counter")?);
        busy.push(Running::start(
            counter.args(["100000", "1000"]),
            &cpu.to_string(),
            &log,
        )?);
    }
    for _ in 0..bench.effort.rounds {
        for peer in bench.peers.of(&kinds) {
            match run_time(bench, peer) {
                Ok(Some(ns)) => table.add(measure, peer.name, "ns", ns),
                Ok(None) => table.note(measure, peer.name, "unavailable: it holds no program that ran"),
                Err(error) => table.note(measure, peer.name, &format!("failed: {error:#}")),
            }
        }
    }
    Ok(table)
}

/// Nanoseconds per run of the program that ran most: the sampler.
fn run_time(bench: &Bench, peer: &Peer) -> Result<Option<f64>> {
    let (file, log) = (bench.directory.join("bpf"), bench.directory.join("log"));
    let command = peer
        .command(Target::System, 999, &file)
        .context("it cannot record the whole system")?;
    let mut running = Running::start(&command, "", &log)?;
    std::thread::sleep(Duration::from_secs(5));
    running.check(&log)?;
    let times = fdinfo(running.pid(), "prog_id", "run_time_ns");
    let runs = fdinfo(running.pid(), "prog_id", "run_cnt");
    running.stop()?;
    let sampler = times.iter().zip(&runs).max_by_key(|(_, (_, runs))| *runs);
    Ok(sampler
        .filter(|(_, (_, runs))| *runs > 0)
        .map(|((_, time), (_, runs))| *time as f64 / *runs as f64))
}
