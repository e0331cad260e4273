//! The fields of the document; `report.schema.json` says what they mean.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    super::{Report, Sort, View, is_below},
    VERSION, async_blocking, latencies, locks, slow, wakers,
};
use crate::{
    profile::{Metadata, State},
    query::{
        self, Direction, GroupBy, Owner, Selection, Share, StateTimes, Summary, Targets, Timing, Tree,
        Weights,
    },
};

#[derive(Serialize)]
pub(super) struct Document<'a> {
    schema: &'static str,
    version: u32,
    trace: &'a str,
    notes: &'a [String],
    recording: &'a Metadata,
    ended: bool,
    sample_type: Option<SampleType<'a>>,
    selection: Selected<'a>,
    quality: Quality,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
struct SampleType<'a> {
    name: &'a str,
    unit: &'static str,
}

#[derive(Serialize)]
struct Selected<'a> {
    from_ns: Option<u64>,
    to_ns: Option<u64>,
    pids: &'a [u32],
    tids: &'a [u32],
    comm: Option<String>,
    cgroup: Option<&'a str>,
    unit: Option<&'a str>,
    container: Option<&'a str>,
    modules: &'a [String],
    function: Option<&'a str>,
    kernel_frames: bool,
    user_frames: bool,
}

#[derive(Serialize)]
struct Quality {
    duration_ns: u64,
    quality_percent: f64,
    samples: u64,
    value: u64,
    recorded_samples: u64,
    lost: u64,
    lost_percent: f64,
    lost_by_reason: BTreeMap<String, u64>,
    expected: u64,
    ran: u64,
    idle: u64,
    filtered: u64,
    never_ran: u64,
    never_ran_percent: f64,
    complete: u64,
    complete_percent: Option<f64>,
    no_user_stack: u64,
    incomplete: u64,
    incomplete_by_reason: BTreeMap<&'static str, u64>,
    incomplete_by_module: Vec<InModule>,
    frames: u64,
    unnamed_frames: u64,
    unnamed_percent: Option<f64>,
    unnamed_by_module: Vec<InModule>,
    anonymous_frames: u64,
    unmapped_frames: u64,
    unmapped_percent: Option<f64>,
    measured_ns: u64,
    own_cpu_ns: u64,
    own_cpu_percent: Option<f64>,
    bpf_ns: u64,
    bpf_measured_ns: u64,
    bpf_percent: Option<f64>,
    host_busy_ns: u64,
    host_idle_ns: u64,
    host_busy_percent: Option<f64>,
    slow_calls_not_kept: u64,
    shed_ns_by_probe: BTreeMap<String, u64>,
}

#[derive(Serialize)]
struct InModule {
    module: String,
    count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Functions(Vec<Function>),
    Tree(Paths),
    Groups(Groups),
    States(States),
    Syscalls(latencies::Syscalls),
    Slow(slow::Slow),
    Files(slow::Targets),
    Sockets(slow::Targets),
    Wakers(wakers::Wakers),
    Locks(locks::Locks),
    Block(latencies::Block),
    Async(async_blocking::AsyncBlocking),
}

/// A part of the selected samples.
#[derive(Serialize)]
pub(super) struct Part {
    value: u64,
    samples: u64,
    percent: f64,
    low_percent: f64,
    high_percent: f64,
}

#[derive(Serialize)]
struct Function {
    function: String,
    module: String,
    kernel: bool,
    #[serde(rename = "self")]
    own: Part,
    total: Part,
}

#[derive(Serialize)]
struct Paths {
    direction: &'static str,
    nodes: Vec<PathNode>,
}

#[derive(Serialize)]
struct PathNode {
    parent: Option<usize>,
    function: String,
    module: String,
    kernel: bool,
    #[serde(rename = "self")]
    own: Part,
    total: Part,
}

#[derive(Serialize)]
struct Groups {
    by: &'static str,
    rows: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<u32>,
    total: Part,
    incomplete: u64,
}

#[derive(Serialize)]
struct States {
    by: &'static str,
    threads: u64,
    recorded_threads: u64,
    total: Times,
    run_queue: Option<RunQueue>,
    rows: Vec<Spent>,
}

#[derive(Serialize)]
struct Spent {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<u32>,
    threads: u64,
    #[serde(flatten)]
    times: Times,
    run_queue: Option<RunQueue>,
}

/// How long waits for a CPU were.
#[derive(Serialize)]
struct RunQueue {
    count: u64,
    p50_ns: Option<u64>,
    p90_ns: Option<u64>,
    p99_ns: Option<u64>,
    max_ns: u64,
}

#[derive(Serialize)]
struct Times {
    total_ns: u64,
    active_ns: u64,
    ns: BTreeMap<&'static str, u64>,
    waits: u64,
    preemptions: u64,
    modes: Modes,
}

/// How the time on a CPU divides into the program's code and the kernel's.
#[derive(Serialize)]
struct Modes {
    user_ns: u64,
    calls_ns: u64,
    other_kernel_ns: u64,
    plus_minus_ns: Option<u64>,
}

