//! What the profiled program pays: its own progress in windows with and without a profiler, in turns.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{
    Bench,
    counter::{Counter, other_cpus},
    peers::{Kind, Peer, Target},
    running::Running,
    table::{Table, median},
};

/// The frequency at which the cost of one sample shows.
const HZ: u32 = 9999;

/// How long a profiler may take until it samples.
const START_UP: Duration = Duration::from_millis(2500);

const KINDS: [Kind; 8] = [
    Kind::Empty,
    Kind::Profiler,
    Kind::ProfilerNoStacks,
    Kind::PerfFramePointers,
    Kind::PerfDwarf,
    Kind::Bpftrace,
    Kind::Bcc,
    Kind::Samply,
];

/// What one sample costs, in microseconds of the profiled program, seen in two ways: how long the median interrupt takes
/// from it, which a noisy machine leaves alone; and how much less it gets done, which holds all that follows from the
/// interrupt (cold caches) and all of the machine's moods. Each with the clock's interrupt, and above an empty program.
pub(super) fn per_sample(bench: &Bench) -> Result<Table> {
    const INTERRUPT: &str = "1: median interrupt";
    const PROGRESS: &str = "2: progress lost per sample";
    const ABOVE: &str = "above an empty program";
    let mut table = Table::new("Cost to the profiled program, per sample at 9999 Hz");
    bench.peers.note_missing(&mut table, INTERRUPT, &KINDS);
    let counter = Counter::start(bench)?;
    for _ in 0..bench.effort.rounds {
        let mut costs = Vec::new();
        for peer in bench.peers.of(&KINDS) {
            match pair(bench, &counter, peer, HZ) {
                Ok(pair) => {
                    costs.push((INTERRUPT, peer, pair.interrupt_ns / 1e3));
                    costs.push((PROGRESS, peer, pair.slowdown / f64::from(HZ) * 1e6));
                }
                Err(error) => table.note(INTERRUPT, peer.name, &format!("failed: {error:#}")),
            }
        }
        for &(measure, peer, cost) in &costs {
            table.add(measure, peer.name, "µs", cost);
            // Within a round, so that the machine's mood is the same on both sides.
            let empty = costs
                .iter()
                .find(|(other, peer, _)| *other == measure && peer.kind == Kind::Empty);
            if let Some((_, _, empty)) = empty.filter(|_| peer.kind != Kind::Empty) {
                table.add(&format!("{measure}, {ABOVE}"), peer.name, "µs", cost - empty);
            }
        }
    }
    table.rows.sort_by(|a, b| a.measure.cmp(&b.measure));
    Ok(table)
}

/// Whether the program is slower at 99 Hz: the mean over pairs of windows, with its 95 % interval.
pub(super) fn slowdown(bench: &Bench) -> Result<Table> {
    const MEASURE: &str = "slow-down of the program at 99 Hz";
    let kinds = [Kind::Profiler, Kind::PerfFramePointers, Kind::PerfDwarf];
    let mut table = Table::new("Slow-down of the profiled program at 99 Hz");
    bench.peers.note_missing(&mut table, MEASURE, &kinds);
    let counter = Counter::start(bench)?;
    for _ in 0..bench.effort.pairs {
        for peer in bench.peers.of(&kinds) {
            match pair(bench, &counter, peer, 99) {
                Ok(pair) => table.add(MEASURE, peer.name, "%", 100.0 * pair.slowdown),
                Err(error) => table.note(MEASURE, peer.name, &format!("failed: {error:#}")),
            }
        }
    }
    for row in &mut table.rows {
        row.note = bound(&row.values).unwrap_or_default();
    }
    Ok(table)
}

/// What is to be said of slow-downs in percent that shall be at most 1 %.
pub(super) fn bound(slowdowns: &[f64]) -> Option<String> {
    let (mean, half) = interval(slowdowns)?;
    let upper = mean + half;
    let verdict = if upper <= 1.0 {
        "at most 1 %"
    } else {
        "inconclusive: not shown to be at most 1 %"
    };
    Some(format!(
        "mean {mean:.2} %, 95 % interval {:.2} to {upper:.2} %: {verdict}",
        mean - half
    ))
}

/// A window with a profiler at work, and the windows before and after.
struct Pair {
    /// How much slower the counter is with the profiler, as a part of 1.
    slowdown: f64,
    /// What the median interrupt takes from it with the profiler.
    interrupt_ns: f64,
}

fn pair(bench: &Bench, counter: &Counter, peer: &Peer, hz: u32) -> Result<Pair> {
    let window = bench.effort.window;
    let before = counter.pace(window / 2)?;
    let (file, log) = (bench.directory.join("trace"), bench.directory.join("log"));
    let command = peer
        .command(Target::Pid(counter.pid()), hz, &file)
        .context("it cannot record one process")?;
    let mut running = Running::start(&command, &other_cpus(), &log)?;
    std::thread::sleep(START_UP);
    running.check(&log)?;
    let with = counter.pace(window)?;
    running.check(&log)?;
    // The figure is taken: it stands however the profiler ends, and one that does not end is killed.
    drop(running.stop());
    std::thread::sleep(Duration::from_millis(100));
    let after = counter.pace(window / 2)?;
    Ok(Pair {
        slowdown: 1.0 - with.rate / ((before.rate + after.rate) / 2.0),
        interrupt_ns: with.interrupt_ns,
    })
}

/// The mean and half its 95 % interval; `None` for fewer than two values. The quantile is that of Student's t for 20
/// values or more; for fewer it would have to be larger, so these get the one of two values.
fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let count = values.len();
    median(values)?;
    if count < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1) as f64;
    let quantile = if count >= 20 { 2.093 } else { 12.71 };
    Some((mean, quantile * (variance / count as f64).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_mean_and_narrows_with_more_values() {
        let twenty: Vec<f64> = (0..20).map(|index| f64::from(index % 2)).collect();
        let (mean, half) = interval(&twenty).unwrap();
        assert!((mean - 0.5).abs() < 1e-9 && (half - 0.24).abs() < 0.01, "{half}");
        assert!(interval(&twenty[..4]).unwrap().1 > half);
        assert_eq!(interval(&[1.0]), None);
    }
}
