//! Locks: who waited for each, and who held it.

use serde::Serialize;

use super::{
    super::Report,
    latencies::Times,
    slow::{StackFrame, Who, extent, stack_of},
};
use crate::query::{
    self,
    locks::{self as query_locks, Asked, Doing, Group, Joined, LockRow, Meanwhile, Mode, Purpose, Which},
    operation::contention,
};

#[derive(Serialize)]
pub(super) struct Locks {
    recorded: u64,
    which: &'static str,
    threshold_ns: u64,
    contention: Estimate,
    unknown: Estimate,
    idle: Estimate,
    deadlocks: Vec<Vec<Link>>,
    rows: Vec<Row>,
    kernel_kinds: Vec<Kind>,
}

/// Waits added up.
#[derive(Serialize)]
struct Estimate {
    kept: u64,
    exact: bool,
    count: f64,
    count_plus_minus: f64,
    total_ns: f64,
    total_plus_minus_ns: f64,
    average_ns: f64,
    max_ns: u64,
    gave_up: u64,
}

#[derive(Serialize)]
struct Stretch {
    from_ns: u64,
    to_ns: Option<u64>,
    count: f64,
}

#[derive(Serialize)]
struct Row {
    lock: String,
    purpose: &'static str,
    kernel: bool,
    class: &'static str,
    library: Option<&'static str>,
    kinds: Vec<&'static str>,
    objects: u64,
    address: Option<u64>,
    processes: Vec<Owner>,
    threads_ns: Option<u64>,
    waits: Estimate,
    read: Estimate,
    write: Estimate,
    histogram: Vec<Stretch>,
    waiters: Vec<Waiter>,
    holders: Vec<Holder>,
    not_known_count: f64,
    not_known_ns: f64,
    longest: Link,
    chain: Vec<Link>,
}

#[derive(Serialize)]
struct Owner {
    pid: u32,
    process: String,
}

#[derive(Serialize)]
struct Waiter {
    mode: &'static str,
    threads: u64,
    most: Who,
    waits: Estimate,
    stack: Vec<StackFrame>,
}

#[derive(Serialize)]
struct Holder {
    #[serde(flatten)]
    who: Who,
    evidence: &'static str,
    count: f64,
    total_ns: f64,
    stack_shows: &'static str,
    stack: Vec<StackFrame>,
    meanwhile: Did,
}

#[derive(Serialize)]
struct Did {
    samples: u64,
    doing: Vec<Part>,
    states: Vec<Part>,
    calls: Vec<InCall>,
}

#[derive(Serialize)]
struct InCall {
    call: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    on: String,
    percent: f64,
}

#[derive(Serialize)]
struct Part {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    percent: f64,
}

#[derive(Serialize)]
struct Link {
    #[serde(flatten)]
    who: Who,
    lock: String,
    start_ns: u64,
    end_ns: u64,
    duration_ns: u64,
    extent: &'static str,
    holder: Option<HeldBy>,
    stack: Vec<StackFrame>,
}

#[derive(Serialize)]
struct HeldBy {
    #[serde(flatten)]
    who: Who,
    evidence: &'static str,
}

#[derive(Serialize)]
struct Kind {
    kind: &'static str,
    #[serde(flatten)]
    times: Times,
}

pub(super) fn locks(report: &Report<'_>, asked: Asked) -> Locks {
    let found = query::locks(report.profile, report.selection, asked);
    let mut rows = Vec::new();
    for (group, purpose) in [
        (&found.contention, Purpose::Contention),
        (&found.unknown, Purpose::Unknown),
        (&found.idle, Purpose::Idle),
    ] {
        rows.extend(
            shown(report, group)
                .into_iter()
                .map(|row| Row::of(report, row, purpose)),
        );
    }
    let deadlocks = found
        .deadlocks
        .iter()
        .map(|deadlock| links(report, &deadlock.links));
    let kinds = found.kernel_kinds.iter().map(|(kind, timing)| Kind {
        kind: contention(*kind),
        times: Times::of(timing),
    });
    Locks {
        recorded: found.recorded,
        which: match asked.which {
            Which::All => "all",
            Which::User => "user",
            Which::Kernel => "kernel",
        },
        threshold_ns: asked.threshold_ns,
        contention: Estimate::of(&found.contention.waits),
        unknown: Estimate::of(&found.unknown.waits),
        idle: Estimate::of(&found.idle.waits),
        deadlocks: deadlocks.collect(),
        rows,
        kernel_kinds: kinds.collect(),
    }
}

fn shown<'g, 'a>(report: &Report<'_>, group: &'g Group<'a>) -> Vec<&'g LockRow<'a>> {
    report.pick(
        &group.rows,
        |row| row.waits.total_ns as u64,
        group.waits.total_ns as u64,
    )
}

