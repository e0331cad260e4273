//! How long `report` takes on a system-wide trace.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{
    Bench,
    peers::{Kind, Target},
    running::{Running, size_of},
    table::Table,
};

pub(super) fn measure(bench: &Bench) -> Result<Table> {
    let measure = "report of a system-wide trace at 99 Hz";
    let mut table = Table::new("Reading a trace");
    let kinds = [Kind::Profiler];
    bench.peers.note_missing(&mut table, measure, &kinds);
    let log = bench.directory.join("load.log");
    let mut threads = Command::new(bench.workload("threads")?);
    let mut storm = Command::new(bench.workload("forkstorm")?);
    let _threads = Running::start(threads.args(["100000", "64"]), "", &log)?;
    let _storm = Running::start(storm.args(["100000", "100"]), "", &log)?;
    for peer in bench.peers.of(&kinds) {
        let (file, log) = (bench.directory.join("system"), bench.directory.join("log"));
        let Some(command) = peer.command(Target::System, 99, &file) else {
            continue;
        };
        let mut running = Running::start(&command, "", &log)?;
        std::thread::sleep(bench.effort.recording + Duration::from_secs(1));
        running.check(&log)?;
        running.stop()?;
        let profiler = command.get_program();
        for _ in 0..bench.effort.rounds {
            let start = Instant::now();
            let status = Command::new(profiler)
                .arg("report")
                .arg(&file)
                .stdout(Stdio::null())
                .status()
                .context("cannot start the report")?;
            if !status.success() {
                bail!("the report of {} failed: {status}", file.display());
            }
            table.add(measure, peer.name, "ms", start.elapsed().as_secs_f64() * 1000.0);
        }
        let seconds = bench.effort.recording.as_secs();
        let kilobytes = size_of(&file) as f64 / 1000.0;
        table.note(
            measure,
            peer.name,
            &format!("{seconds} s recorded, {kilobytes:.0} kB"),
        );
    }
    Ok(table)
}
