//! The table of system calls.

use std::io::{self, Write};

use super::{
    super::Report,
    header::{self, list, plural},
    layout::{Ink, Layout},
    number::{NOTHING, count, latency, percent, rate},
    slow::{call, thread_name},
    table::{Kind, Table},
    write_rest,
};
use crate::{
    profile::{Extent, SlowEvent},
    query::{
        self, Latencies, LatencyRow, Owner, Summary, Timing, clean,
        operation::{errno, is_call, is_idle, object, operation},
    },
};

/// Calls that the recording saw a part of and that are named.
const UNFINISHED: usize = 5;

pub(super) fn write(
    report: &Report<'_>,
    by: Owner,
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let all = query::latencies(report.profile, report.selection, by, is_call);
    header::write_above(report, summary, &base(report, &all), layout, out)?;
    if !all.rows.is_empty() {
        writeln!(out)?;
        write_table(report, by, &all, summary, layout, out)?;
    }
    write_unfinished(report, layout, out)
}

fn base(report: &Report<'_>, all: &Latencies) -> String {
    if all.rows.is_empty() {
        return header::nothing(report, all.recorded, "call");
    }
    let of = header::part_of(report, all.recorded);
    let idle = match all.idle.count {
        0 => String::new(),
        _ => format!(
            ", without {} that waited for events or slept",
            count(all.idle.count)
        ),
    };
    let processes = match all.processes {
        1 => "1 process".to_owned(),
        many => format!("{} processes", count(many)),
    };
    format!(
        "100 % = {} in {} of {processes}{of}{idle}; all measured, none sampled",
        latency(all.busy.total_ns),
        plural(all.busy.count, "call")
    )
}

fn write_table(
    report: &Report<'_>,
    by: Owner,
    all: &Latencies,
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (busy, idle) = report.select_latencies(all);
    let mut table = Table::new(vec![
        ("share", Kind::Figure),
        ("total", Kind::Figure),
        ("calls", Kind::Figure),
        ("calls/s", Kind::Spare(9)),
        ("errors", Kind::Figure),
        ("p50", Kind::Spare(7)),
        ("p90", Kind::Spare(8)),
        ("p99", Kind::Spare(5)),
        ("max", Kind::Spare(6)),
        ("pid", Kind::Figure),
        (by.name(), Kind::Name),
        ("call", Kind::Name),
        ("on", Kind::Name),
        ("errors are", Kind::Remark),
    ]);
    let seconds = summary.duration_ns as f64 / 1e9;
    for row in &busy {
        let share = percent(query::percent(row.timing.total_ns, all.busy.total_ns));
        table.row(cells(row, share, seconds), false);
    }
    if !idle.is_empty() {
        table.words("waiting for events or sleeping:");
        for row in &idle {
            table.row(cells(row, NOTHING.to_owned(), seconds), true);
        }
    }
    table.write(layout, out)?;
    let shown = busy.len() + idle.len();
    let rest = busy.iter().fold(all.busy.total_ns, |rest, row| {
        rest.saturating_sub(row.timing.total_ns)
    });
    let hidden = all.rows.len() - shown;
    let whole = all.busy.total_ns;
    write_rest(
        report,
        (hidden, shown),
        (rest, whole),
        "the time that was not idle",
        layout,
        out,
    )
}

fn cells(row: &LatencyRow, share: String, seconds: f64) -> Vec<String> {
    let timing = &row.timing;
    let percentile = |percent| timing.percentile(percent).map_or(NOTHING.to_owned(), latency);
    let some = |number: u64| match number {
        0 => NOTHING.to_owned(),
        number => count(number),
    };
    vec![
        share,
        latency(timing.total_ns),
        count(timing.count),
        rate(timing.count, seconds),
        some(timing.failed()),
        percentile(50.0),
        percentile(90.0),
        percentile(99.0),
        percentile(100.0),
        row.pid.map_or(String::new(), |pid| pid.to_string()),
        row.label.clone(),
        operation(row.operation).into_owned(),
        object(row.object).to_owned(),
        errors(timing),
    ]
}

/// Which errors, the most frequent first.
fn errors(timing: &Timing) -> String {
    let mut errors: Vec<_> = timing.errors.iter().filter(|&(_, &count)| count > 0).collect();
    errors.sort_by_key(|&(_, &count)| std::cmp::Reverse(count));
    list(errors.into_iter().map(|(&number, &n)| match number {
        0 => format!("{} other", count(n)),
        number => format!("{} {}", count(n), errno(number)),
    }))
}

/// Which calls the recording saw a part of, longest first.
fn write_unfinished(report: &Report<'_>, layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    let slow = query::slow(report.profile, report.selection, true);
    for (extents, when) in [
        (
            &[Extent::NotEnded, Extent::Throughout][..],
            "still ran when the recording ended",
        ),
        (&[Extent::BegunBefore], "already ran when the recording began"),
    ] {
        let calls = slow.events.iter().copied();
        let (idle, busy): (Vec<&SlowEvent>, Vec<&SlowEvent>) = calls
            .filter(|event| is_call(event.operation) && extents.contains(&event.extent))
            .partition(|event| is_idle(event.operation, event.object));
        if idle.is_empty() && busy.is_empty() {
            continue;
        }
        let busy_ones = plural(busy.len() as u64, "call");
        let line = match (busy.len(), idle.len()) {
            (0, idle) => format!("{} {when}", plural(idle as u64, "idle call")),
            (_, 0) => format!("{busy_ones} {when}"),
            (_, 1) => format!("{busy_ones} {when}, and 1 idle one"),
            (_, idle) => format!("{busy_ones} {when}, and {} idle ones", count(idle as u64)),
        };
        writeln!(out, "{}", layout.paint(Ink::Faint, &line))?;
        for event in busy.iter().take(UNFINISHED) {
            let thread = thread_name(report.profile, event.thread);
            let before = format!("{:>8}  {}  ", latency(event.duration_ns), clean(&thread));
            let room = layout
                .width
                .map(|width| width.saturating_sub(before.chars().count()));
            writeln!(out, "{before}{}", call(report.profile, event, room))?;
        }
        if busy.len() > UNFINISHED {
            let more = format!("{:>8}  {} more", "…", count((busy.len() - UNFINISHED) as u64));
            writeln!(out, "{}", layout.paint(Ink::Faint, &more))?;
        }
    }
    Ok(())
}
