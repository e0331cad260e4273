//! Slow calls, one by one and by what they were on.

use serde::Serialize;

use super::{
    super::{Idle, Report},
    latencies::{Named, object},
};
use crate::{
    profile::{Extent, Id, Location, Profile, SlowEvent, Stack, Thread, Waker},
    query::{
        self, Chains, TargetRow,
        operation::{errno, is_call, is_idle},
        slow::start_ns,
    },
};

#[derive(Serialize)]
pub(super) struct Slow {
    recorded: u64,
    idle_left_out: u64,
    count: u64,
    total_ns: u64,
    rows: Vec<Event>,
}

/// A slow call with all that is known of it.
#[derive(Serialize)]
pub(super) struct Event {
    #[serde(flatten)]
    brief: Brief,
    extent: &'static str,
    idle: bool,
    object: &'static str,
    result: Option<i64>,
    error: Option<String>,
    arguments: [u64; 6],
    wait_ns: u64,
    waker: Ended,
    chain: Vec<Brief>,
    stack: Vec<StackFrame>,
    outcome: &'static str,
}

/// Who did what, and when.
#[derive(Serialize)]
struct Brief {
    #[serde(flatten)]
    who: Who,
    start_ns: u64,
    end_ns: u64,
    duration_ns: u64,
    #[serde(flatten)]
    operation: Named,
    target: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Who {
    pid: u32,
    process: String,
    tid: u32,
    thread: String,
}

#[derive(Serialize)]
struct Ended {
    kind: &'static str,
    thread: Option<Who>,
    time_ns: Option<u64>,
    stack: Vec<StackFrame>,
}

#[derive(Serialize)]
pub(super) struct StackFrame {
    function: String,
    module: String,
    kernel: bool,
}

#[derive(Serialize)]
pub(super) struct Targets {
    recorded: u64,
    idle_left_out: u64,
    calls: u64,
    total_ns: u64,
    rows: Vec<Target>,
}

#[derive(Serialize)]
struct Target {
    target: Option<String>,
    object: &'static str,
    count: u64,
    total_ns: u64,
    min_ns: u64,
    p50_ns: u64,
    p90_ns: u64,
    p99_ns: u64,
    max_ns: u64,
    calls: Vec<Part>,
    processes: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    count: u64,
    total_ns: u64,
}

pub(super) fn slow(report: &Report<'_>, idle: Idle) -> Slow {
    let slow = query::slow(report.profile, report.selection, idle == Idle::Shown);
    let chains = Chains::new(report.profile);
    let rows = report.pick(&slow.events, |event| event.duration_ns, slow.total_ns);
    Slow {
        recorded: slow.recorded,
        idle_left_out: slow.idle,
        count: slow.events.len() as u64,
        total_ns: slow.total_ns,
        rows: rows
            .into_iter()
            .map(|event| Event::of(report, event, &chains))
            .collect(),
    }
}

pub(super) fn targets(report: &Report<'_>, asked: query::Targets, idle: Idle) -> Targets {
    let slow = query::slow(report.profile, report.selection, idle == Idle::Shown);
    let rows = query::targets(report.profile, &slow, asked);
    let total_ns = rows
        .iter()
        .fold(0u64, |sum, row| sum.saturating_add(row.total_ns));
    Targets {
        recorded: slow.recorded,
        idle_left_out: slow.idle,
        calls: rows.iter().map(|row| row.durations.len() as u64).sum(),
        total_ns,
        rows: report
            .pick(&rows, |row| row.total_ns, total_ns)
            .into_iter()
            .map(Target::of)
            .collect(),
    }
}

impl Event {
    pub(super) fn of<'a>(report: &Report<'a>, event: &'a SlowEvent, chains: &Chains<'a>) -> Self {
        let profile = report.profile;
        let ended =
            is_call(event.operation) && !matches!(event.extent, Extent::NotEnded | Extent::Throughout);
        let error = match event.result {
            error @ -4095..0 if ended => Some(errno(error.unsigned_abs() as u16).into_owned()),
            _ => None,
        };
        let chain = chains.of(event).into_iter();
        Self {
            brief: Brief::of(profile, event),
            extent: extent(event.extent),
            idle: is_idle(event.operation, event.object),
            object: object(event.object),
            result: ended.then_some(event.result),
            error,
            arguments: event.arguments,
            wait_ns: event.wait_ns,
            waker: Ended::of(report, event, chains),
            chain: chain.map(|link| Brief::of(profile, link)).collect(),
            stack: stack(report, event.stack),
            outcome: event.outcome.describe(),
        }
    }
}

