//! What was recorded, and how far it can be trusted.

use std::io::{self, Write};

use super::{
    super::Report,
    layout::{Ink, Layout, module},
    number::{count, duration, percent},
};
use crate::{
    profile::{State, Unit},
    query::{Sampled, Selection, States, Summary, clean},
};

/// Periods without a run up to this share are start, stop and rounding, in percent.
const NEVER_RAN_IS_NORMAL: f64 = 0.5;
/// Frames without a name from this share on are worth a line of their own, in percent.
const UNNAMED_IS_MUCH: f64 = 1.0;
/// Time in no known state from this share on is worth a line of its own, in percent.
const UNKNOWN_IS_MUCH: f64 = 1.0;

pub(super) fn write(
    report: &Report<'_>,
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let warnings = warnings(report, summary);
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
    let mut warnings = warnings(report, summary);
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
    lines(report, summary, &warnings(report, summary), base, layout, out)
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
    writeln!(out, "{}", host(report, summary))?;
    for warning in warnings {
        writeln!(out, "{}", layout.paint(Ink::Warning, &format!("! {warning}")))?;
    }
    writeln!(out, "{base}")
}

/// The line everything else is read by.
fn quality(summary: &Summary) -> String {
    let mut parts = vec![
        duration(summary.duration_ns),
        plural(
            summary.samples,
            match summary.sampled {
                Sampled::OffCpu => "waiting sample",
                _ => "sample",
            },
        ),
        format!("lost {}", percent(summary.lost_percent())),
    ];
    parts.push(match summary.complete_percent() {
        Some(complete) => format!("complete stacks {}", percent(complete)),
        None => "no user stacks".to_owned(),
    });
    if let (Some(unnamed), Some(unmapped)) = (summary.unnamed_percent(), summary.unmapped_percent()) {
        let mut text = format!("unknown frames {}", percent(unnamed));
        if summary.unmapped_frames > 0 {
            text.push_str(&format!(" + {} unmapped", percent(unmapped)));
        }
        parts.push(text);
    }
    parts.push(match summary.own_cpu_percent() {
        Some(own) => {
            let bpf = summary
                .bpf_percent()
                .map_or(String::new(), |bpf| format!(" + BPF {}", percent(bpf)));
            format!("own CPU {}{bpf} of one CPU", percent(own))
        }
        None => "own CPU not measured".to_owned(),
    });
    parts.join(" · ")
}

/// Busy and idle are the host's, not the samples': a filter does not change them.
fn host(report: &Report<'_>, summary: &Summary) -> String {
    let metadata = &report.profile.metadata;
    let mut parts = Vec::new();
    parts.push(match summary.host_busy_percent() {
        Some(busy) => format!(
            "host CPU {} busy, {} idle ({})",
            percent(busy),
            percent(100.0 - busy),
            plural(summary.cpus.into(), "CPU")
        ),
        None => "host CPU use not measured".to_owned(),
    });
    if !summary.clock.is_empty() {
        parts.push(format!("{} {} Hz", clean(&summary.clock), summary.frequency_hz));
    }
    let kernel = if metadata.kernel_release.is_empty() {
        String::new()
    } else {
        format!("Linux {}", clean(&metadata.kernel_release))
    };
    parts.extend(
        [clean(&metadata.hostname).into_owned(), kernel]
            .into_iter()
            .filter(|part| !part.is_empty()),
    );
    parts.push(if summary.filters.is_empty() {
        "whole system".to_owned()
    } else {
        format!("recorded: {}", clean(&summary.filters.join(", ")))
    });
    parts.join(" · ")
}

