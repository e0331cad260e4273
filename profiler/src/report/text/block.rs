//! The table of block I/O.

use std::io::{self, Write};

use super::{
    super::Report,
    header::{self, plural},
    layout::Layout,
    number::{NOTHING, count, latency, percent},
    table::{Kind, Table},
    write_rest,
};
use crate::query::{self, BlockIo, BlockRow, Owner, Summary, Timing, operation::block_operation};

pub(super) fn write(
    report: &Report<'_>,
    by: Owner,
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let all = query::block(report.profile, report.selection, by);
    header::write_above(report, summary, &base(report, &all), layout, out)?;
    if all.rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let whole = total(&all);
    let shown = report.pick(&all.rows, BlockRow::total_ns, whole);
    let mut table = Table::new(vec![
        ("share", Kind::Figure),
        ("total", Kind::Figure),
        ("requests", Kind::Figure),
        ("p50", Kind::Spare(3)),
        ("p90", Kind::Spare(8)),
        ("p99", Kind::Spare(1)),
        ("max", Kind::Spare(4)),
        ("queue p50", Kind::Spare(6)),
        ("queue p90", Kind::Spare(9)),
        ("queue p99", Kind::Spare(2)),
        ("queue max", Kind::Spare(7)),
        ("device", Kind::Figure),
        ("request", Kind::Name),
        ("pid", Kind::Figure),
        (by.name(), Kind::Name),
    ]);
    for row in &shown {
        table.row(cells(row, whole), false);
    }
    table.write(layout, out)?;
    let rest = shown
        .iter()
        .fold(whole, |rest, row| rest.saturating_sub(row.total_ns()));
    write_rest(
        report,
        (all.rows.len() - shown.len(), shown.len()),
        (rest, whole),
        "the time",
        layout,
        out,
    )
}

fn total(all: &BlockIo) -> u64 {
    all.io.total_ns.saturating_add(all.queue.total_ns)
}

fn base(report: &Report<'_>, all: &BlockIo) -> String {
    if all.rows.is_empty() {
        return header::nothing(report, all.recorded, "request");
    }
    format!(
        "100 % = {} in devices + {} in queues before them, {}{}; all measured, none sampled",
        latency(all.io.total_ns),
        latency(all.queue.total_ns),
        plural(all.io.count.max(all.queue.count), "request"),
        header::part_of(report, all.recorded)
    )
}

fn cells(row: &BlockRow, whole: u64) -> Vec<String> {
    let percentile =
        |timing: &Timing, percent| timing.percentile(percent).map_or(NOTHING.to_owned(), latency);
    vec![
        percent(query::percent(row.total_ns(), whole)),
        latency(row.total_ns()),
        count(row.io.count.max(row.queue.count)),
        percentile(&row.io, 50.0),
        percentile(&row.io, 90.0),
        percentile(&row.io, 99.0),
        percentile(&row.io, 100.0),
        percentile(&row.queue, 50.0),
        percentile(&row.queue, 90.0),
        percentile(&row.queue, 99.0),
        percentile(&row.queue, 100.0),
        format!("{}:{}", row.major, row.minor),
        match row.write_back {
            true => "write-back".to_owned(),
            false => block_operation(row.operation).to_owned(),
        },
        row.pid.map_or(String::new(), |pid| pid.to_string()),
        row.label.clone(),
    ]
}