/// As it is written in JSON.
pub(super) fn extent(extent: Extent) -> &'static str {
    match extent {
        Extent::Whole => "whole",
        Extent::BegunBefore => "begun_before",
        Extent::NotEnded => "not_ended",
        Extent::Throughout => "throughout",
    }
}

/// Innermost first.
pub(super) fn stack(report: &Report<'_>, stack: Option<Id<Stack>>) -> Vec<StackFrame> {
    let locations = stack
        .into_iter()
        .flat_map(|stack| report.profile.stacks.locations(stack));
    stack_of(report, locations)
}

/// The frames at these locations that are shown.
pub(super) fn stack_of(
    report: &Report<'_>,
    locations: impl Iterator<Item = Id<Location>>,
) -> Vec<StackFrame> {
    locations
        .filter(|&location| report.selection.shows(report.profile, location))
        .flat_map(|location| query::frames(report.profile, location))
        .map(|frame| StackFrame {
            function: frame.label().into_owned(),
            module: frame.module.to_owned(),
            kernel: frame.kernel,
        })
        .collect()
}

impl Brief {
    fn of(profile: &Profile, event: &SlowEvent) -> Self {
        Self {
            who: Who::of(profile, event.thread),
            start_ns: start_ns(event),
            end_ns: event.end_ns,
            duration_ns: event.duration_ns,
            operation: Named::of(event.operation),
            target: event.target.map(|target| profile.targets[target].0.clone()),
        }
    }
}

impl Who {
    pub(super) fn of(profile: &Profile, thread: Id<Thread>) -> Self {
        let thread = &profile.threads[thread];
        let process = &profile.processes[thread.process];
        Self {
            pid: process.pid,
            process: process.name.clone(),
            tid: thread.tid,
            thread: thread.name.clone(),
        }
    }
}

impl Ended {
    fn of<'a>(report: &Report<'a>, event: &'a SlowEvent, chains: &Chains<'a>) -> Self {
        let profile = report.profile;
        let (kind, thread) = match event.waker {
            Waker::Unknown => ("unknown", None),
            Waker::Nobody => ("nobody", None),
            Waker::Interrupt => ("interrupt", None),
            Waker::Thread(thread) => ("thread", Some(Who::of(profile, thread))),
        };
        Self {
            kind,
            thread,
            time_ns: (event.woken_ns > 0).then_some(event.woken_ns),
            stack: stack(report, chains.waker_stack(event)),
        }
    }
}

impl Target {
    fn of(row: &TargetRow) -> Self {
        let parts = |parts: &[query::targets::Part]| {
            let parts = parts.iter().cloned();
            parts
                .map(|part| Part {
                    name: part.name,
                    pid: part.pid,
                    count: part.count,
                    total_ns: part.total_ns,
                })
                .collect()
        };
        Self {
            target: row.target.clone(),
            object: object(row.object),
            count: row.durations.len() as u64,
            total_ns: row.total_ns,
            min_ns: row.percentile(0.0),
            p50_ns: row.percentile(50.0),
            p90_ns: row.percentile(90.0),
            p99_ns: row.percentile(99.0),
            max_ns: row.percentile(100.0),
            calls: parts(&row.operations),
            processes: parts(&row.processes),
        }
    }
}
