//! Tasks that kept a worker of an async runtime from other tasks.

use serde::Serialize;

use super::{
    super::Report,
    document::Part,
    slow::{Event, StackFrame, Who, stack},
};
use crate::{
    profile::{Id, Process},
    query::{
        self, Chains,
        async_blocking::{Blocked as BlockedRow, LongPoll},
    },
};

#[derive(Serialize)]
pub(super) struct AsyncBlocking {
    workers: u64,
    samples: u64,
    value: u64,
    poll_samples: u64,
    threshold_ns: u64,
    blocked: Vec<Blocked>,
    suspected: Vec<Suspected>,
}

#[derive(Serialize)]
struct Blocked {
    #[serde(flatten)]
    owner: Owner,
    function: String,
    operation: Option<String>,
    task: Option<String>,
    total: Part,
    calls: u64,
    calls_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    longest: Option<Event>,
    stack: Vec<StackFrame>,
}

#[derive(Serialize)]
struct Suspected {
    #[serde(flatten)]
    owner: Owner,
    function: String,
    task: String,
    spans: u64,
    total_ns: u64,
    longest: Span,
    stack: Vec<StackFrame>,
}

#[derive(Serialize)]
struct Span {
    #[serde(flatten)]
    who: Who,
    start_ns: u64,
    end_ns: u64,
    samples: u64,
}

#[derive(Serialize)]
struct Owner {
    pid: u32,
    process: String,
}

pub(super) fn async_blocking(report: &Report<'_>, threshold_ns: u64) -> AsyncBlocking {
    let found = query::async_blocking(report.profile, report.selection, threshold_ns);
    let chains = Chains::new(report.profile);
    let limit = report.limit.unwrap_or(usize::MAX);
    let blocked = report.pick(&found.blocked, |row| row.value.max(row.calls_ns), found.value);
    AsyncBlocking {
        workers: found.workers,
        samples: found.samples,
        value: found.value,
        poll_samples: found.in_polls,
        threshold_ns,
        blocked: blocked
            .into_iter()
            .map(|row| Blocked::of(report, row, (found.value, found.samples), &chains))
            .collect(),
        suspected: found
            .long_polls
            .iter()
            .take(limit)
            .map(|row| Suspected::of(report, row))
            .collect(),
    }
}

impl Owner {
    fn of(report: &Report<'_>, process: Id<Process>) -> Self {
        let process = &report.profile.processes[process];
        Self {
            pid: process.pid,
            process: process.name.clone(),
        }
    }
}

impl Blocked {
    fn of<'a>(
        report: &Report<'a>,
        row: &BlockedRow<'a>,
        (whole, samples): (u64, u64),
        chains: &Chains<'a>,
    ) -> Self {
        Self {
            owner: Owner::of(report, row.process),
            function: row.function.clone(),
            operation: (!row.operation.is_empty()).then(|| row.operation.clone()),
            task: row.poll.task.map(|task| task.name(report.profile)),
            total: Part::of(row.value, row.samples, whole, samples),
            calls: row.calls,
            calls_ns: row.calls_ns,
            longest: row.longest.map(|event| Event::of(report, event, chains)),
            stack: stack(report, Some(row.stack)),
        }
    }
}

impl Suspected {
    fn of(report: &Report<'_>, row: &LongPoll) -> Self {
        Self {
            owner: Owner::of(report, row.process),
            function: row.function.clone(),
            task: row.task.clone(),
            spans: row.spans,
            total_ns: row.total_ns,
            longest: Span {
                who: Who::of(report.profile, row.longest.thread),
                start_ns: row.longest.start_ns,
                end_ns: row.longest.end_ns,
                samples: row.longest.samples,
            },
            stack: stack(report, Some(row.stack)),
        }
    }
}
