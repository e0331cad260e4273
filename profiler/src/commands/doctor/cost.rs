//! What recording would cost here and now.

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::Result;
use clap::ValueEnum as _;
use serde::Serialize;

use crate::{
    cli::target::{DEFAULT_PROBES, MAX_OVERHEAD, ProbeName},
    collect::{Options, collector, cpus, own_cost::Measured},
    probes::{self, PROGRAMS},
};

/// How long it is measured.
const TIME: Duration = Duration::from_secs(1);

/// What the kernel programs of a probe cost while they were measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Cost {
    /// As users type it.
    probe: &'static str,
    /// Whether it is recorded without being asked for.
    by_default: bool,
    /// How often its programs ran.
    runs: u64,
    /// How long they ran together, in nanoseconds.
    run_ns: u64,
    /// The same in percent of the time of all CPUs.
    percent: f64,
}

/// Records everything for a second.
///
/// # Errors
/// If the kernel refuses something.
pub(super) fn measure() -> Result<Vec<Cost>> {
    let options = Options {
        off_cpu: true,
        calls: true,
        block: true,
        locks: true,
        ..Options::default()
    };
    let measured = collector::measure(&options, TIME)?;
    Ok(costs(&measured, cpus::online().map_or(1, |cpus| cpus.len())))
}

fn costs(measured: &Measured, cpus: usize) -> Vec<Cost> {
    let cost = |(_, probe)| {
        let programs = measured.programs.iter();
        let of_probe: Vec<_> = programs
            .filter(|run| probes::of_program(&run.name) == Some(probe))
            .collect();
        let run_ns = of_probe.iter().map(|run| run.ns).sum();
        Cost {
            probe,
            by_default: ProbeName::from_str(probe, false).is_ok_and(|probe| DEFAULT_PROBES.contains(&probe)),
            runs: of_probe.iter().map(|run| run.runs).sum(),
            run_ns,
            percent: 100.0 * run_ns as f64 / (measured.over_ns.max(1) as f64 * cpus as f64),
        }
    };
    PROGRAMS.map(cost).into()
}

pub(super) fn print(out: &mut dyn Write, costs: &[Cost]) -> io::Result<()> {
    let by_default: Vec<_> = costs
        .iter()
        .filter(|cost| cost.by_default)
        .map(|cost| cost.probe)
        .collect();
    writeln!(
        out,
        "\nWhat is recorded without --probe, and what it costs the programs of this host now (measured for {} s, with \
         the stacks of waits of --probe off-cpu):",
        TIME.as_secs()
    )?;
    writeln!(
        out,
        "{:<10}{:>12}{:>12}{:>18}",
        "probe", "runs/s", "ns a run", "% of all CPUs"
    )?;
    for cost in costs {
        let mean = cost
            .run_ns
            .checked_div(cost.runs)
            .map_or("·".to_owned(), |ns| ns.to_string());
        writeln!(
            out,
            "{:<10}{:>12}{:>12}{:>17.2} %",
            cost.probe, cost.runs, mean, cost.percent
        )?;
    }
    let all: f64 = costs.iter().map(|cost| cost.percent).sum();
    writeln!(out, "{:<10}{:>12}{:>12}{:>17.2} %", "all", "", "", all)?;
    writeln!(
        out,
        "{} are recorded by default; where all, with the recorder's own CPU time, would cost more than {MAX_OVERHEAD} % \
         of the CPUs' time (--max-overhead), the dearest is turned off and the trace says so.",
        by_default.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::own_cost::Run;

    #[test]
    fn all_are_probes_that_users_can_name() {
        for (_, probe) in PROGRAMS {
            assert!(ProbeName::from_str(probe, false).is_ok(), "{probe}");
        }
    }

    #[test]
    fn programs_belong_to_probes() {
        let run = |name: &str, ns, runs| Run {
            name: name.to_owned(),
            ns,
            runs,
        };
        let measured = Measured {
            over_ns: 1_000_000_000,
            programs: vec![
                run("cpu", 1_000_000, 198),
                run("states_switch", 2_000_000, 4_000),
                run("states_waking", 1_000_000, 2_000),
                run("calls_exit", 10_000_000, 20_000),
                run("process_fork", 5, 1),
            ],
        };
        let costs = costs(&measured, 2);
        let shown: Vec<_> = costs
            .iter()
            .map(|cost| (cost.probe, cost.runs, cost.percent))
            .collect();
        let expected = [
            ("cpu", 198, 0.05),
            ("states", 6_000, 0.15),
            ("syscalls", 20_000, 0.5),
            ("block", 0, 0.0),
            ("lock", 0, 0.0),
        ];
        assert_eq!(shown, expected);
        let mut text = Vec::new();
        print(&mut text, &costs).unwrap();
        let text = String::from_utf8(text).unwrap();
        let line = |probe: &str| {
            let line = text.lines().find(|line| line.starts_with(probe));
            line.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(line("syscalls ").as_deref(), Some("syscalls 20000 500 0.50 %"));
        assert_eq!(line("block ").as_deref(), Some("block 0 · 0.00 %"));
        assert_eq!(line("all ").as_deref(), Some("all 0.70 %"));
    }
}
