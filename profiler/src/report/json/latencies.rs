//! How long calls and block I/O took.

use serde::Serialize;

use super::{super::Report, slow::Event};
use crate::{
    profile::{Extent, ObjectKind, Operation},
    query::{
        self, Chains, LatencyRow, Owner, Timing,
        operation::{block_operation, errno, is_call, operation},
    },
};

#[derive(Serialize)]
pub(super) struct Syscalls {
    by: &'static str,
    processes: u64,
    recorded_calls: u64,
    calls: u64,
    total_ns: u64,
    idle_calls: u64,
    idle_total_ns: u64,
    rows: Vec<Call>,
    unfinished: Vec<Event>,
}

#[derive(Serialize)]
struct Call {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(flatten)]
    operation: Named,
    object: &'static str,
    idle: bool,
    #[serde(flatten)]
    times: Times,
}

/// What took the time.
#[derive(Serialize)]
pub(super) struct Named {
    call: String,
    interface: &'static str,
    number: Option<u16>,
}

#[derive(Serialize)]
pub(super) struct Times {
    count: u64,
    total_ns: u64,
    min_ns: Option<u64>,
    p50_ns: Option<u64>,
    p90_ns: Option<u64>,
    p99_ns: Option<u64>,
    max_ns: u64,
    failed: u64,
    errors: Vec<Error>,
    histogram: Vec<Bucket>,
}

#[derive(Serialize)]
struct Error {
    errno: u16,
    error: Option<String>,
    count: u64,
}

#[derive(Serialize)]
struct Bucket {
    from_ns: u64,
    to_ns: Option<u64>,
    count: u64,
}

#[derive(Serialize)]
pub(super) struct Block {
    by: &'static str,
    recorded_requests: u64,
    requests: u64,
    device_ns: u64,
    queue_ns: u64,
    rows: Vec<BlockRow>,
}

#[derive(Serialize)]
struct BlockRow {
    major: u32,
    minor: u32,
    request: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    write_back: bool,
    device: Times,
    queue: Times,
}

pub(super) fn syscalls(report: &Report<'_>, by: Owner) -> Syscalls {
    let all = query::latencies(report.profile, report.selection, by, is_call);
    let (busy, idle) = report.select_latencies(&all);
    let rows = busy.into_iter().chain(idle).map(Call::of);
    let slow = query::slow(report.profile, report.selection, true);
    let chains = Chains::new(report.profile);
    let unfinished = slow
        .events
        .iter()
        .filter(|event| is_call(event.operation) && event.extent != Extent::Whole)
        .map(|event| Event::of(report, event, &chains));
    Syscalls {
        by: by.name(),
        processes: all.processes,
        recorded_calls: all.recorded,
        calls: all.busy.count,
        total_ns: all.busy.total_ns,
        idle_calls: all.idle.count,
        idle_total_ns: all.idle.total_ns,
        rows: rows.collect(),
        unfinished: unfinished.collect(),
    }
}

pub(super) fn block(report: &Report<'_>, by: Owner) -> Block {
    let all = query::block(report.profile, report.selection, by);
    let whole = all.io.total_ns.saturating_add(all.queue.total_ns);
    let rows = report.pick(&all.rows, query::BlockRow::total_ns, whole);
    let rows = rows.into_iter().map(|row| BlockRow {
        major: row.major,
        minor: row.minor,
        request: block_operation(row.operation),
        name: row.label.clone(),
        pid: row.pid,
        write_back: row.write_back,
        device: Times::of(&row.io),
        queue: Times::of(&row.queue),
    });
    Block {
        by: by.name(),
        recorded_requests: all.recorded,
        requests: all.io.count.max(all.queue.count),
        device_ns: all.io.total_ns,
        queue_ns: all.queue.total_ns,
        rows: rows.collect(),
    }
}

impl Call {
    fn of(row: &LatencyRow) -> Self {
        Self {
            name: row.label.clone(),
            pid: row.pid,
            operation: Named::of(row.operation),
            object: object(row.object),
            idle: row.idle,
            times: Times::of(&row.timing),
        }
    }
}

impl Named {
    pub(super) fn of(named: Operation) -> Self {
        let (interface, number) = match named {
            Operation::Call(number) => ("call", Some(number)),
            Operation::CompatCall(number) => ("compat_call", Some(number)),
            Operation::IoUring(opcode) => ("io_uring", Some(opcode.into())),
            Operation::RunQueue => ("run_queue", None),
            Operation::PageFault => ("page_fault", None),
            Operation::Block(_) => ("block", None),
            Operation::BlockQueue(_) => ("block_queue", None),
            Operation::KernelLock(_) => ("kernel_lock", None),
        };
        Self {
            call: operation(named).into_owned(),
            interface,
            number,
        }
    }
}

impl Times {
    pub(super) fn of(timing: &Timing) -> Self {
        let errors = timing.errors.iter().map(|(&number, &count)| Error {
            errno: number,
            error: (number != 0).then(|| errno(number).into_owned()),
            count,
        });
        let buckets = timing.buckets().map(|bucket| Bucket {
            from_ns: bucket.from_ns,
            to_ns: bucket.to_ns,
            count: bucket.count,
        });
        Self {
            count: timing.count,
            total_ns: timing.total_ns,
            min_ns: timing.min_ns(),
            p50_ns: timing.percentile(50.0),
            p90_ns: timing.percentile(90.0),
            p99_ns: timing.percentile(99.0),
            max_ns: timing.max_ns,
            failed: timing.failed(),
            errors: errors.collect(),
            histogram: buckets.collect(),
        }
    }
}

/// As it is written in JSON.
pub(super) fn object(object: ObjectKind) -> &'static str {
    match object {
        ObjectKind::None => "none",
        ObjectKind::File => "file",
        ObjectKind::BlockDevice => "block_device",
        ObjectKind::Device => "device",
        ObjectKind::Terminal => "terminal",
        ObjectKind::Socket => "socket",
        ObjectKind::LocalSocket => "local_socket",
        ObjectKind::Pipe => "pipe",
        ObjectKind::Event => "event",
    }
}
