//! The report as text: quality first, then a table or a tree. No control character of the profiled world gets through.

mod functions;
mod groups;
mod header;
mod layout;
mod number;
mod states;
mod tree;

use std::io::{self, Write};

pub use layout::Layout;
pub use number::{count, duration, percent};

use super::{Report, View};
use crate::query::{self, Summary};

/// Writes the whole report.
///
/// # Errors
/// What `out` says.
pub fn write(report: &Report<'_>, layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    let summary = Summary::of(report.profile, report.selection);
    if let View::States(by) = report.view {
        let all = query::states(report.profile, report.selection, by);
        header::write_states(report, &summary, &all, layout, out)?;
        return states::write(report, by, &all, summary.duration_ns, layout, out);
    }
    header::write(report, &summary, layout, out)?;
    if summary.samples == 0 {
        return Ok(());
    }
    writeln!(out)?;
    match report.view {
        View::Functions(sort) => functions::write(report, sort, layout, out),
        View::Tree(direction) => tree::write(report, direction, layout, out),
        View::Groups(by) => groups::write(report, by, layout, out),
        View::States(_) => Ok(()),
    }
}
