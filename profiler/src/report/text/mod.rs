//! The report as text: quality first, then a table or a tree. No control character of the profiled world gets through.

mod async_blocking;
mod block;
mod functions;
mod groups;
mod header;
mod layout;
mod locks;
mod number;
mod slow;
mod stack;
mod states;
mod syscalls;
mod table;
mod targets;
mod tree;
mod wakers;

use std::io::{self, Write};

pub use layout::Layout;
pub use number::{count, duration, latency, percent};

use super::{Report, View};
use crate::query::{self, Summary, Weights};

/// Writes the whole report.
///
/// # Errors
/// What `out` says.
pub fn write(report: &Report<'_>, layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    let weights = Weights::of(report.profile, report.selection);
    let summary = Summary::with(report.profile, report.selection, &weights);
    match report.view {
        View::States(by) => {
            let all = query::states(report.profile, report.selection, by);
            header::write_states(report, &summary, &all, layout, out)?;
            return states::write(report, by, &all, summary.duration_ns, layout, out);
        }
        View::Syscalls(by) => return syscalls::write(report, by, &summary, layout, out),
        View::Slow(idle) => return slow::write(report, idle, &summary, layout, out),
        View::Targets(asked, idle) => return targets::write(report, asked, idle, &summary, layout, out),
        View::Wakers(by) => return wakers::write(report, by, &summary, layout, out),
        View::Block(by) => return block::write(report, by, &summary, layout, out),
        View::Locks(asked) => return locks::write(report, asked, &summary, layout, out),
        View::Async(threshold) => return async_blocking::write(report, threshold, &summary, layout, out),
        View::Functions(_) | View::Tree(_) | View::Groups(_) => {}
    }
    header::write(report, &summary, layout, out)?;
    if summary.samples == 0 {
        return Ok(());
    }
    writeln!(out)?;
    match report.view {
        View::Functions(sort) => functions::write(report, sort, &weights, layout, out),
        View::Tree(direction) => tree::write(report, direction, &weights, layout, out),
        View::Groups(by) => groups::write(report, by, layout, out),
        _ => Ok(()),
    }
}

/// What a table that is sorted by size leaves out; nothing if it leaves nothing out. `rest` and `whole` are the size of
/// that and of all, and `what` is what is measured.
fn write_rest(
    report: &Report<'_>,
    (hidden, shown): (usize, usize),
    (rest, whole): (u64, u64),
    what: &str,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    if hidden == 0 {
        return Ok(());
    }
    let rest = format!(
        "… {} more, {} of {what}; {} shows them",
        count(hidden as u64),
        percent(query::percent(rest, whole)),
        report.remedy(shown)
    );
    writeln!(out, "{}", layout.paint(layout::Ink::Faint, &rest))
}
