//! Waits of threads that had nothing to do, and what the kernel counted: a line each.

use std::io::{self, Write};

use super::{
    super::{
        super::Report,
        layout::Layout,
        number::{NOTHING, count, latency, percent},
        table::{Kind, Table},
        write_rest,
    },
    plus_minus,
};
use crate::{
    profile::Contention,
    query::{
        self, Timing,
        locks::{Group, LockRow},
        operation::contention,
    },
};

pub(super) fn write(
    report: &Report<'_>,
    group: &Group<'_>,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    if group.rows.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nidle: waits until another thread had something to do, which are no contention"
    )?;
    let total = |row: &LockRow<'_>| row.waits.total_ns as u64;
    let whole = group.waits.total_ns as u64;
    let shown = report.pick(&group.rows, total, whole);
    let mut table = Table::new(vec![
        ("share", Kind::Figure),
        ("time", Kind::Figure),
        ("±", Kind::Spare(3)),
        ("waits", Kind::Figure),
        ("average", Kind::Spare(1)),
        ("longest", Kind::Spare(2)),
        ("what", Kind::Name),
        ("whose", Kind::Name),
    ]);
    for row in &shown {
        table.row(cells(report, row, whole), false);
    }
    table.write(layout, out)?;
    let rest = shown
        .iter()
        .fold(whole, |rest, row| rest.saturating_sub(total(row)));
    write_rest(
        report,
        (group.rows.len() - shown.len(), shown.len()),
        (rest, whole),
        "the idle waiting",
        layout,
        out,
    )
}

fn cells(report: &Report<'_>, row: &LockRow<'_>, whole: u64) -> Vec<String> {
    let waits = &row.waits;
    let process = row.processes.first().map(|&process| {
        let process = &report.profile.processes[process];
        format!("{}/{}", process.name, process.pid)
    });
    vec![
        percent(query::percent(waits.total_ns as u64, whole)),
        latency(waits.total_ns as u64),
        plus_minus(waits.total_plus_minus(), waits.total_ns)
            .trim_start()
            .to_owned(),
        count(waits.count.round() as u64),
        latency(waits.average_ns() as u64),
        latency(waits.max_ns),
        row.label.clone(),
        process.unwrap_or_default(),
    ]
}

/// Exact counts of waits for the kernel's locks, those among them of which nothing else is known.
pub(super) fn write_kernel_kinds(
    kinds: &[(Contention, Timing)],
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    if kinds.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nall waits for locks of the kernel: each was counted and timed, none is estimated"
    )?;
    let mut table = Table::new(vec![
        ("time", Kind::Figure),
        ("waits", Kind::Figure),
        ("p50", Kind::Spare(2)),
        ("p90", Kind::Spare(3)),
        ("p99", Kind::Spare(1)),
        ("longest", Kind::Figure),
        ("kind", Kind::Name),
    ]);
    for (kind, timing) in kinds {
        let percentile = |percent| timing.percentile(percent).map_or(NOTHING.to_owned(), latency);
        table.row(
            vec![
                latency(timing.total_ns),
                count(timing.count),
                percentile(50.0),
                percentile(90.0),
                percentile(99.0),
                latency(timing.max_ns),
                contention(*kind).to_owned(),
            ],
            false,
        );
    }
    table.write(layout, out)
}
