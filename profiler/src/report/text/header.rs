//! What was recorded, and how far it can be trusted.

use std::io::{self, Write};

use super::{
    super::Report,
    layout::{Ink, Layout},
    number::{count, duration, percent},
};
pub(super) use crate::query::{
    figures::plural,
    trust::{describe, list},
};
use crate::{
    profile::{State, Unit},
    query::{
        States, Summary, clean,
        trust::{host, quality, warnings},
    },
};

/// Time in no known state from this share on is worth a line of its own, in percent.
const UNKNOWN_IS_MUCH: f64 = 1.0;

pub(super) fn write(
    report: &Report<'_>,
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let warnings = warnings(report.notes, summary);
    lines(report, summary, &warnings, &base(report, summary), layout, out)
}

/// The header above what threads did all the time, which is measured and not sampled.
pub(super) fn write_states(
    report: &Report<'_>,
    summary: &Summary,
    states: &States,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut warnings = warnings(report.notes, summary);
    warnings.extend(unknown(states));
    lines(
        report,
        summary,
        &warnings,
        &base_of_states(report, states),
        layout,
        out,
    )
}

/// The header above anything else; `base` is its last line: what the figures below are of.
pub(super) fn write_above(
    report: &Report<'_>,
    summary: &Summary,
    base: &str,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    lines(
        report,
        summary,
        &warnings(report.notes, summary),
        base,
        layout,
        out,
    )
}

fn lines(
    report: &Report<'_>,
    summary: &Summary,
    warnings: &[String],
    base: &str,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{}", layout.paint(Ink::Strong, &quality(summary)))?;
    writeln!(out, "{}", host(&report.profile.metadata, summary))?;
    for warning in warnings {
        writeln!(out, "{}", layout.paint(Ink::Warning, &format!("! {warning}")))?;
    }
    writeln!(out, "{base}")
}

/// What the shares below are of; where there is nothing to take a share of, why.
pub(super) fn base(report: &Report<'_>, summary: &Summary) -> String {
    let filters = describe(report.selection);
    if summary.samples > 0 {
        let types = &report.selection.sample_types;
        let mut kinds = types
            .iter()
            .filter_map(|&index| report.profile.sample_types.get(usize::from(index)));
        let value = match kinds.next().map(|kind| kind.unit) {
            Some(Unit::Nanoseconds) => {
                format!(", {} of {}", duration(summary.value), summary.sampled.time())
            }
            Some(Unit::Bytes) => format!(", {} bytes", count(summary.value)),
            Some(Unit::Count) | None => String::new(),
        };
        let of = if filters.is_empty() {
            String::new()
        } else {
            format!(" (of {}: {filters})", count(summary.recorded_samples))
        };
        return format!(
            "100 % = {}{of}{value}; ± is the 95 % interval",
            plural(summary.samples, summary.sampled.sample())
        );
    }
    if summary.recorded_samples > 0 {
        return format!(
            "No sample matches: {filters}. {} recorded.",
            plural(summary.recorded_samples, "sample")
        );
    }
    let quality = &summary.quality;
    if summary.sampled.is_waits() {
        return "No samples: no wait was sampled.".to_owned();
    }
    if summary.lost() > 0 {
        return format!("No samples: {} lost.", plural(summary.lost(), "record"));
    }
    match (quality.idle, quality.filtered) {
        (0, 0) => "No samples: the sampler never ran.".to_owned(),
        (idle, 0) => format!(
            "No samples: the CPUs were idle in all {} runs of the sampler.",
            count(idle)
        ),
        (idle, filtered) => format!(
            "No samples: of {} runs of the sampler {} found an idle CPU and {} a thread outside the filters.",
            count(idle + filtered),
            count(idle),
            count(filtered)
        ),
    }
}

/// What the shares of states are of, and of how much time; where there is none, why.
fn base_of_states(report: &Report<'_>, states: &States) -> String {
    let filters = describe(report.selection);
    if states.recorded_threads == 0 {
        return "No states: how threads spent their time was not recorded.".to_owned();
    }
    if states.rows.is_empty() {
        let recorded = plural(states.recorded_threads, "thread");
        return format!("No thread matches: {filters}. {recorded} recorded.");
    }
    let of = if filters.is_empty() {
        String::new()
    } else {
        format!(" (of {}: {filters})", count(states.recorded_threads))
    };
    format!(
        "100 % = a row's own time, {} over {}{of}; measured at every switch, not sampled{}",
        duration(states.total.total_ns()),
        plural(states.threads, "thread"),
        how_divided(states)
    )
}

/// From what it is known whose code ran on the CPUs.
fn how_divided(states: &States) -> String {
    if !states.divides() {
        return String::new();
    }
    let running = states.total.of(State::Running);
    let calls = match states.total.not_divided_ns {
        0 => "exact in system calls, else by samples",
        part if part < running => "exact in system calls where these were recorded, else by samples",
        _ => "by samples",
    };
    let error = match states.modes.plus_minus_ns {
        Some(ns) => format!(
            "± {} of the running time",
            percent(100.0 * ns / running.max(1) as f64)
        ),
        None => "of which there were none".to_owned(),
    };
    format!("\nuser and kernel: {calls}, {error}")
}

/// Whose state is not known for too long a time: nothing of it is guessed, so it is no part of the other columns.
fn unknown(states: &States) -> Option<String> {
    let mut rows: Vec<_> = states
        .rows
        .iter()
        .filter(|row| row.times.percent(State::Unknown) > UNKNOWN_IS_MUCH)
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.times.of(State::Unknown)));
    let rows = rows.into_iter().map(|row| {
        let share = percent(row.times.percent(State::Unknown));
        format!("{} {share}", clean(&row.label))
    });
    (rows.len() > 0).then(|| {
        format!(
            "{} of the time is in no known state, since switches were missed; it is among other: {}",
            percent(states.total.percent(State::Unknown)),
            list(rows)
        )
    })
}

/// What of how many things was selected, in brackets; empty if all of them were.
pub(super) fn part_of(report: &Report<'_>, recorded: u64) -> String {
    let filters = describe(report.selection);
    if filters.is_empty() {
        String::new()
    } else {
        format!(" (of {}: {filters})", count(recorded))
    }
}

/// Why there is nothing to show of what the recording does hold, or does not.
pub(super) fn nothing(report: &Report<'_>, recorded: u64, thing: &str) -> String {
    if recorded == 0 {
        return format!("No {thing}s: none was recorded.");
    }
    let filters = describe(report.selection);
    if filters.is_empty() {
        format!("No {thing} to show. {} recorded.", plural(recorded, thing))
    } else {
        format!(
            "No {thing} matches: {filters}. {} recorded.",
            plural(recorded, thing)
        )
    }
}