/// What is wrong, each with its number; empty if nothing is.
fn warnings(report: &Report<'_>, summary: &Summary) -> Vec<String> {
    let mut warnings: Vec<String> = report.notes.iter().map(|note| clean(note).into_owned()).collect();
    if summary.lost() > 0 {
        let reasons = summary.quality.lost.iter().filter(|&(_, &lost)| lost > 0);
        let mut reasons: Vec<_> = reasons.map(|(reason, &lost)| (clean(reason), lost)).collect();
        reasons.sort_by_key(|&(_, lost)| std::cmp::Reverse(lost));
        warnings.push(format!(
            "{} lost ({}): {}",
            plural(summary.lost(), "record"),
            percent(summary.lost_percent()),
            list(
                reasons
                    .iter()
                    .map(|(reason, lost)| format!("{reason} {}", count(*lost)))
            )
        ));
    }
    for (probe, &ns) in &summary.quality.shed_ns {
        warnings.push(format!(
            "{} was off for {} of {}: it would have cost more than --max-overhead allows",
            clean(probe),
            duration(ns),
            duration(summary.quality_ns)
        ));
    }
    if summary.quality.not_kept > 0 {
        warnings.push(format!(
            "{} counted, but not told of singly: their rate is bounded, and the longest are kept",
            match summary.quality.not_kept {
                1 => "1 slow call was".to_owned(),
                calls => format!("{} slow calls were", count(calls)),
            }
        ));
    }
    if summary.never_ran_percent() > NEVER_RAN_IS_NORMAL {
        warnings.push(format!(
            "the sampler did not run in {} of {} periods ({}) though the CPU was busy: the hypervisor held it, interrupts were off, or the kernel throttled it",
            count(summary.never_ran()),
            count(summary.quality.expected),
            percent(summary.never_ran_percent())
        ));
    }
    if let Some(complete) = summary.complete_percent().filter(|&complete| complete < 100.0) {
        let mut outcomes: Vec<_> = summary.incomplete.iter().collect();
        outcomes.sort_by_key(|&(_, &samples)| std::cmp::Reverse(samples));
        warnings.push(format!(
            "{} cut short ({}): {}; in {}",
            plural(summary.incomplete_total(), "stack"),
            percent(100.0 - complete),
            list(outcomes.iter().map(|(outcome, samples)| format!(
                "{} {}",
                outcome.describe(),
                count(**samples)
            ))),
            modules(&summary.incomplete_modules)
        ));
    }
    if summary
        .unnamed_percent()
        .is_some_and(|unnamed| unnamed >= UNNAMED_IS_MUCH)
    {
        warnings.push(format!(
            "{} without a name: in {} (--debug-dir takes separate debug files)",
            plural(summary.unnamed_frames, "frame"),
            modules(&summary.unnamed_modules)
        ));
    }
    warnings
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
    if summary.sampled == Sampled::OffCpu {
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
        "100 % = a row's own time, {} over {}{of}; measured at every switch, not sampled",
        duration(states.total.total_ns()),
        plural(states.threads, "thread")
    )
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

/// The selection in the words of the command line; empty for everything.
pub(super) fn describe(selection: &Selection) -> String {
    let Selection {
        time,
        pids,
        tids,
        comm,
        cgroup,
        unit,
        container,
        modules,
        pattern,
        function,
        sample_types: _,
        kernel: _,
        user: _,
    } = selection;
    let ids = |ids: &[u32]| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let mut words = Vec::new();
    if let Some(time) = time {
        let end = if time.end == u64::MAX {
            String::new()
        } else {
            duration(time.end)
        };
        words.push(format!("time {}-{end}", duration(time.start)));
    }
    if !pids.is_empty() {
        words.push(format!("pid {}", ids(pids)));
    }
    if !tids.is_empty() {
        words.push(format!("tid {}", ids(tids)));
    }
    if let Some(comm) = comm {
        words.push(format!("comm {comm}"));
    }
    if !modules.is_empty() {
        words.push(format!("module {}", modules.join(",")));
    }
    for (word, value) in [
        ("cgroup", cgroup),
        ("unit", unit),
        ("container", container),
        ("function", pattern),
    ] {
        if let Some(value) = value {
            words.push(format!("{word} {value}"));
        }
    }
    if let Some(function) = function {
        words.push(format!("function {}", function.label));
    }
    clean(&words.join(", ")).into_owned()
}

fn modules(modules: &[(String, u64)]) -> String {
    list(
        modules
            .iter()
            .map(|(name, number)| format!("{} {}", module(name), count(*number))),
    )
}

/// The first three, and how many more there are.
pub(super) fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(3);
    let mut text = items.take(3).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(", {more} more"));
    }
    text
}

pub(super) fn plural(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {thing}{s}", count(number))
}
