//! The table of who ended the waits of whom.

use std::io::{self, Write};

use super::{
    super::Report,
    header,
    layout::Layout,
    number::{count, latency, share},
    table::{Kind, Table},
    write_rest,
};
use crate::query::{Owner, Share, Summary, WokenBy, wakers};

pub(super) fn write(
    report: &Report<'_>,
    by: Owner,
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut base = header::base(report, summary);
    if summary.samples > 0 {
        base.push_str("; waits for events and sleep are among them");
    }
    header::write_above(report, summary, &base, layout, out)?;
    if summary.samples == 0 {
        return Ok(());
    }
    writeln!(out)?;
    let rows = wakers(report.profile, report.selection, by);
    let shown = report.pick(&rows, |row| row.value, summary.value);
    let mut table = Table::new(vec![
        ("  share      ", Kind::Figure),
        ("time", Kind::Figure),
        ("samples", Kind::Spare(1)),
        ("pid", Kind::Figure),
        ("tid", Kind::Figure),
        (by.name(), Kind::Name),
        ("woken by", Kind::Name),
    ]);
    let id = |id: Option<u32>| id.map_or(String::new(), |id| id.to_string());
    for row in &shown {
        let cells = vec![
            share(Share::of(row.value, summary.value, summary.samples)),
            latency(row.value),
            count(row.samples),
            id(row.pid),
            id(row.tid),
            row.label.clone(),
            woken_by(&row.waker),
        ];
        table.row(cells, false);
    }
    table.write(layout, out)?;
    let rest = shown
        .iter()
        .fold(summary.value, |rest, row| rest.saturating_sub(row.value));
    write_rest(
        report,
        (rows.len() - shown.len(), shown.len()),
        (rest, summary.value),
        "the waiting time",
        layout,
        out,
    )
}

/// In words, raw.
fn woken_by(waker: &WokenBy) -> String {
    match waker {
        WokenBy::Owner(label, pid, tid) => match tid.or(*pid) {
            Some(id) => format!("{label}/{id}"),
            None => label.clone(),
        },
        WokenBy::Interrupt => "an interrupt".to_owned(),
        WokenBy::Nobody => "nobody: waited for a CPU".to_owned(),
        WokenBy::Unknown => "not known".to_owned(),
    }
}
