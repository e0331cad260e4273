//! The list of tasks that kept a worker of an async runtime from other tasks.

use std::io::{self, Write};

use super::{
    super::Report,
    header::{self, plural},
    layout::{Ink, Layout},
    number::{count, duration, latency, share},
    slow, stack, write_rest,
};
use crate::{
    profile::{Id, Process, Profile, Stack},
    query::{
        self, AsyncBlocking, Frame, Share, Summary,
        async_blocking::{Blocked, FrameId, LongPoll},
    },
};

/// Figures and what they are of stand so far to the right.
const FIGURES: usize = 33;

pub(super) fn write(
    report: &Report<'_>,
    threshold_ns: u64,
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let found = query::async_blocking(report.profile, report.selection, threshold_ns);
    header::write_above(report, summary, &base(report, summary, &found), layout, out)?;
    let blocked = report.pick(&found.blocked, |row| row.value.max(row.calls_ns), found.value);
    if !blocked.is_empty() {
        writeln!(
            out,
            "\nblocked: in a task's poll, so that other tasks of the worker had to wait"
        )?;
        let header = format!("  {:11}{:>9}  {:>7}  function", "share", "time", "samples");
        writeln!(out, "{}", layout.paint(Ink::Faint, &header))?;
    }
    for row in &blocked {
        write_blocked(report, row, &found, layout, out)?;
    }
    let value = |sum: u64, row: &Blocked<'_>| sum.saturating_add(row.value);
    let whole = found.blocked.iter().fold(0, value);
    let shown = blocked.iter().fold(0, |sum, row| value(sum, row));
    write_rest(
        report,
        (found.blocked.len() - blocked.len(), blocked.len()),
        (whole - shown, whole),
        "the blocked time",
        layout,
        out,
    )?;
    write_long_polls(report, threshold_ns, &found, layout, out)
}

/// What shares are of; where there is nothing to accuse, that.
fn base(report: &Report<'_>, summary: &Summary, found: &AsyncBlocking<'_>) -> String {
    if summary.samples == 0 {
        return header::base(report, summary);
    }
    if found.workers == 0 {
        return "No async runtime was recognised: no stack has frames of a tokio worker (a program without symbols has \
                none)."
            .to_owned();
    }
    let workers = plural(found.workers, "worker thread");
    let in_polls = plural(found.in_polls, "sample");
    if found.blocked.is_empty() && found.long_polls.is_empty() {
        return format!(
            "No task of an async runtime was seen blocking its worker: {workers}, {in_polls} in task polls."
        );
    }
    format!(
        "100 % = {} of {workers}, {} of their time; {in_polls} in task polls; ± is the 95 % interval",
        plural(found.samples, "sample"),
        duration(found.value)
    )
}

fn write_blocked(
    report: &Report<'_>,
    row: &Blocked<'_>,
    found: &AsyncBlocking<'_>,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let figures = format!(
        "{}{:>9}  {:>7}",
        share(Share::of(row.value, found.value, found.samples)),
        latency(row.value),
        count(row.samples)
    );
    write_function(&figures, &row.function, layout, out)?;
    let owner = owner(report.profile, row.process);
    let words = match row.operation.as_str() {
        "" => format!("of {owner}"),
        operation => format!("in {operation}, of {owner}"),
    };
    write_words(&words, layout, out)?;
    if let Some(event) = row.longest {
        let calls = plural(row.calls, "slow call");
        write_words(&format!("{calls}, {} in all", latency(row.calls_ns)), layout, out)?;
        let longest = format!("longest {}: ", latency(event.duration_ns));
        let room = layout
            .width
            .map(|width| width.saturating_sub(stack::INDENT.len() + longest.len()));
        let call = slow::call(report.profile, event, room);
        writeln!(out, "{}{longest}{call}", stack::INDENT)?;
        if let Some(ended) = slow::wait(report.profile, event) {
            write_words(&ended, layout, out)?;
        }
    }
    let inner = row.poll.operation.or(row.poll.user);
    write_stack(report, row.stack, inner, row.poll.task, layout, out)
}

fn write_long_polls(
    report: &Report<'_>,
    threshold_ns: u64,
    found: &AsyncBlocking<'_>,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    if found.long_polls.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nsuspected: {} or more in one poll; all samples in a row show the same task",
        latency(threshold_ns)
    )?;
    let header = format!("{:>11}{:>11}  {:>7}  function", "longest", "in all", "times");
    writeln!(out, "{}", layout.paint(Ink::Faint, &header))?;
    let shown = report.limit.unwrap_or(usize::MAX);
    for row in found.long_polls.iter().take(shown) {
        write_long_poll(report, row, layout, out)?;
    }
    let hidden = found.long_polls.len().saturating_sub(shown);
    if hidden > 0 {
        let more = format!("… {} more; a larger --limit shows them", count(hidden as u64));
        writeln!(out, "{}", layout.paint(Ink::Faint, &more))?;
    }
    Ok(())
}

fn write_long_poll(
    report: &Report<'_>,
    row: &LongPoll,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let figures = format!(
        "{:>11}{:>11}  {:>7}",
        format!("≥ {}", latency(row.longest.length_ns())),
        format!("≥ {}", latency(row.total_ns)),
        count(row.spans)
    );
    write_function(&figures, &row.function, layout, out)?;
    let start = row.longest.start_ns;
    let words = format!(
        "the longest from {}.{:03} s on, {}, by {} of {}",
        start / 1_000_000_000,
        start / 1_000_000 % 1_000,
        plural(row.longest.samples, "sample"),
        slow::thread_name(report.profile, row.longest.thread),
        owner(report.profile, row.process)
    );
    write_words(&words, layout, out)?;
    write_stack(report, row.stack, Some(row.inner), Some(row.outer), layout, out)
}

fn write_function(figures: &str, function: &str, layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    let function = layout.fit(function, FIGURES);
    writeln!(out, "{figures}  {}", layout.paint(Ink::Strong, &function))
}

fn write_words(words: &str, layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    let words = layout.fit(words, stack::INDENT.len());
    writeln!(out, "{}{words}", stack::INDENT)
}

/// A process's name and id; raw.
fn owner(profile: &Profile, process: Id<Process>) -> String {
    let process = &profile.processes[process];
    format!("{}/{}", process.name, process.pid)
}

/// The frames from `inner` to `outer`: within is how a library waits, and around it how the runtime polls. Where names
/// are shown in full, the whole stack.
fn write_stack(
    report: &Report<'_>,
    shown: Id<Stack>,
    inner: Option<FrameId>,
    outer: Option<FrameId>,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    if layout.width.is_none() {
        return stack::write(&stack::frames_of(report, shown), layout, out);
    }
    let locations = report.profile.stacks.locations(shown);
    let all: Vec<(FrameId, Frame<'_>)> = locations
        .flat_map(|location| FrameId::all(report.profile, location))
        .collect();
    let place = |wanted: Option<FrameId>| all.iter().position(|(id, _)| Some(*id) == wanted);
    let first = place(inner).unwrap_or(0);
    let last = place(outer)
        .filter(|&last| last >= first)
        .unwrap_or(all.len().saturating_sub(1));
    let frames: Vec<Frame<'_>> = all
        .iter()
        .take(last + 1)
        .skip(first)
        .map(|(_, frame)| *frame)
        .collect();
    stack::write(&frames, layout, out)
}
