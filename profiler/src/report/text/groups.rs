//! The table of processes, threads, modules, units, ….

use std::io::{self, Write};

use super::{
    super::Report,
    layout::{Ink, Layout, module},
    number,
};
use crate::query::{GroupBy, GroupRow, Share, groups, percent};

pub(super) fn write(
    report: &Report<'_>,
    by: GroupBy,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let rows = groups(report.profile, report.selection, by);
    let whole = rows.iter().fold(0u64, |sum, row| sum.saturating_add(row.value));
    let samples: u64 = rows.iter().map(|row| row.samples).sum();
    let shown: Vec<&GroupRow> = rows
        .iter()
        .enumerate()
        .filter(|&(place, row)| report.shows(place, row.value, whole))
        .map(|(_, row)| row)
        .take(report.limit.unwrap_or(usize::MAX))
        .collect();
    let ids = match by {
        GroupBy::Process => format!("  {:>7}", "pid"),
        GroupBy::Thread => format!("  {:>7}  {:>7}", "pid", "tid"),
        _ => String::new(),
    };
    let header = format!(
        "{:>7} {:<5}  {:>9}  {:>10}{ids}  {}",
        "share",
        "",
        "samples",
        "incomplete",
        by.name()
    );
    writeln!(out, "{}", layout.paint(Ink::Faint, &header))?;
    for row in &shown {
        let ids: String = [row.pid, row.tid]
            .into_iter()
            .flatten()
            .map(|id| format!("  {id:>7}"))
            .collect();
        let figures = format!(
            "{}  {:>9}  {:>10}{ids}",
            number::share(Share::of(row.value, whole, samples)),
            number::count(row.samples),
            number::count(row.incomplete)
        );
        let label = if by == GroupBy::Module {
            module(&row.label)
        } else {
            row.label.as_str().into()
        };
        writeln!(
            out,
            "{figures}  {}",
            layout.fit(&label, figures.chars().count() + 2)
        )?;
    }
    let hidden = rows.len() - shown.len();
    if hidden > 0 {
        let value = shown
            .iter()
            .fold(whole, |rest, row| rest.saturating_sub(row.value));
        let rest = format!(
            "… {} more, {} of the samples; {} shows them",
            number::count(hidden as u64),
            number::percent(percent(value, whole)),
            report.remedy(shown.len())
        );
        writeln!(out, "{}", layout.paint(Ink::Faint, &rest))?;
    }
    Ok(())
}
