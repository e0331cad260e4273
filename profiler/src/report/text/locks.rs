//! The list of locks: who waited for each, and who held it.

mod idle;
mod row;
mod unseen;

use std::io::{self, Write};

use super::{
    super::Report,
    header,
    layout::{Ink, Layout},
    number::{count, duration, latency},
    slow, stack, write_rest,
};
use crate::query::{
    self, Summary, frames,
    locks::{Asked, Deadlock, Estimate, Group, Joined, Link, LockRow, Locks, start_ns},
};

/// Frames of a stack that are shown, unless names are shown in full: there are several to a lock.
const FRAMES: usize = 5;

pub(super) fn write(
    report: &Report<'_>,
    asked: Asked,
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let found = query::locks(report.profile, report.selection, asked);
    header::write_above(report, summary, &base(report, asked, &found), layout, out)?;
    for deadlock in &found.deadlocks {
        write_deadlock(report, deadlock, layout, out)?;
    }
    write_group(report, &found.contention, "", layout, out)?;
    let unknown = "not known whether somebody had it, or whether there was nothing to do:";
    write_group(report, &found.unknown, unknown, layout, out)?;
    idle::write(report, &found.idle, layout, out)?;
    idle::write_kernel_kinds(&found.kernel_kinds, layout, out)?;
    unseen::write(report, &found, layout, out)
}

/// What shares are of.
fn base(report: &Report<'_>, asked: Asked, found: &Locks<'_>) -> String {
    let waits = &found.contention.waits;
    let others = found.unknown.rows.len() + found.idle.rows.len() + found.kernel_kinds.len();
    if waits.seen == 0 && others == 0 {
        return match found.recorded {
            0 => "No waits for locks: none was recorded (`profiler record --probe lock` records them)."
                .to_owned(),
            _ => header::nothing(report, found.recorded, "lock wait"),
        };
    }
    let shortest = match asked.threshold_ns {
        0 => String::new(),
        threshold => format!(" of {} or more", latency(threshold)),
    };
    let of = header::part_of(report, found.recorded);
    if waits.seen == 0 {
        return format!("No contention: no thread waited{shortest} for a lock that another one had{of}.");
    }
    let how = if waits.is_exact() {
        "every wait was kept, none is estimated".to_owned()
    } else {
        format!(
            "estimated from {} that were kept: short ones by chance; ± is the 95 % interval",
            count(waits.seen)
        )
    };
    format!(
        "100 % = {}{} of contention in {} {}{shortest}{of}; {how}",
        duration(waits.total_ns as u64),
        plus_minus(waits.total_plus_minus(), waits.total_ns),
        about(waits),
        if waits.count.round() == 1.0 {
            "wait"
        } else {
            "waits"
        },
    )
}

/// How many waits there were.
fn about(waits: &Estimate) -> String {
    let estimated = if waits.is_exact() { "" } else { "about " };
    format!("{estimated}{}", count(waits.count.round() as u64))
}

/// How far an estimate may be off, in percent of it; nothing if it is exact.
fn plus_minus(margin: f64, of: f64) -> String {
    match margin / of * 100.0 {
        exact if exact <= 0.0 || exact.is_nan() => String::new(),
        little if little < 0.95 => " ±1 %".to_owned(),
        percent => format!(" ±{percent:.0} %"),
    }
}

fn write_deadlock(
    report: &Report<'_>,
    deadlock: &Deadlock<'_>,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let threads = deadlock.links.len();
    let what = match threads {
        1 => "suspected deadlock: a thread waits for a lock that it holds itself".to_owned(),
        _ => format!("suspected deadlock: {threads} threads wait for each other in a circle"),
    };
    writeln!(out, "\n{}", layout.paint(Ink::Warning, &what))?;
    for link in &deadlock.links {
        let holder = match link.holder {
            Some((holder, _)) => format!(", held by {}", slow::thread_name(report.profile, holder)),
            None => String::new(),
        };
        let words = format!(
            "{} waited to the end, {}, for {}{holder}",
            slow::thread_name(report.profile, link.wait.thread),
            latency(link.wait.duration_ns),
            link.label,
        );
        writeln!(out, "  {}", layout.paint(Ink::Strong, &layout.fit(&words, 2)))?;
        write_stack(report, link.stack, link.within, layout, out)?;
    }
    Ok(())
}

fn write_group(
    report: &Report<'_>,
    group: &Group<'_>,
    heading: &str,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    if group.rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    if !heading.is_empty() {
        writeln!(out, "{heading}")?;
    }
    let total = |row: &LockRow<'_>| row.waits.total_ns as u64;
    let whole = group.waits.total_ns as u64;
    let shown = report.pick(&group.rows, total, whole);
    row::write_all(report, &shown, &group.waits, layout, out)?;
    let rest = shown
        .iter()
        .fold(whole, |rest, row| rest.saturating_sub(total(row)));
    write_rest(
        report,
        (group.rows.len() - shown.len(), shown.len()),
        (rest, whole),
        "the waiting time",
        layout,
        out,
    )
}

/// A stack, from the code on that is not the lock's own; where names are shown in full, all of it.
fn write_stack(
    report: &Report<'_>,
    shown: Joined,
    within: usize,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let profile = report.profile;
    let skipped = if layout.width.is_some() { within } else { 0 };
    let frames: Vec<_> = shown
        .locations(profile)
        .flat_map(|location| frames(profile, location))
        .skip(skipped)
        .filter(|frame| {
            if frame.kernel {
                report.selection.kernel
            } else {
                report.selection.user
            }
        })
        .collect();
    stack::write_most(&frames, FRAMES, layout, out)
}

fn write_words(words: &str, layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    let words = layout.fit(words, stack::INDENT.len());
    writeln!(out, "{}{words}", stack::INDENT)
}

/// The links of a chain, each what the thread waited for that held the lock of the one before; raw.
fn chain(report: &Report<'_>, links: &[Link<'_>]) -> Option<String> {
    let last = links.last()?;
    let mut text = String::new();
    for link in links {
        let thread = slow::thread_name(report.profile, link.wait.thread);
        text.push_str(&format!(
            "<- {thread} {} for {} ",
            latency(link.wait.duration_ns),
            link.label
        ));
    }
    if let Some((holder, _)) = last.holder {
        text.push_str(&format!("<- {}", slow::thread_name(report.profile, holder)));
    }
    Some(text.trim_end().to_owned())
}

/// When a wait began.
fn when(link: &Link<'_>) -> String {
    let start = start_ns(link.wait);
    format!("{}.{:03} s", start / 1_000_000_000, start / 1_000_000 % 1_000)
}