impl<'a> Document<'a> {
    pub(super) fn of(report: &Report<'a>) -> Self {
        let (profile, selection) = (report.profile, report.selection);
        let weights = Weights::of(profile, selection);
        let summary = Summary::with(profile, selection, &weights);
        let answer = match report.view {
            View::Functions(sort) => Answer::Functions(functions(report, sort, &weights)),
            View::Tree(direction) => Answer::Tree(tree(report, direction, &weights)),
            View::Groups(by) => Answer::Groups(groups(report, by, &summary)),
            View::States(by) => Answer::States(states(report, by)),
            View::Syscalls(by) => Answer::Syscalls(latencies::syscalls(report, by)),
            View::Slow(idle) => Answer::Slow(slow::slow(report, idle)),
            View::Targets(Targets::Files, idle) => Answer::Files(slow::targets(report, Targets::Files, idle)),
            View::Targets(Targets::Sockets, idle) => {
                Answer::Sockets(slow::targets(report, Targets::Sockets, idle))
            }
            View::Wakers(by) => Answer::Wakers(wakers::wakers(report, by, &summary)),
            View::Block(by) => Answer::Block(latencies::block(report, by)),
            View::Locks(asked) => Answer::Locks(locks::locks(report, asked)),
            View::Async(threshold) => Answer::Async(async_blocking::async_blocking(report, threshold)),
        };
        let mut kinds = selection
            .sample_types
            .iter()
            .filter_map(|&index| profile.sample_types.get(usize::from(index)));
        Self {
            schema: "profiler.report",
            version: VERSION,
            trace: report.trace,
            notes: report.notes,
            recording: &profile.metadata,
            ended: profile.ended,
            sample_type: kinds.next().map(|kind| SampleType {
                name: summary.sampled.name().unwrap_or(&kind.name),
                unit: kind.unit.name(),
            }),
            selection: Selected::of(selection),
            quality: Quality::of(summary),
            answer,
        }
    }
}

impl<'a> Selected<'a> {
    fn of(selection: &'a Selection) -> Self {
        let time = selection.time.as_ref();
        Self {
            from_ns: time.map(|time| time.start),
            to_ns: time.map(|time| time.end).filter(|&end| end != u64::MAX),
            pids: &selection.pids,
            tids: &selection.tids,
            comm: selection.comm.as_ref().map(ToString::to_string),
            cgroup: selection.cgroup.as_deref(),
            unit: selection.unit.as_deref(),
            container: selection.container.as_deref(),
            modules: &selection.modules,
            function: selection.pattern.as_deref(),
            kernel_frames: selection.kernel,
            user_frames: selection.user,
        }
    }
}

impl Quality {
    fn of(summary: Summary) -> Self {
        let in_modules = |modules: &[(String, u64)]| {
            let modules = modules.iter().cloned();
            modules
                .map(|(module, count)| InModule { module, count })
                .collect()
        };
        Self {
            duration_ns: summary.duration_ns,
            quality_percent: summary.quality_percent(),
            samples: summary.samples,
            value: summary.value,
            recorded_samples: summary.recorded_samples,
            lost: summary.lost(),
            lost_percent: summary.lost_percent(),
            expected: summary.quality.expected,
            ran: summary.ran(),
            idle: summary.quality.idle,
            filtered: summary.quality.filtered,
            never_ran: summary.never_ran(),
            never_ran_percent: summary.never_ran_percent(),
            complete: summary.complete,
            complete_percent: summary.complete_percent(),
            no_user_stack: summary.no_user_stack,
            incomplete: summary.incomplete_total(),
            incomplete_by_reason: summary
                .incomplete
                .iter()
                .map(|(outcome, &n)| (outcome.describe(), n))
                .collect(),
            incomplete_by_module: in_modules(&summary.incomplete_modules),
            frames: summary.frames,
            unnamed_frames: summary.unnamed_frames,
            unnamed_percent: summary.unnamed_percent(),
            unnamed_by_module: in_modules(&summary.unnamed_modules),
            anonymous_frames: summary.anonymous_frames,
            unmapped_frames: summary.unmapped_frames,
            unmapped_percent: summary.unmapped_percent(),
            measured_ns: summary.quality_ns,
            own_cpu_ns: summary.quality.own_cpu_ns,
            own_cpu_percent: summary.own_cpu_percent(),
            bpf_ns: summary.quality.bpf_ns,
            bpf_measured_ns: summary.quality.bpf_measured_ns,
            bpf_percent: summary.bpf_percent(),
            host_busy_ns: summary.quality.host_busy_ns,
            host_idle_ns: summary.quality.host_idle_ns,
            host_busy_percent: summary.host_busy_percent(),
            lost_by_reason: summary.quality.lost,
            slow_calls_not_kept: summary.quality.not_kept,
            shed_ns_by_probe: summary.quality.shed_ns,
        }
    }
}

