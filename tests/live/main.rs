//! Tests that load BPF programs on this kernel; root only, one at a time.
//!
//! `short` is the core, under a minute in all; the other modules take their time. Shares of CPU time are held against
//! what the programs say of themselves, real servers against `perf record --call-graph dwarf`. What this machine lacks
//! is printed as `NOT RUN: test: reason`.

mod async_blocking;
mod calls;
mod cpu;
mod dashboard;
mod filters;
mod hostile;
mod locks;
mod modes;
mod page;
mod processes;
mod servers;
mod short;
mod states;
mod terminal;
mod trace;
mod waits;

use tests::{Lab, Missing, Recording};

/// Records `workload` from its first instruction, at 999 Hz for `seconds`.
fn record_workload(lab: &Lab, workload: &str, seconds: u32) -> Result<Recording, Missing> {
    let program = lab.workload(workload)?;
    let recording = lab
        .record()
        .frequency(999)
        .command([program.as_os_str(), seconds.to_string().as_ref()])
        .run();
    assert!(
        recording.status.success(),
        "recording {workload} ended with {}:\n{}",
        recording.status,
        recording.stderr
    );
    // A sample for every millisecond of CPU time; the rest is what starting and the system's own clock take.
    let cpu = recording.cpu_seconds();
    if cpu < 0.3 * f64::from(seconds) {
        let got = format!("{workload} got {cpu} s of CPU time in {seconds} s");
        return Err(Missing(format!("the machine is too busy: {got}")));
    }
    let (count, least, most) = (
        recording.view().len() as f64,
        cpu * 999.0 * 0.9,
        cpu * 999.0 * 1.1 + 50.0,
    );
    assert!(
        (least..most).contains(&count),
        "{count} samples of {cpu} s of CPU time of {workload} at 999 Hz; {:?}",
        recording.profile.quality_total()
    );
    Ok(recording)
}

/// The functions of `deep` from main to the leaf `leaf`.
fn deep_chain(leaf: &str) -> Vec<String> {
    std::iter::once("main".to_owned())
        .chain((1..=11).map(|step| format!("step_{step:02}")))
        .chain([leaf.to_owned()])
        .collect()
}
