//! The list of the slowest calls, each with its stack and what it really waited for.

use std::io::{self, Write};

use super::{
    super::{Idle, Report},
    header::{self, plural},
    layout::{Ink, Layout, cut},
    number::{count, latency},
    stack::{self, INDENT},
    write_rest,
};
use crate::{
    profile::{Extent, Id, Operation, Profile, SlowEvent, Thread, Waker},
    query::{
        self, Chains, Slow, Summary, clean,
        operation::{errno, is_call, object, operation, transfers},
        slow::start_ns,
    },
};

/// The widest a column of threads gets.
const THREAD_WIDTH: usize = 24;
/// At least this much is shown of what a call was on, and in a chain no more than this.
const TARGET_MIN: usize = 8;
const TARGET_IN_CHAIN: usize = 32;
/// Frames that are shown of the one that ended a wait, unless names are shown in full.
const WAKER_FRAMES: usize = 4;

pub(super) fn write(
    report: &Report<'_>,
    idle: Idle,
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let profile = report.profile;
    let slow = query::slow(profile, report.selection, idle == Idle::Shown);
    header::write_above(report, summary, &base(report, &slow), layout, out)?;
    if slow.events.is_empty() {
        return Ok(());
    }
    let shown = report.pick(&slow.events, |event| event.duration_ns, slow.total_ns);
    let threads = shown
        .iter()
        .map(|event| clean(&thread_name(profile, event.thread)).chars().count());
    let width = threads.max().unwrap_or(0).clamp(6, THREAD_WIDTH);
    let chains = Chains::new(profile);
    writeln!(out)?;
    let header = format!("{:>11}  {:>8}  {:<width$}  call", "when", "duration", "thread");
    writeln!(out, "{}", layout.paint(Ink::Faint, &header))?;
    for &&event in &shown {
        write_event(report, event, &chains, width, layout, out)?;
    }
    let rest = shown.iter().fold(slow.total_ns, |rest, event| {
        rest.saturating_sub(event.duration_ns)
    });
    write_rest(
        report,
        (slow.events.len() - shown.len(), shown.len()),
        (rest, slow.total_ns),
        "their time",
        layout,
        out,
    )
}

fn base(report: &Report<'_>, slow: &Slow<'_>) -> String {
    let idle = match slow.idle {
        0 => String::new(),
        idle => format!(
            "; {} that waited for events or slept left out (--idle shows them)",
            count(idle)
        ),
    };
    if slow.events.is_empty() {
        return match slow.idle {
            0 => header::nothing(report, slow.recorded, "slow call"),
            _ => format!("No slow call{idle}."),
        };
    }
    format!(
        "{}{}, {} in all, longest first{idle}",
        words(slow),
        header::part_of(report, slow.recorded),
        latency(slow.total_ns)
    )
}

/// How many there are of what.
fn words(slow: &Slow<'_>) -> String {
    let all = slow.events.len() as u64;
    let waits = slow
        .events
        .iter()
        .filter(|event| !is_call(event.operation))
        .count() as u64;
    match (all - waits, waits) {
        (calls, 0) => plural(calls, "slow call"),
        (0, waits) => plural(waits, "slow wait"),
        (calls, waits) => format!("{} and {}", plural(calls, "slow call"), plural(waits, "wait")),
    }
}

fn write_event(
    report: &Report<'_>,
    event: &SlowEvent,
    chains: &Chains<'_>,
    width: usize,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let profile = report.profile;
    let start = start_ns(event);
    let when = format!("{}.{:03} s", start / 1_000_000_000, start / 1_000_000 % 1_000);
    let thread = thread_name(profile, event.thread);
    let thread = cut(clean(&thread), width);
    let before = format!(
        "{when:>11}  {:>8}  {thread:<width$}  ",
        latency(event.duration_ns)
    );
    let outcome = outcome(event);
    let used = before.chars().count() + outcome.chars().count();
    let call = call(
        profile,
        event,
        layout.width.map(|width| width.saturating_sub(used)),
    );
    writeln!(out, "{before}{}{outcome}", layout.paint(Ink::Strong, &call))?;
    let write_line = |line: Option<String>, out: &mut dyn Write| match line {
        Some(line) => writeln!(out, "{INDENT}{}", layout.fit(&line, INDENT.len())),
        None => Ok(()),
    };
    let woken_at = chains
        .waker_stack(event)
        .map(|stack| stack::frames_of(report, stack));
    let woken_at = woken_at.filter(|frames| !frames.is_empty());
    let at = if woken_at.is_some() { " at" } else { "" };
    write_line(wait(profile, event).map(|wait| wait + at), out)?;
    stack::write_most(&woken_at.unwrap_or_default(), WAKER_FRAMES, layout, out)?;
    write_line(chain(profile, event, chains, layout), out)?;
    let of_both = !at.is_empty() && event.stack.is_some();
    write_line(of_both.then(|| "waited at".to_owned()), out)?;
    let frames = event
        .stack
        .map(|stack| stack::frames_of(report, stack))
        .unwrap_or_default();
    stack::write(&frames, layout, out)
}