impl Part {
    pub(super) fn of(value: u64, samples: u64, whole: u64, all: u64) -> Self {
        let share = Share::of(value, whole, all).unwrap_or(Share {
            share: 0.0,
            low: 0.0,
            high: 1.0,
        });
        Self {
            value,
            samples,
            percent: rounded(share.percent()),
            low_percent: rounded(share.low * 100.0),
            high_percent: rounded(share.high * 100.0),
        }
    }
}

/// Four decimals: finer than any interval, and half as long.
fn rounded(percent: f64) -> f64 {
    (percent * 1e4).round() / 1e4
}

fn functions(report: &Report<'_>, sort: Sort, weights: &Weights) -> Vec<Function> {
    let mut all = query::functions_of(report.profile, report.selection, weights);
    sort.apply(&mut all.rows);
    let (whole, samples) = (all.total_value, all.total_samples);
    report
        .select(&all.rows, sort, whole)
        .into_iter()
        .map(|row| Function {
            function: row.label.clone(),
            module: row.module.clone(),
            kernel: row.kernel,
            own: Part::of(row.self_value, row.self_samples, whole, samples),
            total: Part::of(row.total_value, row.total_samples, whole, samples),
        })
        .collect()
}

/// The nodes that are large enough, parents first, callers and callees by size; a parent is named by its position.
fn tree(report: &Report<'_>, direction: Direction, weights: &Weights) -> Paths {
    let tree = Tree::of_weights(report.profile, report.selection, weights, direction);
    let mut nodes = Vec::new();
    let mut stack: Vec<(u32, Option<usize>)> = tree.roots.iter().rev().map(|&root| (root, None)).collect();
    while let Some((id, parent)) = stack.pop() {
        let node = &tree.nodes[id as usize];
        if is_below(node.total_value, tree.total_value, report.percent_limit) {
            continue;
        }
        if report.limit.is_some_and(|limit| nodes.len() >= limit) {
            break;
        }
        let name = tree.name(id);
        stack.extend(
            tree.children(id)
                .iter()
                .rev()
                .map(|&child| (child, Some(nodes.len()))),
        );
        nodes.push(PathNode {
            parent,
            function: name.label.clone(),
            module: name.module.clone(),
            kernel: name.kernel,
            own: Part::of(
                node.self_value,
                node.self_samples,
                tree.total_value,
                tree.total_samples,
            ),
            total: Part::of(
                node.total_value,
                node.samples,
                tree.total_value,
                tree.total_samples,
            ),
        });
    }
    Paths {
        direction: match direction {
            Direction::TopDown => "top_down",
            Direction::BottomUp => "bottom_up",
        },
        nodes,
    }
}

fn groups(report: &Report<'_>, by: GroupBy, summary: &Summary) -> Groups {
    let rows = query::groups(report.profile, report.selection, by)
        .into_iter()
        .enumerate()
        .filter(|(place, row)| report.shows(*place, row.value, summary.value))
        .map(|(_, row)| row)
        .take(report.limit.unwrap_or(usize::MAX))
        .map(|row| Group {
            name: row.label,
            pid: row.pid,
            tid: row.tid,
            total: Part::of(row.value, row.samples, summary.value, summary.samples),
            incomplete: row.incomplete,
        })
        .collect();
    Groups { by: by.name(), rows }
}

fn states(report: &Report<'_>, by: Owner) -> States {
    let states = query::states(report.profile, report.selection, by);
    let rows = report.select_states(&states).into_iter().map(|row| Spent {
        name: row.label.clone(),
        pid: row.pid,
        tid: row.tid,
        threads: row.threads,
        times: Times::of(&row.times, &row.modes),
        run_queue: row.run_queue.as_ref().map(RunQueue::of),
    });
    States {
        by: by.name(),
        threads: states.threads,
        recorded_threads: states.recorded_threads,
        total: Times::of(&states.total, &states.modes),
        run_queue: states.run_queue.as_ref().map(RunQueue::of),
        rows: rows.collect(),
    }
}

impl RunQueue {
    fn of(timing: &Timing) -> Self {
        Self {
            count: timing.count,
            p50_ns: timing.percentile(50.0),
            p90_ns: timing.percentile(90.0),
            p99_ns: timing.percentile(99.0),
            max_ns: timing.max_ns,
        }
    }
}

impl Times {
    fn of(times: &StateTimes, modes: &query::Modes) -> Self {
        Self {
            total_ns: times.total_ns(),
            active_ns: times.active_ns(),
            ns: State::ALL.map(|state| (state.name(), times.of(state))).into(),
            waits: times.waits,
            preemptions: times.preemptions,
            modes: Modes {
                user_ns: modes.user_ns,
                calls_ns: modes.calls_ns,
                other_kernel_ns: modes.other_kernel_ns,
                plus_minus_ns: modes.plus_minus_ns.map(|ns| ns.ceil() as u64),
            },
        }
    }
}