fn links(report: &Report<'_>, links: &[query_locks::Link<'_>]) -> Vec<Link> {
    links.iter().map(|link| Link::of(report, link)).collect()
}

impl Estimate {
    fn of(waits: &query_locks::Estimate) -> Self {
        Self {
            kept: waits.seen,
            exact: waits.is_exact(),
            count: waits.count,
            count_plus_minus: waits.count_plus_minus(),
            total_ns: waits.total_ns,
            total_plus_minus_ns: waits.total_plus_minus(),
            average_ns: waits.average_ns(),
            max_ns: waits.max_ns,
            gave_up: waits.failed,
        }
    }
}

impl Row {
    fn of(report: &Report<'_>, row: &LockRow<'_>, purpose: Purpose) -> Self {
        let profile = report.profile;
        let processes = row.processes.iter().map(|&process| {
            let process = &profile.processes[process];
            Owner {
                pid: process.pid,
                process: process.name.clone(),
            }
        });
        let histogram = row.waits.histogram().map(|stretch| Stretch {
            from_ns: stretch.from_ns,
            to_ns: stretch.to_ns,
            count: stretch.count,
        });
        let library = row.library.name();
        Self {
            lock: row.label.clone(),
            purpose: match purpose {
                Purpose::Contention => "contention",
                Purpose::Unknown => "unknown",
                Purpose::Idle => "idle",
            },
            kernel: row.kernel,
            class: row.class.name(),
            library: (!library.is_empty()).then_some(library),
            kinds: row.contentions.iter().map(|&kind| contention(kind)).collect(),
            objects: row.objects,
            address: row.address,
            processes: processes.collect(),
            threads_ns: row.threads_ns,
            waits: Estimate::of(&row.waits),
            read: Estimate::of(&row.read),
            write: Estimate::of(&row.write),
            histogram: histogram.collect(),
            waiters: row
                .waiters
                .iter()
                .map(|waiter| Waiter::of(report, waiter))
                .collect(),
            holders: row
                .holders
                .iter()
                .map(|holder| Holder::of(report, holder))
                .collect(),
            not_known_count: row.unheld_count,
            not_known_ns: row.unheld_ns,
            longest: Link::of(report, &row.longest),
            chain: links(report, &row.chain),
        }
    }
}

impl Waiter {
    fn of(report: &Report<'_>, waiter: &query_locks::Waiter) -> Self {
        Self {
            mode: match waiter.mode {
                Mode::Any => "any",
                Mode::Read => "read",
                Mode::Write => "write",
            },
            threads: waiter.threads,
            most: Who::of(report.profile, waiter.thread),
            waits: Estimate::of(&waiter.waits),
            stack: stack_of(report, waiter.stack.locations(report.profile)),
        }
    }
}

impl Holder {
    fn of(report: &Report<'_>, holder: &query_locks::Holder) -> Self {
        let stack = Joined {
            inner: holder.stack,
            outer: None,
        };
        Self {
            who: Who::of(report.profile, holder.thread),
            evidence: holder.evidence.name(),
            count: holder.count,
            total_ns: holder.total_ns,
            stack_shows: holder.held.name(),
            stack: stack_of(report, stack.locations(report.profile)),
            meanwhile: Did::of(&holder.meanwhile),
        }
    }
}

impl Did {
    fn of(meanwhile: &Meanwhile) -> Self {
        let doing = meanwhile.doing().into_iter().map(|(doing, part)| {
            let (what, function) = match doing {
                Doing::Cpu(function) => ("cpu", Some(function.clone())),
                Doing::Runnable => ("runnable", None),
                Doing::Blocked(function) => ("blocked", Some(function.clone())),
            };
            Part {
                what,
                function,
                percent: part * 100.0,
            }
        });
        let states = meanwhile.states().into_iter().map(|(state, part)| Part {
            what: state.name(),
            function: None,
            percent: part * 100.0,
        });
        let calls = meanwhile.calls().into_iter().map(|(call, part)| InCall {
            call: call.call.clone(),
            on: call.on.clone(),
            percent: part * 100.0,
        });
        Self {
            samples: meanwhile.samples,
            doing: doing.collect(),
            states: states.collect(),
            calls: calls.collect(),
        }
    }
}

impl Link {
    fn of(report: &Report<'_>, link: &query_locks::Link<'_>) -> Self {
        let (profile, wait) = (report.profile, link.wait);
        Self {
            who: Who::of(profile, wait.thread),
            lock: link.label.clone(),
            start_ns: query_locks::start_ns(wait),
            end_ns: wait.end_ns,
            duration_ns: wait.duration_ns,
            extent: extent(wait.extent),
            holder: link.holder.map(|(thread, evidence)| HeldBy {
                who: Who::of(profile, thread),
                evidence: evidence.name(),
            }),
            stack: stack_of(report, link.stack.locations(profile)),
        }
    }
}