/// The call and what it was on, which is cut so that both fit into `room`, if they can.
pub(super) fn call(profile: &Profile, event: &SlowEvent, room: Option<usize>) -> String {
    let name = operation(event.operation);
    let kind = object(event.object);
    let Some(target) = event.target else {
        return match kind {
            "" => name.into_owned(),
            kind => format!("{name} [{kind}]"),
        };
    };
    let target = clean(&profile.targets[target].0);
    let room = room.map(|room| room.saturating_sub(name.len() + 1).max(TARGET_MIN));
    let target = match room {
        Some(room) => cut(target, room),
        None => target,
    };
    format!("{name} {target}")
}

/// What the call returned, and what the recording did not see of it.
fn outcome(event: &SlowEvent) -> String {
    let seen = match event.extent {
        Extent::Whole => "",
        Extent::BegunBefore => " (begun before)",
        Extent::NotEnded => " (still running)",
        Extent::Throughout => " (running all through)",
    };
    match result(event) {
        Some(result) => format!(" = {result}{seen}"),
        None => seen.to_owned(),
    }
}

fn result(event: &SlowEvent) -> Option<String> {
    if !is_call(event.operation) || matches!(event.extent, Extent::NotEnded | Extent::Throughout) {
        return None;
    }
    Some(match event.result {
        error @ -4095..0 => errno(error.unsigned_abs() as u16).into_owned(),
        bytes @ 0.. if transfers(event.operation) => plural(bytes.unsigned_abs(), "byte"),
        // An address.
        large if !(0..1 << 32).contains(&large) => format!("{large:#x}"),
        number => number.to_string(),
    })
}

/// How its last wait was ended; raw. `None` if there is nothing to say.
pub(super) fn wait(profile: &Profile, event: &SlowEvent) -> Option<String> {
    if event.operation == Operation::RunQueue {
        return Some(match event.waker {
            Waker::Thread(thread) => format!("before it {} had the CPU", thread_name(profile, thread)),
            _ => "before it the CPU was idle".to_owned(),
        });
    }
    let ended = match event.waker {
        Waker::Thread(thread) => format!("woken by {}", thread_name(profile, thread)),
        Waker::Interrupt => "woken by an interrupt".to_owned(),
        Waker::Nobody => "waited for a CPU only".to_owned(),
        Waker::Unknown if event.wait_ns == 0 => return None,
        Waker::Unknown => "who woke it is not known".to_owned(),
    };
    Some(match event.wait_ns {
        0 => ended,
        wait => format!("last wait {}, {ended}", latency(wait)),
    })
}

/// What the one that ended its wait had been doing, and so on; raw.
fn chain<'a>(
    profile: &'a Profile,
    event: &'a SlowEvent,
    chains: &Chains<'a>,
    layout: &Layout,
) -> Option<String> {
    let chain = chains.of(event);
    let last = chain.last()?;
    let mut text = String::new();
    for link in &chain {
        let thread = thread_name(profile, link.thread);
        let call = call(profile, link, layout.width.map(|_| TARGET_IN_CHAIN));
        text.push_str(&format!("<- {thread} {call} {} ", latency(link.duration_ns)));
    }
    match last.waker {
        Waker::Interrupt => text.push_str("<- an interrupt"),
        Waker::Thread(thread) => text.push_str(&format!("<- {}", thread_name(profile, thread))),
        Waker::Nobody | Waker::Unknown => {}
    }
    Some(text.trim_end().to_owned())
}

/// A thread's name and id; raw.
pub(super) fn thread_name(profile: &Profile, thread: Id<Thread>) -> String {
    let thread = &profile.threads[thread];
    format!("{}/{}", thread.name, thread.tid)
}
