//! The table of functions.

use std::io::{self, Write};

use super::{
    super::{Report, Sort},
    layout::{Ink, Layout, cut, module},
    number,
};
use crate::query::{Share, Weights, functions_of, percent};

/// The widest a column of modules gets.
const MODULE_WIDTH: usize = 24;

pub(super) fn write(
    report: &Report<'_>,
    sort: Sort,
    weights: &Weights,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut all = functions_of(report.profile, report.selection, weights);
    sort.apply(&mut all.rows);
    let shown = report.select(&all.rows, sort, all.total_value);
    let modules = shown.iter().map(|row| module(&row.module).chars().count());
    let module_width = modules.max().unwrap_or(0).clamp(6, MODULE_WIDTH);
    let by_total = sort == Sort::Total;
    let (first, second) = if by_total {
        ("total", "self")
    } else {
        ("self", "total")
    };
    let header = format!(
        "{first:>7} {:<5}  {second:>7}  {:>9}  {:<module_width$}  function",
        "", "samples", "module"
    );
    writeln!(out, "{}", layout.paint(Ink::Faint, &header))?;
    for row in &shown {
        let (first, second, samples) = if by_total {
            (row.total_value, row.self_value, row.total_samples)
        } else {
            (row.self_value, row.total_value, row.self_samples)
        };
        let figures = format!(
            "{}  {:>5.1} %  {:>9}",
            number::share(Share::of(first, all.total_value, all.total_samples)),
            percent(second, all.total_value),
            number::count(samples)
        );
        let module = cut(module(&row.module), MODULE_WIDTH);
        let label = layout.fit(&row.label, figures.chars().count() + module_width + 4);
        let label = if row.kernel {
            layout.paint(Ink::Kernel, &label)
        } else {
            label.into_owned()
        };
        writeln!(out, "{figures}  {module:<module_width$}  {label}")?;
    }
    let hidden = all.rows.len() - shown.len();
    if hidden > 0 {
        // What is not in the table, so that nobody takes the table for everything.
        let value = shown
            .iter()
            .fold(all.total_value, |rest, row| rest.saturating_sub(row.self_value));
        let rest = format!(
            "… {} more, {} of the samples; {} shows them",
            number::count(hidden as u64),
            number::percent(percent(value, all.total_value)),
            report.remedy(shown.len())
        );
        writeln!(out, "{}", layout.paint(Ink::Faint, &rest))?;
    }
    Ok(())
}
