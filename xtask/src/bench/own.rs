//! CPU time that a profiler uses itself, and how large its recording gets.

use std::{path::Path, process::Command, time::Duration};

use anyhow::Result;

use super::{
    Bench,
    counter::{Counter, other_cpus},
    peers::{Kind, Peer, Target},
    running::{Running, size_of},
    table::Table,
};

/// From its start until a profiler is counted as recording in the steady state.
const START_UP: Duration = Duration::from_millis(2500);

const KINDS: [Kind; 6] = [
    Kind::Profiler,
    Kind::PerfFramePointers,
    Kind::PerfDwarf,
    Kind::Bpftrace,
    Kind::Bcc,
    Kind::Samply,
];

/// One situation in which own CPU time is measured.
struct Case {
    name: &'static str,
    hz: u32,
    target: Target,
}

pub(super) fn measure(bench: &Bench) -> Result<Table> {
    let mut table = Table::new("The profiler's own CPU time (user + system), and its recording");
    {
        let counter = Counter::start(bench)?;
        let target = Target::Pid(counter.pid());
        for (name, hz) in [("-p at 999 Hz", 999), ("-p at 99 Hz", 99)] {
            rounds(bench, &mut table, &Case { name, hz, target })?;
        }
    }
    let log = bench.directory.join("load.log");
    let mut threads = Command::new(bench.workload("threads")?);
    let mut storm = Command::new(bench.workload("forkstorm")?);
    let _threads = Running::start(threads.args(["100000", "64"]), "", &log)?;
    let _storm = Running::start(storm.args(["100000", "100"]), "", &log)?;
    let name = "system-wide at 99 Hz, 64 threads and a fork storm";
    let case = Case {
        name,
        hz: 99,
        target: Target::System,
    };
    rounds(bench, &mut table, &case)?;
    table.rows.sort_by_key(|row| row.measure.clone());
    Ok(table)
}

fn rounds(bench: &Bench, table: &mut Table, case: &Case) -> Result<()> {
    bench.peers.note_missing(table, case.name, &KINDS);
    for _ in 0..bench.effort.rounds.min(3) {
        for peer in bench.peers.of(&KINDS) {
            if let Err(error) = one(bench, table, case, peer) {
                table.note(case.name, peer.name, &format!("failed: {error:#}"));
            }
        }
    }
    Ok(())
}

fn one(bench: &Bench, table: &mut Table, case: &Case, peer: &Peer) -> Result<()> {
    let (file, log) = (bench.directory.join("own"), bench.directory.join("log"));
    let Some(command) = peer.command(case.target, case.hz, &file) else {
        table.note(case.name, peer.name, "unavailable: it has no such mode");
        return Ok(());
    };
    // Beside the counter there is a CPU to itself; system-wide it takes its chances like everybody.
    let cpus = match case.target {
        Target::Pid(_) => other_cpus(),
        Target::System => String::new(),
    };
    let mut running = Running::start(&command, &cpus, &log)?;
    // Where 64 threads want the CPUs, starting takes its time.
    let start_up = match case.target {
        Target::Pid(_) => START_UP,
        Target::System => 2 * START_UP,
    };
    std::thread::sleep(start_up);
    running.check(&log)?;
    let before = running.cpu();
    std::thread::sleep(bench.effort.stretch);
    running.check(&log)?;
    let steady = running.cpu() - before;
    let used = running.stop()?;
    let seconds = bench.effort.stretch.as_secs_f64();
    table.add(case.name, peer.name, "% of a core", 100.0 * steady / seconds);
    let ends = format!("{}: start-up and finish", case.name);
    table.add(&ends, peer.name, "s of CPU", used.cpu - steady);
    table.add(
        &format!("{}: time to finish", case.name),
        peer.name,
        "s",
        used.finish,
    );
    let written = if size_of(&file) > 0 {
        size_of(&file)
    } else {
        size_of(&log)
    };
    let recorded = format!("{}: recording", case.name);
    let total = seconds + start_up.as_secs_f64();
    table.add(&recorded, peer.name, "kB/s", written as f64 / 1000.0 / total);
    remove(&file);
    Ok(())
}

/// Removes a recording and what lies beside it under its name.
fn remove(file: &Path) {
    for suffix in ["", ".old"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        // Not every profiler leaves a file, and none leaves both.
        let _ = std::fs::remove_file(name);
    }
}
