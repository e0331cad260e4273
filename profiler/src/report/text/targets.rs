//! The table of what slow calls were on.

use std::io::{self, Write};

use super::{
    super::{Idle, Report},
    header::{self, list, plural},
    layout::Layout,
    number::{count, latency, percent},
    table::{Kind, Table},
    write_rest,
};
use crate::query::{self, Summary, TargetRow, Targets, operation::object, targets::Part};

pub(super) fn write(
    report: &Report<'_>,
    asked: Targets,
    idle: Idle,
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let slow = query::slow(report.profile, report.selection, idle == Idle::Shown);
    let rows = query::targets(report.profile, &slow, asked);
    let whole = rows
        .iter()
        .fold(0u64, |sum, row| sum.saturating_add(row.total_ns));
    let calls: usize = rows.iter().map(|row| row.durations.len()).sum();
    let thing = match asked {
        Targets::Files => "slow call on a file",
        Targets::Sockets => "slow call on a socket",
    };
    let base = if rows.is_empty() {
        match slow.recorded {
            0 => "No slow calls: none was recorded.".to_owned(),
            recorded => format!("No {thing}{}.", header::part_of(report, recorded)),
        }
    } else {
        format!(
            "100 % = {} in {}{}: slow calls only, since of no other it is known what it was on",
            latency(whole),
            plural(calls as u64, "call"),
            header::part_of(report, slow.recorded)
        )
    };
    header::write_above(report, summary, &base, layout, out)?;
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let shown = report.pick(&rows, |row| row.total_ns, whole);
    let mut table = Table::new(vec![
        ("share", Kind::Figure),
        ("total", Kind::Figure),
        ("calls", Kind::Figure),
        ("p50", Kind::Spare(3)),
        ("p99", Kind::Spare(4)),
        ("max", Kind::Spare(2)),
        ("on", Kind::Spare(5)),
        (
            match asked {
                Targets::Files => "file",
                Targets::Sockets => "peer",
            },
            Kind::Name,
        ),
        ("calls are", Kind::Name),
        ("process", Kind::Name),
    ]);
    for row in &shown {
        table.row(cells(row, whole), false);
    }
    table.write(layout, out)?;
    let rest = shown
        .iter()
        .fold(whole, |rest, row| rest.saturating_sub(row.total_ns));
    write_rest(
        report,
        (rows.len() - shown.len(), shown.len()),
        (rest, whole),
        "the time in slow calls",
        layout,
        out,
    )
}

fn cells(row: &TargetRow, whole: u64) -> Vec<String> {
    let kind = object(row.object);
    vec![
        percent(query::percent(row.total_ns, whole)),
        latency(row.total_ns),
        count(row.durations.len() as u64),
        latency(row.percentile(50.0)),
        latency(row.percentile(99.0)),
        latency(row.percentile(100.0)),
        kind.to_owned(),
        row.target.clone().unwrap_or_else(|| format!("[{kind}]")),
        parts(&row.operations),
        parts(&row.processes),
    ]
}

/// The first of the parts; how many calls each is, where there are several.
fn parts(parts: &[Part]) -> String {
    let several = parts.len() > 1;
    list(parts.iter().map(|part| {
        let pid = part.pid.map_or(String::new(), |pid| format!("/{pid}"));
        let number = if several {
            format!(" {}", count(part.count))
        } else {
            String::new()
        };
        format!("{}{pid}{number}", part.name)
    }))
}
